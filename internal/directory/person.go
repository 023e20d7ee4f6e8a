package directory

import (
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/text/unicode/norm"

	"kentongan/internal/announcement"
)

// Person is somebody who works, or worked, here. Its String and LogValue are
// redacted.
type Person struct {
	ID         announcement.PersonID `json:"id"`
	Number     string                `json:"number"` // employee number, as the company writes it
	Name       string                `json:"name"`   // as colleagues know them; one word is a whole name
	Given      string                `json:"given"`  // what a message calls them
	Email      string                `json:"email,omitempty"`
	Mobile     string                `json:"mobile,omitempty"` // E.164, also of a landline; empty if there is none
	Country    string                `json:"country,omitempty"`
	Language   announcement.Language `json:"language"`
	Zone       string                `json:"zone,omitempty"` // IANA
	Site       string                `json:"site,omitempty"`
	Department string                `json:"department,omitempty"`
	Title      string                `json:"title,omitempty"`
	Shift      string                `json:"shift,omitempty"`
	Manager    string                `json:"manager,omitempty"` // employee number
	Active     bool                  `json:"active"`
	Sample     bool                  `json:"sample,omitempty"` // made up: never reaches a real provider
}

func (Person) String() string       { return "(person)" }
func (Person) GoString() string     { return "(person)" }
func (Person) LogValue() slog.Value { return slog.StringValue("(person)") }

// record is a person as stored.
type record struct {
	Person
	Landline  bool      `json:"landline,omitempty"` // Mobile cannot take an SMS
	Own       own       `json:"own,omitzero"`
	Away      Absence   `json:"away,omitzero"`
	Provision provision `json:"provision,omitzero"`
	Created   time.Time `json:"created,omitzero"`
	Changed   time.Time `json:"changed,omitzero"`
	Version   int64     `json:"version"` // rises with each change, see Directory.apply
}

// fold makes spellings equal that people take for the same: case, spaces and
// composed letters.
func fold(s string) string {
	return strings.ToLower(norm.NFC.String(strings.Join(strings.Fields(s), " ")))
}

// sortByNumber sorts by employee number, the order in which the walk of the
// reporting forest is the same on every node.
func sortByNumber(rs []record) {
	keys := make(map[announcement.PersonID]string, len(rs))
	for _, r := range rs {
		keys[r.ID] = fold(r.Number)
	}
	slices.SortFunc(rs, func(a, b record) int {
		return cmp.Or(strings.Compare(keys[a.ID], keys[b.ID]), strings.Compare(string(a.ID), string(b.ID)))
	})
}

// spellings group the names of sites or departments that differ only in case
// or spaces, and show each under the spelling most people have.
type spellings map[string]map[string]int // folded → spelling → people

func newSpellings(rs []record, of func(*Person) string) spellings {
	s := spellings{}
	for i := range rs {
		name := of(&rs[i].Person)
		if name == "" {
			continue
		}
		key := fold(name)
		if s[key] == nil {
			s[key] = map[string]int{}
		}
		s[key][name]++
	}
	return s
}

// show returns the common spelling of name; ok is false if nobody has it.
func (s spellings) show(name string) (common string, ok bool) {
	most := 0
	for spelling, n := range s[fold(name)] {
		if n > most || n == most && spelling < common {
			common, most = spelling, n
		}
	}
	return common, most > 0
}

func (s spellings) counts() map[string]int {
	all := make(map[string]int, len(s))
	for key, spelled := range s {
		common, _ := s.show(key)
		for _, n := range spelled {
			all[common] += n
		}
	}
	return all
}
