package web

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"kentongan/internal/announcement"
)

// The checks that every page must pass, in both languages, light and dark, on a
// phone and on a desk. They are numbered, and each number has a test; a browser
// looks at every page once and all tests read what it found.

// tools is where make tools puts what judges the pages.
const tools = "../../.ci/npm/node_modules"

// wanted leaves the test out unless it was asked for: looking at every page takes
// minutes, and most changes touch no page. CHECKS=1 is all pages, CHECKS=board
// those whose name matches.
func wanted(t testing.TB) {
	t.Helper()
	if testing.Short() || os.Getenv("CI") == "" && os.Getenv("CHECKS") == "" {
		t.Skip("NOT TESTED: make checks looks at every page in a browser")
	}
}

// chosenPages are those that CHECKS names.
func chosenPages(t testing.TB) *regexp.Regexp {
	t.Helper()
	only, err := regexp.Compile(strings.TrimPrefix(os.Getenv("CHECKS"), "1"))
	must(t, "read CHECKS", err)
	return only
}

// tool reads a file of a tool. Without it the check is named and left out; on CI
// it fails.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(tools, name))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing: run make tools", path)
		}
		t.Skipf("NOT TESTED: %s is missing (make tools)", path)
	}
	return path
}

// findings are what is wrong, by the number of the check.
type findings struct {
	mu   sync.Mutex
	all  map[int][]string
	said map[string]bool
	done int // pages
	took time.Duration
	seen map[string]bool // looks whose ring and contrast were measured
}

func (f *findings) add(check int, s shown, how string, faults ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, fault := range faults {
		line := fmt.Sprintf("%s %s: %s", s.id(), how, fault)
		if !f.said[line] {
			f.said[line] = true
			f.all[check] = append(f.all[check], line)
		}
	}
}

// first reports whether a look is met for the first time.
func (f *findings) first(look string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	was := f.seen[look]
	f.seen[look] = true
	return !was
}

var (
	inspectOnce sync.Once
	inspection  *findings
)

// inspect looks at every page in a browser, once for all tests.
func inspect(t *testing.T) *findings {
	t.Helper()
	wanted(t)
	findChromium(t)
	axe := tool(t, "axe-core/axe.min.js")
	inspectOnce.Do(func() {
		source, err := os.ReadFile(axe)
		must(t, "read axe", err)
		script, err := os.ReadFile("testdata/checks.js")
		must(t, "read the checks", err)
		f := &findings{all: map[int][]string{}, said: map[string]bool{}, seen: map[string]bool{}}
		start := time.Now()
		look(t, sharedGallery(t), string(script)+"\n"+string(source), f.inspect)
		look(t, pseudoGallery(t), string(script), f.inspectPseudo)
		f.done, f.took = len(sharedGallery(t).shown), time.Since(start)
		t.Logf("%d pages in %s", f.done, f.took.Round(time.Second))
		inspection = f
	})
	if inspection == nil {
		t.Fatal("the pages could not be looked at; see the first test that tried")
	}
	return inspection
}

// look shows every page of a gallery to as many tabs as there are processors.
func look(t *testing.T, g *gallery, script string, at func(*screen, shown)) {
	t.Helper()
	screens := openScreens(t, max(2, min(4, runtime.GOMAXPROCS(0))), g.site(t))
	queue := make(chan shown)
	var wg sync.WaitGroup
	for _, s := range screens {
		must(t, "prepare the checks", s.always(script))
		wg.Go(func() {
			for p := range queue {
				at(s, p)
			}
		})
	}
	only := chosenPages(t)
	for _, p := range g.shown {
		if only.MatchString(p.name) {
			queue <- p
		}
	}
	close(queue)
	wg.Wait()
}

// report fails with what was found.
func report(t *testing.T, check int) {
	t.Helper()
	f := inspect(t)
	for i, line := range f.all[check] {
		if i == 80 {
			t.Errorf("and %d more", len(f.all[check])-i)
			break
		}
		t.Error(line)
	}
}

func TestCheck12LanguageIsSaidAndNothingIsUntranslated(t *testing.T) { report(t, 12) }
func TestCheck39ColourIsNeverAlone(t *testing.T)                     { report(t, 39) }
func TestCheck40PaperHoldsNamesNumbersAndStates(t *testing.T)        { report(t, 40) }
func TestCheck54AxeFindsNothing(t *testing.T)                        { report(t, 54) }
func TestCheck55NothingScrollsSideways(t *testing.T)                 { report(t, 55) }
func TestCheck56TabReachesEverything(t *testing.T)                   { report(t, 56) }
func TestCheck57TargetsAreLargeEnough(t *testing.T)                  { report(t, 57) }
func TestCheck58ErrorsLeadToTheirField(t *testing.T)                 { report(t, 58) }
func TestCheck59ForcedColoursKeepBorders(t *testing.T)               { report(t, 59) }
func TestCheck60ThePolicyIsKept(t *testing.T)                        { report(t, 60) }
func TestCheck62LongWordsAndRightToLeftFit(t *testing.T)             { report(t, 62) }

// TestCheck47OnlyFaultyRowsAreListed looks at the table of a file with 500 faulty
// rows as HR does, on a notebook and on a phone.
func TestCheck47OnlyFaultyRowsAreListed(t *testing.T) {
	s := openScreens(t, 1, sharedGallery(t).site(t))[0]
	for _, width := range []int{1280, 320} {
		must(t, "set the size", s.size(width, 640))
		must(t, "open the table", s.open("/gallery/import-check-500.id"))
		for _, fault := range s.lines(`(() => {
			const out = [], rows = [...document.querySelectorAll("table.cells tbody tr")], sums = [...document.querySelectorAll("#faults a")]
			rows.filter(r => !r.querySelector(".fault")).forEach(r => out.push("a row without a fault is listed: " + r.innerText))
			if (rows.length < 200) out.push(rows.length + " rows are listed, want the first 200")
			if (sums.length < 5) out.push("the summary has " + sums.length + " kinds of faults, want 5")
			sums.reduce((n, a) => n + +a.innerText.replace(/\D/g, ""), 0) === 500 || out.push("the summary does not add up to 500: " + sums.map(a => a.innerText))
			for (const a of sums) {
				a.click()
				const cell = document.getElementById(decodeURIComponent(a.hash.slice(1)))
				if (!cell || !cell.querySelector(".fault")) { out.push(a.innerText + " leads to no fault"); continue }
				const kind = cell.id.split("-").slice(1).join("-"), first = rows.map(r => [...r.children].find(c => c.id && c.id.split("-").slice(1).join("-") === kind)).find(c => c)
				if (first !== cell) out.push(a.innerText + " leads to " + cell.id + ", the first is " + first.id)
				const r = cell.getBoundingClientRect()
				if (r.bottom < 0 || r.top > innerHeight) out.push(a.innerText + " leaves its cell out of sight")
			}
			scrollTo(0, document.querySelector("table.cells").getBoundingClientRect().bottom + scrollY - innerHeight)
			const again = document.querySelector(".onward .btn[href='/people/import']").getBoundingClientRect()
			if (again.top < 0 || again.bottom > innerHeight) out.push("at the bottom of the table the button to upload again is at " + again.top + " of " + innerHeight)
			return out })()`) {
			t.Errorf("at %d px: %s", width, fault)
		}
	}
}

const keptTwo = `caches.delete("answers").then(() => caches.open("answers")).then(c => Promise.all(
	[["en", "SENT IN ERROR: Fire in hall 3"], ["id", "Gempa bumi"]].map(([lang, title]) => c.put("/r/" + lang,
		new Response("<!doctype html><html lang=" + lang + "><title>" + title + "</title>", {headers: {"Content-Type": "text/html"}}))))).then(() => [])`

const listsTwo = `(async () => {
	const links = () => [...document.querySelectorAll("#kept a")]
	for (let i = 0; i < 100 && links().length < 2; i++) await new Promise(ok => setTimeout(ok, 50))
	const got = links().map(a => a.pathname + " " + a.lang).sort().join()
	return got === "/r/en en,/r/id id" ? [] : ["it lists " + got + ", want an alert of each language"] })()`

const axeRun = `checks.settled(() => axe.run(document, {runOnly: %s, resultTypes: ["violations"]}))
  .then(r => r.violations.map(v => v.id + ": " + v.help + " at " + v.nodes.slice(0, 3).map(n => n.target.join(" ") + " (" + (n.failureSummary || "").replace(/\s+/g, " ").slice(0, 200) + ")").join("; ")))`

var (
	axeAll = fmt.Sprintf(axeRun, `{type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}`)
	// Only these rules look at colours: the others were asked in the light.
	axeColours = fmt.Sprintf(axeRun, `{type: "rule", values: ["color-contrast", "link-in-text-block"]}`)
)

func (f *findings) inspect(s *screen, p shown) {
	broken := func(err error) bool {
		if err != nil {
			f.add(54, p, "", err.Error())
		}
		return err != nil
	}
	if broken(s.size(320, 640)) || broken(s.media("", "prefers-color-scheme", "light")) {
		return
	}
	s.complaints()
	if broken(s.open("/gallery/" + p.id())) {
		return
	}
	// What this tab kept of earlier pages is chance; the list is looked at with an
	// alert of each language in it.
	if p.name == "offline" {
		f.add(54, p, "", s.lines(keptTwo)...)
		if broken(s.open("/gallery/" + p.id())) {
			return
		}
		f.add(12, p, "", s.lines(listsTwo)...)
	}
	if p.header.Get("Content-Security-Policy") == "" {
		f.add(60, p, "", "has no Content-Security-Policy")
	}
	// The answer page itself never refuses: whoever answers has no form to mend.
	if p.want >= 400 && p.want != http.StatusNotFound && p.want != http.StatusForbidden && strings.Contains(string(p.html), "<form") && !strings.HasPrefix(p.path, "/r/") {
		f.add(58, p, "", s.lines(`checks.errors()`)...)
	}
	f.add(54, p, "at 320 px, light", s.lines(axeAll)...)
	f.add(12, p, "", s.lines(`checks.language(`+quote(string(p.lang))+`)`)...)
	f.add(55, p, "", s.lines(`checks.reflow()`)...)
	f.add(55, p, "at 320 px", s.lines(`checks.covered()`)...)
	least := "24"
	if p.phone() {
		least = "48"
	}
	f.add(57, p, "at 320 px", s.lines(`checks.targets(`+least+`)`)...)
	f.add(39, p, "", s.lines(`checks.marks()`)...)
	if p.lang == announcement.English {
		f.tab(s, p, "at 320 px")
		f.measure(s, p, "light")
	}
	if !broken(s.media("", "prefers-color-scheme", "dark")) {
		f.add(54, p, "at 320 px, dark", s.lines(axeColours)...)
		if p.lang == announcement.English {
			f.measure(s, p, "dark")
		}
	}
	if !broken(s.size(1280, 800)) {
		f.add(54, p, "at 1280 px, dark", s.lines(axeColours)...)
	}
	if !broken(s.media("", "prefers-color-scheme", "light")) {
		f.add(54, p, "at 1280 px, light", s.lines(axeAll)...)
		f.add(57, p, "at 1280 px", s.lines(`checks.targets(24)`)...)
		f.add(55, p, "at 1280 px", s.lines(`checks.covered()`)...)
		f.add(55, p, "at 1280 px", s.lines(`checks.sideways()`)...)
		if p.lang == announcement.English {
			f.tab(s, p, "at 1280 px")
		}
	}
	if !broken(s.media("", "forced-colors", "active")) {
		f.add(59, p, "", s.lines(`checks.borders()`)...)
	}
	if !broken(s.size(794, 1123)) && !broken(s.media("print", "prefers-color-scheme", "dark")) {
		f.add(40, p, "", s.lines(`checks.printed()`)...)
	}
	f.add(60, p, "", s.complaints()...)
}

// tab presses the Tab key through the page.
func (f *findings) tab(s *screen, p shown, how string) {
	n, err := eval[int](s, `checks.startTabbing()`)
	if err == nil {
		err = chromedp.Do(s.ctx, chromedp.KeyEvent(strings.Repeat("\t", n)))
	}
	if err != nil {
		f.add(56, p, how, err.Error())
		return
	}
	f.add(56, p, how, s.lines(`checks.endTabbing()`)...)
}

// sight is one element of each look on the page.
type sight struct {
	Kind, Name string
	Index      int
	X, Y       float64
	Width      float64
	Height     float64
	Large      bool
}

func (k sight) around(margin float64) *box {
	x, y := math.Max(0, k.X-margin), math.Max(0, k.Y-margin)
	return &box{x, y, k.X + k.Width + margin - x, math.Min(k.Y+k.Height+margin-y, 700)}
}

const (
	coloured  = `.tag,.tile,.sev h1,.btn,.chip,.done,.net,.face,.urgent`
	focusable = `a[href]:not(.skip),button:enabled,input:not([type=hidden]):enabled,select,textarea,summary`
)

// measure looks at pictures of the page: whether somebody who sees no colours
// can read what carries a colour, and whether the focus can be seen.
func (f *findings) measure(s *screen, p shown, scheme string) {
	sights := func(css string) []sight {
		all, err := eval[[]sight](s, `checks.kinds(`+quote(css)+`).map(k => ({Kind: k.kind, Name: k.name, Index: k.index, X: k.x, Y: k.y, Width: k.width, Height: k.height, Large: k.large}))`)
		if err != nil {
			f.add(39, p, scheme, err.Error())
		}
		var fresh []sight
		for _, k := range all {
			if f.first(css + scheme + k.Kind) {
				fresh = append(fresh, k)
			}
		}
		return fresh
	}
	if grey := sights(coloured); len(grey) > 0 {
		err := s.eyes(emulation.SetEmulatedVisionDeficiencyTypeAchromatopsia)
		for _, k := range grey {
			var img image.Image
			if err == nil {
				img, err = s.picture(k.around(0))
			}
			if err != nil {
				break
			}
			want := 4.5
			if k.Large {
				want = 3
			}
			if got := contrastIn(img); got < want {
				f.add(39, p, scheme, fmt.Sprintf("%s has contrast %.1f without colours, want %.1f", k.Name, got, want))
			}
		}
		if err == nil {
			err = s.eyes(emulation.SetEmulatedVisionDeficiencyTypeNone)
		}
		if err != nil {
			f.add(39, p, scheme, err.Error())
		}
	}
	for _, k := range sights(focusable) {
		before, err := s.picture(k.around(8))
		if err == nil {
			_, err = eval[bool](s, fmt.Sprintf(`checks.focusOn(%s, %d), true`, quote(focusable), k.Index))
		}
		var after image.Image
		if err == nil {
			after, err = s.picture(k.around(8))
		}
		if err == nil {
			_, err = eval[bool](s, `document.activeElement.blur(), true`)
		}
		if err != nil {
			f.add(56, p, scheme, err.Error())
			return
		}
		// A ring of 2 px around the smallest target is about 200 pixels.
		if n := differing(before, after); n < 100 {
			f.add(56, p, scheme, fmt.Sprintf("%s: the focus changes %d pixels", k.Name, n))
		}
	}
}

// luminance as WCAG 2.2 defines it, of a pixel.
func luminance(img image.Image, x, y int) float64 {
	r, g, b, _ := img.At(x, y).RGBA()
	line := func(v uint32) float64 {
		c := float64(v) / 0xffff
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*line(r) + 0.7152*line(g) + 0.0722*line(b)
}

// contrastIn is the contrast between the ground of a picture, which is its most
// frequent tone, and what stands out most from it.
func contrastIn(img image.Image) float64 {
	tones := map[int]int{}
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			tones[int(luminance(img, x, y)*1000)]++
		}
	}
	ground, most := 0, 0
	for tone, n := range tones {
		if n > most {
			ground, most = tone, n
		}
	}
	best := 1.0
	for tone, n := range tones {
		if n < 3 {
			continue
		}
		light, dark := max(tone, ground), min(tone, ground)
		best = max(best, (float64(light)/1000+0.05)/(float64(dark)/1000+0.05))
	}
	return best
}

func differing(a, b image.Image) int {
	n, r := 0, a.Bounds().Intersect(b.Bounds())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if math.Abs(luminance(a, x, y)-luminance(b, x, y)) > 0.05 {
				n++
			}
		}
	}
	return n
}

func (f *findings) inspectPseudo(s *screen, p shown) {
	err := s.size(320, 640)
	if err == nil {
		err = s.media("", "prefers-color-scheme", "light")
	}
	if err == nil {
		err = s.open("/gallery/" + p.id())
	}
	if err != nil {
		f.add(62, p, "", err.Error())
		return
	}
	f.add(62, p, "", s.lines(`checks.clipped()`)...)
	if err := s.size(1280, 800); err != nil {
		f.add(62, p, "", err.Error())
		return
	}
	f.add(62, p, "at 1280 px", s.lines(`checks.clipped()`)...)
}

var vowels = regexp.MustCompile(`[aeiou]`)

// pseudo makes a text about 40 % longer without making it wrap more easily, as
// German or Finnish would be.
func pseudo(text string) string {
	var out strings.Builder
	for i, part := range verb.Split(text, -1) {
		if i > 0 {
			out.WriteString(verb.FindAllString(text, -1)[i-1])
		}
		out.WriteString(vowels.ReplaceAllString(part, "$0$0"))
	}
	return out.String()
}

// pseudoGallery is every page in a language with longer words.
func pseudoGallery(t testing.TB) *gallery {
	t.Helper()
	return makeGallery(t, both[:1], func(srv *Server) {
		for english, indonesian := range srv.views.words.indonesian {
			srv.views.words.indonesian[english] = pseudo(indonesian)
		}
	})
}

// TestPseudoWordsAreLonger keeps the measure honest.
func TestPseudoWordsAreLonger(t *testing.T) {
	t.Parallel()
	short, long := "Butuh bantuan %s", pseudo("Butuh bantuan %s")
	if strings.Count(long, "%s") != 1 || len(long) < len(short)*13/10 {
		t.Errorf("got %q, want %q longer by a third and with its blank", long, short)
	}
}

// spelled are the attributes of htmx. It reads "data-hx-get" as it reads
// "hx-get", and only the first is HTML; the pages keep the short form.
var spelled = regexp.MustCompile(` (hx|sse)-`)

// TestHTMLIsValid asks the Nu Html Checker of the W3C about every page.
func TestHTMLIsValid(t *testing.T) {
	wanted(t)
	jar := tool(t, "vnu-jar/build/dist/vnu.jar")
	java, err := exec.LookPath("java")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("java is not on the PATH; install it")
		}
		t.Skip("NOT TESTED: java is not on the PATH")
	}
	folder := t.TempDir()
	args := []string{"-Xss4m", "-jar", jar, "--format", "json", "--exit-zero-always"}
	for _, s := range sharedGallery(t).shown {
		name := filepath.Join(folder, s.id()+".html")
		if err := os.WriteFile(name, spelled.ReplaceAll(s.html, []byte(" data-$1-")), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, name)
	}
	name := filepath.Join(folder, "messages.html")
	if err := os.WriteFile(name, messagesPage(t), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), java, append(args, name)...).CombinedOutput()
	if err != nil {
		t.Fatalf("run the checker: %v\n%s", err, out)
	}
	var said struct {
		Messages []struct{ Type, URL, Message, Extract string }
	}
	if err := json.NewDecoder(bytes.NewReader(out)).Decode(&said); err != nil {
		t.Fatalf("read what the checker says: %v\n%.500s", err, out)
	}
	times := map[string]int{}
	for _, m := range said.Messages {
		if strings.Contains(m.Message, "appears to be written in") {
			continue // it guesses the language, and a list of names misleads it
		}
		if times[m.Message]++; times[m.Message] <= 3 {
			t.Errorf("%s: %s: %s\n\t%q", filepath.Base(m.URL), m.Type, m.Message, m.Extract)
		}
	}
	for text, n := range times {
		if n > 3 {
			t.Errorf("%d times: %s", n, text)
		}
	}
}
