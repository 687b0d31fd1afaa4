// Quickstart shows in five seconds what startgate is for, on a machine that has
// only Go:
//
//	go run ./examples/quickstart
//
// A pod is played by this one program: a stand-in for the sidecar, a stand-in for
// Redis behind it, and an application that needs Redis when it starts. The
// application is started without startgate and fails, then with startgate, the
// real binary, and succeeds.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run performs the play or, in a process that the play has started, the application.
func run(args []string) error {
	switch {
	case len(args) == 0:
		return play()
	case len(args) == 2 && args[0] == "--redis":
		return application(args[1])
	}
	return fmt.Errorf("cannot use the arguments %q: write go run ./examples/quickstart", args)
}
