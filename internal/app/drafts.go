package app

import (
	"context"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// drafts holds announcements that somebody began and laid aside. They are kept in
// the vault, because people write about people; every node follows them.
type drafts struct{ *shelf[laidAside] }

// laidAside is a draft as stored.
type laidAside struct {
	Draft web.Draft          `json:"draft"`
	Step  string             `json:"step"`
	By    announcement.Actor `json:"by"`
	At    time.Time          `json:"at"`
}

// maxDrafts keeps the list one that people read.
const maxDrafts = 100

// openDrafts returns when everything that was stored before is known.
func openDrafts(ctx context.Context, vault ledger.Vault) (*drafts, error) {
	all, err := openShelf[laidAside](ctx, vault, "draft.", "drafts")
	return &drafts{all}, err
}

// SaveDraft lays a draft aside. Its id is that of the form, so that the same form
// saved twice is one draft.
func (d *desk) SaveDraft(ctx context.Context, p web.Principal, s web.SavedDraft) error {
	if !p.May(web.Announce) {
		return web.ErrForbidden
	}
	old, known := d.drafts.get(s.ID)
	switch {
	case known && !d.boardsOf(p).reads(old.By, old.Draft.Audience):
		return web.ErrNotFound
	case !known && len(d.drafts.walk()) >= maxDrafts:
		return announcement.FieldErrors{{Field: "draft", Why: "There are too many drafts. Delete some on the first page."}}
	}
	return d.drafts.put(ctx, s.ID, laidAside{Draft: s.Draft, Step: s.Step, By: p.Actor, At: d.now().UTC()})
}

// Drafts lists what was laid aside, newest first.
func (b boards) Drafts(context.Context) []web.SavedDraft {
	out := []web.SavedDraft{}
	for id, one := range b.drafts.walk() {
		if b.reads(one.By, one.Draft.Audience) {
			out = append(out, b.savedDraft(id, one))
		}
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
func (b boards) SavedDraft(_ context.Context, id string) (web.SavedDraft, error) {
	one, ok := b.drafts.get(id)
	if !ok || !b.reads(one.By, one.Draft.Audience) {
		return web.SavedDraft{}, web.ErrNotFound
	}
	return b.savedDraft(id, one), nil
}

// DeleteDraft erases one. Deleting what is gone is no error: it was pressed twice.
func (d *desk) DeleteDraft(ctx context.Context, p web.Principal, id string) error {
	if !p.May(web.Announce) {
		return web.ErrForbidden
	}
	one, ok := d.drafts.get(id)
	switch {
	case !ok:
		return nil
	case !d.boardsOf(p).reads(one.By, one.Draft.Audience):
		return web.ErrNotFound
	}
	return d.drafts.drop(ctx, id)
}
