package tests

// The environment of Go's runtime, which is the application's and startgate's at once.

import "testing"

// Before main, so that startgate cannot help it. The application's own start would end so
// too, if it is one of Go.
func TestMalformedGoSettingEndsStartgate(t *testing.T) {
	for _, setting := range []string{"GOMEMLIMIT=500MB", "GOMEMLIMIT=half"} {
		cmd := command([]string{"WAIT_FOR=none"}, binary, "--", "echo", "APP UP")
		cmd.Env = append(cmd.Env, setting)
		p := start(t, cmd)
		p.ends(2)
		p.logHas("malformed GOMEMLIMIT")
		p.logHasNot("level=")
	}
}

// What GODEBUG prints of startgate is in its log, unless only the application has it.
func TestGODEBUGIsStartgatesToo(t *testing.T) {
	need(t, "env")
	cmd := command([]string{"WAIT_FOR=none"}, binary, "--", "sh", "-c", `echo "has $GODEBUG"`)
	cmd.Env = append(cmd.Env, "GODEBUG=inittrace=1")
	p := start(t, cmd)
	p.ends(0)
	p.logHas("init runtime @")
	p.outHas("has inittrace=1")

	p = startGate(t, []string{"WAIT_FOR=none"}, "env", "GODEBUG=inittrace=1", "sh", "-c", `echo "has $GODEBUG"`)
	p.ends(0)
	p.logHasNot("init runtime @")
	p.outHas("has inittrace=1")
}
