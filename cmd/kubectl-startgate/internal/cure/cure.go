// Package cure has the changes that mend a pod, as patches of its workload.
package cure

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// Cure is a change, or advice where no patch can make it.
type Cure struct {
	ID    string // what --cure takes; empty for advice
	Title string
	Text  string // what it does, and its price
	Patch *Patch
	// By is the command that prints the patch, if that is too long for a command itself.
	By string
}

// Command returns the command that applies or prints the patch, or nothing if there is none.
func (c Cure) Command() string {
	if c.Patch == nil || c.By != "" {
		return c.By
	}
	return c.Patch.command()
}

// Note is a cure without a patch.
func Note(title, text string) Cure { return Cure{Title: title, Text: text} }

// Workload is what is patched.
type Workload struct {
	Scope
	APIVersion, Kind, Name string
}

// Patch is a strategic merge patch.
type Patch struct {
	Workload
	Body  map[string]any // of the whole workload
	Notes []string       // what a user must still fill in
}

// apiVersions of the workloads that can be patched. The template of a Job and the containers of a pod cannot be changed.
var apiVersions = map[string]string{
	"Deployment": "apps/v1", "StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "ReplicaSet": "apps/v1",
	"CronJob": "batch/v1", "Job": "batch/v1", "Pod": "v1",
}

// NewWorkload returns a workload of a known kind.
func NewWorkload(scope Scope, kind, name string) Workload {
	return Workload{scope, apiVersions[kind], kind, name}
}

// IsFixed reports whether the workload's pods cannot be changed: it must be made anew.
func (w Workload) IsFixed() bool { return w.Kind == "Job" || w.Kind == "Pod" }

// isForeign reports whether the workload is of a kind that is not Kubernetes' own, such as a Rollout: kubectl has no
// strategic merge for it.
func (w Workload) isForeign() bool { return w.APIVersion == "" }

// object is a part of a manifest.
type object = map[string]any

// patch returns a patch of the pod template.
func (w Workload) patch(template object, notes ...string) *Patch {
	body := object{"spec": object{"template": template}}
	switch w.Kind {
	case "CronJob":
		body = object{"spec": object{"jobTemplate": body}}
	case "Pod":
		body = template
	}
	return &Patch{Workload: w, Body: body, Notes: notes}
}

// YAML returns the patch as a file for kubectl patch --patch-file.
func (p *Patch) YAML() string {
	body, err := yaml.Marshal(p.Body)
	if err != nil {
		return err.Error() // it is made of strings and numbers alone
	}
	return p.comments() + string(body)
}

func (p *Patch) comments() string {
	var b strings.Builder
	notes := p.Notes
	if p.IsFixed() {
		notes = append(notes, fmt.Sprintf("A %s cannot be changed: put this in its manifest, delete it, and create it anew.", p.Kind))
	}
	if p.isForeign() {
		notes = append(notes, fmt.Sprintf("kubectl cannot merge this into a %s: put it in the pod template of its manifest.", p.Kind))
	}
	for _, note := range notes {
		fmt.Fprintf(&b, "# %s\n", note)
	}
	return b.String()
}

// Kustomize returns a kustomization with the patch.
func (p *Patch) Kustomize() string {
	whole := object{"apiVersion": cmp.Or(p.APIVersion, Blank), "kind": p.Kind, "metadata": object{"name": p.Name}}
	for key, value := range p.Body {
		if inner, ok := value.(object); ok && key == "metadata" {
			inner["name"] = p.Name
		}
		whole[key] = value
	}
	text, err := yaml.Marshal(whole)
	if err != nil {
		return err.Error()
	}
	body, err := yaml.Marshal(object{
		"apiVersion": "kustomize.config.k8s.io/v1beta1",
		"kind":       "Kustomization",
		"patches":    []object{{"target": object{"kind": p.Kind, "name": p.Name}, "patch": string(text)}},
	})
	if err != nil {
		return err.Error()
	}
	return p.comments() + string(body)
}

// longest is the longest patch that is shown as a command.
const longest = 400

// command returns the command that applies the patch, or nothing if none can.
func (p *Patch) command() string {
	if p.IsFixed() || p.isForeign() || len(p.Notes) > 0 {
		return ""
	}
	body, err := json.Marshal(p.Body)
	if err != nil || len(body) > longest {
		return ""
	}
	return p.Kubectl("patch", strings.ToLower(p.Kind), p.Name, "--type", "strategic", "-p", string(body))
}
