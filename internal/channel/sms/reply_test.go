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

func TestParseVectors(t *testing.T) {
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
