// Standin stands in for a sidecar whose image is not available, as in startgate's own CI:
// it has the sidecar's ports, paths and exit codes, and carries no traffic unless it is told
// to (istio --carry).
//
//	standin istio|linkerd|cloud-sql-proxy [FLAG...]
//
// cloud-sql-proxy also accepts the flags of the Cloud SQL Auth Proxy. So a manifest that
// runs with standin runs with the sidecar when the image is replaced.
package main

import (
	"errors"
	"fmt"
	"os"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
	}
	os.Exit(code)
}

// kinds has the sidecars that can be played.
var kinds = map[string]func() kind{
	"istio":           istio,
	"linkerd":         linkerd,
	"cloud-sql-proxy": cloudSQLProxy,
}

// run plays the sidecar that the first argument names.
func run(args []string) (code int, err error) {
	if len(args) == 0 {
		return 2, errors.New("no kind of sidecar: write istio, linkerd or cloud-sql-proxy")
	}
	newKind, ok := kinds[args[0]]
	if !ok {
		return 2, fmt.Errorf("unknown kind of sidecar %q: write istio, linkerd or cloud-sql-proxy", args[0])
	}
	s := &sidecar{kind: newKind()}
	if err := s.parse(args[1:]); err != nil {
		return 2, err
	}
	return s.live()
}
