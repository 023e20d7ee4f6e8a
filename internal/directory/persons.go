package directory

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// ErrChanged is returned when somebody else changed a person first.
var ErrChanged = errors.New("the person was changed meanwhile")

// SilentAfter is how long a device may stay silent before it counts as stale:
// browsers forget a subscription some weeks later.
const SilentAfter = 45 * 24 * time.Hour

// Trouble is something about a person that somebody should mend.
type Trouble string

// The troubles of people, as lists are filtered by them.
const (
	Unreachable Trouble = "unreachable" // no channel at all
	NoManager   Trouble = "no_manager"  // nobody above them, and nobody below either: not the head of the company
	Stopped     Trouble = "sms_stopped"
	Wrong       Trouble = "wrong_number"
	Shared      Trouble = "shared" // the number is also somebody else's
	Stale       Trouble = "stale"  // their devices have been silent for long
	Gone        Trouble = "left"   // no longer active
)

// Troubles lists them in the order in which they matter.
var Troubles = []Trouble{Unreachable, Wrong, Stopped, Stale, NoManager, Shared, Gone}

// Listing is a person with how they can be reached.
type Listing struct {
	Person
	Version  int64
	Channels []announcement.Channel
	Why      string // no channel at all: why
	Landline bool
	Contact
	Boss     string // name of the manager
	Sharing  []Person
	Troubles []Trouble
}

// Seen is when a device of theirs was last heard of.
func (l Listing) Seen() time.Time {
	var last time.Time
	for _, s := range l.Subscriptions {
		if s.Seen.After(last) {
			last = s.Seen
		}
	}
	return last
}

// Filter chooses people of a list.
type Filter struct {
	Search  string            // part of a name or employee number, or of a phone number
	Names   bool              // the search does not look at phone numbers
	Only    func(Person) bool // nil: everybody
	Site    string
	Trouble Trouble
	Offset  int
	Limit   int
}

// Find returns the active people that a filter chooses, by name, and how many
// there are in all. People who left are found by the filter Gone only.
func (d *Directory) Find(f Filter) (total int, page []Listing) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	search, digits := fold(f.Search), strings.TrimLeft(onlyDigits(f.Search), "0")
	leads := d.leads()
	var found []record
	for _, r := range d.people {
		switch {
		case r.Active == (f.Trouble == Gone):
			continue
		case f.Site != "" && fold(r.Site) != fold(f.Site):
			continue
		case search != "" && !strings.Contains(fold(r.Name), search) && !strings.Contains(fold(r.Number), search) &&
			(f.Names || len(digits) < 4 || !strings.Contains(r.Mobile, digits)):
			continue
		case f.Trouble != "" && f.Trouble != Gone && !slices.Contains(d.troubles(r, leads), f.Trouble):
			continue
		case f.Only != nil && !f.Only(r.Person):
			continue
		}
		found = append(found, r)
	}
	slices.SortFunc(found, func(a, b record) int {
		return cmp.Or(strings.Compare(fold(a.Name), fold(b.Name)), strings.Compare(fold(a.Number), fold(b.Number)), strings.Compare(string(a.ID), string(b.ID)))
	})
	from := min(max(f.Offset, 0), len(found))
	for _, r := range found[from:min(from+f.Limit, len(found))] {
		page = append(page, d.listing(r, leads))
	}
	return len(found), page
}

// Listing returns one person, active or not, by employee number.
func (d *Directory) Listing(number string) (Listing, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r, ok := d.byNumber(number)
	if !ok {
		return Listing{}, false
	}
	return d.listing(r, d.leads()), true
}

// Count says how many active people have each trouble, of those whom only returns true
// for; nil: of everybody.
func (d *Directory) Count(only func(Person) bool) map[Trouble]int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	leads := d.leads()
	out := map[Trouble]int{}
	for _, r := range d.people {
		if only != nil && !only(r.Person) {
			continue
		}
		for _, t := range d.troubles(r, leads) {
			out[t]++
		}
	}
	return out
}

// leads needs d.mu. It returns the folded numbers of everybody who manages.
func (d *Directory) leads() map[string]bool {
	out := map[string]bool{}
	for _, r := range d.people {
		if r.Active && r.Manager != "" {
			out[fold(r.Manager)] = true
		}
	}
	return out
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// listing needs d.mu.
func (d *Directory) listing(r record, leads map[string]bool) Listing {
	c := d.contacts[r.ID]
	l := Listing{Person: r.Person, Version: r.Version, Landline: r.Landline, Troubles: d.troubles(r, leads), Contact: Contact{
		SMSStopped: r.Mobile != "" && c.Stopped == r.Mobile, WrongNumber: r.Mobile != "" && c.Wrong == r.Mobile, Subscriptions: slices.Clone(c.Subscriptions),
		Devices: slices.Clone(c.Devices), Shown: c.Shown,
	}}
	l.Channels, l.Why = reach(r, c)
	if m, ok := d.byNumber(r.Manager); ok {
		l.Boss = m.Name
	}
	for _, other := range d.sorted(d.mobiles[r.Mobile]) {
		if r.Mobile != "" && other.ID != r.ID && other.Active {
			l.Sharing = append(l.Sharing, other.Person)
		}
	}
	return l
}

// troubles needs d.mu.
func (d *Directory) troubles(r record, leads map[string]bool) []Trouble {
	if !r.Active {
		return []Trouble{Gone}
	}
	var out []Trouble
	c := d.contacts[r.ID]
	if channels, _ := reach(r, c); len(channels) == 0 {
		out = append(out, Unreachable)
	}
	if r.Mobile != "" && c.Wrong == r.Mobile {
		out = append(out, Wrong)
	}
	if r.Mobile != "" && c.Stopped == r.Mobile {
		out = append(out, Stopped)
	}
	if len(c.Subscriptions) > 0 {
		silent := true
		for _, s := range c.Subscriptions {
			silent = silent && d.Now().Sub(s.Seen) >= SilentAfter
		}
		if silent {
			out = append(out, Stale)
		}
	}
	if _, led := d.activeManager(r); !led && !leads[fold(r.Number)] {
		out = append(out, NoManager)
	}
	if r.Mobile != "" && len(d.mobiles[r.Mobile]) > 1 {
		n := 0
		for _, id := range d.mobiles[r.Mobile] {
			if d.people[id].Active {
				n++
			}
		}
		if n > 1 {
			out = append(out, Shared)
		}
	}
	return out
}

// Save changes one person, or adds them, by the rules of an import. values are
// by column; one that is missing stays as it is. version is that of the person
// as they were shown, 0 for a new one. What is wrong is returned as FieldErrors
// named by column; ErrManyLeave says that too many people left.
func (d *Directory) Save(ctx context.Context, values map[string]string, version int64, sample bool) error {
	cs, row := oneRow(values)
	d.writing.Lock()
	defer d.writing.Unlock()
	report := ImportReport{}
	c := d.check(cs, []sheetRow{row}, ImportOptions{Sample: sample}, &report)
	if len(report.Errors) > 0 {
		return report.fieldErrors()
	}
	old := c.entries[0].old
	switch {
	case version == 0 && old.ID != "":
		return announcement.FieldErrors{{Field: columnKeys[colNumber], Value: shorten(old.Number), Why: "is the employee number of somebody else"}}
	case old.Version != version:
		return ErrChanged
	}
	// What is typed about one person is meant: it ends their own correction.
	if now := &c.entries[0].new; values[columnKeys[colMobile]] != "" {
		if n, err := parseNumber(values[columnKeys[colMobile]], now.Country); err == nil && n.e164 != now.Mobile {
			now.Mobile, now.Landline, now.Own.Mobile, now.Own.MobileWas = n.e164, n.landline, "", ""
		}
	}
	if now := &c.entries[0].new; values[columnKeys[colLocale]] != "" {
		if lang, ok := languageOf(values[columnKeys[colLocale]]); ok && lang != now.Language {
			now.Language, now.Own.Language, now.Own.LanguageWas = lang, "", ""
		}
	}
	c.wholeList = false
	report = ImportReport{}
	changes := c.changes(&report, "")
	if len(changes) == 0 {
		return nil
	}
	if old.Active && !changes[0].Active {
		if err := d.mayLeave(ctx, old.ID); err != nil {
			return err
		}
	}
	return d.storePeople(ctx, changes)
}
