package directory

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"kentongan/internal/announcement"
)

// ErrManyLeave is returned when an identity provider takes out so many people that
// a person has to say whether that is meant.
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

// mayLeave needs d.writing. It returns ErrManyLeave when more than one in twenty,
// and more than a few, would have left within the hour by the provider's word.
func (d *Directory) mayLeave(ctx context.Context, id announcement.PersonID) error {
	now := d.Now().UTC().Round(0)
	d.mu.RLock()
	s := d.leaving
	left, active := 1, 0
	for _, r := range d.people {
		switch {
		case r.Active:
			active++
		case r.Provision.Left.After(now.Add(-leavingWithin)) && r.Provision.Left.After(s.Allowed):
			left++
		}
	}
	d.mu.RUnlock()
	switch {
	case now.Before(s.Allowed):
		return nil
	case !s.Since.IsZero():
	case left <= fewLeavers || left*20 <= active+left-1:
		return nil
	default:
		s.Since = now
		d.Log.Warn("the identity provider takes out many people; no more leave by its word until a person allows it", "step", "provision")
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

// HeldBack returns since when nobody may leave by the provider's word, and the
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

// LetLeave lets everybody leave for an hour whom the provider takes out.
func (d *Directory) LetLeave(ctx context.Context, by string) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.RLock()
	s := leaving{Allowed: d.Now().UTC().Round(0).Add(leavingWithin), By: by, Version: d.leaving.Version + 1}
	d.mu.RUnlock()
	return d.putSetting(ctx, leavingKey, s)
}
