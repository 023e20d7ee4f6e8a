package app

import (
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// TestOutcomeTellsHowItWent reports an alert while it is open, and afterwards.
func TestOutcomeTellsHowItWent(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		id := h.Announce("Fire in hall 3")
		h.After(time.Minute)
		h.Phone("siti").Reply("1")
		h.After(3 * time.Minute)
		h.Phone("agus").Reply("2 kaki luka")
		h.After(2 * time.Minute)
		agus := h.recipient(id, "agus")
		if err := h.house.desk.ClaimAt(h.t.Context(), hr, id, agus.Index, ""); err != nil {
			h.t.Fatal(err)
		}
		h.settle()
		o, err := h.house.desk.whole().Outcome(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		if o.Called != 5 || len(o.After) != 2 || o.Via[announcement.ViaSMS] != 2 || o.Helps != 1 || len(o.Claimed) != 1 || o.Resolved != 0 {
			h.t.Errorf("got %+v, want five called, two answers by SMS and a call for help that is handled", o)
		}
		near := func(got, want time.Duration) bool { return got > want-10*time.Second && got < want+10*time.Second }
		if !near(o.After[0], time.Minute) || !near(o.After[1], 4*time.Minute) || !near(o.Claimed[0], 2*time.Minute) {
			h.t.Errorf("answered after %v and handled after %v, want 1 and 4 minutes, and 2", o.After, o.Claimed)
		}
		if err := h.house.desk.ClaimAt(h.t.Context(), hr, id, agus.Index, announcement.FirstAid); err != nil {
			h.t.Fatal(err)
		}
		h.settle()
		h.Close(id, announcement.AsAllClear)
		o, err = h.house.desk.whole().Outcome(h.t.Context(), id)
		if err != nil || o.Resolved != 1 || o.Status != announcement.StatusClosed {
			h.t.Errorf("got %d resolved, %s, %v", o.Resolved, o.Status, err)
		}
		for name, tc := range map[string]struct {
			f    web.PastFilter
			want int
		}{
			"everything": {web.PastFilter{}, 1}, "real": {web.PastFilter{Mode: announcement.Live}, 1}, "drills": {web.PastFilter{Mode: announcement.Drill}, 0},
			"another site": {web.PastFilter{Site: "Mars"}, 0}, "later": {web.PastFilter{From: time.Now().Add(time.Hour)}, 0}, "before now": {web.PastFilter{To: time.Now()}, 1},
		} {
			if page, err := h.house.desk.whole().Past(h.t.Context(), tc.f); err != nil || page.Total != tc.want || len(page.Summaries) != tc.want {
				h.t.Errorf("%s: got %d, %v, want %d", name, page.Total, err, tc.want)
			}
		}
	})
}
