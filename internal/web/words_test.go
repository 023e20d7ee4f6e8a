package web

import (
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"

	"kentongan/templates"
)

// TestEveryWordIsTranslated finds each of our sentences, in the pages and in the
// code, and wants it in Indonesian too: half a translated page frightens people.
func TestEveryWordIsTranslated(t *testing.T) {
	t.Parallel()
	v, err := loadViews()
	if err != nil {
		t.Fatal(err)
	}
	same := map[string]bool{"SMS": true, "Push": true, "": true, "API": true, "Twilio": true} // the same in both languages
	want := func(where, english string) {
		if _, ok := v.words.indonesian[english]; !ok && !same[english] {
			t.Errorf("%s: %q has no Indonesian", where, english)
		}
	}
	in := func(where, text string, patterns ...*regexp.Regexp) {
		for _, p := range patterns {
			for _, m := range p.FindAllStringSubmatch(text, -1) {
				want(where, strings.ReplaceAll(m[1], `\"`, `"`))
			}
		}
	}
	pages, err := fs.Glob(templates.Files, "web/*.html")
	if err != nil {
		t.Fatal(err)
	}
	said := regexp.MustCompile(`\.[TH] "((?:[^"\\]|\\.)*)"`)
	for _, name := range pages {
		b, err := templates.Files.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		in(name, string(b), said)
	}
	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	inCode := []*regexp.Regexp{
		regexp.MustCompile(`\b(?:[a-z]+\.)?T\("((?:[^"\\]|\\.)*)"`), regexp.MustCompile(`fault\([^,\n]+, "((?:[^"\\]|\\.)*)"\)`),
		regexp.MustCompile(`s\.page\(r, "((?:[^"\\]|\\.)*)"\)`), regexp.MustCompile(`Why: "((?:[^"\\]|\\.)*)"`),
		regexp.MustCompile(`refuseFile\(w, r, "((?:[^"\\]|\\.)*)"\)`), regexp.MustCompile(`failUnknown\(w, r, "[^"]*", err, "((?:[^"\\]|\\.)*)"\)`), regexp.MustCompile(`add\(d\.[A-Z]\w+, "((?:[^"\\]|\\.)*)"\)`),
	}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		in(name, string(b), inCode...)
	}
	for _, status := range []error{ErrNotFound, ErrForbidden, ErrClosed, ErrConflict, ErrReused, ErrNotYet, ErrSignature, errNoAnswer} {
		_, detail := statusOf(status)
		want("statusOf", detail)
	}
	for _, words := range []map[string]string{codeWords, rankWords, notices, fieldNames, columnNames, troubleWords} {
		for code, english := range words {
			want(code, english)
		}
	}
	for c, english := range channelWords {
		want(string(c), english)
	}
	for l, english := range languageNames {
		want(string(l), english)
	}
	for code, words := range fieldWords {
		want(code, words[0])
	}
	for _, k := range tileKinds {
		want("tile", k.Label)
	}
	for _, s := range (composeView{}).Steps() {
		want("step", s.Name)
	}
	for part, english := range partNames {
		want(part, english)
	}
	for key, words := range taskWords {
		want(key, words[0])
		want(key, words[1])
	}
	for _, s := range (importView{}).Steps() {
		want("step", s.Name)
	}
	for _, c := range (page{}).Company() {
		want("company", c.Label)
	}
	for _, o := range append((composeView{}).Severities(), (composeView{}).Questions()...) {
		want("option", o.Label)
	}
}
