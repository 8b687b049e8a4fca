package counter

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"strings"
)

//go:embed texts
var texts embed.FS

// maxText bounds a text that customers consent to.
const maxText = 20_000

// Texts are those that come with the program, Italian first. A house that has others of
// its own gives them in [Config].
func Texts() []Text {
	var out []Text
	for _, id := range []string{"it-1", "en-1"} {
		b, err := texts.ReadFile("texts/consent-" + id + ".txt")
		if err != nil {
			panic("counter: " + err.Error()) // it is in the program
		}
		t, err := NewText(id, string(b))
		if err != nil {
			panic(err)
		}
		out = append(out, t)
	}
	return out
}

// NewText makes a text that customers consent to. id is language and version, such as
// it-2: another text has another.
func NewText(id, body string) (Text, error) {
	locale, version, ok := strings.Cut(id, "-")
	body = strings.TrimSpace(strings.ReplaceAll(body, "\r\n", "\n")) + "\n"
	if !ok || len(locale) != 2 || version == "" || len(id) > 32 || len(body) < 100 || len(body) > maxText {
		return Text{}, fail(Invalid, "a text of consent has an identifier such as it-2 and 100 to 20000 bytes", nil)
	}
	sum := sha256.Sum256([]byte(body))
	return Text{ID: id, Locale: locale, Body: body, SHA256: hex.EncodeToString(sum[:])}, nil
}

// text is the one in a language, else the first.
func (s *Service) text(locale string) Text {
	for _, t := range s.cfg.Texts {
		if t.Locale == locale {
			return t
		}
	}
	return s.cfg.Texts[0]
}

// current says whether a text is one that is consented to now.
func (s *Service) current(sha256 []byte) bool {
	for _, t := range s.cfg.Texts {
		if t.SHA256 == hex.EncodeToString(sha256) {
			return true
		}
	}
	return false
}
