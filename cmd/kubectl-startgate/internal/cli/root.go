// Package cli has the commands of kubectl startgate.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/client-go/kubernetes"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/live"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/plain"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/report"
)

// The exit codes.
const (
	CodeHealthy   = 0
	CodeProblem   = 1
	CodeFailed    = 2 // it could not look
	CodeUndecided = 3
)

// exitCode is an exit code that is not an error.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit code %d", int(c)) }

// Run runs a command line, and returns its exit code.
func Run(ctx context.Context, args []string, streams genericiooptions.IOStreams) int {
	root := newRoot(streams)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var code exitCode
	switch {
	case err == nil:
		return CodeHealthy
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintf(streams.ErrOut, "kubectl startgate: %s\n", plain.Lines(err.Error()))
	return CodeFailed
}

// options are what all commands have.
type options struct {
	genericiooptions.IOStreams
	config *genericclioptions.ConfigFlags
	limits live.Limits
	qps    float32
	client kubernetes.Interface // for tests; made when it is needed
}

func newRoot(streams genericiooptions.IOStreams) *cobra.Command { return newRootWith(streams, nil) }

func newRootWith(streams genericiooptions.IOStreams, client kubernetes.Interface) *cobra.Command {
	o := &options{IOStreams: streams, config: genericclioptions.NewConfigFlags(true), client: client}
	root := &cobra.Command{
		Use:           "kubectl-startgate",
		Short:         "Say whether a pod's trouble is the race with its sidecar, and what to change",
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl startgate"},
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
	}
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	flags := root.PersistentFlags()
	o.config.AddFlags(flags)
	flags.Int64Var(&o.limits.ChunkSize, "chunk-size", 500, "objects that the API server returns at once")
	flags.Float32Var(&o.qps, "qps", 20, "requests to the API server a second, at most")
	flags.Int64Var(&o.limits.Bytes, "log-bytes", 10<<20, "bytes of each log that are read, from its head")
	root.AddCommand(newDiagnose(o), newScan(o), newPatch(o))
	return root
}

// namespace returns the namespace of the flags, or else of the kubeconfig.
func (o *options) namespace() (string, error) {
	namespace, _, err := o.config.ToRawKubeConfigLoader().Namespace()
	return namespace, err
}

// reader returns what reads from the cluster.
func (o *options) reader() (*live.Reader, error) {
	if o.client == nil {
		config, err := o.config.ToRESTConfig()
		if err != nil {
			return nil, err
		}
		config.QPS, config.Burst = o.qps, max(int(o.qps), 1)
		if o.client, err = kubernetes.NewForConfig(config); err != nil {
			return nil, err
		}
	}
	return &live.Reader{Client: o.client, Limits: o.limits}, nil
}

// colors reports whether w is a terminal whose user has nothing against colours (no-color.org).
func colors(w io.Writer) report.Colors {
	return report.Colors(isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb")
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
