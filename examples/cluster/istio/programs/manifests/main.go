// Manifests reads an IstioOperator and prints what istioctl manifest generate prints of it.
package main

import (
	"fmt"
	"os"

	"istio.io/istio/operator/pkg/render"
)

func main() {
	components, _, err := render.GenerateManifest([]string{"-"}, nil, false, nil, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, "manifests:", err)
		os.Exit(1)
	}
	for _, component := range components {
		for _, manifest := range component.Manifests {
			fmt.Printf("%s\n---\n", manifest.Content)
		}
	}
}
