package announcement_test

import (
	"slices"
	"strings"
	"testing"

	"kentongan/internal/announcement"
)

func TestPlainlyAround(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"{org}: “Go” to {muster}…": `{org}: "Go" to {muster}...`, "{open": "(open", "no blanks": "no blanks", "": "",
	} {
		if got := announcement.PlainlyAround(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestLongSentences(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("word ", announcement.LongSentence+1)
	got := announcement.LongSentences(announcement.Text{Body: "Short one. " + long + ".", Do: []string{strings.Repeat("w ", announcement.LongSentence)}})
	if !slices.Equal(got, []string{strings.TrimSpace(long)}) {
		t.Errorf("got %q", got)
	}
}

// Every text that the product comes with passes its own editor.
func TestOwnTemplatesPassTheEditor(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	for _, info := range c.Templates() {
		if bad := c.CheckWords(info.Key, c.Original(info.Key)); len(bad) > 0 {
			t.Errorf("%s: %v", info.Key, bad)
		}
	}
}

// Reworded texts are said at once; what was filled before keeps its words.
func TestReword(t *testing.T) {
	t.Parallel()
	c := catalogue(t)
	words := c.Original("fire")
	other := words[announcement.English]
	other.Title = "Fire, fire: {site}"
	words[announcement.English] = other
	if c.Said("fire")[announcement.English].Title == other.Title {
		t.Fatal("a copy changed the original")
	}
	c.Reword(map[string]map[announcement.Language]announcement.Text{"fire": words})
	if got := c.Said("fire")[announcement.English].Title; got != other.Title {
		t.Errorf("got %q", got)
	}
	c.Reword(nil)
	if got := c.Said("fire")[announcement.English].Title; got == other.Title {
		t.Error("it cannot be taken back")
	}
}
