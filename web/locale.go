package web

import (
	"embed"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/language"

	"sigillo/formats/inspect"
)

//go:embed locale/it.toml locale/en.toml
var catalogues embed.FS

// languages are those of the catalogues; the first is spoken to a client that
// asks for none of them.
var languages = []string{"it", "en"}

var languageMatcher = language.NewMatcher([]language.Tag{language.Italian, language.English})

// locale speaks one language: its messages, dates and sizes.
type locale struct {
	Code     string // BCP 47: "it", "en"
	zone     *time.Location
	messages map[string]string
}

// loadLocales reads the embedded catalogues: TOML tables of strings, flattened
// to keys such as "signin.title".
func loadLocales(zone *time.Location) (map[string]*locale, error) {
	out := map[string]*locale{}
	for _, code := range languages {
		raw, err := catalogues.ReadFile("locale/" + code + ".toml")
		if err != nil {
			return nil, err
		}
		tree := map[string]any{}
		if err := toml.Unmarshal(raw, &tree); err != nil {
			return nil, fmt.Errorf("web: catalogue %s: %w", code, err)
		}
		l := &locale{Code: code, zone: zone, messages: map[string]string{}}
		if err := flatten(l.messages, "", tree); err != nil {
			return nil, fmt.Errorf("web: catalogue %s: %w", code, err)
		}
		out[code] = l
	}
	return out, nil
}

func flatten(into map[string]string, prefix string, tree map[string]any) error {
	for name, v := range tree {
		switch v := v.(type) {
		case string:
			into[prefix+name] = strings.TrimSpace(v)
		case map[string]any:
			if err := flatten(into, prefix+name+".", v); err != nil {
				return err
			}
		default:
			return fmt.Errorf("%s%s is no text", prefix, name)
		}
	}
	return nil
}

// negotiate picks a language: what was asked for, or else the first of ours.
func negotiate(chosen, accept string) string {
	if code := asked(chosen, accept); code != "" {
		return code
	}
	return languages[0]
}

// asked is the language that was asked for: the choice made in this browser
// first, then the order of Accept-Language (RFC 9110 §12.5.4). It is empty when
// neither names one of ours.
func asked(chosen, accept string) string {
	if slices.Contains(languages, chosen) {
		return chosen
	}
	if len(accept) > 200 { // a list of languages that no person reads
		accept = accept[:200]
	}
	tags, _, err := language.ParseAcceptLanguage(accept)
	if err != nil || len(tags) == 0 {
		return ""
	}
	_, i, sure := languageMatcher.Match(tags...)
	if sure == language.No {
		return ""
	}
	return languages[i]
}

// T gives the text of a key, with {name} replaced by the value that follows
// the name in args. A key without a text shows itself: a test makes sure that
// there is none.
func (l *locale) T(key string, args ...any) string {
	text, ok := l.messages[key]
	if !ok {
		return key
	}
	for i := 0; i+1 < len(args); i += 2 {
		text = strings.ReplaceAll(text, fmt.Sprintf("{%v}", args[i]), fmt.Sprint(args[i+1]))
	}
	return text
}

// Has tells whether there is a text for key.
func (l *locale) Has(key string) bool { _, ok := l.messages[key]; return ok }

// N is T with a number: key.one for 1, key.other otherwise, as both our
// languages need it. {n} is the number.
func (l *locale) N(key string, n int, args ...any) string {
	form := ".other"
	if n == 1 {
		form = ".one"
	}
	return l.T(key+form, append(args, "n", n)...)
}

// Text chooses the language of a text that the rooms below wrote in both.
func (l *locale) Text(t inspect.Text) string {
	if l.Code == "en" {
		return t.En
	}
	return t.It
}

// Time shows a moment in the configured zone.
func (l *locale) Time(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	t = t.In(l.zone)
	return l.T("format.time", "day", t.Day(), "month", l.T("month."+strconv.Itoa(int(t.Month()))),
		"year", t.Year(), "clock", t.Format("15:04:05"), "zone", t.Format("MST"))
}

// Date shows the day of a moment.
func (l *locale) Date(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	t = t.In(l.zone)
	return l.T("format.date", "day", t.Day(), "month", l.T("month."+strconv.Itoa(int(t.Month()))), "year", t.Year())
}

// Size shows a number of bytes in decimal units, rounded to one digit.
func (l *locale) Size(n int64) string {
	value, unit := float64(n), "B"
	for _, u := range []string{"kB", "MB", "GB"} {
		if value < 1000 {
			break
		}
		value, unit = value/1000, u
	}
	text := strconv.FormatFloat(value, 'f', 1, 64)
	text = strings.TrimSuffix(text, ".0")
	if l.Code == "it" {
		text = strings.Replace(text, ".", ",", 1)
	}
	return text + " " + unit
}

// Wait shows a waiting time given in seconds.
func (l *locale) Wait(seconds int) string {
	if seconds > 90 {
		return l.N("format.minutes", (seconds+59)/60)
	}
	return l.N("format.seconds", seconds)
}
