package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// drafts holds announcements that somebody began and laid aside. They are kept in
// the vault, because people write about people; every node follows them.
type drafts struct {
	vault ledger.Vault

	mu  sync.RWMutex
	all map[string]laidAside // by id
}

// laidAside is a draft as stored.
type laidAside struct {
	Draft web.Draft          `json:"draft"`
	Step  string             `json:"step"`
	By    announcement.Actor `json:"by"`
	At    time.Time          `json:"at"`
}

const (
	draftKey = "draft."
	// maxDrafts keeps the list one that people read.
	maxDrafts = 100
)

// openDrafts returns when everything that was stored before is known.
func openDrafts(ctx context.Context, vault ledger.Vault) (*drafts, error) {
	d := &drafts{vault: vault, all: map[string]laidAside{}}
	if err := keepUp(ctx, vault, draftKey, "drafts", d.learn); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *drafts) learn(key string, value []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := strings.TrimPrefix(key, draftKey)
	var one laidAside
	if value == nil || json.Unmarshal(value, &one) != nil {
		delete(d.all, id)
		return
	}
	d.all[id] = one
}

func (d *drafts) get(id string) (laidAside, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	one, ok := d.all[id]
	return one, ok
}

func (d *drafts) count() int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return len(d.all)
}

func (d *drafts) put(ctx context.Context, id string, one laidAside) error {
	value, err := json.Marshal(one)
	if err != nil {
		return fmt.Errorf("encode draft: %w", err)
	}
	if err := d.vault.Put(ctx, draftKey+id, value); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	d.learn(draftKey+id, value)
	return nil
}

// SaveDraft lays a draft aside. Its id is that of the form, so that the same form
// saved twice is one draft.
func (d *desk) SaveDraft(ctx context.Context, p web.Principal, s web.SavedDraft) error {
	if p.Role != web.Sender {
		return web.ErrForbidden
	}
	if _, known := d.drafts.get(s.ID); !known && d.drafts.count() >= maxDrafts {
		return announcement.FieldErrors{{Field: "draft", Why: "There are too many drafts. Delete some on the first page."}}
	}
	return d.drafts.put(ctx, s.ID, laidAside{Draft: s.Draft, Step: s.Step, By: p.Actor, At: d.now().UTC()})
}

// Drafts lists what was laid aside, newest first.
func (d *desk) Drafts(context.Context) []web.SavedDraft {
	d.drafts.mu.RLock()
	defer d.drafts.mu.RUnlock()
	out := make([]web.SavedDraft, 0, len(d.drafts.all))
	for id, one := range d.drafts.all {
		out = append(out, d.savedDraft(id, one))
	}
	slices.SortFunc(out, func(a, b web.SavedDraft) int {
		if !a.At.Equal(b.At) {
			return b.At.Compare(a.At)
		}
		return strings.Compare(a.ID, b.ID)
	})
	return out
}

func (d *desk) savedDraft(id string, one laidAside) web.SavedDraft {
	return web.SavedDraft{ID: id, Draft: one.Draft, Step: one.Step, By: d.actorName(one.By), At: one.At}
}

// SavedDraft returns one.
func (d *desk) SavedDraft(_ context.Context, id string) (web.SavedDraft, error) {
	one, ok := d.drafts.get(id)
	if !ok {
		return web.SavedDraft{}, web.ErrNotFound
	}
	return d.savedDraft(id, one), nil
}

// DeleteDraft erases one. Deleting what is gone is no error: it was pressed twice.
func (d *desk) DeleteDraft(ctx context.Context, p web.Principal, id string) error {
	if p.Role != web.Sender {
		return web.ErrForbidden
	}
	if _, ok := d.drafts.get(id); !ok {
		return nil
	}
	if err := d.drafts.vault.Delete(ctx, draftKey+id); err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	d.drafts.learn(draftKey+id, nil)
	return nil
}
