package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/cure"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/evidence"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/report"
	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/verdict"
)

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
		out.Pods = append(out.Pods, report.New(c, verdicts, d.again(e)))
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
		return fmt.Sprintf("kubectl startgate diagnose %s --from %s", cure.Quote(strings.TrimPrefix(e.Namespace+"/"+e.Name, "/")), cure.Quote(d.from))
	}
	return cure.Scope{Namespace: e.Namespace, Context: e.Context}.Kubectl("startgate", "diagnose", e.Name)
}

func (d *diagnose) write(out report.Report, cures []cure.Cure) error {
	switch d.output {
	case "json", "yaml":
		return encode(d.Out, out, d.output)
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

// encode writes a value as JSON or YAML.
func encode(w io.Writer, value any, output string) error {
	if output == "json" {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(value)
	}
	text, err := yaml.Marshal(value)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
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
