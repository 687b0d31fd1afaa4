package main

import (
	"cmp"
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

// prefix begins the name of every setting.
const prefix = "STARTGATE"

// settings are what the environment asks for. Their tags are the one source of their
// names, defaults and meanings: --help, --check and the README's table are made from
// them.
type settings struct {
	WaitFor        targets          `split_words:"true" default:"istio" desc:"targets, comma separated, waited for in this order; none: do not wait"`
	Timeout        duration         `split_words:"true" default:"5m" desc:"for the whole wait; 0: no limit"`
	OnTimeout      onTimeout        `split_words:"true" default:"fail" desc:"fail: exit with 124; start: run the application anyway"`
	AttemptTimeout positiveDuration `split_words:"true" default:"3s" desc:"for one probe"`
	BackoffMax     positiveDuration `split_words:"true" default:"500ms" desc:"the longest pause between probes"`
	SidecarStatus  annotation       `split_words:"true" desc:"the pod's annotation sidecar.istio.io/status, or what another mesh sets; set and empty means not injected, and the mesh's sidecar is not waited for"`
	AbsentAfter    duration         `split_words:"true" default:"0s" desc:"treat a named sidecar as absent after nothing has listened on its ports for this long; 0: never"`
	Quit           quits            `split_words:"true" desc:"sidecars to shut down after the application: names or URLs of this machine, comma separated"`
	QuitOn         quitOn           `split_words:"true" default:"always" desc:"always, or success: only after the application's code 0"`
	QuitTimeout    positiveDuration `split_words:"true" default:"5s" desc:"for all shutdown requests together"`
	Supervise      supervision      `split_words:"true" default:"false" desc:"true: stay as the application's parent, forward signals and reap orphans, which STARTGATE_QUIT implies; group: the same, with signals to the application's whole process group"`
	Metrics        metricsTargets   `split_words:"true" desc:"where metrics go, comma separated: an address such as :9102 serves /metrics while startgate lives, a file such as /path/x.prom is written every 30s of the wait, at the hand-over and at the end"`
	LogLevel       logLevel         `split_words:"true" default:"info" desc:"debug, info, warn or error"`
	LogFormat      logFormat        `split_words:"true" default:"text" desc:"text or json, on standard error"`
}

// The settings that other parts of the program name.
const (
	envWaitFor       = prefix + "_WAIT_FOR"
	envSidecarStatus = prefix + "_SIDECAR_STATUS"
	envQuit          = prefix + "_QUIT"
	envQuitOn        = prefix + "_QUIT_ON"
	envSupervise     = prefix + "_SUPERVISE"
	envLogLevel      = prefix + "_LOG_LEVEL"
	envLogFormat     = prefix + "_LOG_FORMAT"
)

// setting describes one field of [settings] to a user.
type setting struct{ Name, Default, Meaning string }

// describeSettings returns the fields of [settings], in their order. envconfig would
// do it, but its Usage brings text/template, which makes the binary 1.9 MB larger.
func describeSettings() []setting {
	var all []setting
	for field := range reflect.TypeFor[settings]().Fields() {
		all = append(all, setting{variableOf(field.Name), field.Tag.Get("default"), field.Tag.Get("desc")})
	}
	return all
}

// variableOf returns the variable of a field of [settings], as envconfig makes it.
func variableOf(field string) string {
	name := []byte(prefix)
	for _, letter := range []byte(field) {
		if unicode.IsUpper(rune(letter)) {
			name = append(name, '_')
		}
		name = append(name, letter)
	}
	return strings.ToUpper(string(name))
}

// readSettings reads the settings from the environment that this process was started
// with. One that cannot be used has its default, and the error, a [settingsError], says what
// to write instead.
func readSettings() (settings, error) {
	var (
		read  settings
		errs  []error
		wrong []string
	)
	fields := reflect.ValueOf(&read).Elem()
	for i, s := range describeSettings() {
		if err := s.read(fields.Type().Field(i), fields.Field(i)); err != nil {
			_ = s.decodeDefault(fields.Field(i))
			errs, wrong = append(errs, err), append(wrong, s.Name)
		}
	}
	if len(errs) > 0 {
		return read, settingsError{errors.Join(errs...), wrong}
	}
	return read, nil
}

// settingsError says what is wrong with some settings, each in a line.
type settingsError struct {
	error
	names []string // of these settings
}

// read reads one setting into its field, so that one mistake does not hide the next.
func (s setting) read(field reflect.StructField, into reflect.Value) error {
	value, set := os.LookupEnv(s.Name)
	if plain := strings.TrimSpace(value); s.Name != envSidecarStatus {
		if set && plain == "" {
			return s.decodeDefault(into) // charts write value: "" for what is not set
		}
		if isQuoted(plain) {
			return fmt.Errorf("%s has quotation marks around its value, and they are part of it: remove them", s.Name)
		}
	}
	if name := unexpanded(value); name != "" {
		return fmt.Errorf("%s has $(%s) in it: %s is not defined before it in the container's env, and Kubernetes expands only what is", s.Name, name, name)
	}
	one := reflect.New(reflect.StructOf([]reflect.StructField{field}))
	err := envconfig.Process(prefix, one.Interface())
	into.Set(one.Elem().Field(0))
	var parse *envconfig.ParseError
	if !errors.As(err, &parse) {
		return err
	}
	if mayHoldSecret(into.Interface(), value) {
		return errors.New(s.Name + ": " + strings.ReplaceAll(parse.Err.Error(), "\n", "\n"+s.Name+": "))
	}
	return fmt.Errorf("%s=%q: %w", s.Name, parse.Value, parse.Err)
}

// mayHoldSecret reports whether the value of a setting may have credentials in it: that of any
// setting may which was meant for another one.
func mayHoldSecret(setting any, value string) bool {
	switch setting.(type) {
	case targets, quits, metricsTargets:
		return true
	}
	return strings.ContainsAny(value, "=:@/")
}

// isQuoted reports whether text has quotation marks around it. A shell takes them away, an
// env file and a list in a compose file do not.
func isQuoted(text string) bool {
	return len(text) > 1 && strings.ContainsAny(text[:1], `"'`) && text[0] == text[len(text)-1]
}

// unexpanded returns the name of a variable that value refers to as $(NAME), or nothing.
// Kubernetes replaces such references, except those to variables that it does not know yet.
func unexpanded(value string) string {
	_, rest, _ := strings.Cut(value, "$(")
	name, _, ok := strings.Cut(rest, ")")
	if !ok || strings.ContainsFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_.", r)
	}) {
		return ""
	}
	return name
}

func (s setting) decodeDefault(into reflect.Value) error {
	if s.Default == "" {
		return nil
	}
	return into.Addr().Interface().(envconfig.Decoder).Decode(s.Default)
}

// injectedByKubelet matches the variables that every pod gets for a Service whose name
// begins with startgate. Few starts have one to compare.
var injectedByKubelet = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?)?)$`)
})

// unknownSettings returns a warning for each variable that looks like a setting and is
// none: by the first word of its name, or by the others if the first is nearly right.
func unknownSettings() (notes []hint) {
	var known, words []string // words are the known names without their prefix
	for _, s := range describeSettings() {
		known = append(known, s.Name)
		words = append(words, strings.TrimPrefix(s.Name, prefix))
	}
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		first, rest, ok := strings.Cut(name, "_")
		rest = "_" + strings.ToUpper(rest)
		isMeant := first == prefix && ok || slices.Contains(words, rest) && nearest.To(strings.ToUpper(first), []string{prefix}) != ""
		if value == "" || !isMeant || slices.Contains(known, name) || injectedByKubelet().MatchString(name) {
			continue
		}
		note := name + " is not a startgate setting; ignored"
		if near := nearest.To(rest, words); near != "" {
			note += ": did you mean " + prefix + near + "?"
		}
		notes = append(notes, hint{text: note})
	}
	return notes
}

// shown returns the value of a setting as --check prints it, and where it comes from.
func (s setting) shown(value reflect.Value) (text, from string) {
	from = "default"
	if _, set := os.LookupEnv(s.Name); set {
		from = "environment"
	}
	return cmp.Or(fmt.Sprint(value.Interface()), "-"), from
}
