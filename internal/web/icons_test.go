package web

import (
	"io/fs"
	"regexp"
	"testing"

	"kentongan/templates"
)

var iconCall = regexp.MustCompile(`\.Icon "([^"]*)"`)

func TestEveryIconThatAPageNamesIsThere(t *testing.T) {
	t.Parallel()
	v, err := loadViews()
	if err != nil {
		t.Fatal(err)
	}
	for kind, name := range templateIcons {
		if _, ok := v.icons[name]; !ok {
			t.Errorf("%s: there is no icon %s", kind, name)
		}
	}
	pages, err := fs.Glob(templates.Files, "web/*.html")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range pages {
		text, err := templates.Files.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range iconCall.FindAllStringSubmatch(string(text), -1) {
			if _, ok := v.icons[call[1]]; !ok {
				t.Errorf("%s: there is no icon %s; add it to cmd/assets", file, call[1])
			}
		}
	}
}

func TestVendoredScriptsAreServedForEver(t *testing.T) {
	t.Parallel()
	srv := newServer(t, newHouse())
	v, err := loadViews()
	if err != nil {
		t.Fatal(err)
	}
	p := page{assets: v.assets}
	for _, name := range []string{"vendor/htmx-2.0.11.min.js", "vendor/idiomorph-ext-0.8.0.min.js", "vendor/htmx-ext-sse-2.2.4.min.js"} {
		w := call(t, srv, "GET", p.Asset(name), "")
		if w.Code != 200 || w.Header().Get("Cache-Control") != "public, max-age=31536000, immutable" || w.Header().Get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("%s: got %d %v, want it as a script, kept for ever", name, w.Code, w.Header())
		}
	}
	if w := call(t, srv, "GET", "/static/vendor/../sw.js", ""); w.Code == 200 {
		t.Errorf("a path with dots: got %d, want no file", w.Code)
	}
}
