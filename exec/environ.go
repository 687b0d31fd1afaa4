package exec

import (
	"os"
	"strings"
)

// DefaultPath is where [Find] is to look when PATH is not set at all: what
// confstr(_CS_PATH) says on common systems, with /usr/local/bin before it.
const DefaultPath = "/usr/local/bin:/bin:/usr/bin"

// Environ returns the environment as this process received it: every entry,
// byte for byte and in its order, also duplicates, empty ones and those without
// an equals sign, which [os.Environ] drops. What [os.Setenv] changed since is
// not in it. The source is /proc/self/environ; where that cannot be read it
// returns os.Environ().
func Environ() []string {
	block, err := os.ReadFile("/proc/self/environ")
	if err != nil {
		return os.Environ()
	}
	return entries(string(block))
}

// entries splits a block of NUL-terminated strings.
func entries(block string) []string {
	if block == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(block, "\x00"), "\x00")
}

// SearchPath returns the value of the first PATH entry of environ, as getenv(3)
// would, or [DefaultPath] when there is none. A PATH that is set and empty stays
// empty: it means the current directory.
func SearchPath(environ []string) string {
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, "PATH="); ok {
			return value
		}
	}
	return DefaultPath
}
