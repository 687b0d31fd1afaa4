package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/cure"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/live"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/report"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/saved"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/verdict"
)

// outputs are the formats of diagnose.
var outputs = []string{"text", "json", "yaml", "markdown", "patch", "kustomize"}

type diagnose struct {
	*options
	selector, output, cure, from, save, at string
	role                                   bool
	maxPods                                int
}

func newDiagnose(o *options) *cobra.Command {
	d := &diagnose{options: o}
	c := &cobra.Command{
		Use:   "diagnose (POD | TYPE/NAME | -l SELECTOR | --from PATH [POD])",
		Short: "Say what is the matter with a pod, why, and what to change",
		Example: `  kubectl startgate diagnose web-7d4b9c-x2x7k -n shop
  kubectl startgate diagnose deploy/web -n shop
  kubectl startgate diagnose deploy/web -o patch --cure hold | kubectl patch deploy web --patch-file /dev/stdin
  kubectl startgate diagnose web-7d4b9c-x2x7k --save incident
  kubectl startgate diagnose --from incident`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return d.run(c.Context(), args) },
	}
	flags := c.Flags()
	flags.StringVarP(&d.selector, "selector", "l", "", "the pods with these labels")
	flags.StringVarP(&d.output, "output", "o", "text", strings.Join(outputs, ", "))
	flags.StringVar(&d.cure, "cure", "", "with -o patch or kustomize: which cure; the first that has a patch if empty")
	flags.StringVar(&d.from, "from", "", "read saved files of this folder instead of a cluster")
	flags.StringVar(&d.save, "save", "", "write what --from reads into this folder")
	flags.StringVar(&d.at, "at", "", "look at the pod as it was at this time, such as 2026-11-22T10:42:00Z")
	flags.DurationVar(&d.limits.Since, "since", 0, "read only log lines that are not older than this")
	flags.StringVarP(&d.limits.Container, "container", "c", "", "of the applications, look at this one only")
	flags.IntVar(&d.maxPods, "max-pods", 10, "look at no more pods than this; those with most restarts first")
	flags.BoolVar(&d.role, "print-role", false, "print the ClusterRole of all that is read, and end")
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs, cobra.ShellCompDirectiveNoFileComp))
	return c
}

func (d *diagnose) run(ctx context.Context, args []string) error {
	if d.role {
		_, err := io.WriteString(d.Out, live.Role)
		return err
	}
	if !slices.Contains(outputs, d.output) {
		return fmt.Errorf("-o %s is unknown: write one of %s", d.output, strings.Join(outputs, ", "))
	}
	at, err := parseAt(d.at)
	if err != nil {
		return err
	}
	d.limits.At = at
	gather := d.fromCluster
	if d.from != "" {
		gather = d.fromFiles
	}
	all, err := gather(ctx, args)
	if err != nil {
		return err
	}
	if err := d.saveAll(all); err != nil {
		return err
	}
	return d.print(all, at)
}

func parseAt(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return at, fmt.Errorf("--at %s is no time: write it as 2026-11-22T10:42:00Z", text)
	}
	return at, nil
}

func (d *diagnose) saveAll(all []*evidence.Evidence) error {
	if d.save == "" {
		return nil
	}
	for _, e := range all {
		if err := saved.Save(d.save, e); err != nil {
			return fmt.Errorf("cannot save: %w", err)
		}
	}
	fmt.Fprintf(d.ErrOut, "Saved in %s.\n%s", d.save, saved.Warning)
	return nil
}

// fromFiles reads saved files.
func (d *diagnose) fromFiles(_ context.Context, args []string) ([]*evidence.Evidence, error) {
	store, err := saved.Load(d.from)
	if err != nil {
		return nil, err
	}
	var all []*evidence.Evidence
	for _, name := range store.Names() {
		_, pod, _ := strings.Cut(name, "/")
		if len(args) == 0 || strings.TrimPrefix(args[0], "pod/") == pod || args[0] == name {
			e := store.Evidence(name)
			e.Only = d.limits.Container
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no pod %s, only %s", d.from, args[0], strings.Join(store.Names(), ", "))
	}
	return all, nil
}

// fromCluster reads from a cluster.
func (d *diagnose) fromCluster(ctx context.Context, args []string) ([]*evidence.Evidence, error) {
	if (len(args) == 0) == (d.selector == "") {
		return nil, errors.New("name a pod, or a workload as deploy/NAME, or give -l SELECTOR")
	}
	namespace, err := d.namespace()
	if err != nil {
		return nil, err
	}
	reader, err := d.reader()
	if err != nil {
		return nil, err
	}
	pods, gaps, err := d.pods(ctx, reader, namespace, args)
	if err != nil {
		return nil, err
	}
	if len(pods) == 0 {
		return nil, fmt.Errorf("no pod found in %s; of those that are gone, see --from", namespace)
	}
	slices.SortStableFunc(pods, func(a, b *corev1.Pod) int { return restartsOf(b) - restartsOf(a) })
	if len(pods) > d.maxPods {
		fmt.Fprintf(d.ErrOut, "%d pods: looking at the %d with most restarts (--max-pods)\n", len(pods), d.maxPods)
		pods = pods[:d.maxPods]
	}
	var all []*evidence.Evidence
	for _, pod := range pods {
		e := reader.Evidence(ctx, pod)
		e.Gaps = append(slices.Clone(gaps), e.Gaps...)
		e.Gaps = slices.CompactFunc(e.Gaps, func(a, b evidence.Gap) bool { return a == b })
		all = append(all, e)
	}
	return all, ctx.Err()
}

func (d *diagnose) pods(ctx context.Context, reader *live.Reader, namespace string, args []string) ([]*corev1.Pod, []evidence.Gap, error) {
	if d.selector != "" {
		pods, err := reader.Pods(ctx, namespace, d.selector)
		return pods, nil, err
	}
	kind, name, isTyped := strings.Cut(args[0], "/")
	if !isTyped || slices.Contains([]string{"pod", "pods", "po"}, kind) {
		if !isTyped {
			name = args[0]
		}
		pod, err := reader.Pod(ctx, namespace, name)
		return []*corev1.Pod{pod}, nil, err
	}
	kind, err := live.KindOf(kind)
	if err != nil {
		return nil, nil, err
	}
	return reader.PodsOf(ctx, kind, namespace, name)
}

func restartsOf(pod *corev1.Pod) (n int) {
	for _, status := range slices.Concat(pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses) {
		n += int(status.RestartCount)
	}
	return n
}

// print prints the diagnoses, and returns the exit code of the worst.
func (d *diagnose) print(all []*evidence.Evidence, at time.Time) error {
	out := report.Report{SchemaVersion: report.SchemaVersion}
	var worst verdict.Severity
	var cures []cure.Cure
	for _, e := range all {
		c := verdict.NewCase(e, at)
		verdicts := verdict.Decide(c)
		worst = max(worst, verdicts[0].Severity)
		for _, v := range verdicts {
			cures = append(cures, v.Cures...)
		}
		pod := report.New(c, verdicts)
		pod.Again = d.again(e)
		out.Pods = append(out.Pods, pod)
	}
	if err := d.write(out, cures); err != nil {
		return err
	}
	switch worst {
	case verdict.Problem:
		return exitCode(CodeProblem)
	case verdict.Undecided:
		return exitCode(CodeUndecided)
	}
	return nil
}

// again returns the command that looks at a pod again.
func (d *diagnose) again(e *evidence.Evidence) string {
	if d.from != "" {
		return fmt.Sprintf("kubectl startgate diagnose --from %s %s", d.from, e.Name)
	}
	return fmt.Sprintf("kubectl startgate diagnose %s -n %s", e.Name, e.Namespace)
}

func (d *diagnose) write(out report.Report, cures []cure.Cure) error {
	switch d.output {
	case "json":
		encoder := json.NewEncoder(d.Out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(out)
	case "yaml":
		text, err := yaml.Marshal(out)
		if err != nil {
			return err
		}
		_, err = d.Out.Write(text)
		return err
	case "patch", "kustomize":
		return d.writePatch(cures)
	}
	for i, pod := range out.Pods {
		if i > 0 {
			fmt.Fprintln(d.Out)
		}
		if d.output == "markdown" {
			report.Markdown(d.Out, pod)
		} else {
			report.Text(d.Out, pod, colors(d.Out))
		}
	}
	return nil
}

// writePatch writes one patch: that of --cure, or the first.
func (d *diagnose) writePatch(cures []cure.Cure) error {
	var ids []string
	for _, c := range cures {
		if c.Patch == nil {
			continue
		}
		if d.cure == "" || d.cure == c.ID {
			return writePatch(d.Out, c.Patch, d.output)
		}
		ids = append(ids, c.ID)
	}
	if len(ids) > 0 {
		return fmt.Errorf("no cure %q: there are %s", d.cure, strings.Join(ids, ", "))
	}
	return errors.New("no patch mends this: see -o text")
}

func writePatch(w io.Writer, patch *cure.Patch, output string) error {
	text := patch.YAML()
	if output == "kustomize" {
		text = patch.Kustomize()
	}
	_, err := io.WriteString(w, text)
	return err
}
