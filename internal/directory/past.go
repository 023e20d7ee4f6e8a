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

// UndoWithin is how long an import can be undone.
const UndoWithin = 24 * time.Hour

// ErrTooLate is returned for an import that cannot be undone any more.
var ErrTooLate = errors.New("this import cannot be undone any more")

const (
	pastKey = "import."
	// partKey holds what was before, in parts: one value of the store is small.
	partKey  = "importpart."
	partSize = 500 // people
)

// Past is an import that was made.
type Past struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	By      string    `json:"by"` // actor
	Added   int       `json:"added"`
	Changed int       `json:"changed"`
	Left    int       `json:"left"`
	Skipped int       `json:"skipped,omitempty"`
	Mended  int       `json:"mended,omitempty"`
	Parts   int       `json:"parts"`
	Undone  time.Time `json:"undone,omitzero"`
	Kept    int       `json:"kept,omitempty"` // people whom undoing left alone: they were changed since
}

// formerly is one person before an import and the version it gave them.
type formerly struct {
	ID      announcement.PersonID `json:"id"`
	Old     *record               `json:"old,omitempty"` // nil: the import added them
	Version int64                 `json:"version"`
}

func (d *Directory) applyPast(id string, value []byte) error {
	var p Past
	if value == nil {
		delete(d.past, id)
		return nil
	}
	if err := json.Unmarshal(value, &p); err != nil {
		return err
	}
	d.past[id] = p
	return nil
}

// keepPast stores what changes are about to overwrite, under id or a new one. An
// import that was cut off and is begun again knows it already.
func (d *Directory) keepPast(ctx context.Context, by, id string, changes []record, report ImportReport) (string, error) {
	if id == "" {
		id = string(announcement.NewID())
	}
	d.mu.RLock()
	_, known := d.past[id]
	d.mu.RUnlock()
	if known {
		return id, nil
	}
	p := Past{ID: id, At: d.Now().UTC(), By: by, Added: report.Added, Changed: report.Changed - report.Leaving, Skipped: report.Skipped, Mended: report.Mended}
	d.mu.RLock()
	was := make([]formerly, len(changes))
	for i, r := range changes {
		was[i] = formerly{ID: r.ID, Version: r.Version}
		if old, known := d.people[r.ID]; known {
			was[i].Old = &old
			if old.Active && !r.Active {
				p.Left++
			}
		}
	}
	d.mu.RUnlock()
	for part := range slices.Chunk(was, partSize) {
		value, err := json.Marshal(part)
		if err != nil {
			return "", fmt.Errorf("encode import: %w", err)
		}
		if err := d.store.Put(ctx, fmt.Sprintf("%s%s.%d", partKey, p.ID, p.Parts), value); err != nil {
			return "", fmt.Errorf("store import: %w", err)
		}
		p.Parts++
	}
	if err := d.putPast(ctx, p); err != nil {
		return "", err
	}
	return p.ID, d.forgetPast(ctx)
}

func (d *Directory) putPast(ctx context.Context, p Past) error {
	value, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode import: %w", err)
	}
	if err := d.store.Put(ctx, pastKey+p.ID, value); err != nil {
		return fmt.Errorf("store import: %w", err)
	}
	d.apply(pastKey+p.ID, value)
	return nil
}

// forgetPast erases what was before imports that cannot be undone any more.
func (d *Directory) forgetPast(ctx context.Context) error {
	for _, p := range d.Imports() {
		if p.Parts == 0 || d.Now().Sub(p.At) < UndoWithin {
			continue
		}
		for n := range p.Parts {
			if err := d.store.Delete(ctx, fmt.Sprintf("%s%s.%d", partKey, p.ID, n)); err != nil {
				return fmt.Errorf("forget import: %w", err)
			}
		}
		p.Parts = 0
		if err := d.putPast(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// Imports lists the imports that were made, newest first.
func (d *Directory) Imports() []Past {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make([]Past, 0, len(d.past))
	for _, p := range d.past {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b Past) int { return cmp.Or(b.At.Compare(a.At), strings.Compare(a.ID, b.ID)) })
	return out
}

// Undo brings back what was before an import: changed people as they were, and
// nobody whom it added, except those whom keep names, who become inactive. People
// whom somebody changed since are left alone. Undoing twice is no error.
func (d *Directory) Undo(ctx context.Context, id string, keep func(announcement.PersonID) bool) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.RLock()
	p, known := d.past[id]
	d.mu.RUnlock()
	switch {
	case !known:
		return ErrUnknown
	case !p.Undone.IsZero():
		return nil
	case p.Parts == 0 || d.Now().Sub(p.At) >= UndoWithin:
		return ErrTooLate
	}
	var back []record
	for n := range p.Parts {
		value, err := d.store.Get(ctx, fmt.Sprintf("%s%s.%d", partKey, id, n))
		if err != nil {
			return fmt.Errorf("read import: %w", err)
		}
		var was []formerly
		if err := json.Unmarshal(value, &was); err != nil {
			return fmt.Errorf("read import: %w", err)
		}
		for _, f := range was {
			d.mu.RLock()
			now, known := d.people[f.ID]
			d.mu.RUnlock()
			switch {
			case !known:
			case now.Version != f.Version:
				p.Kept++
			case f.Old != nil:
				old := *f.Old
				old.ID, old.Version = f.ID, now.Version+1
				back = append(back, old)
			case keep != nil && keep(f.ID):
				now.Active = false
				now.Version++
				back = append(back, now)
			default:
				if err := d.erase(ctx, f.ID); err != nil {
					return err
				}
			}
		}
	}
	if err := d.storePeople(ctx, back); err != nil {
		return err
	}
	p.Undone = d.Now().UTC()
	return d.putPast(ctx, p)
}

// erase takes a person and what networks told about them out of the store.
func (d *Directory) erase(ctx context.Context, id announcement.PersonID) error {
	for _, key := range []string{contactKey + string(id), personKey + string(id)} {
		if err := d.store.Delete(ctx, key); err != nil {
			return fmt.Errorf("erase person: %w", err)
		}
		d.apply(key, nil)
	}
	return nil
}
