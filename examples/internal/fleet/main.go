// Fleet does to the examples for fleets what kubectl and an API server do:
//
//	fleet build DIR           prints what kubectl apply --kustomize would apply
//	fleet admit POLICIES POD  prints the pod as the API server would keep it
//
// It is a module of its own so that startgate's has no dependency on Kubernetes.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string, stdout io.Writer) error {
	switch {
	case len(args) == 2 && args[0] == "build":
		return build(args[1], stdout)
	case len(args) == 3 && args[0] == "admit":
		return admit(args[1], args[2], stdout)
	}
	return errors.New("usage: fleet build DIR | fleet admit POLICIES POD")
}

// build prints the manifests of a kustomization as YAML.
func build(dir string, stdout io.Writer) error {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return fmt.Errorf("cannot build %s: %w", dir, err)
	}
	text, err := resources.AsYaml()
	if err != nil {
		return fmt.Errorf("cannot build %s: %w", dir, err)
	}
	_, err = stdout.Write(text)
	return err
}
