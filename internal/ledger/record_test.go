package ledger

import (
	"strings"
	"testing"

	"kentongan/internal/announcement"
)

// In a rolling upgrade an older node reads what a newer one has written: it takes what
// it knows, and says how much it does not.
func TestWhatAnotherVersionWroteIsTakenAsFarAsItIsKnown(t *testing.T) {
	const id = "afire2222222222a"
	head := func(kind string) string {
		return `{"announcement":"` + id + `","kind":"` + kind + `","at":"2026-11-28T10:00:00Z",`
	}
	known := head("answered") + `"answered":{"number":3,"answer":1,"via":"page","said":"2026-11-28T10:00:00Z","ref":"r"}}`
	for _, tc := range []struct {
		name, kind, body string
		facts, unread    int
		fails            bool
	}{
		{"nothing new", "answered", `[` + known + `,` + known + `]`, 2, 0, false},
		{"a field of a fact", "answered", `[` + known + `,` + strings.TrimSuffix(known, "}") + `,"withdrawn":{"number":3}}]`, 2, 1, false},
		{"a field of an answer", "answered", `[` + strings.Replace(known, `"ref"`, `"on_behalf":4,"ref"`, 1) + `]`, 1, 1, false},
		{"a kind", "withdrawn", `[` + head("withdrawn") + `"withdrawn":{"number":3}}]`, 1, 1, false},
		{"an answer", "answered", `[` + strings.Replace(known, `"answer":1`, `"answer":4`, 1) + `,` + known + `]`, 2, 1, false},
		{"another type", "answered", `[` + strings.Replace(known, `"number":3`, `"number":"3"`, 1) + `,` + known + `]`, 2, 1, false},
		{"another type under another subject", "receipt", `[` + strings.Replace(known, `"number":3`, `"number":"3"`, 1) + `]`, 0, 1, true},
		{"no list", "answered", `{"facts":[]}`, 0, 1, true},
		{"something behind", "answered", `[` + known + `]x`, 0, 1, true},
	} {
		r, err := decode(7, "ledger."+id+"."+tc.kind, []byte(tc.body))
		if (err != nil) != tc.fails || len(r.Facts) != tc.facts || r.Unread != tc.unread || r.Seq != 7 || r.Announcement != id {
			t.Errorf("%s: got %+v, %v, want %d facts, %d unread", tc.name, r, err, tc.facts, tc.unread)
		}
		if tc.name == "another type" {
			// Half of it would be the answer of recipient 0.
			if r.Facts[0].Answered != nil || r.Facts[0].Kind != announcement.KindAnswered || r.Facts[1].Answered.Number != 3 {
				t.Errorf("%s: got %+v, want nothing of the first and all of the second", tc.name, r.Facts)
			}
		}
		if err != nil && strings.Contains(err.Error(), "ref") {
			t.Errorf("%s: the error repeats what was stored: %v", tc.name, err)
		}
	}
}
