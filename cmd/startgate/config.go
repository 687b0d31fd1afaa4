package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/kelseyhightower/envconfig"
	"github.com/startgate/startgate/wait/nearest"
)

// prefix is what the name of every setting begins with.
const prefix = "STARTGATE"

// Config has the settings. Its tags are the one source of their names, defaults
// and meanings: --help, --check and the README's table are made from them.
type Config struct {
	WaitFor        targets   `split_words:"true" default:"istio" desc:"targets, comma separated, waited for in this order; none waits for nothing"`
	Timeout        duration  `split_words:"true" default:"5m" desc:"for the whole wait; 0 waits for ever"`
	OnTimeout      onTimeout `split_words:"true" default:"fail" desc:"fail: exit with 124; start: run the application anyway"`
	AttemptTimeout positive  `split_words:"true" default:"3s" desc:"for one probe"`
	BackoffMax     positive  `split_words:"true" default:"500ms" desc:"the longest pause between probes"`
	SidecarStatus  *string   `split_words:"true" desc:"the pod's annotation sidecar.istio.io/status; set and empty means not injected, and istio is not waited for"`
	AbsentAfter    duration  `split_words:"true" default:"0" desc:"a sidecar given by name on whose ports nothing has listened for this long counts as absent; 0 is off"`
	Quit           quits     `split_words:"true" desc:"sidecars to stop after the application: names or URLs of this machine, comma separated"`
	QuitOn         quitOn    `split_words:"true" default:"always" desc:"always, or success: only after the application's code 0"`
	QuitTimeout    positive  `split_words:"true" default:"5s" desc:"for all quit requests together"`
	Supervise      truth     `split_words:"true" default:"false" desc:"true: stay as the application's parent, forward signals and reap orphans; implied by STARTGATE_QUIT"`
	Metrics        places    `split_words:"true" desc:"where metrics go, comma separated: an address such as :9102 serves /metrics while startgate lives, a file such as /path/x.prom is written at the hand-over and at the end"`
	LogLevel       level     `split_words:"true" default:"info" desc:"debug, info, warn or error"`
	LogFormat      logFormat `split_words:"true" default:"text" desc:"text or json, on standard error"`
}

// setting is one field of Config, for a person.
type setting struct{ Name, Default, Meaning string }

// settings returns the fields of Config in their order.
func settings() []setting {
	var all []setting
	for field := range reflect.TypeFor[Config]().Fields() {
		all = append(all, setting{nameOf(field.Name), field.Tag.Get("default"), field.Tag.Get("desc")})
	}
	return all
}

// nameOf returns the variable of a field of Config, as envconfig makes it.
func nameOf(field string) string {
	name := []byte(prefix)
	for _, letter := range []byte(field) {
		if unicode.IsUpper(rune(letter)) {
			name = append(name, '_')
		}
		name = append(name, letter)
	}
	return strings.ToUpper(string(name))
}

// load reads the settings. The notes are what a person should be warned of. The
// error names every variable that cannot be used.
func load(environ []string) (config Config, notes []string, err error) {
	for _, s := range settings() {
		// Charts write value: "" for what is not set.
		if value, set := os.LookupEnv(s.Name); set && value == "" && s.Name != sidecarStatus {
			os.Unsetenv(s.Name)
		}
	}
	var errs []error
	for {
		err := envconfig.Process(prefix, &config)
		if err == nil {
			break
		}
		var parse *envconfig.ParseError
		if !errors.As(err, &parse) {
			return config, nil, err
		}
		errs = append(errs, settingError(parse))
		os.Unsetenv(parse.KeyName) // and look for the next mistake
	}
	return config, unknown(environ), errors.Join(errs...)
}

const (
	waitFor       = prefix + "_WAIT_FOR"
	quitSetting   = prefix + "_QUIT"
	sidecarStatus = prefix + "_SIDECAR_STATUS" // the one for which empty and unset differ
)

// settingError says which variable cannot be used. The values of targets and quits
// may hold credentials; their errors name them without.
func settingError(err *envconfig.ParseError) error {
	if err.TypeName == reflect.TypeFor[targets]().String() || err.TypeName == reflect.TypeFor[quits]().String() {
		return fmt.Errorf("%s: %w", err.KeyName, err.Err)
	}
	return fmt.Errorf("%s=%q: %w", err.KeyName, err.Value, err.Err)
}

// injectedByKubelet is how variables are named that every pod gets for a Service
// whose name begins with startgate. Few starts have one to compare.
var injectedByKubelet = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)?)$`)
})

// unknown returns a warning for each variable that looks like a setting and is
// none.
func unknown(environ []string) []string {
	var known, words, notes []string // words are the known names without their prefix
	for _, s := range settings() {
		known = append(known, s.Name)
		words = append(words, strings.TrimPrefix(s.Name, prefix))
	}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" || !strings.HasPrefix(name, prefix+"_") || slices.Contains(known, name) || injectedByKubelet().MatchString(name) {
			continue
		}
		note := name + " is no setting of startgate and has no effect"
		if near := nearest.To(strings.TrimPrefix(name, prefix), words); near != "" {
			note += ": did you mean " + prefix + near + "?"
		}
		notes = append(notes, note)
	}
	return notes
}
