//go:build linux

package tests

// The table of faults: what happens, and the test that makes it happen.

import (
	"testing"

	"github.com/startgate/startgate/cmd/startgate/internal/markdown"
)

// fault is one line of the table of faults in examples/faults, and a test that makes it
// happen to the real binary.
type fault struct {
	what, gets string
	test       func(*testing.T)
}

// faults are that table.
var faults = []fault{
	{
		"the sidecar's readiness flaps: 200, 503 and refused in turn",
		"the application starts once, after the first 200",
		flaps,
	},
	{
		"it is ready for one answer only",
		"the application starts; nobody asks again",
		readyOnce,
	},
	{
		"it restarts during the wait",
		"the wait goes on, and the log says what has changed",
		restarts,
	},
	{
		"it dies between its 200 and the hand-over",
		"the application starts all the same. With `STARTGATE_QUIT` the log says in the end that it is gone already; the code is the application's",
		diesAfterReady,
	},
	{
		"it accepts and never answers, drips a byte at a time, sends headers or a body without end, or resets the connection in its answer",
		"not ready, and the log says which; one probe takes `STARTGATE_ATTEMPT_TIMEOUT` at most",
		hostileAnswers,
	},
	{
		"DNS is slow, or a name server is dead",
		"a lookup that takes longer than `STARTGATE_ATTEMPT_TIMEOUT` goes on beside the next probes, and the wait with it; until it is answered the log says `cannot resolve HOST: the name server does not answer`. So a dead name server in front of a good one costs the resolver's 5 seconds, and one that drops the questions for IPv6 addresses nothing",
		slowDNS,
	},
	{
		"the clock is set forward or back",
		"nothing except the timestamps in the log; waiting times use the monotonic clock",
		clockSteps,
	},
	{
		"the disk for the metrics is full",
		"a warning; the application starts, and an older file is left as it was",
		fullMetrics,
	},
	{
		"the volume for `--install` is full",
		"code 125; nothing is left of the copy, and an older one is left as it was",
		fullInstall,
	},
	{
		"a file system does not answer (an NFS server that is gone, a volume's driver that has died): a target's, that of `#ca=`, of the program, of the metrics, of the termination log or of `--install`",
		"not ready: `no answer from the file system in time`; the time-out and signals end the wait as always. With `STARTGATE_ON_TIMEOUT=start`, or when it is the metrics', the application starts, supervised, with a warning",
		unreadFileSystem,
	},
	{
		"the same, and its FUSE daemon has taken the request and is silent",
		"the same, and the log and the termination message say so in time; but the kernel holds the process, also after KILL, until the daemon answers or the mount is aborted (`umount -f`, or `/sys/fs/fuse/connections/*/abort`). No process can cure that",
		heldFileSystem,
	},
	{
		"no more file can be opened (`RLIMIT_NOFILE`)",
		"not ready: `too many open files`; the application finds its limits unchanged. startgate needs 9 descriptors, 11 to supervise, and with less than 8 Go's runtime ends it with code 2",
		noFiles,
	},
	{
		"no more process can be started (the pod's PIDs, `RLIMIT_NPROC`)",
		"replacing needs none; supervising ends with code 126, `resource temporarily unavailable`, and the sidecar is shut down. But if startgate needs another thread (it has about 10) and cannot get it, the Go runtime aborts it with code 2, and no sidecar is shut down",
		noProcesses,
	},
	{
		"little address space (`RLIMIT_AS`), data (`RLIMIT_DATA`) or stack (`RLIMIT_STACK`)",
		"startgate takes 1.3 GB and 80 MB of the first two, unused, and 64 kB of stack; with less Go's runtime ends it with code 2, or the kernel with SEGV (139). The application finds its limits unchanged",
		littleSpace,
	},
	{
		"a file may not grow (`RLIMIT_FSIZE`)",
		"lines of the log, and metrics, are lost, and nothing else: the XFSZ that startgate's own writes raise is not handed on",
		smallFiles,
	},
	{
		"seccomp forbids `prctl`, `pidfd_open`, `io_uring_setup`, `waitid` and all that is newer",
		"the application starts; supervising warns of what it does without, of orphans only at debug level",
		olderProfile,
	},
	{
		"a read-only root, no `/proc`, no `/dev`",
		"nothing; without `/proc` see the environment [as PID 1](../pid1), and `--install` ends with code 125",
		bareRoot,
	},
	{
		"a hundredth of a CPU",
		"the same, only slower",
		littleCPU,
	},
	{
		"standard input, output or error is closed, full, or nobody reads it",
		"lines of the log are lost, and nothing else; a pipe that nobody reads costs one second",
		brokenStreams,
	},
	{
		"`/dev/termination-log` is a FIFO that nobody reads, a directory, on a full disk, or missing",
		"the message is not there, and nothing else: the code is the same, and at once",
		brokenTerminationLog,
	},
}

// TestREADMEFaults finds a table that differs from the tests.
func TestREADMEFaults(t *testing.T) {
	rows := [][]string{{"fault", "what happens"}}
	for _, fault := range faults {
		rows = append(rows, []string{fault.what, fault.gets})
	}
	markdown.CheckTable(t, faultsFile, "faults", rows)
}
