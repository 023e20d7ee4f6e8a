package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// Outcome says how an announcement went, or goes so far. First answers come from
// the index; only calls for help are read from the ledger, since they are few.
func (b boards) Outcome(ctx context.Context, id announcement.ID) (web.Outcome, error) {
	v, err := b.view(ctx, id)
	if err != nil {
		return web.Outcome{}, err
	}
	o := web.Outcome{Via: map[announcement.Via]int{}, Until: b.now().UTC()}
	if o.Summary, err = b.summary(ctx, v, 0); err != nil {
		return web.Outcome{}, err
	}
	if !v.ClosedAt.IsZero() {
		o.Until = v.ClosedAt
	}
	standing, err := b.standing(ctx, v)
	if err != nil {
		return web.Outcome{}, err
	}
	o.Called = standing.CalledCount()
	for n, first := range b.tracker.Firsts(id) {
		if first.At == 0 || n >= len(v.Roster.Recipients) || !b.sees(v.Roster.Recipients[n]) {
			continue
		}
		o.After = append(o.After, max(0, time.UnixMilli(first.At).Sub(v.Since())))
		o.Via[first.Via]++
	}
	slices.Sort(o.After)
	if err := b.helps(ctx, v, &o); err != nil {
		return web.Outcome{}, err
	}
	slices.Sort(o.Claimed)
	return o, nil
}

// helps reads how long calls for help waited for somebody.
func (b boards) helps(ctx context.Context, v tracker.View, o *web.Outcome) error {
	lines, total := b.tracker.Lines(v.Announcement.ID, func(l tracker.Line) bool { return l.Help || l.Kind == announcement.KindClaimed }, 0, 5000)
	if total > len(lines) {
		b.log.Warn("a report leaves out calls for help", "announcement", v.Announcement.ID, "step", "report")
	}
	asked, handled, resolved := map[int]time.Time{}, map[int]bool{}, map[int]bool{}
	var r ledger.Record
	for _, l := range slices.Backward(lines) { // oldest first
		if r.Seq != l.Seq {
			var err error
			if r, err = b.ledger.At(ctx, l.Seq); err != nil {
				return fmt.Errorf("read calls for help of %s: %w", v.Announcement.ID, err)
			}
		}
		f := r.Facts[l.Fact]
		n, ok := v.About(f)
		if !ok || n >= len(v.Roster.Recipients) || !b.sees(v.Roster.Recipients[n]) {
			continue
		}
		if f.Claimed == nil {
			if asked[n].IsZero() {
				asked[n] = f.At
			}
			continue
		}
		if at := asked[n]; !at.IsZero() && !handled[n] {
			handled[n] = true
			o.Claimed = append(o.Claimed, max(0, f.At.Sub(at)))
		}
		resolved[n] = resolved[n] || f.Claimed.Resolved != ""
	}
	o.Helps, o.Resolved = len(asked), len(resolved)
	for n, yes := range resolved {
		if !yes || asked[n].IsZero() {
			o.Resolved--
		}
	}
	return nil
}

// Past lists announcements, newest first.
func (b boards) Past(ctx context.Context, f web.PastFilter) (web.PastPage, error) {
	page := web.PastPage{Summaries: []web.Summary{}}
	limit := f.Limit
	if limit <= 0 || limit > 100 {
		limit = 25
	}
	for _, id := range b.tracker.IDs() {
		v, ok := b.tracker.View(id)
		if !ok || !chosen(v, f) || !b.concerned(v.Roster) {
			continue
		}
		if page.Total >= f.Offset && len(page.Summaries) < limit {
			s, err := b.summary(ctx, v, 0)
			if err != nil {
				return web.PastPage{}, err
			}
			page.Summaries = append(page.Summaries, s)
		}
		page.Total++
	}
	return page, nil
}

func chosen(v tracker.View, f web.PastFilter) bool {
	a := v.Announcement
	switch {
	case f.Mode != "" && a.Mode != f.Mode, f.Template != "" && a.Template != f.Template,
		!f.From.IsZero() && v.OpenedAt.Before(f.From), !f.To.IsZero() && !v.OpenedAt.Before(f.To):
		return false
	}
	return f.Site == "" || slices.ContainsFunc(v.Roster.Recipients, func(r announcement.Recipient) bool { return strings.EqualFold(r.Site, f.Site) })
}
