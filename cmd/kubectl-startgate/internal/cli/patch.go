package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/cure"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/live"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/sidecar"
)

type patcher struct {
	*options
	container, image, waitFor, quit, output string
}

func newPatch(o *options) *cobra.Command {
	p := &patcher{options: o}
	c := &cobra.Command{
		Use:   "patch TYPE/NAME",
		Short: "Print the patch that puts startgate before a workload's application; nothing is applied",
		Example: `  kubectl startgate patch deploy/web -n shop --image registry.example/startgate:1
  kubectl startgate patch deploy/web -o kustomize >kustomization.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return p.run(c, args[0]) },
	}
	flags := c.Flags()
	flags.StringVarP(&p.container, "container", "c", "", "the application's container; the first that is no sidecar if empty")
	flags.StringVar(&p.image, "image", "", "an image that has startgate")
	flags.StringVar(&p.waitFor, "wait-for", "istio", "what to wait for: a sidecar's name, or URLs")
	flags.StringVar(&p.quit, "quit", "", "the sidecar to shut down at the end, for Jobs")
	flags.StringVarP(&p.output, "output", "o", "patch", "patch or kustomize")
	return c
}

func (p *patcher) run(c *cobra.Command, target string) error {
	if p.output != "patch" && p.output != "kustomize" {
		return fmt.Errorf("-o %s is unknown: write patch or kustomize", p.output)
	}
	typed, name, ok := strings.Cut(target, "/")
	if !ok {
		return fmt.Errorf("%q names no workload: write it as deploy/NAME", target)
	}
	kind, err := live.KindOf(typed)
	if err != nil {
		return err
	}
	namespace, err := p.namespace()
	if err != nil {
		return err
	}
	reader, err := p.reader()
	if err != nil {
		return err
	}
	w, err := reader.Workload(c.Context(), kind, namespace, name)
	if err != nil {
		return fmt.Errorf("cannot read %s: %w", target, err)
	}
	spec, err := p.app(w.Template)
	if err != nil {
		return err
	}
	gate := cure.Gate{Image: p.image, WaitFor: p.waitFor, Quit: p.quit, Injected: injected(p.waitFor)}
	return writePatch(p.Out, cure.Startgate(cure.NewWorkload(cure.Scope{Namespace: namespace}, kind, name), spec.Name, spec, gate).Patch, p.output)
}

// app returns the container that startgate is put before.
func (p *patcher) app(template *corev1.PodTemplateSpec) (*corev1.Container, error) {
	var names []string
	for _, c := range sidecar.Containers(&corev1.Pod{Spec: template.Spec}) {
		if c.IsApp() && (p.container == "" || p.container == c.Name) {
			return c.Spec, nil
		}
		names = append(names, c.Name)
	}
	return nil, fmt.Errorf("no application %q among the containers %s", p.container, strings.Join(names, ", "))
}

// injected returns the field that says whether the first of the targets was injected.
func injected(waitFor string) string {
	targets := strings.Split(waitFor, ",")
	for _, kind := range sidecar.Kinds {
		if slices.Contains(targets, kind.Name) {
			return kind.Injected
		}
	}
	return ""
}
