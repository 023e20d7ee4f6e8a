package app

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// What somebody began is there for every node, also after a restart, and what was
// cancelled in its countdown is a draft again.
func TestDraftsAreKept(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		ctx, desk := h.t.Context(), h.house.desk
		hr := web.Principal{Actor: announcement.ByConsole, Grant: web.As(web.Sender)}
		draft := h.draft("Gas in hall 3")
		if err := desk.SaveDraft(ctx, hr, web.SavedDraft{ID: "one", Draft: draft, Step: "who"}); err != nil {
			t.Fatal(err)
		}
		if err := desk.SaveDraft(ctx, web.Principal{Grant: web.As(web.Viewer)}, web.SavedDraft{ID: "two"}); !errors.Is(err, web.ErrForbidden) {
			t.Errorf("a viewer saves: %v", err)
		}
		other, err := openDrafts(ctx, h.house.vault)
		if err != nil {
			t.Fatal(err)
		}
		if kept, ok := other.get("one"); !ok || kept.Step != "who" || kept.Draft.Text[announcement.English].Title != "Gas in hall 3" {
			t.Errorf("another node knows %+v", kept)
		}
		got := desk.whole().Drafts(ctx)
		if len(got) != 1 || got[0].By != "HR console" || got[0].At.IsZero() {
			t.Errorf("got %+v, want who saved it and when", got)
		}

		h.house.config.Countdown = 5_000_000_000
		id, err := desk.Prepare(ctx, hr, draft, "form-1")
		if err != nil {
			t.Fatal(err)
		}
		if err := desk.Cancel(ctx, hr, id); err != nil {
			t.Fatal(err)
		}
		h.After(announcement.DefaultLife)
		if len(desk.tracker.IDs()) != 0 {
			t.Error("what was cancelled went out")
		}
		kept, err := desk.whole().SavedDraft(ctx, string(id))
		if err != nil || kept.Draft.Text[announcement.English].Title != "Gas in hall 3" {
			t.Errorf("cancelled: got %+v, %v, want the draft", kept, err)
		}
		for range 2 {
			if err := desk.DeleteDraft(ctx, hr, "one"); err != nil {
				t.Errorf("delete: %v", err)
			}
		}
		if _, err := h.house.vault.Get(ctx, "draft.one"); err == nil {
			t.Error("a deleted draft is still in the vault")
		}
	})
}

func TestDraftsStayAFewPagesLong(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		hr := web.Principal{Actor: announcement.ByConsole, Grant: web.As(web.Sender)}
		for n := range maxDrafts {
			if err := h.house.desk.SaveDraft(h.t.Context(), hr, web.SavedDraft{ID: fmt.Sprint("d", n)}); err != nil {
				t.Fatal(err)
			}
		}
		err := h.house.desk.SaveDraft(h.t.Context(), hr, web.SavedDraft{ID: "more"})
		if err == nil || !strings.Contains(err.Error(), "too many drafts") {
			t.Errorf("one too many: %v", err)
		}
		if err := h.house.desk.SaveDraft(h.t.Context(), hr, web.SavedDraft{ID: "d1", Step: "who"}); err != nil {
			t.Errorf("an old one cannot be changed: %v", err)
		}
	})
}
