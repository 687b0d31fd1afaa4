package istio

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// programs are what is built of the module in the folder of this name.
var programs = []string{"istio.io/istio/pilot/cmd/pilot-agent", "istio.io/istio/pilot/cmd/pilot-discovery", "./envoy", "./manifests", "./names"}

// folder returns the folder of a module, as the module in dir sees it.
func folder(dir, module string) (string, error) {
	list := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module)
	list.Dir = dir
	list.Env = append(os.Environ(), "GOWORK=off")
	out, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the module %s: %w", module, err)
	}
	return strings.TrimSpace(string(out)), nil
}
