package exec

import (
	"os"
	"strings"
)

// defaultPath is the search path when PATH is not set: what confstr(3) returns for
// _CS_PATH on common systems, with /usr/local/bin before it.
const defaultPath = "/usr/local/bin:/bin:/usr/bin"

// Environ returns the environment as this process received it: every entry, byte for
// byte and in the same order, including duplicates, empty entries and entries without
// an equals sign, which [os.Environ] drops. It does not contain what [os.Setenv]
// changed since. It reads /proc/self/environ (proc(5)); if it cannot, it returns
// os.Environ().
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
// would, or /usr/local/bin:/bin:/usr/bin when there is none. A PATH that is set and
// empty stays empty: it means the current directory.
func SearchPath(environ []string) string {
	for _, entry := range environ {
		if value, ok := strings.CutPrefix(entry, "PATH="); ok {
			return value
		}
	}
	return defaultPath
}
