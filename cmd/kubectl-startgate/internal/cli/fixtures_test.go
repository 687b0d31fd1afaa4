package cli

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

var update = flag.Bool("update", false, "write the wanted output of the fixtures")

// run runs a command line, and returns what it printed and its exit code.
func run(t testing.TB, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = Run(t.Context(), args, genericiooptions.IOStreams{In: strings.NewReader(""), Out: &out, ErrOut: &errOut})
	return out.String(), errOut.String(), code
}

// unpack writes the files of a fixture into a folder.
func unpack(t testing.TB, archive *txtar.Archive) string {
	t.Helper()
	dir := t.TempDir()
	for _, file := range archive.Files {
		if strings.HasPrefix(file.Name, "want") {
			continue
		}
		path := filepath.Join(dir, file.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file.Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestFixtures diagnoses each fixture. The first line of one names the verdict that it must have, and the output is
// compared as a whole.
func TestFixtures(t *testing.T) {
	for _, path := range fixtures(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			archive := readFixture(t, path)
			dir := unpack(t, archive)
			out, errOut, code := run(t, "diagnose", "--from", dir)
			got := strings.ReplaceAll(fmt.Sprintf("%s%sexit code %d\n", errOut, out, code), dir, "DIR")
			verdict, _, _ := strings.Cut(string(archive.Comment), "\n")
			if !strings.HasPrefix(got, strings.ReplaceAll(verdict, "-", " ")+":") {
				t.Errorf("want %s, got:\n%s", verdict, got)
			}
			checkGolden(t, path, archive, "want", got)
		})
	}
}

// checkGolden compares with a file of the fixture, or writes it.
func checkGolden(t *testing.T, path string, archive *txtar.Archive, name, got string) {
	t.Helper()
	for i, file := range archive.Files {
		if file.Name != name {
			continue
		}
		if *update {
			archive.Files[i].Data = []byte(got)
			writeFixture(t, path, archive)
		} else if diff := cmp.Diff(string(file.Data), got); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
		return
	}
	if !*update {
		t.Fatalf("no %s in %s: go test -update writes it", name, path)
	}
	archive.Files = append(archive.Files, txtar.File{Name: name, Data: []byte(got)})
	writeFixture(t, path, archive)
}

func writeFixture(t *testing.T, path string, archive *txtar.Archive) {
	t.Helper()
	if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
		t.Fatal(err)
	}
}

func unpackFixture(t testing.TB, name string) string {
	t.Helper()
	return unpack(t, readFixture(t, filepath.Join("testdata", name+".txtar")))
}

// fixtures returns the paths of all fixtures.
func fixtures(t testing.TB) []string {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	return paths
}

func readFixture(t testing.TB, path string) *txtar.Archive {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return archive
}
