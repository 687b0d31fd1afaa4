// Manifests prints what istioctl manifest generate prints: all that an installation of
// Istio's minimal profile is.
//
//	manifests TAG [PATH=VALUE...]
package main

import (
	"fmt"
	"os"

	"istio.io/istio/operator/pkg/render"
)

func main() {
	if err := run(os.Args[1], os.Args[2:]); err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(1)
	}
}

func run(tag string, values []string) error {
	set := append([]string{"profile=minimal", "hub=docker.io/istio", "tag=" + tag}, values...)
	components, _, err := render.GenerateManifest(nil, set, false, nil, nil)
	if err != nil {
		return err
	}
	for _, component := range components {
		for _, manifest := range component.Manifests {
			fmt.Printf("%s\n---\n", manifest.Content)
		}
	}
	return nil
}
