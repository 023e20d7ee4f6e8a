package app

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/web"
)

// Report says how well everybody could be reached now, by site and by team.
func (p *people) Report(ctx context.Context) (web.ReadyReport, error) {
	d := p.desk
	r := web.ReadyReport{Readiness: d.Readiness(ctx), Troubles: map[string]int{}, Since: map[string]int{}}
	for t, n := range p.directory.Count(nil) {
		r.Troubles[string(t)] = n
	}
	if resolved, err := p.directory.Resolve(announcement.Audience{All: true}); err == nil {
		r.Sites = reachRows(resolved, func(c announcement.Recipient) string { return c.Site })
		r.Teams = reachRows(resolved, func(c announcement.Recipient) string { return c.Department })
	}
	last, err := d.lastSMS(ctx)
	if err != nil {
		return r, err
	}
	now := d.now()
	if !last.IsZero() {
		r.LastSMS = &last
		r.Since["sms"] = int(now.Sub(last) / (24 * time.Hour))
	}
	if r.LastDrill != nil {
		r.Since["drill"] = int(now.Sub(*r.LastDrill) / (24 * time.Hour))
	}
	return r, nil
}

// lastSMS is when the provider last took an SMS, as far back as is known: a
// sender name without traffic is blocked after three months.
func (d *desk) lastSMS(ctx context.Context) (time.Time, error) {
	last := d.trials.get().SMS
	for _, id := range d.tracker.IDs() { // newest first
		v, ok := d.tracker.View(id)
		if !ok || !v.OpenedAt.After(last) || !slices.Contains(v.Announcement.Channels, announcement.SMS) {
			continue
		}
		deliveries, err := d.tracker.Deliveries(ctx, id)
		if err != nil {
			return last, err
		}
		ranks := deliveries[announcement.SMS].Ranks
		if ranks[announcement.Accepted]+ranks[announcement.Sent]+ranks[announcement.Delivered] > 0 {
			return v.OpenedAt, nil
		}
	}
	return last, nil
}

func reachRows(resolved *directory.Resolution, of func(announcement.Recipient) string) []web.ReachRow {
	rows := map[string]*web.ReachRow{}
	for _, c := range resolved.Roster.Recipients {
		row := rows[of(c)]
		if row == nil {
			row = &web.ReachRow{Name: of(c)}
			rows[of(c)] = row
		}
		row.People++
		switch {
		case c.Unreachable != "" || c.Ways() == 0:
			row.None++
		case c.Ways() == 1:
			row.One++
		default:
			row.TwoOrMore++
		}
	}
	out := make([]web.ReachRow, 0, len(rows))
	for _, row := range rows {
		out = append(out, *row)
	}
	slices.SortFunc(out, func(a, b web.ReachRow) int {
		return cmp.Or(b.None*a.People-a.None*b.People, cmp.Compare(a.Name, b.Name))
	})
	return out
}

// Tasks are what is to be done before the first alert, in any order. Their states
// come from facts, never from somebody's tick.
func (p *people) Tasks(ctx context.Context) ([]web.Task, error) {
	d, c := p.desk, p.desk.config
	everybody := len(p.directory.Everybody())
	state := func(done, begun bool) string {
		switch {
		case done:
			return "completed"
		case begun:
			return "in progress"
		}
		return "not started"
	}
	named := c.OrgName != "Kentongan"
	goodName := named && utf8.RuneCountInString(c.OrgName) <= 11 && !slices.Contains([]string{"INFO", "SMS"}, strings.ToUpper(c.OrgName))
	sites, met := p.directory.Places(), 0
	for _, s := range sites {
		if len(s.Assembly) > 0 {
			met++
		}
	}
	leaderless := p.directory.Count(nil)[directory.NoManager]
	led := slices.ContainsFunc(p.directory.Everybody(), func(p directory.Person) bool { return p.Manager != "" })
	t := d.trials.get()
	// What is not set up is not asked for: a company may have no SMS on purpose.
	var ticks []web.Tick
	channels, tested := 0, 0
	for _, way := range []struct {
		on    bool
		at    time.Time
		label string
	}{{c.SMSProvider != "none", t.SMS, "SMS arrived"}, {c.PushSubject != "", t.Push, "Push arrived"}} {
		if !way.on {
			continue
		}
		channels++
		if !way.at.IsZero() {
			tested++
		}
		ticks = append(ticks, web.Tick{Label: way.label, Done: !way.at.IsZero()})
	}
	senders := p.access.senders()
	drills, opened, answered, large, corrected := 0, false, false, false, false
	for _, id := range d.tracker.IDs() {
		v, ok := d.tracker.View(id)
		if !ok || v.Announcement.Mode != announcement.Drill {
			continue
		}
		drills++
		corrected = corrected || v.ClosedAs == announcement.AsCorrected
		large = large || len(v.Roster.Recipients) >= 3
		standing, err := d.tracker.Standing(ctx, id)
		if err != nil {
			return nil, err
		}
		n := standing.Counts()
		answered = answered || n.Confirmed+n.NeedHelp+n.NotOnSite > 0
		opened = opened || answered || n.Opened > 0
		if answered && large && corrected {
			break
		}
	}
	ticks = append(ticks, web.Tick{Label: "Page opened", Done: opened}, web.Tick{Label: "Answer came back", Done: answered})
	self := 0
	for _, tick := range ticks {
		if tick.Done {
			self++
		}
	}
	all := []web.Task{
		{Key: "organisation", State: state(goodName, named)},
		{Key: "sites", State: state(met > 0 && met == len(sites), met > 0), Path: "/sites"},
		{Key: "people", State: state(everybody > 0 && !p.directory.HasSample(), everybody > 0), Path: "/people"},
		{Key: "managers", State: state(everybody > 0 && led && leaderless == 0, led), Path: "/people?only=no_manager"},
		{Key: "channels", State: state(channels > 0 && tested == channels, channels > 0), Path: "/setup/channels"},
		{Key: "yourself", State: state(self == len(ticks), self > 0), Path: "/setup/channels", Ticks: ticks},
		// A false alarm is mended in seconds by whoever has done it once.
		{Key: "correction", State: state(corrected, drills > 0), Path: "/new?mode=drill&template=fire"},
		{Key: "second", State: state(senders >= 2, senders == 1), Path: "/accounts"},
		{Key: "policy", State: state(len(p.directory.DutyNumbers()) > 0, true), Path: "/setup/duty"},
		{Key: "drill", State: state(large && answered, drills > 0), Path: "/new?mode=drill&template=fire"},
	}
	for i := range all[:beforeLive] {
		all[i].Before = true
	}
	return all, nil
}

// beforeLive is how many of the tasks come before the first real alert.
const beforeLive = 7

// Duty returns the duty list: as it was set, and who is called now.
func (p *people) Duty(context.Context) (numbers []string, called []web.Name) {
	for _, id := range p.directory.Duty() {
		called = append(called, p.desk.name(id))
	}
	return p.directory.DutyNumbers(), called
}

// SetDuty sets the duty list.
func (p *people) SetDuty(ctx context.Context, who web.Principal, numbers []string) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	return saved(p.directory.SetDuty(ctx, numbers))
}
