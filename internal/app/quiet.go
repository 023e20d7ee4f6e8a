package app

import (
	"cmp"
	"context"
	"slices"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// Quiet hours are those of the clock by which somebody lives: their own time zone,
// else that of their site, else that of the company. Whoever is called is asked for
// theirs right before the call, except recipients: their zones are frozen with them,
// so that every node, and every replay, finds the same steps.

// freezeZones notes by which clock each recipient lives, where it is not the
// announcement's.
func (d *desk) freezeZones(a *announcement.Announcement, roster *announcement.Roster) {
	for i := range roster.Recipients {
		r := &roster.Recipients[i]
		r.Zone = d.config.zoneBeside(a, *r)
	}
}

// zoneBeside is by which clock a recipient lives; empty where it is the
// announcement's.
func (c *Config) zoneBeside(a *announcement.Announcement, r announcement.Recipient) string {
	zone := cmp.Or(r.Zone, c.Zone)
	if zone == a.Zone {
		return ""
	}
	return zone
}

// mornings says for whom it is night now, and when their morning begins, the first
// first.
func (d *desk) mornings(a *announcement.Announcement, roster *announcement.Roster) []web.Morning {
	now := d.now()
	ends := map[string]time.Time{}
	at := map[time.Time]*web.Morning{}
	for _, r := range roster.Recipients {
		zone := cmp.Or(r.Zone, a.Zone)
		end, known := ends[zone]
		if !known {
			end = d.config.quiet.End(now, zone).UTC()
			ends[zone] = end
		}
		if !end.After(now) {
			continue
		}
		if at[end] == nil {
			at[end] = &web.Morning{At: end, Zone: zone}
		}
		at[end].People++
	}
	out := make([]web.Morning, 0, len(at))
	for _, m := range at {
		out = append(out, *m)
	}
	slices.SortFunc(out, func(a, b web.Morning) int { return a.At.Compare(b.At) })
	return out
}

// woken is how many people an announcement wakes.
func (d *desk) woken(a *announcement.Announcement, roster *announcement.Roster) (n int) {
	if a.Class == announcement.ClassNotice {
		return 0
	}
	for _, m := range d.mornings(a, roster) {
		n += m.People
	}
	return n
}

// allowed refuses what somebody may not send: to people out of their reach, or an
// emergency if they may send notices only.
func (d *desk) allowed(g web.Grant, a *announcement.Announcement, roster announcement.Roster) error {
	if a.Class != announcement.ClassNotice && !g.May(web.AnnounceEmergency) {
		return announcement.FieldErrors{{Field: "class", Value: string(announcement.ClassEmergency), Why: "you may send notices only, which wake nobody; ask a sender who may send this"}}
	}
	return d.outOfReach(g, roster)
}

// QuietBudget says how often a sender has broken quiet hours this month, and how often
// the company thinks that right. It keeps nobody from sending.
func (d *desk) QuietBudget(_ context.Context, p web.Principal) web.QuietBudget {
	b := web.QuietBudget{Allowed: d.config.QuietBudget}
	month := d.monthOf(d.now())
	for v := range d.broke {
		if v.By == p.Actor && d.monthOf(v.OpenedAt) == month {
			b.Used++
		}
	}
	return b
}

// BrokenQuiet says who broke quiet hours, by month: the newest first, and in each
// month whoever woke the most people.
func (d *desk) BrokenQuiet(context.Context) []web.BrokenQuiet {
	type key struct {
		month string
		by    announcement.Actor
	}
	sums := map[key]*web.BrokenQuiet{}
	for v := range d.broke {
		k := key{d.monthOf(v.OpenedAt), v.By}
		if sums[k] == nil {
			sums[k] = &web.BrokenQuiet{Month: k.month, By: d.senderName(v.By)}
		}
		sums[k].Announcements++
		sums[k].People += v.Woken
	}
	out := make([]web.BrokenQuiet, 0, len(sums))
	for _, s := range sums {
		s.Over = d.config.QuietBudget > 0 && s.Announcements > d.config.QuietBudget
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b web.BrokenQuiet) int {
		return cmp.Or(cmp.Compare(b.Month, a.Month), cmp.Compare(b.People, a.People), cmp.Compare(a.By, b.By))
	})
	return out
}

// broke yields the announcements that woke people.
func (d *desk) broke(yield func(tracker.View) bool) {
	for _, id := range d.tracker.IDs() {
		if v, ok := d.tracker.View(id); ok && v.Woken > 0 && !yield(v) {
			return
		}
	}
}

// monthOf is the month at the company: "2026-11".
func (d *desk) monthOf(t time.Time) string {
	return t.In(announcement.Location(d.config.Zone)).Format("2006-01")
}
