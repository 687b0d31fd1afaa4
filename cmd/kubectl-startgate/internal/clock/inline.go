// Package clock finds the time that a line of a log gives itself. It beats the time at which the
// container runtime got the line, which may be later: programs buffer, and tell of earlier things.
package clock

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// stamp is a time in a line.
type stamp struct {
	at         time.Time
	resolution time.Duration
	zoned      bool // the line says in which zone; if not, at is in UTC
	begin      int  // where in the line it begins
}

// form is one way to write a time.
type form struct {
	pattern *regexp.Regexp
	layouts []string
	zoned   bool
	undated bool // the day is that of the runtime's time
}

const fraction = `(?:[.,]\d{1,9})?`

// forms are tried in this order. Times without a date are taken at the line's beginning only.
var forms = []form{
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d` + fraction + ` ?(?:Z\b|[+-]\d\d:?\d\d\b|UTC\b|GMT\b)`), []string{
		"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05UTC", "2006-01-02T15:04:05GMT",
	}, true, false},
	{regexp.MustCompile(`\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d` + fraction), []string{"2006-01-02T15:04:05"}, false, false},
	{regexp.MustCompile(`\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}`), []string{"02/Jan/2006:15:04:05 -0700"}, true, false},
	{regexp.MustCompile(`\d\d[ -][A-Z][a-z]{2}[ -]\d{4},? \d\d:\d\d:\d\d` + fraction), []string{"02 Jan 2006 15:04:05"}, false, false},
	{regexp.MustCompile(`^[\[(]?\d\d:\d\d:\d\d` + fraction), []string{"15:04:05"}, false, true},
	{regexp.MustCompile(`^[IWEF]\d{4} \d\d:\d\d:\d\d` + fraction), []string{"0102 15:04:05"}, false, true},
}

// find returns all times in the line, in the order of their places.
func find(line string, day time.Time) (found []stamp) {
	if !strings.ContainsAny(line, ":") {
		return findEpoch(line)
	}
	for _, form := range forms {
		for _, place := range form.pattern.FindAllStringIndex(line, 4) {
			if s, ok := form.parse(line[place[0]:place[1]], day); ok {
				s.begin = place[0]
				found = append(found, s)
			}
		}
		if len(found) > 0 {
			return found
		}
	}
	return findEpoch(line)
}

// clean brings a time into the form of its layouts.
var clean = strings.NewReplacer(",", ".", "/", "-", "[", "", "(", "")

func (f form) parse(text string, day time.Time) (stamp, bool) {
	if f.layouts[0][2] != '/' { // the common log format has slashes of its own
		text = clean.Replace(text)
	}
	switch {
	case strings.HasPrefix(f.layouts[0], "2006-"):
		text = text[:10] + "T" + strings.ReplaceAll(text[11:], " ", "")
	case strings.HasPrefix(f.layouts[0], "02 Jan"):
		text = strings.ReplaceAll(strings.ReplaceAll(text, "-", " "), ". ", " ")
	case strings.HasPrefix(f.layouts[0], "0102"):
		text = text[1:]
	}
	for _, layout := range f.layouts {
		at, err := time.Parse(layout, text)
		if err != nil {
			continue
		}
		if f.undated {
			if day.IsZero() {
				return stamp{}, false
			}
			at = time.Date(day.Year(), day.Month(), day.Day(), at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), time.UTC)
		}
		return stamp{at: at.UTC(), resolution: resolution(text), zoned: f.zoned}, true
	}
	return stamp{}, false
}

// resolution is a second, or that of the digits after the point.
func resolution(text string) time.Duration {
	_, digits, _ := strings.Cut(text, ".")
	end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(digits)
	}
	return resolutionOf(end)
}

func resolutionOf(digits int) time.Duration {
	unit := time.Second
	for range min(digits, 9) {
		unit /= 10
	}
	return unit
}

// names are those that JSON logs have for the time of a line.
const names = `"(?:ts|time|timestamp|t|@timestamp|@t|datetime|asctime|eventTime)" ?: ?"?`

// timeField is how a field with the time of a line begins.
var timeField = regexp.MustCompile(names + `$`)

// epoch is a Unix time in JSON: seconds with a fraction as zap writes it, or milliseconds as pino.
var epoch = regexp.MustCompile(names + `(\d{10}(?:\.\d+)?|\d{13})\b`)

func findEpoch(line string) []stamp {
	place := epoch.FindStringSubmatchIndex(line)
	if place == nil {
		return nil
	}
	digits := line[place[2]:place[3]]
	whole, part, _ := strings.Cut(digits, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil {
		return nil
	}
	if len(whole) == 13 {
		return []stamp{{at: time.UnixMilli(n).UTC(), resolution: time.Millisecond, zoned: true, begin: place[2]}}
	}
	seconds, _ := strconv.ParseFloat("0."+part+"0", 64)
	at := time.Unix(n, int64(seconds*1e9)).UTC()
	return []stamp{{at: at, resolution: resolutionOf(len(part)), zoned: true, begin: place[2]}}
}
