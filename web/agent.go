package web

import "strings"

// browserName makes of a User-Agent header what a person knows the browser by:
// "Firefox, Windows". It is the browser's own word, and shown as such. It is empty
// when neither browser nor system is known.
func browserName(agent string) string {
	browser, system := firstOf(agent, browsers), firstOf(agent, systems)
	switch {
	case browser == "" && agent != "" && !strings.HasPrefix(agent, "Mozilla/"):
		browser, _, _ = strings.Cut(agent, "/") // a program: curl/8.5.0
		browser, _, _ = strings.Cut(browser, " ")
	case browser == "":
		return system
	}
	if system == "" {
		return browser
	}
	return browser + ", " + system
}

// mark is what stands in the header, and what it stands for. The order counts: most
// browsers also name those they descend from.
type mark struct{ text, name string }

var browsers = []mark{{"Edg/", "Edge"}, {"EdgA/", "Edge"}, {"EdgiOS/", "Edge"}, {"OPR/", "Opera"}, {"SamsungBrowser/", "Samsung Internet"},
	{"Vivaldi/", "Vivaldi"}, {"FxiOS/", "Firefox"}, {"Firefox/", "Firefox"}, {"CriOS/", "Chrome"}, {"HeadlessChrome/", "Chromium"},
	{"Chromium/", "Chromium"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}}

var systems = []mark{{"Android", "Android"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Windows", "Windows"}, {"Mac OS X", "macOS"},
	{"CrOS", "ChromeOS"}, {"Linux", "Linux"}}

func firstOf(agent string, marks []mark) string {
	for _, m := range marks {
		if strings.Contains(agent, m.text) {
			return m.name
		}
	}
	return ""
}
