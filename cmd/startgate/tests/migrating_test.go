//go:build linux

package tests

// What examples/migrating has for users of other inits, where it is more than a setting.

import (
	"fmt"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The parent-death signal comes to startgate, which hands it on.
func TestMigratingParentDeath(t *testing.T) {
	need(t, "setpriv", "sh")
	const parent = `setpriv --pdeathsig TERM "$0" -- "$@" & wait`
	p := start(t, command(superviseSettings, "sh", "-c", parent, binary, program(t, "supervised"), "signals"))
	p.untilOut("ready")
	gate := p.childOf(p.pid(), binary)
	app := p.childOf(gate, program(t, "supervised"))
	t.Cleanup(func() { _ = syscall.Kill(app, unix.SIGKILL) })
	if err := syscall.Kill(p.pid(), unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(p, "TERM", func() bool { return len(p.got()) > 0 })
	p.hasGot(unix.SIGTERM)
}

// A shell that ignores a signal keeps it from the application.
func TestMigratingIgnoredSignal(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGHUP, unix.SIGINT} {
		ignoring := fmt.Sprintf(`trap "" %d; exec "$0" -- "$@"`, sig)
		p := start(t, command(superviseSettings, "sh", "-c", ignoring, binary, program(t, "supervised"), "signals"))
		p.untilOut("ready")
		p.send(sig)
		p.forwards(unix.SIGTERM)
		p.hasGot(unix.SIGTERM)
	}
}
