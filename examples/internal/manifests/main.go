// Manifests reads Kubernetes manifests as an API server does, which refuses an
// unknown field, a duplicate one and an API version that is gone, and prints the
// objects as JSON:
//
//	go run . FILE...
//
// It is a module of its own so that startgate's has no dependency on Kubernetes.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	serializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/util/yaml"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run prints the objects of all files, or says what is wrong with each.
func run(files []string, stdout io.Writer) error {
	objects := map[string][]runtime.Object{}
	var errs []error
	for _, file := range files {
		var err error
		objects[file], err = read(file)
		errs = append(errs, err)
	}
	return errors.Join(append(errs, json.NewEncoder(stdout).Encode(objects))...)
}

// read returns the objects of one file.
func read(file string) ([]runtime.Object, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	decoder, err := strict()
	if err != nil {
		return nil, err
	}
	var (
		objects []runtime.Object
		errs    []error
	)
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		document, err := documents.Read()
		if err == io.EOF {
			return objects, errors.Join(errs...)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		object, _, err := decoder.Decode(document, nil, nil)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		objects = append(objects, object)
	}
}

// strict returns a decoder of the kinds that the examples use.
func strict() (runtime.Decoder, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{core.AddToScheme, apps.AddToScheme, batch.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	options := serializer.SerializerOptions{Yaml: true, Strict: true}
	return serializer.NewSerializerWithOptions(serializer.DefaultMetaFactory, scheme, scheme, options), nil
}
