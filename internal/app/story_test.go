package app

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// TestStoryIsTheTimelineInPages compares what the board reads by its index with
// the whole ledger of an announcement that went through reminders, a call for
// help and a close.
func TestStoryIsTheTimelineInPages(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		id := h.Announce("Fire in hall 3")
		h.Phone("siti").Reply("1")
		h.After(time.Minute)
		h.Phone("agus").Reply("2 kaki luka")
		h.After(10 * time.Minute)
		h.Phone("siti").Reply("3")
		h.After(time.Minute)
		d, ctx := h.house.desk, h.t.Context()
		whole, err := d.whole().Timeline(ctx, id)
		if err != nil || len(whole) < 10 {
			t.Fatalf("got %d lines, %v", len(whole), err)
		}
		slices.Reverse(whole)
		var paged []web.Entry
		for offset := 0; ; {
			page, err := d.whole().Story(ctx, id, web.StoryFilter{Offset: offset, Limit: 3})
			if err != nil || page.Total != len(whole) {
				t.Fatalf("got a total of %d, %v, want %d", page.Total, err, len(whole))
			}
			paged = append(paged, page.Entries...)
			if page.Next == nil {
				break
			}
			offset = *page.Next
		}
		if !reflect.DeepEqual(paged, whole) {
			t.Errorf("the pages say\n%+v\nwant\n%+v", paged, whole)
		}
		answers, err := d.whole().Story(ctx, id, web.StoryFilter{Kinds: []announcement.Kind{announcement.KindAnswered}})
		if err != nil || answers.Total != 3 {
			t.Errorf("got %d answers, %v, want 3", answers.Total, err)
		}

		siti := h.recipient(id, "siti")
		r, history, err := d.whole().Recipient(ctx, id, siti.Index)
		if err != nil || r.State != announcement.OffSite {
			t.Fatalf("got %s, %v", r.State, err)
		}
		said := 0
		for _, e := range history {
			if e.Name != "siti" {
				t.Errorf("her history tells of %q: %s", e.Name, e.What)
			}
			if e.Kind == announcement.KindAnswered {
				said++
			}
		}
		if said != 2 {
			t.Errorf("her history has %d answers, want 2", said)
		}
		firsts := h.house.tracker.Firsts(id)
		if first := firsts[siti.Index]; first.Via != announcement.ViaSMS || r.AnsweredAt == nil || first.At != r.AnsweredAt.UnixMilli() {
			t.Errorf("her first answer is %+v, want %v by SMS", first, r.AnsweredAt)
		}
	})
}
