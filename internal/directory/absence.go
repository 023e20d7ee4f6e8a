package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"kentongan/internal/announcement"
)

// Absence is from when to when somebody is away, and who answers for their people
// meanwhile. The days are those of their own time zone, both of them whole.
type Absence struct {
	From     string                `json:"from,omitempty"` // "2026-12-24"
	To       string                `json:"to,omitempty"`
	Delegate announcement.PersonID `json:"delegate,omitempty"` // empty: whoever leads them
}

// IsZero reports whether nobody said that they are away.
func (a Absence) IsZero() bool { return a == Absence{} }

// SetAbsence says when somebody is away; the zero Absence, that they are not. It
// returns FieldErrors named from, to and delegate, and changes nothing then.
func (d *Directory) SetAbsence(ctx context.Context, id announcement.PersonID, from, to, delegate string) error {
	var bad announcement.FieldErrors
	a := Absence{From: from, To: to}
	for _, day := range []struct{ field, value string }{{"from", from}, {"to", to}} {
		if _, err := time.Parse(time.DateOnly, day.value); err != nil && (from != "" || to != "" || delegate != "") {
			bad = append(bad, &announcement.FieldError{Field: day.field, Value: shorten(day.value), Why: "is not a day such as 2026-12-24"})
		}
	}
	if len(bad) == 0 && to < from {
		bad = append(bad, &announcement.FieldError{Field: "to", Value: to, Why: "is before the first day"})
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.RLock()
	who, known := d.people[id]
	if delegate != "" {
		switch other, there := d.byNumber(delegate); {
		case !there:
			bad = append(bad, unknownNumber("delegate", delegate))
		case !other.Active:
			bad = append(bad, inactiveNumber("delegate", delegate))
		case other.ID == id:
			bad = append(bad, &announcement.FieldError{Field: "delegate", Value: shorten(delegate), Why: "nobody stands in for themselves"})
		default:
			a.Delegate = other.ID
		}
	}
	d.mu.RUnlock()
	switch {
	case !known:
		return errors.New("set an absence: nobody has this id")
	case len(bad) > 0:
		return bad
	}
	who.Away = a
	who.Version++
	if err := d.storePeople(ctx, []record{who}); err != nil {
		return fmt.Errorf("set an absence: %w", err)
	}
	return nil
}

// Absence returns when somebody is away, past or to come.
func (d *Directory) Absence(id announcement.PersonID) Absence {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.people[id].Away
}

// StandIn reports whether somebody is away now, and who answers for their people
// meanwhile: one hop, so that two who name each other call nobody in a circle. Empty:
// nobody, or somebody who is away or has left too.
func (d *Directory) StandIn(id announcement.PersonID) (by announcement.PersonID, away bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	p := d.people[id]
	if !d.away(p) {
		return "", false
	}
	other, known := d.people[p.Away.Delegate]
	if !known || !other.Active || d.away(other) {
		return "", true
	}
	return other.ID, true
}

// away needs d.mu.
func (d *Directory) away(p record) bool {
	if p.Away.From == "" {
		return false
	}
	place, _ := d.place(p.Site)
	today := d.Now().In(announcement.Location(cmp.Or(p.Zone, place.Zone, d.Options.Zone))).Format(time.DateOnly)
	return p.Away.From <= today && today <= p.Away.To
}
