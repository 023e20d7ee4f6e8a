package announcement_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"kentongan/internal/announcement"
)

var update = flag.Bool("update", false, "write the golden files")

// basic are the letters of the basic GSM alphabet of which one fits one place.
var basic = regexp.MustCompile("[@£$¥èéùìòÇ\n\rØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,\\-./0-9:;<=>?¡A-ZÄÖÑÜ§¿a-zäöñüà]")

var (
	noon  = time.Date(2026, 11, 24, 7, 5, 0, 0, time.UTC)
	langs = []announcement.Language{announcement.Indonesian, announcement.English}
	modes = []announcement.Mode{announcement.Live, announcement.Drill}
	kinds = []announcement.MessageKind{
		announcement.SayAlert, announcement.SayReminder, announcement.SayDigest,
		announcement.SayHelp, announcement.SayCorrection, announcement.SayAllClear, announcement.SayUpdate, announcement.SayRevised, announcement.SaySent,
	}
	drillWord = regexp.MustCompile(`(?i)latihan|drill`)
)

func catalogue(t testing.TB) *announcement.Catalogue {
	t.Helper()
	data, err := os.ReadFile("../../templates/messages.json")
	if err != nil {
		t.Fatal(err)
	}
	c, err := announcement.LoadCatalogue(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// answerBacks are the keys of all answers to texts.
func answerBacks(t testing.TB) []string {
	t.Helper()
	data, err := os.ReadFile("../../templates/messages.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		AnswerBacks map[string]any `json:"answer_backs"`
	}
	if err := json.Unmarshal(data, &file); err != nil || len(file.AnswerBacks) == 0 {
		t.Fatalf("read the answers: %v", err)
	}
	return slices.Sorted(maps.Keys(file.AnswerBacks))
}

// longest are the longest ordinary fills; the texts are measured against them.
func longest(info announcement.TemplateInfo) map[string]string {
	all := map[string]string{
		"site": "Pabrik Cikande", "muster": "Lapangan parkir B", "date": "Sen 24 Nov", "reason": "banjir",
		"pay_rule": "dibayar penuh", "next": "14.35", "event": "gempa",
	}
	fields := map[string]string{}
	for _, f := range info.Fields {
		fields[f] = all[f]
	}
	return fields
}

func filled(t testing.TB, c *announcement.Catalogue, info announcement.TemplateInfo, mode announcement.Mode) *announcement.Announcement {
	t.Helper()
	text, sev, ans, err := c.Fill(info.Key, mode, longest(info), noon, "Asia/Jakarta")
	if err != nil {
		t.Fatalf("Fill(%s) failed: %v", info.Key, err)
	}
	return &announcement.Announcement{ID: "aaaaaaaaaaaaaaaa", Mode: mode, Severity: sev, Answers: ans, Template: info.Key, Text: text, At: noon}
}

func saying(kind announcement.MessageKind, lang announcement.Language, twoWay bool) announcement.Saying {
	return announcement.Saying{
		Kind: kind, Language: lang, Org: "PT SinarAbc", Link: "https://siaga.example/r/7Kq2mX9b", Token: "7Kq2mX9b",
		TwoWay: twoWay, Count: 128, Name: "Nur Aisyah P", Words: "Pakai gerbang barat. Gerbang timur ditutup sampai jam 16.00.", Now: noon.Add(20 * time.Minute), Expires: noon.Add(time.Hour),
	}
}

// TestComposeGolden shows every text that the prepared templates can say, so
// that a change of words is read by a person before it reaches one.
func TestComposeGolden(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	for _, info := range c.Templates() {
		t.Run(info.Key, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			for _, mode := range modes {
				a := filled(t, c, info, mode)
				for _, lang := range langs {
					page := a.Text[lang]
					fmt.Fprintf(&out, "=== %s %s\npage: %s\n      %s\n", mode, lang, page.Title, page.Body)
					for _, do := range page.Do {
						fmt.Fprintf(&out, "   -  %s\n", do)
					}
					fmt.Fprintf(&out, "   !  %s\n", page.Dont)
					for _, kind := range kinds {
						one, two := c.Compose(a, saying(kind, lang, false)), c.Compose(a, saying(kind, lang, true))
						fmt.Fprintf(&out, "--- %s\npush: %s\n      %s\nsms, two-way (%d): %s\nsms, one-way (%d): %s\n",
							kind, two.Title, two.Body, utf8.RuneCountInString(two.SMS), two.SMS, utf8.RuneCountInString(one.SMS), one.SMS)
					}
				}
			}
			golden(t, info.Key, out.String())
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (run with -update and read the diff):\n%s", path, got)
	}
}

// TestDrillIsMarkedAndLiveIsNot is the promise that nobody ever takes a drill
// for real or the real thing for a drill, whatever the author writes.
func TestDrillIsMarkedAndLiveIsNot(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	long := strings.Repeat("Semua orang wajib segera meninggalkan gedung. ", 40)
	own := func(mode announcement.Mode, title, body string) *announcement.Announcement {
		text := announcement.Text{Title: title, Body: body}
		return &announcement.Announcement{Mode: mode, Severity: announcement.Extreme, Answers: announcement.Safety, At: noon,
			Text: map[announcement.Language]announcement.Text{"id": text, "en": text, "jv": text}}
	}
	for _, mode := range modes {
		var all []*announcement.Announcement
		for _, info := range c.Templates() {
			all = append(all, filled(t, c, info, mode))
		}
		all = append(all, own(mode, "Gempa", "Keluar."), own(mode, strings.Repeat("Gempa ", 20), long), own(mode, "地震", strings.Repeat("逃げて", 300)))
		for i, a := range all {
			for _, kind := range kinds {
				for _, lang := range []announcement.Language{"id", "en", "jv"} {
					for _, twoWay := range []bool{false, true} {
						m := c.Compose(a, saying(kind, lang, twoWay))
						at := fmt.Sprintf("%d %s %s %s %s two-way=%v", i, a.Template, mode, kind, lang, twoWay)
						checkMark(t, at, mode, m)
						if !twoWay && regexp.MustCompile(`(?i)(balas|reply) \d`).MatchString(m.SMS) {
							t.Errorf("%s: a one-way SMS asks for a reply: %s", at, m.SMS)
						}
					}
				}
			}
		}
	}
}

func checkMark(t *testing.T, at string, mode announcement.Mode, m announcement.Message) {
	t.Helper()
	said := strings.TrimPrefix(m.SMS, "PT SinarAbc: ")
	for part, s := range map[string]string{"title": m.Title, "body": m.Body, "sms": said} {
		if s == "" {
			t.Errorf("%s: the %s is empty", at, part)
		}
		marked := strings.HasPrefix(s, "LATIHAN") || strings.HasPrefix(s, "DRILL")
		if mode == announcement.Drill && !marked {
			t.Errorf("%s: the %s of a drill is not marked: %s", at, part, s)
		}
		if mode == announcement.Live && drillWord.MatchString(s) {
			t.Errorf("%s: the %s of a live announcement speaks of a drill: %s", at, part, s)
		}
	}
	low := strings.ToLower(said)
	if mode == announcement.Drill && !strings.Contains(low, "bukan kejadian nyata") && !strings.Contains(low, "not real") {
		t.Errorf("%s: the SMS of a drill does not say that it is not real: %s", at, m.SMS)
	}
}

func TestComposeSMSIsOneSegment(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	orgs := []string{"PT SinarAbc", "PT Sinar Abadi Cemerlang Nusantara Tbk"}
	for _, info := range c.Templates() {
		for _, mode := range modes {
			a := filled(t, c, info, mode)
			for _, kind := range kinds {
				for _, lang := range langs {
					for _, org := range orgs {
						for _, letter := range []string{"", "B"} {
							k := saying(kind, lang, true)
							k.Org, k.Letter = org, letter
							m := c.Compose(a, k)
							if n := len([]rune(m.SMS)); n > 160 {
								t.Errorf("%s %s %s %s: %d characters: %s", info.Key, mode, kind, lang, n, m.SMS)
							}
							if !strings.HasPrefix(m.SMS, org+": ") {
								t.Errorf("%s %s: does not start with the sender: %s", info.Key, kind, m.SMS)
							}
							// Three digits and the mark of a drill leave no room for the assembly point.
							crowded := info.Key == "roll_call" && mode == announcement.Drill
							if org == orgs[0] && kind == announcement.SayAlert && !crowded && strings.Contains(m.SMS, "...") {
								t.Errorf("%s %s %s: an ordinary fill is cut: %s", info.Key, mode, lang, m.SMS)
							}
						}
					}
				}
			}
		}
	}
}

func TestComposeOwnText(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	const org, link = "PT SinarAbc: ", " siaga.example/r/7Kq2mX9b"
	tests := []struct {
		name        string
		title, body string
		answers     announcement.Answers
		letter      string
		twoWay      bool
		want        string
	}{
		{"two-way", "Air mati", "Pakai toilet lantai 1.", announcement.Read, "", true, org + "Air mati. Pakai toilet lantai 1. Balas 1=paham 2=ada kendala" + link},
		{"one-way", "Air mati", "Pakai toilet lantai 1.", announcement.Read, "", false, org + "Air mati. Pakai toilet lantai 1. Jawab:" + link},
		{"letter", "Asap", "Keluar!", announcement.Safety, "B", true, org + "Asap. Keluar! Balas 1B=aman 2B=butuh bantuan" + link},
		{"typographic marks", "“Asap” – lantai 2…", "Keluar\nsekarang.", announcement.Safety, "", false, org + `"Asap" - lantai 2. Keluar sekarang. Jawab:` + link},
		{"placeholders are not ours", "Asap {link}", "{org} {reply}", announcement.Safety, "", false, org + "Asap {link}. {org} {reply} Jawab:" + link},
		{"not GSM-7", "Asap ✓", "Keluar.", announcement.Safety, "", false, org + "Asap ✓. Keluar. Jawab:" + link},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			a := &announcement.Announcement{Mode: announcement.Live, Answers: test.answers, At: noon,
				Text: map[announcement.Language]announcement.Text{"id": {Title: test.title, Body: test.body}}}
			k := saying(announcement.SayAlert, "en", test.twoWay)
			k.Letter = test.letter
			m := c.Compose(a, k)
			if m.SMS != test.want {
				t.Errorf("got  %s\nwant %s", m.SMS, test.want)
			}
			if m.Language != "id" {
				t.Errorf("got language %q, want the one that was used, id", m.Language)
			}
			if m.Title != test.title || m.Body != test.body {
				t.Errorf("got push %q / %q, want the author's own words", m.Title, m.Body)
			}
		})
	}
}

func TestComposeShortensAtAWord(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	a := &announcement.Announcement{Mode: announcement.Live, Answers: announcement.Safety, At: noon,
		Text: map[announcement.Language]announcement.Text{"id": {Title: "Kebakaran gudang", Body: strings.Repeat("segera keluar lewat tangga ", 20)}}}
	got := c.Compose(a, saying(announcement.SayAlert, "id", true)).SMS
	if len(got) > 160 || len(got) < 140 {
		t.Errorf("got %d characters, want a full segment: %s", len(got), got)
	}
	if !regexp.MustCompile(` (segera|keluar|lewat|tangga)\.\.\. Balas 1=aman 2=butuh bantuan siaga\.example/r/7Kq2mX9b$`).MatchString(got) {
		t.Errorf("got a cut inside a word or a lost ending: %s", got)
	}
}

func TestComposeButtons(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	a := filled(t, c, c.Templates()[0], announcement.Live)
	for _, kind := range kinds {
		want := kind == announcement.SayAlert || kind == announcement.SayReminder || kind == announcement.SayRevised
		m := c.Compose(a, saying(kind, "id", true))
		if m.Asks != want || (m.Token != "") != want {
			t.Errorf("%s: got Asks %v, Token set %v, want %v", kind, m.Asks, m.Token != "", want)
		}
	}
}

func TestFillNamesEveryFault(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	tests := []struct {
		name     string
		template string
		fields   map[string]string
		want     []string
	}{
		{"unknown template", "meteor", nil, []string{"template"}},
		{"missing", "fire", map[string]string{"site": " "}, []string{"fields.site", "fields.muster"}},
		{"unknown", "tsunami", map[string]string{"site": "A", "colour": "red"}, []string{"fields.colour"}},
		{"placeholder", "tsunami", map[string]string{"site": "{link}"}, []string{"fields.site"}},
		{"line break", "tsunami", map[string]string{"site": "A\nB"}, []string{"fields.site"}},
		{"direction", "tsunami", map[string]string{"site": "A\u202eB"}, []string{"fields.site"}},
		{"too long", "tsunami", map[string]string{"site": strings.Repeat("x", 81)}, []string{"fields.site"}},
		{"optional", "active_threat", map[string]string{"site": "A", "police_status": "Polisi sudah dihubungi.", "time": "14.02"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, _, _, err := c.Fill(test.template, announcement.Live, test.fields, noon, "")
			var faults announcement.FieldErrors
			if errors.As(err, &faults); len(faults) != len(test.want) {
				t.Fatalf("got %v, want faults in %v", err, test.want)
			}
			for i, f := range faults {
				if f.Field != test.want[i] {
					t.Errorf("fault %d: got %s, want %s", i, f.Field, test.want[i])
				}
			}
		})
	}
}

// TestCheck50AnswerBacksAreOneSegment fills the answers to texts with the longest
// values that a directory and an announcement hold. Every answer is in it: the keys
// are those of the catalogue.
func TestCheck50AnswerBacksAreOneSegment(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	name := strings.Repeat("Raden Mas Kusumadiningrat ", 8)[:200] // as long as an import takes
	f := map[string]string{"org": strings.Repeat("PT Sinar Abadi Bersama Cemerlang ", 4), "time": "14.05 UTC+05:30", "title": strings.Repeat("Gempa bumi: Pabrik Cikande, ", 5),
		"name": name, "a": name, "b": name, "letter": "B", "other": strings.Repeat("Banjir: Cikande ", 9), "otp": "482913", "n": "26", "until": "28 Nov", "words": "Pakai gerbang barat. Gerbang timur ditutup sampai jam 16.00."}
	for _, key := range answerBacks(t) {
		f["link"] = "https://siaga.sinarabadi.co.id/r/7Kq2mX9b"
		if key == "enrol" {
			f["link"] = "https://siaga.sinarabadi.co.id/e/p" + strings.Repeat("m", 15) + "-alq8." + strings.Repeat("M", 22)
		}
		for _, lang := range langs {
			for _, mode := range modes {
				if key == "enrol" && mode == announcement.Drill {
					continue // nobody is asked to enrol by a drill
				}
				f["mode"] = string(mode)
				got := c.AnswerBack(key, lang, f)
				if n := len([]rune(got)); n == 0 || n > 160 || strings.ContainsAny(got, "{}") || basic.ReplaceAllString(got, "") != "" {
					t.Errorf("%s %s %s: %d characters: %s", key, lang, mode, n, got)
				}
			}
		}
	}
	delete(f, "mode")
	if got := c.AnswerBack("nonsense", "id", f); got != "" {
		t.Errorf("got %q for an unknown key, want nothing", got)
	}
	drill := map[string]string{"org": "PT SinarAbc", "time": "14:05 WIB", "mode": "drill"}
	if got, want := c.AnswerBack("safe_ok", "en", drill), "PT SinarAbc: DRILL. Recorded SAFE 14:05 WIB."; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want it to start %q", got, want)
	}
}

func TestFormatTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		zone string
		lang announcement.Language
		want string
	}{
		{"", "id", "14.05 WIB"}, {"Asia/Jakarta", "en", "14:05 WIB"}, {"Asia/Makassar", "id", "15.05 WITA"},
		{"Asia/Jayapura", "id", "16.05 WIT"}, {"Nowhere/Here", "en", "14:05 WIB"}, {"Asia/Singapore", "en", "15:05 UTC+08"},
	} {
		if got := announcement.FormatTime(noon, test.lang, test.zone); got != test.want {
			t.Errorf("FormatTime(%s, %q): got %q, want %q", test.lang, test.zone, got, test.want)
		}
	}
}

func FuzzFill(f *testing.F) {
	c := catalogue(f)
	f.Add("fire", "Pabrik Cikande", "Lapangan parkir B", true)
	f.Add("cyber", "", "", false)
	f.Add("tsunami", "{org}{link}", "\xff", true)
	f.Fuzz(func(t *testing.T, key, site, muster string, drill bool) {
		mode := announcement.Live
		if drill {
			mode = announcement.Drill
		}
		fields := map[string]string{"site": site, "muster": muster}
		text, sev, ans, err := c.Fill(key, mode, fields, noon, "")
		if err != nil {
			if faults := (announcement.FieldErrors{}); !errors.As(err, &faults) {
				t.Fatalf("got %v, want FieldErrors", err)
			}
			return
		}
		a := announcement.Announcement{Mode: mode, Severity: sev, Answers: ans, Text: text, Audience: announcement.Audience{All: true}}
		a.Complete()
		if err := a.Validate(); err != nil {
			t.Fatalf("a filled template is not valid: %v", err)
		}
	})
}

func FuzzCompose(f *testing.F) {
	c := catalogue(f)
	f.Add("Gempa", "Keluar sekarang.", "PT SinarAbc", "Nur Aisyah", true, 0)
	f.Add("LATIHAN", "latihan {link}", "🏭", "", true, 3)
	f.Add(strings.Repeat("x", 120), strings.Repeat("é€ ", 900), strings.Repeat("org ", 60), "n", false, 1)
	f.Fuzz(func(t *testing.T, title, body, org, name string, drill bool, kind int) {
		if kind < 0 || kind >= len(kinds) || !utf8.ValidString(title+body+org+name) || len(org)+len(name) > 400 {
			return
		}
		a := &announcement.Announcement{Mode: announcement.Live, Answers: announcement.Safety, At: noon,
			Text: map[announcement.Language]announcement.Text{"id": {Title: title, Body: body}}}
		if drill {
			a.Mode = announcement.Drill
		}
		k := saying(kinds[kind], "id", true)
		k.Org, k.Name = org, name
		m := c.Compose(a, k)
		if !utf8.ValidString(m.SMS) {
			t.Fatalf("the SMS is not UTF-8: %q", m.SMS)
		}
		if drill && (!strings.HasPrefix(m.Title, "LATIHAN") || !strings.HasPrefix(m.Body, "LATIHAN") || !strings.Contains(strings.ToLower(m.SMS), "bukan kejadian nyata")) {
			t.Fatalf("a drill is not marked: %q / %q / %q", m.Title, m.Body, m.SMS)
		}
		if !strings.HasSuffix(m.SMS, "siaga.example/r/7Kq2mX9b") {
			t.Fatalf("the SMS lost its link: %q", m.SMS)
		}
	})
}

// TestCheck51OneWayAsksForNoReply holds that no text asks for a reply by SMS where
// none can arrive: whoever answers into the void believes they were heard.
func TestCheck51OneWayAsksForNoReply(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	asks := regexp.MustCompile(`(?i)\b(balas|reply)\b\s*\d`)
	for _, info := range c.Templates() {
		for _, mode := range modes {
			a := filled(t, c, info, mode)
			for _, kind := range kinds {
				for _, lang := range langs {
					k := saying(kind, lang, false)
					m := c.Compose(a, k)
					for _, text := range []string{m.SMS, m.Title, m.Body, c.Whole(a, k)} {
						if asks.MatchString(text) {
							t.Errorf("%s %s %s %s asks for a reply: %s", info.Key, mode, kind, lang, text)
						}
					}
				}
			}
		}
	}
}

// FuzzDrillIsMarked: whatever somebody writes, in every message of a drill each part
// begins with the marker, and no message of a real announcement speaks of a drill that
// its author did not write of.
func FuzzDrillIsMarked(f *testing.F) {
	c := catalogue(f)
	f.Add("Gempa", "Keluar lewat tangga.", "Nur Aisyah", "Gerbang barat", uint8(0))
	f.Add(strings.Repeat("a ", 60), "{org} {link} {reply}", "=1+1", "<b>", uint8(7))
	f.Add("地震\n", "\u200b.", "", "", uint8(200))
	infos := c.Templates()
	f.Fuzz(func(t *testing.T, title, body, name, words string, n uint8) {
		if strings.TrimSpace(title) == "" || strings.TrimSpace(body) == "" || drillWord.MatchString(title+body+name+words) {
			return
		}
		text := announcement.Text{Title: title, Body: body}
		for _, mode := range modes {
			own := &announcement.Announcement{Mode: mode, Severity: announcement.Extreme, Answers: announcement.Safety, At: noon, Text: map[announcement.Language]announcement.Text{"id": text, "en": text}}
			for _, a := range []*announcement.Announcement{own, filled(t, c, infos[int(n)%len(infos)], mode)} {
				for _, kind := range kinds {
					for _, lang := range []announcement.Language{"id", "en"} {
						s := saying(kind, lang, n%2 == 0)
						s.Name, s.Words = name, words
						m := c.Compose(a, s)
						for part, said := range map[string]string{"title": m.Title, "body": m.Body, "sms": strings.TrimPrefix(m.SMS, "PT SinarAbc: ")} {
							marked := strings.HasPrefix(said, "LATIHAN") || strings.HasPrefix(said, "DRILL")
							if mode == announcement.Drill && !marked || mode == announcement.Live && drillWord.MatchString(said) {
								t.Errorf("%s %s %s %s: %q", mode, kind, lang, part, said)
							}
						}
					}
				}
			}
		}
	})
}
