package directory

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"kentongan/internal/announcement"
)

// ErrManyLeave is returned when so many people would leave, by a file, at the console or
// by the word of an identity provider, that a person has to say whether that is meant.
var ErrManyLeave = errors.New("many people leave at once")

const (
	leavingKey = "setting.leaving"
	// leavingWithin is how long leavers are counted together.
	leavingWithin = time.Hour
	// fewLeavers may always leave within that time.
	fewLeavers = 5
	// shownLeavers is how many people are kept by name who were held back.
	shownLeavers = 50
)

// leaving is the stop, as stored. A faulty mapping or a filter that somebody
// deleted empties a company within minutes; so once it has closed, it stays closed
// until a person opens it.
type leaving struct {
	Since   time.Time               `json:"since,omitzero"`   // when it closed; zero: it is open
	Held    []announcement.PersonID `json:"held,omitempty"`   // who was to leave since, the first of them
	Allowed time.Time               `json:"allowed,omitzero"` // until then anybody may leave
	By      string                  `json:"by,omitempty"`     // actor who opened it
	Version int64                   `json:"version"`          // see Directory.apply
}

func (d *Directory) applyLeaving(value []byte) error {
	var s leaving
	if value == nil {
		d.leaving = s
		return nil
	}
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	if s.Version >= d.leaving.Version {
		d.leaving = s
	}
	return nil
}

// manyLeave is the rule for every way in: whether, with these leavers, more than one in
// twenty and more than a few would have left within the hour without that a person
// confirmed how many.
func (d *Directory) manyLeave(leavers int) bool {
	now := d.Now().UTC().Round(0)
	d.mu.RLock()
	defer d.mu.RUnlock()
	s := d.leaving
	if leavers == 0 || now.Before(s.Allowed) {
		return false
	}
	left, active := leavers, 0
	for _, r := range d.people {
		switch {
		case r.Active:
			active++
		case r.Provision.Left.After(now.Add(-leavingWithin)) && r.Provision.Left.After(s.Allowed):
			left++
		}
	}
	return !s.Since.IsZero() || left > fewLeavers && left*20 > active+left-leavers
}

// mayLeave needs d.writing. It is manyLeave for one person, and remembers who was held
// back.
func (d *Directory) mayLeave(ctx context.Context, id announcement.PersonID) error {
	if !d.manyLeave(1) {
		return nil
	}
	d.mu.RLock()
	s := d.leaving
	d.mu.RUnlock()
	if s.Since.IsZero() {
		s.Since = d.Now().UTC().Round(0)
		d.Log.Warn("many people leave one by one; no more do until a person allows it", "step", "leave")
	}
	if len(s.Held) < shownLeavers && !slices.Contains(s.Held, id) {
		s.Held = append(slices.Clone(s.Held), id)
		s.Version++
		if err := d.putSetting(ctx, leavingKey, s); err != nil {
			return err
		}
	}
	return ErrManyLeave
}

// HeldBack returns since when nobody may leave one by one, and the
// first of those who were to leave. A zero time: everything is as usual.
func (d *Directory) HeldBack() (since time.Time, people []Person) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, id := range d.leaving.Held {
		if r, known := d.people[id]; known {
			people = append(people, r.Person)
		}
	}
	return d.leaving.Since, people
}

// LetLeave lets anybody leave for an hour.
func (d *Directory) LetLeave(ctx context.Context, by string) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.RLock()
	s := leaving{Allowed: d.Now().UTC().Round(0).Add(leavingWithin), By: by, Version: d.leaving.Version + 1}
	d.mu.RUnlock()
	return d.putSetting(ctx, leavingKey, s)
}
