package app

import (
	"context"
	"strings"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// about turns what a request names into opaque references. What is none is left out:
// somebody may have typed a name into an address.
func (d *desk) about(on web.Noted) announcement.About {
	a := on.About
	if who, ok := d.directory.ByNumber(on.Number); ok && on.Number != "" {
		a.Person = who.ID
	}
	if v, ok := d.tracker.View(a.Announcement); ok && v.Roster != nil && on.Recipient >= 0 && on.Recipient < len(v.Roster.Recipients) {
		a.Person = v.Roster.Recipients[on.Recipient].Person
	}
	for _, part := range []*string{(*string)(&a.Person), (*string)(&a.Announcement), &a.Account, &a.Object} {
		if !(announcement.About{Object: *part}).Opaque() || part == (*string)(&a.Person) && strings.Contains(*part, ".") {
			*part = ""
		}
	}
	return a
}

// Note implements web.Trail.
func (d *desk) Note(ctx context.Context, by announcement.Actor, act announcement.Act, on web.Noted) error {
	return d.note(ctx, by, act, d.about(on))
}

// Saw implements web.Trail.
func (d *desk) Saw(_ context.Context, by announcement.Actor, act announcement.Act, on web.Noted) {
	d.saw(by, act, d.about(on))
}
