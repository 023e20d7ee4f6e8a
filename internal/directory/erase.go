package directory

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// ErrActive is returned for somebody who works here: whoever is erased is called by
// nothing any more.
var ErrActive = errors.New("the person works here")

// Erase forgets a person who has left: who they were, how they were reached, and
// their number wherever others or an import that can still be undone hold it. Who
// reported to them reports to the next one up, as calls have gone since they left.
// Erasing nobody is no error, so that what was cut off can be done again.
func (d *Directory) Erase(ctx context.Context, id announcement.PersonID) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.RLock()
	who, known := d.people[id]
	var reports []record
	if known && len(d.numbers[fold(who.Number)]) == 1 {
		for _, other := range d.reports[fold(who.Number)] {
			if r := d.people[other]; other != id {
				r.Manager = who.Manager
				r.Version++
				reports = append(reports, r)
			}
		}
	}
	duty := d.duty
	d.mu.RUnlock()
	switch {
	case !known:
		return nil
	case who.Active:
		return ErrActive
	}
	if err := d.storePeople(ctx, reports); err != nil {
		return err
	}
	if rest := without(duty.Numbers, who.Number); len(rest) < len(duty.Numbers) {
		if err := d.putSetting(ctx, dutyKey, setting{Numbers: rest, Version: duty.Version + 1}); err != nil {
			return err
		}
	}
	if err := d.eraseFromPast(ctx, who); err != nil {
		return err
	}
	return d.erase(ctx, id)
}

func without(numbers []string, one string) []string {
	return slices.DeleteFunc(slices.Clone(numbers), func(n string) bool { return fold(n) == fold(one) })
}

// eraseFromPast takes a person out of what undoing an import would bring back.
func (d *Directory) eraseFromPast(ctx context.Context, who record) error {
	if err := d.forgetPast(ctx); err != nil {
		return err
	}
	for _, p := range d.Imports() {
		for n := range p.Parts {
			key := fmt.Sprintf("%s%s.%d", partKey, p.ID, n)
			value, err := d.store.Get(ctx, key)
			var was []formerly
			if err == nil {
				err = json.Unmarshal(value, &was)
			}
			if err != nil {
				return fmt.Errorf("read import: %w", err)
			}
			touched := false
			for i, f := range was {
				switch {
				case f.Old == nil:
				case f.ID == who.ID:
					was[i].Old, touched = nil, true
				case fold(f.Old.Manager) == fold(who.Number):
					f.Old.Manager, touched = who.Manager, true
				}
			}
			if !touched {
				continue
			}
			if value, err = json.Marshal(was); err != nil {
				return fmt.Errorf("encode import: %w", err)
			}
			if err := d.store.Put(ctx, key, value); err != nil {
				return fmt.Errorf("store import: %w", err)
			}
		}
	}
	return nil
}

// NameWithin reports whether the name of a person is part of somebody else's: then
// words that have it in them may be about the other.
func (d *Directory) NameWithin(id announcement.PersonID) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	name := fold(d.people[id].Name)
	for other, r := range d.people {
		if other != id && strings.Contains(fold(r.Name), name) {
			return true
		}
	}
	return false
}

// ForgetImports erases what was before imports that cannot be undone any more.
func (d *Directory) ForgetImports(ctx context.Context) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	return d.forgetPast(ctx)
}

// Leavers returns who left before a time, by id.
func (d *Directory) Leavers(before time.Time) []announcement.PersonID {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var out []announcement.PersonID
	for id, r := range d.people {
		// Whoever was stored before changes were dated is as old as they can be.
		if !r.Active && r.Changed.Before(before) {
			out = append(out, id)
		}
	}
	slices.SortFunc(out, func(a, b announcement.PersonID) int { return cmp.Compare(a, b) })
	return out
}

// ForgetContact forgets how somebody who has left was reached.
func (d *Directory) ForgetContact(ctx context.Context, id announcement.PersonID) (was bool, err error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.RLock()
	_, was = d.contacts[id]
	active := d.people[id].Active
	d.mu.RUnlock()
	if !was || active {
		return false, nil
	}
	if err := d.store.Delete(ctx, contactKey+string(id)); err != nil {
		return false, fmt.Errorf("forget contact points: %w", err)
	}
	d.apply(contactKey+string(id), nil)
	return true, nil
}
