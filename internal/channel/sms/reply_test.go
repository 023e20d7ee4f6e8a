package sms

import (
	"os"
	"strings"
	"testing"

	"kentongan/internal/announcement"
)

// vectors reads testdata/sms_vectors.tsv: input, question, class, letter.
func vectors(t testing.TB) [][]string {
	t.Helper()
	b, err := os.ReadFile("testdata/sms_vectors.tsv")
	if err != nil {
		t.Fatal(err)
	}
	var rows [][]string
	for _, line := range strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")[1:] {
		cells := strings.Split(line, "\t")
		for len(cells) < 4 {
			cells = append(cells, "")
		}
		rows = append(rows, cells)
	}
	return rows
}

var classNames = map[string]Class{
	"STOP": ClassStop, "START": ClassStart, "WHO": ClassWho, "WRONG_NUMBER": ClassWrongNumber,
	"HELP": ClassHelp, "OFFSITE": ClassOffSite, "SAFE": ClassSafe, "ACK": ClassAck,
	"SEEN": ClassSeen, "FREETEXT": ClassFreeText, "UNCLEAR": ClassUnclear,
}

func TestCheck50EveryVectorHasItsClass(t *testing.T) {
	t.Parallel()
	for _, row := range vectors(t) {
		answers := announcement.Safety
		if row[1] == "ack" {
			answers = announcement.Read
		}
		want, ok := classNames[row[2]]
		if !ok {
			t.Fatalf("vector %q names no class: %q", row[0], row[2])
		}
		got := Parse(row[0], answers)
		if got.Class != want || got.Letter != row[3] {
			t.Errorf("Parse(%q, %s) = %s %q, want %s %q", row[0], row[1], got.Class, got.Letter, want, row[3])
		}
	}
}

func TestParseLetters(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text, letter string
		class        Class
	}{
		{"1B", "b", ClassSafe}, {"b1", "b", ClassSafe}, {"1 b aman", "b", ClassSafe}, {"B 1", "b", ClassSafe}, {"satu b", "b", ClassSafe},
		{"2a", "a", ClassHelp}, {"A2", "a", ClassHelp}, {"2 b lantai 3", "b", ClassHelp}, {"1a 2b", "b", ClassHelp}, {"2a 2b", "", ClassHelp},
		{"3c", "c", ClassOffSite}, {"1 i am safe", "", ClassSafe},
	}
	for _, tt := range tests {
		if got := Parse(tt.text, announcement.Safety); got.Class != tt.class || got.Letter != tt.letter {
			t.Errorf("Parse(%q) = %s %q, want %s %q", tt.text, got.Class, got.Letter, tt.class, tt.letter)
		}
	}
}

func TestParseNotes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 2000)
	tests := []struct {
		text, note string
		fromWords  bool
	}{
		{"2", "", false},
		{"2 Lantai 3 dekat gudang", "Lantai 3 dekat gudang", false},
		{"2: Lantai 3", "Lantai 3", false},
		{"TOLONG!!!", "TOLONG!!!", true},
		{"saya aman pak", "saya aman pak", true},
		{"balas 2 kaki luka", "balas 2 kaki luka", false},
		{long, long[:2*MaxNote], false},
		{"a\xff tolong", "a\uFFFD tolong", true},
	}
	for _, tt := range tests {
		if got := Parse(tt.text, announcement.Safety); got.Note != tt.note || got.FromWords != tt.fromWords {
			t.Errorf("Parse(%.40q) has note %.40q, from words %v; want %.40q, %v", tt.text, got.Note, got.FromWords, tt.note, tt.fromWords)
		}
	}
}

// FuzzParse holds the two promises of the grammar against any text: it never
// panics, and a question or an undenied word of help never counts as safe.
func FuzzParse(f *testing.F) {
	for _, row := range vectors(f) {
		f.Add(row[0])
	}
	f.Add("aman, tidak ada yang terjebak")
	f.Fuzz(func(t *testing.T, text string) {
		for _, answers := range []announcement.Answers{announcement.Safety, announcement.Read} {
			calm := func(s string) bool {
				c := Parse(s, answers).Class
				return c == ClassSafe || c == ClassAck || c == ClassOffSite
			}
			Parse(text, answers)
			for _, help := range []string{"tolong", "terjebak", "help", "sos"} {
				for _, s := range []string{text + ". " + help, help + ". " + text} {
					if calm(s) {
						t.Errorf("%q with a word of help is calm", s)
					}
				}
			}
			if calm(text + "?") {
				t.Errorf("%q as a question is calm", text)
			}
		}
	})
}
