package exec

// This file tests what a log may show of a program's name.

import (
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestDisplayName(t *testing.T) {
	for name, want := range map[string]string{
		"app":              "app",
		"/opt/app-1.2/app": "/opt/app-1.2/app",
		"./a=b/app":        "./a=b/app",
		"/opt/x:y@1/app":   "/opt/x:***",
		"/opt/app@1":       "/opt/app@1",
		"":                 "",
		"  ":               "  ",
		"--":               "--",
		"-x":               "-x",
		"--flag":           "--flag",

		"psql -h s3cr3t":                      "psql ***",
		"\tpsql\ns3cr3t":                      "psql ***",
		"PGPASSWORD=s3cr3t psql":              "PGPASSWORD=***",
		"PGPASSWORD='s3 cr3t' psql":           "PGPASSWORD=***",
		"PGPASSWORD=s3cr3t":                   "PGPASSWORD=***",
		"PGPASSWORD= s3cr3t":                  "PGPASSWORD= ***",
		"DB=postgres://u:s3cr3t@db/x":         "DB=***",
		"--password=s3cr3t":                   "--password=***",
		"-ps3cr3t":                            "-p***",
		"postgres://u:s3cr3t@db/x?y=s3cr3t":   "postgres://***",
		"app://s3cr3t=s3cr3t":                 "app://***",
		"u:s3cr3t@tcp(db)/x":                  "u:***",
		"u:s3@cr3t@tcp(db)/x":                 "u:***",
		"/bin/psql postgres://u:s3cr3t@db/x":  "/bin/psql ***",
		"'psql' \"postgres://u:s3cr3t@db/x\"": "'psql' ***",
	} {
		if got := DisplayName(name); got != want {
			t.Errorf("DisplayName(%q) = %q, want %q", name, got, want)
		}
	}
}

// Errors once showed the whole name, whatever was in it.
func TestErrorsShowNoSecret(t *testing.T) {
	t.Chdir(t.TempDir())
	closed := "closed"
	if err := os.Mkdir(closed, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"PASSWORD=s3cr3t app", "PASSWORD=s3cr3t", "./app --password s3cr3t", "/bin/true/PASSWORD=x s3cr3t",
		"postgres://u:s3cr3t@db/x",
	} {
		for _, path := range []string{"", closed, "/bin"} {
			_, err := Find(name, path)
			if err == nil || strings.Contains(err.Error(), "s3cr3t") || !strings.Contains(err.Error(), "***") {
				t.Errorf("Find(%q, %q): %v", name, path, err)
			}
		}
	}
	writeFile(t, closed+"/PASSWORD=s3cr3t", "", 0o644) // not executable: the error names the file
	if _, err := Find("PASSWORD=s3cr3t", closed); err == nil || !strings.HasPrefix(err.Error(), "cannot run closed/PASSWORD=***: "+syscall.EACCES.Error()) {
		t.Errorf("in a directory of PATH: %v", err)
	}
}
