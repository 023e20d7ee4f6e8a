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
	for _, words := range dropWords {
		want("drop", words)
	}
	for _, some := range []map[string][2]string{stuckWords, wrongWords} {
		for code, words := range some {
			want(code, words[0])
			want(code, words[1])
		}
	}
	for key, words := range taskWords {
		want(key, words[0])
		want(key, words[1])
	}
	for _, s := range (importView{}).Steps() {
		want("step", s.Name)
	}
	for _, c := range (page{opens: func(string) bool { return true }}).Company() {
		want("company", c.Label)
	}
	for _, o := range append((composeView{}).Severities(), (composeView{}).Questions()...) {
		want("option", o.Label)
	}
}

// TestShareNeverLies: nobody reads "0 %" where somebody is, nor "100 %" while
// somebody is missing.
func TestShareNeverLies(t *testing.T) {
	t.Parallel()
	v, err := loadViews()
	if err != nil {
		t.Fatal(err)
	}
	p := page{Lang: "en", words: v.words}
	for _, c := range []struct {
		part, whole int
		want        string
	}{
		{0, 0, "0 %"}, {0, 1248, "0 %"}, {1, 1248, "under 1 %"}, {6, 1248, "under 1 %"}, {7, 1248, "1 %"}, {12, 1248, "1 %"}, {2, 3, "67 %"},
		{1240, 1248, "99 %"}, {1247, 1248, "99 %"}, {49999, 50000, "99 %"}, {1248, 1248, "100 %"},
	} {
		if got := p.Share(c.part, c.whole); got != c.want {
			t.Errorf("%d of %d: got %q, want %q", c.part, c.whole, got, c.want)
		}
	}
	p.Lang = "id"
	if got := p.Share(1, 1248); got != "kurang dari 1 %" {
		t.Errorf("Indonesian: got %q", got)
	}
}

// TestCountsHaveTwoForms: every sentence of ours with a count says it right for one.
func TestCountsHaveTwoForms(t *testing.T) {
	t.Parallel()
	v, err := loadViews()
	if err != nil {
		t.Fatal(err)
	}
	p := page{Lang: "en", words: v.words}
	for _, c := range []struct{ got, want string }{
		{p.T("Remove %s {character|characters}.", "1"), "Remove 1 character."},
		{p.T("Remove %s {character|characters}.", "1,001"), "Remove 1,001 characters."},
		{p.T("%s of %s {person|people}", "1", "1,248"), "1 of 1,248 people"},
		{p.T("Call {this|these} %s {person|people} now", "1"), "Call this 1 person now"},
		{p.T("Call {this|these} %s {person|people} now", "2"), "Call these 2 people now"},
		{string(p.H("of %s {person has|people have} answered (%s)", p.Num("recipients", 1), p.Kept("share", "0 %"))),
			`of <span class="num" data-n="recipients">1</span> person has answered (<span class="num" data-n="share">0 %</span>)`},
		{p.Say("Sent to 1 people"), "Sent to 1 person"},
		{p.Say("Sent to 12 people"), "Sent to 12 people"},
		{p.Say("Step 2: 1 people are told who has not answered"), "Step 2: 1 person is told who has not answered"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	p.Lang = "id"
	if got := p.Say("Sent to 1 people"); !strings.Contains(got, "1 orang") {
		t.Errorf("Indonesian: got %q", got)
	}
	// Verbs in the singular, and words that only look like a plural.
	singular := regexp.MustCompile(`^(is|was|says|uses|needs|keeps|has|matches|leaves|this|does|works)$`)
	plural := regexp.MustCompile(`\b1 (?:more |new |known |whole |phone |faulty |SMS )*([a-z]+s|people)\b`)
	for english := range v.words.indonesian {
		one := make([]any, len(verb.FindAllString(english, -1)))
		for i := range one {
			one[i] = "1"
		}
		said := verb.ReplaceAllString(count(english, one), "1")
		for _, m := range plural.FindAllStringSubmatch(said, -1) {
			if !singular.MatchString(m[1]) {
				t.Errorf("%q: says %q; write {one|many}", english, said)
			}
		}
		if strings.Contains(p.words.indonesian[english], "|") {
			t.Errorf("%q: Indonesian has one form", english)
		}
	}
}

// The place was changed on one page and not on the other.
func TestTheWordsNameAnotherSite(t *testing.T) {
	v := composeView{}
	v.Preview = Preview{Sites: []Choice{{Name: "Surabaya Plant", People: 52}, {Name: "Jayapura", People: 14}}}
	for named, want := range map[string]string{"": "", "Surabaya": "", "surabaya plant, gate 2": "", "Bandung Plant": "Bandung Plant"} {
		v.Draft.Fields = map[string]string{"site": named}
		if got := v.Astray(); got != want {
			t.Errorf("%q: got %q, want %q", named, got, want)
		}
	}
}
