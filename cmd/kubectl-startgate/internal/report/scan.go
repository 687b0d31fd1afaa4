package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/startgate/startgate/cmd/kubectl-startgate/internal/verdict"
)

// ScanVersion is that of the JSON and YAML output of a scan.
const ScanVersion = "startgate.dev/scan/v1"

// Scan is what a scan found.
type Scan struct {
	SchemaVersion string     `json:"schemaVersion"`
	Workloads     []Workload `json:"workloads"` // those that hurt most first
}

// Workload is a workload with a sidecar.
type Workload struct {
	Namespace     string       `json:"namespace"`
	Workload      string       `json:"workload"` // deployment/web
	Pods          int          `json:"pods"`
	Sidecars      []string     `json:"sidecars"`
	OrderedBy     string       `json:"orderedBy"` // what makes the application wait for the sidecar
	EarlyRestarts int          `json:"earlyRestarts"`
	KeptJobs      int          `json:"keptJobs"`
	Verdict       verdict.Name `json:"verdict,omitempty"` // of the pod that hurts most, if its log was read
}

// Table prints a scan for people.
func (s Scan) Table(out io.Writer, logs bool) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprint(w, "NAMESPACE\tWORKLOAD\tPODS\tSIDECAR\tORDERED BY\tEARLY RESTARTS\tKEPT JOBS")
	if logs {
		fmt.Fprint(w, "\tVERDICT")
	}
	fmt.Fprintln(w)
	for _, r := range s.Workloads {
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%d\t%d", r.Namespace, r.Workload, r.Pods, strings.Join(r.Sidecars, ","), r.OrderedBy, r.EarlyRestarts, r.KeptJobs)
		if logs {
			fmt.Fprintf(w, "\t%s", r.Verdict)
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}
