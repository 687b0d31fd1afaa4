//go:build linux

package tests

// What --install needs, and what it leaves when it is ended; the rest is in
// testdata/script/install.txtar.

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// TestInstallWithoutProc holds the message to the file that it is about.
func TestInstallWithoutProc(t *testing.T) {
	needRoot(t)
	root := t.TempDir()
	copyFile(t, binary, filepath.Join(root, "startgate"))
	cmd := exec.Command("/startgate", "--install", "/copy")
	cmd.Dir, cmd.SysProcAttr = "/", &syscall.SysProcAttr{Chroot: root}
	p := start(t, cmd)
	p.ends(125)
	p.logHas("cannot install /copy: cannot read startgate itself: open /proc/self/exe: no such file or directory")
}

// TestInstallEnds ends a copy whose disk is slow: the file is whole, or not there.
func TestInstallEnds(t *testing.T) {
	needRoot(t)
	need(t, "strace")
	whole, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := command(nil, "strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:delay_enter=3s", binary, "--install", dir)
	p := start(t, cmd)
	eventually(p, "the copy", func() bool {
		copies, _ := filepath.Glob(dir + "/.startgate-*")
		if len(copies) == 0 {
			return false
		}
		info, err := os.Stat(copies[0])
		return err == nil && info.Size() == whole.Size()
	})
	eventually(p, "startgate", func() bool {
		children := childrenOf(t, cmd.Process.Pid)
		if len(children) > 0 {
			p.gate = children[0]
		}
		return len(children) > 0
	})
	p.send(syscall.SIGTERM)
	p.untilLog("msg=\"ended by SIGTERM\" logger=startgate event=stopped signal=SIGTERM code=143")
	p.ends(128 + int(syscall.SIGTERM))
	if p.took > soon {
		p.Errorf("the end comes after %v", p.took)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("what is left is %v, %v", left, err)
	}
	p.logHasNot("installed")
}
