// Sbom prints what a Go binary is made of, as CycloneDX 1.6: what go version -m says
// of it, in the form that scanners read.
//
//	sbom BINARY
//
// The same binary gives the same document: its time is SOURCE_DATE_EPOCH, if that is
// set, and it has no serial number.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "sbom:", err)
		os.Exit(1)
	}
}

// bom is a document (https://cyclonedx.org/docs/1.6/json).
type bom struct {
	Format     string      `json:"bomFormat"`
	Spec       string      `json:"specVersion"`
	Version    int         `json:"version"`
	Metadata   metadata    `json:"metadata"`
	Components []component `json:"components"`
}

type metadata struct {
	Timestamp string    `json:"timestamp,omitempty"`
	Component component `json:"component"`
}

type component struct {
	Type    string `json:"type"`
	Ref     string `json:"bom-ref"`
	Name    string `json:"name"`
	Version string `json:"version"`
	Hashes  []hash `json:"hashes,omitempty"`
	PURL    string `json:"purl"`
}

type hash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

func run(args []string, stdout io.Writer) error {
	if len(args) != 1 {
		return errors.New("write sbom BINARY")
	}
	document, err := describe(args[0])
	if err != nil {
		return err
	}
	if document.Metadata.Timestamp, err = timestamp(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return err
	}
	encoder := json.NewEncoder(stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(document)
}

func describe(file string) (bom, error) {
	info, err := buildinfo.ReadFile(file)
	if err != nil {
		return bom{}, err
	}
	binary, err := os.ReadFile(file)
	if err != nil {
		return bom{}, err
	}
	program := module("application", &info.Main)
	program.PURL += qualifiers(info)
	program.Ref = program.PURL
	sum := sha256.Sum256(binary)
	program.Hashes = sha256Of(sum[:])
	document := bom{Format: "CycloneDX", Spec: "1.6", Version: 1, Metadata: metadata{Component: program}}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		document.Components = append(document.Components, module("library", dep))
	}
	release, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), " ")
	document.Components = append(document.Components, module("library", &debug.Module{Path: "stdlib", Version: release}))
	return document, nil
}

// module describes one (https://github.com/package-url/purl-spec: golang).
func module(kind string, m *debug.Module) component {
	purl := "pkg:golang/" + m.Path + "@" + url.QueryEscape(m.Version)
	c := component{Type: kind, Ref: purl, Name: m.Path, Version: m.Version, PURL: purl}
	// h1 is the SHA-256 of the names and sums of its files, as in go.sum
	// (golang.org/x/mod/sumdb/dirhash).
	if sum, ok := strings.CutPrefix(m.Sum, "h1:"); ok {
		if bytes, err := base64.StdEncoding.DecodeString(sum); err == nil {
			c.Hashes = sha256Of(bytes)
		}
	}
	return c
}

func sha256Of(sum []byte) []hash { return []hash{{"SHA-256", hex.EncodeToString(sum)}} }

// qualifiers tell one binary of a module from another: its platform and package.
func qualifiers(info *debug.BuildInfo) string {
	platform := url.Values{}
	for _, setting := range info.Settings {
		if setting.Key == "GOOS" || setting.Key == "GOARCH" {
			platform.Set(strings.ToLower(setting.Key), setting.Value)
		}
	}
	return "?" + platform.Encode() + "#" + strings.TrimPrefix(info.Path, info.Main.Path+"/")
}

// timestamp is the time that many seconds after 1970, if there are any.
func timestamp(epoch string) (string, error) {
	if epoch == "" {
		return "", nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return "", fmt.Errorf("SOURCE_DATE_EPOCH=%q: write seconds since 1970", epoch)
	}
	return time.Unix(seconds, 0).UTC().Format(time.RFC3339), nil
}
