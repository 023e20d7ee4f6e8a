package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
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

// mostLooked is how many entries one page is looked for in; then it says where it
// stopped, and goes on from there when it is asked to.
const mostLooked = 20_000

// slack is how far the clocks of nodes, and the order of writes, may be apart.
const slack = 5 * time.Minute

// Read implements web.Trail.
func (d *desk) Read(ctx context.Context, f web.TrailFilter) (page web.TrailPage, err error) {
	page.Entries = []web.TrailEntry{}
	var person announcement.PersonID
	if f.Number != "" {
		who, ok := d.directory.ByNumber(f.Number)
		if !ok {
			return page, nil
		}
		person = who.ID
	}
	seq, index, err := position(f.Before)
	if err != nil {
		return page, err
	}
	before := uint64(0)
	switch {
	case seq != 0:
		before = seq + 1
	case !f.To.IsZero():
		if before, err = d.positionAt(ctx, f.To.Add(slack)); err != nil {
			return page, err
		}
	}
	err = d.ledger.Noted(ctx, person, before, func(r ledger.Record) bool {
		for i, n := range slices.Backward(r.Facts) {
			if r.Seq == seq && i >= index || n.Noted == nil {
				continue
			}
			if !f.From.IsZero() && n.At.Before(f.From.Add(-slack)) {
				return false
			}
			page.Looked++
			if wanted(f, n) {
				page.Entries = append(page.Entries, d.entry(n))
			}
			if len(page.Entries) >= f.Limit || page.Looked >= mostLooked {
				page.Next = fmt.Sprintf("%d.%d", r.Seq, i)
				return false
			}
		}
		return true
	})
	if err != nil {
		return page, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return page, nil
}

func wanted(f web.TrailFilter, n announcement.Fact) bool {
	return (f.Who == "" || n.Actor == f.Who) && (f.Act == "" || n.Noted.Act == f.Act) &&
		(f.Announcement == "" || n.Noted.About.Announcement == f.Announcement) &&
		(f.From.IsZero() || !n.At.Before(f.From)) && (f.To.IsZero() || n.At.Before(f.To))
}

// position reads where a page ended: before which fact of which record.
func position(s string) (seq uint64, index int, err error) {
	if s == "" {
		return 0, 0, nil
	}
	if _, err := fmt.Sscanf(s, "%d.%d", &seq, &index); err != nil || seq == 0 || index < 0 || fmt.Sprintf("%d.%d", seq, index) != s {
		return 0, 0, announcement.FieldErrors{{Field: "before", Value: s, Why: "is not the next of a page"}}
	}
	return seq, index, nil
}

// positionAt returns the position of the first record that was written after at, by
// halving: twenty reads for a million records.
func (d *desk) positionAt(ctx context.Context, at time.Time) (uint64, error) {
	last, err := d.ledger.Last(ctx)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	low, high := uint64(1), last+1
	for low < high {
		middle := low + (high-low)/2
		r, err := d.ledger.At(ctx, middle)
		if err != nil && (errors.Is(err, ledger.ErrUnavailable) || ctx.Err() != nil) {
			return 0, fmt.Errorf("%w: %w", web.ErrNotYet, err)
		} // one that cannot be read is passed over: what is found is looked at again
		if len(r.Facts) > 0 && r.Facts[len(r.Facts)-1].At.After(at) {
			high = middle
		} else {
			low = middle + 1
		}
	}
	return low, nil
}

// entry is a fact with names as they are now.
func (d *desk) entry(n announcement.Fact) web.TrailEntry {
	e := web.TrailEntry{At: n.At, Actor: n.Actor, Who: d.trailName(n.Actor), Act: n.Noted.Act, About: n.Noted.About}
	if p := n.Noted.About.Person; p != "" {
		e.Person = &web.Name{}
		if who, ok := d.directory.Person(p); ok {
			e.Person = &web.Name{Number: who.Number, Name: who.Name}
		}
	}
	if id := n.Noted.About.Account; id != "" {
		c, _ := d.accounts.get(id)
		e.Account = c.Name
	}
	if v, ok := d.tracker.View(n.Noted.About.Announcement); ok {
		e.Announcement = v.Announcement.Text
	}
	return e
}

// trailName is who did something; nothing for whoever is not known any more.
func (d *desk) trailName(a announcement.Actor) string {
	if id, ok := strings.CutPrefix(string(a), "person:"); ok {
		who, _ := d.directory.Person(announcement.PersonID(id))
		return who.Name
	}
	return d.actorName(a)
}

// Actors implements web.Trail: those with an account, as the filter offers them.
func (d *desk) Actors(context.Context) (out []web.Name) {
	for id, c := range d.accounts.all.walk() {
		if c.Name != "" {
			out = append(out, web.Name{Number: "account:" + id, Name: c.Name})
		}
	}
	slices.SortFunc(out, func(a, b web.Name) int { return strings.Compare(a.Name+a.Number, b.Name+b.Number) })
	return out
}

// checkedKey is where the vault keeps how the last check of the ledger went, for every node.
const checkedKey = "ledger.checked"

// Checked implements web.Trail.
func (d *desk) Checked(ctx context.Context) (c web.Checked) {
	b, err := d.vault.Get(ctx, checkedKey)
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		d.log.Warn("how the last check of the ledger went cannot be read", "step", "audit", "reason", err)
	}
	return c
}

// keepChecked remembers how a check went.
func (d *desk) keepChecked(ctx context.Context, r web.LedgerReport) error {
	before := d.Checked(ctx)
	c := web.Checked{At: d.now().UTC(), Records: r.Records, Faults: len(r.Faults)}
	if c.Faults == 0 {
		if c.Whole = before.Whole; c.Whole.IsZero() {
			c.Whole = c.At
		}
	}
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode a check: %w", err)
	}
	if err := d.vault.Put(ctx, checkedKey, b); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return nil
}
