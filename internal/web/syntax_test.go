package web

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/evanw/esbuild/pkg/api"
	"golang.org/x/net/html"
)

// Browsers that must understand the pages: HR's and, further back, those on the
// phones of employees. Chrome 61 is what the oldest cheap phones carry.
var (
	consoleBrowsers = []api.Engine{{Name: api.EngineChrome, Version: "80"}}
	phoneBrowsers   = []api.Engine{{Name: api.EngineChrome, Version: "61"}}
)

// tooNew are parts of CSS that esbuild leaves as they are, and that Chrome 80
// does not know. ":focus-visible" (86) is not among them: its rules are lost
// there, and the focus is then always shown.
var tooNew = map[string]*regexp.Regexp{
	":has() (105)":                 regexp.MustCompile(`:has\(`),
	":is(), :where() (88)":         regexp.MustCompile(`:(is|where)\(`),
	"color-mix() (111)":            regexp.MustCompile(`color-mix\(`),
	"light-dark() (123)":           regexp.MustCompile(`light-dark\(`),
	"@layer, @container (99)":      regexp.MustCompile(`@(layer|container|scope)\b`),
	"gap in flex (84): use margin": regexp.MustCompile(`[{;](row-|column-)?gap:`),
	"dvh, svh, lvh (108)":          regexp.MustCompile(`\d[dsl]v[hw]\b`),
	"aspect-ratio (88)":            regexp.MustCompile(`[{;]aspect-ratio:`),
	"inset (87)":                   regexp.MustCompile(`[{;]inset(-block|-inline)?:`),
	"margin-inline, padding-inline (87): use -start and -end": regexp.MustCompile(`[{;](margin|padding)-(inline|block):`),
}

// older turns what only newer browsers know into what these know; it gives the
// same text for both when there is nothing to turn.
func older(t *testing.T, name, source string, loader api.Loader, engines []api.Engine) {
	t.Helper()
	build := func(engines []api.Engine) string {
		r := api.Transform(source, api.TransformOptions{Loader: loader, Engines: engines, Sourcefile: name, LogLevel: api.LogLevelSilent})
		for _, e := range r.Errors {
			t.Errorf("%s: %s", name, e.Text)
		}
		for _, w := range r.Warnings {
			t.Errorf("%s: %s", name, w.Text)
		}
		return string(r.Code)
	}
	asIs, lowered := build(nil), build(engines)
	if asIs == lowered {
		return
	}
	a, b := strings.Split(asIs, "\n"), strings.Split(lowered, "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			t.Errorf("%s: %s %s does not know: %.200s", name, map[api.EngineName]string{api.EngineChrome: "Chrome"}[engines[0].Name], engines[0].Version, strings.TrimSpace(a[i]))
			return
		}
	}
}

// forPhones are the scripts that employees' phones run.
var forPhones = []string{"me.js", "team.js", "sw.js", "setup.js", "phone.js", "offline.js", "renew.js", "outbox.js", "emergency.js"}

func TestCheck61OldBrowsersUnderstandEverything(t *testing.T) {
	g := sharedGallery(t)
	style := func(name, source string) {
		older(t, name, source, api.LoaderCSS, consoleBrowsers)
		tight := regexp.MustCompile(`\s*([{};:])\s*`).ReplaceAllString(regexp.MustCompile(`(?s)/\*.*?\*/`).ReplaceAllString(source, ""), "$1")
		for what, pattern := range tooNew {
			if at := pattern.FindStringIndex(tight); at != nil {
				t.Errorf("%s: Chrome 80 does not know %s: ...%s...", name, what, tight[max(0, at[0]-40):min(len(tight), at[1]+20)])
			}
		}
	}
	for name, a := range g.server.views.assets {
		switch {
		case path.Ext(name) == ".css":
			style(name, string(a.data))
		case path.Ext(name) == ".js" && slices.Contains(forPhones, name):
			older(t, name, string(a.data), api.LoaderJS, phoneBrowsers)
		case path.Ext(name) == ".js":
			older(t, name, string(a.data), api.LoaderJS, consoleBrowsers)
		}
	}
	seen := map[string]bool{}
	for _, s := range g.shown { // what stands inside the pages
		inside := ""
		for z := html.NewTokenizer(bytes.NewReader(s.html)); ; {
			kind := z.Next()
			if kind == html.ErrorToken {
				break
			}
			token := z.Token()
			switch {
			case kind == html.StartTagToken:
				inside = token.Data
			case kind == html.TextToken && (inside == "style" || inside == "script") && !seen[token.Data]:
				seen[token.Data] = true
				if inside == "style" {
					style(s.id(), token.Data)
				} else {
					older(t, s.id(), token.Data, api.LoaderJS, phoneBrowsers)
				}
			default:
				inside = ""
			}
		}
	}
}
