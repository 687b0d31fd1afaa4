// Cluster gives you a Kubernetes of one node, with this repository's images in it, until
// Ctrl-C.
//
//	go -C examples/cluster run . [VERSION]
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/startgate/startgate/examples/cluster/node"
)

func main() {
	node.Main()
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run() error {
	if missing := node.Missing(); len(missing) > 0 {
		return fmt.Errorf("needs %s.\nIt needs root on Linux, Go, and the Debian packages\n  %s", strings.Join(missing, ", "), node.Packages)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	options := node.Options{Say: func(text string) { fmt.Fprintln(os.Stderr, text) }}
	if len(os.Args) > 1 {
		options.Version = os.Args[1]
	}
	cluster, err := node.Start(ctx, options)
	if err != nil {
		return err
	}
	fmt.Printf("export KUBECONFIG=%s\n", cluster.Kubeconfig)
	fmt.Fprintln(os.Stderr, "Ctrl-C takes the cluster away.")
	select {
	case <-ctx.Done():
	case <-cluster.Ended():
	}
	return cluster.Stop()
}
