package announcement_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"kentongan/internal/announcement"
)

func TestAwkwardCharactersAreNamedAndMended(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ names, plain string }{
		"Keluar lewat tangga, kumpul di Lot B (utara) @ 14:05": {"", "Keluar lewat tangga, kumpul di Lot B (utara) @ 14:05"},
		"Gedung “B” – lantai 3…":                               {"curly quote, curly quote, long dash, three dots in one", `Gedung "B" - lantai 3...`},
		"Harga 5€ [lama] {baru} ~10":                           {"euro sign, bracket, bracket, bracket, bracket, tilde", "Harga 5EUR (lama) (baru) -10"},
		"Awas 🔥⚠️ api":                                         {"emoji, emoji, emoji", "Awas  api"},
		"Café Łódź, José":                                      {"letter, letter, letter", "Café Łodz, José"}, // é is plain, Ł has no base letter
		"خطر":                                                  {"letter, letter, letter", "خطر"},
	} {
		var names []string
		for _, a := range announcement.AwkwardIn(text) {
			names = append(names, a.Name)
		}
		if got := strings.Join(names, ", "); got != want.names {
			t.Errorf("%s: got %q, want %q", text, got, want.names)
		}
		if got := announcement.Plainly(text); got != want.plain {
			t.Errorf("%s: got %q, want %q", text, got, want.plain)
		}
	}
}

func TestWholeIsNotShortened(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	a := &announcement.Announcement{ID: "a1", Mode: announcement.Live, Severity: announcement.Extreme, Answers: announcement.Safety, Text: map[announcement.Language]announcement.Text{announcement.English: {Title: "Gas leak in hall 3", Body: strings.Repeat("Leave. ", 30)}}}
	k := announcement.Saying{Kind: announcement.SayAlert, Language: announcement.English, Org: "PT SinarAbc", Link: "https://siaga.example/r/MMMMMMMM"}
	whole, sent := c.Whole(a, k), c.Compose(a, k).SMS
	if announcement.OverOneSMS(whole) == 0 || !strings.Contains(whole, strings.TrimSpace(strings.Repeat("Leave. ", 30))) || announcement.OverOneSMS(sent) != 0 {
		t.Errorf("got %q and %q, want the first whole and the second short", whole, sent)
	}
	a.Text[announcement.English] = announcement.Text{Title: "Gas leak", Body: "Leave now."}
	if whole, sent := c.Whole(a, k), c.Compose(a, k).SMS; whole != sent {
		t.Errorf("got %q, want what is sent: %q", whole, sent)
	}
}

// An order in another script must arrive in that script, at whatever cost, and not
// as question marks.
func TestPlainlyLeavesOtherScripts(t *testing.T) {
	t.Parallel()
	for _, letters := range []string{"é ñ Ω", "выход", "出口", "مخرج"} {
		if got := announcement.Plainly(letters); got != letters {
			t.Errorf("%q became %q", letters, got)
		}
	}
}

func FuzzPlainly(f *testing.F) {
	for _, s := range []string{"“a” – b", "€5", "🔥", "خطر", "é\u0301"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			return
		}
		once := announcement.Plainly(text)
		if announcement.Plainly(once) != once {
			t.Errorf("%q becomes %q and then %q", text, once, announcement.Plainly(once))
		}
		for _, a := range announcement.AwkwardIn(once) {
			if a.Mends {
				t.Errorf("%q still holds %q, which can be mended", once, a.Char)
			}
		}
	})
}
