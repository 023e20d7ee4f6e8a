package app

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/sms"
	"kentongan/internal/directory"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// Preview says what would happen, before anything does.
func (d *desk) Preview(_ context.Context, who web.Principal, draft web.Draft) (web.Preview, error) {
	a, resolved, err := d.complete(draft)
	if err == nil {
		err = d.allowed(who.Grant, a, resolved.Roster)
	}
	if err != nil {
		return web.Preview{}, err
	}
	return d.preview(who.Actor, draft, a, resolved), nil
}

// Awaited says what would happen if an announcement that waits went out now.
func (d *desk) Awaited(_ context.Context, id announcement.ID) (web.Preview, error) {
	waits, err := d.awaiting(id)
	if err != nil {
		return web.Preview{}, err
	}
	a, resolved, err := d.completeConfirmed(waits.Draft, d.now())
	if err != nil {
		return web.Preview{}, err
	}
	return d.preview(waits.By, waits.Draft, a, resolved), nil
}

func (d *desk) preview(by announcement.Actor, draft web.Draft, a *announcement.Announcement, resolved *directory.Resolution) web.Preview {
	p := web.Preview{
		Announcement: *a, Recipients: len(resolved.Roster.Recipients), Reach: map[announcement.Channel]int{},
		Languages: map[announcement.Language]int{}, Fallback: map[announcement.Language]int{},
		SMS: map[announcement.Language]web.SMSPreview{}, Push: map[announcement.Language][2]string{}, TwoWay: d.twoWay(),
	}
	for _, r := range resolved.Roster.Recipients {
		p.Languages[r.Language]++
		if _, _, own := a.In(r.Language); !own {
			p.Fallback[r.Language]++
		}
		for _, c := range r.Reach {
			p.Reach[c]++
		}
		switch {
		case r.Unreachable != "" || r.Ways() == 0:
			name := d.name(r.Person)
			name.Reason = cmp.Or(r.Unreachable, "no_contact_point")
			p.Unreachable = append(p.Unreachable, name)
		case r.Ways() == 1:
			p.One++
		default:
			p.TwoOrMore++
		}
	}
	for lang := range a.Text {
		m := d.catalogue.Compose(a, announcement.Saying{Kind: announcement.SayAlert, Language: lang, Org: d.config.OrgName,
			Link: d.config.anybodys(), TwoWay: d.twoWay(), Now: a.At, Expires: a.At.Add(time.Hour)})
		measured := sms.Measure(m.SMS)
		p.SMS[lang] = web.SMSPreview{Text: m.SMS, Encoding: measured.Encoding, Segments: measured.Segments, Units: measured.Units,
			Limit: measured.Limit, Awkward: measured.Awkward}
		p.Push[lang] = [2]string{m.Title, m.Body}
	}
	for _, person := range resolved.Roster.Duty {
		p.Duty = append(p.Duty, d.name(person))
	}
	p.Practice = d.heldBack(a.Mode, p.Recipients)
	p.Approval, p.Approvers = d.needsApproval(a, resolved, by)
	p.Excluded = d.excluded(draft.Audience)
	p.Sites = sitesOf(resolved.Roster.Recipients)
	d.compare(&p, draft, resolved)
	d.judgeProviders(&p, resolved)
	d.reckonSMS(&p, resolved)
	p.Mornings = d.mornings(a, &resolved.Roster)
	return p
}

// sitesOf are the sites of recipients, the largest first.
func sitesOf(recipients []announcement.Recipient) (sites []web.Choice) {
	at := map[string]int{}
	for _, r := range recipients {
		if r.Site != "" {
			at[r.Site]++
		}
	}
	for name, people := range at {
		sites = append(sites, web.Choice{Name: name, People: people})
	}
	slices.SortFunc(sites, func(a, b web.Choice) int {
		return cmp.Or(cmp.Compare(b.People, a.People), strings.Compare(a.Name, b.Name))
	})
	return sites
}

// name returns a person as a page may show them.
// erasedPerson is what stands for somebody who was erased: the ledger knows an id,
// and nobody knows any more whose it was.
const erasedPerson = "(erased person)"

func (d *desk) name(p announcement.PersonID) web.Name {
	who, ok := d.directory.Person(p)
	if !ok {
		return web.Name{Number: "", Name: erasedPerson}
	}
	n := web.Name{Number: who.Number, Name: who.Name, Team: who.Department}
	if m, ok := d.directory.ByNumber(who.Manager); ok {
		n.Manager = m.Name
	}
	return n
}

// List returns the newest announcements, open before closed.
func (b boards) List(ctx context.Context) ([]web.Summary, error) {
	var out []web.Summary
	for _, id := range b.tracker.IDs() {
		v, ok := b.tracker.View(id)
		if !ok || !b.concerned(v.Roster) {
			continue
		}
		s, err := b.summary(ctx, v, 0)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
		if len(out) == 100 {
			break
		}
	}
	slices.SortStableFunc(out, func(a, b web.Summary) int {
		open := func(s web.Summary) int {
			if s.Status == announcement.StatusOpen {
				return 0
			}
			return 1
		}
		return cmp.Compare(open(a), open(b))
	})
	return out, nil
}

// Summary says where an announcement stands.
func (b boards) Summary(ctx context.Context, id announcement.ID) (web.Summary, error) {
	v, err := b.view(ctx, id)
	if err != nil {
		return web.Summary{}, err
	}
	return b.summary(ctx, v, 500)
}

// Glance is Summary without the names of those who cannot be reached.
func (b boards) Glance(ctx context.Context, id announcement.ID) (web.Summary, error) {
	v, err := b.view(ctx, id)
	if err != nil {
		return web.Summary{}, err
	}
	return b.summary(ctx, v, 0)
}

// Pulse says what has changed on a board.
func (b boards) Pulse(ctx context.Context, id announcement.ID, after int, rows []int) (web.Pulse, error) {
	touched, now := b.tracker.Touched(id, after) // before the standing, so that nothing falls between
	v, err := b.view(ctx, id)
	if err != nil {
		return web.Pulse{}, err
	}
	sum, err := b.summary(ctx, v, 0)
	if err != nil {
		return web.Pulse{}, err
	}
	standing, err := b.standing(ctx, v)
	if err != nil {
		return web.Pulse{}, err
	}
	p := web.Pulse{Summary: sum, At: now}
	changed := make(map[int]bool, len(touched))
	for _, n := range touched {
		changed[n] = true
		p.Help = p.Help || standing.State(n) == announcement.NeedsHelp
	}
	for _, n := range rows {
		if changed[n] {
			p.Rows = append(p.Rows, n)
		}
	}
	return p, nil
}

func (b boards) summary(ctx context.Context, v tracker.View, unreachable int) (web.Summary, error) {
	a := v.Announcement
	s := web.Summary{
		ID: a.ID, Status: v.Status, ClosedAs: v.ClosedAs, Mode: a.Mode, Severity: a.Severity, Class: cmp.Or(a.Class, announcement.ClassEmergency), Version: v.Version, Changed: v.Changed(), Answers: a.Answers, Audience: cmp.Or(a.AudienceMode, announcement.SnapshotAudience), Template: a.Template,
		Text: a.Text, Channels: a.Channels, Zone: a.Zone, OpenedAt: v.OpenedAt, Reason: b.words(ctx, a.ID, v.Reason), By: b.senderName(v.By),
		Deliveries: map[announcement.Channel]web.DeliveryCounts{}, Unreachable: []web.Name{},
	}
	if !v.ClosedAt.IsZero() {
		s.ClosedAt = &v.ClosedAt
	}
	if !v.RevisedAt.IsZero() {
		s.RevisedAt = &v.RevisedAt
	}
	standing, err := b.standing(ctx, v)
	if err != nil {
		return web.Summary{}, fmt.Errorf("read standing of %s: %w", a.ID, err)
	}
	s.Counts, s.AsOf, s.Rebuilding = standing.Counts(), standing.AsOf, standing.Rebuilding
	mornings, err := b.tracker.Mornings(ctx, a.ID)
	if err != nil {
		return web.Summary{}, fmt.Errorf("read mornings of %s: %w", a.ID, err)
	}
	for _, m := range mornings {
		s.Asleep += m.People
		if s.Morning == nil {
			s.Morning = &m.At
		}
	}
	deliveries := map[announcement.Channel]tracker.Deliveries{}
	if b.within == nil { // they are counted for everybody together
		if deliveries, err = b.tracker.Deliveries(ctx, a.ID); err != nil {
			return web.Summary{}, fmt.Errorf("read deliveries of %s: %w", a.ID, err)
		}
	}
	for c, n := range deliveries {
		s.Deliveries[c] = web.DeliveryCounts{Recipients: n.Recipients, Queued: n.Ranks[announcement.Queued], Accepted: n.Ranks[announcement.Accepted],
			Sent: n.Ranks[announcement.Sent], Delivered: n.Ranks[announcement.Delivered], Shown: n.Ranks[announcement.Shown],
			Failed: n.Ranks[announcement.Failed], Failures: n.Failures}
	}
	if s.SMSAway = v.Status == announcement.StatusOpen && b.away(announcement.SMS); s.SMSAway {
		waiting, err := b.tracker.Uncalled(ctx, a.ID, announcement.SMS, func(n int) bool {
			r := v.Roster.Recipients[n]
			return b.sees(r) && standing.State(n) == announcement.NoAnswer && !standing.Excused(n) && onlySMS(r, a.Channels)
		})
		if err != nil {
			return web.Summary{}, fmt.Errorf("read who waits for SMS of %s: %w", a.ID, err)
		}
		s.SMSOnly = len(waiting)
	}
	for n := range standing.In(announcement.Unreachable, 0, len(v.Roster.Recipients)) {
		if len(s.Unreachable) >= unreachable {
			break
		}
		r := v.Roster.Recipients[n]
		name := b.name(r.Person)
		name.Reason = cmp.Or(r.Unreachable, "every_channel_failed")
		s.Unreachable = append(s.Unreachable, name)
	}
	return s, nil
}

// onlySMS reports whether nothing but SMS calls a recipient. An open page is no call.
func onlySMS(r announcement.Recipient, channels []announcement.Channel) bool {
	return slices.Contains(r.Reach, announcement.SMS) && !slices.ContainsFunc(r.Reach, func(c announcement.Channel) bool {
		return c != announcement.SMS && c != announcement.InApp && slices.Contains(channels, c)
	})
}

// Recipients lists recipients in the order people need: help, no answer,
// unreachable, opened, the rest.
func (b boards) Recipients(ctx context.Context, id announcement.ID, f web.RecipientFilter) (web.RecipientPage, error) {
	v, err := b.view(ctx, id)
	if err != nil {
		return web.RecipientPage{}, err
	}
	if f.State != "" && !slices.Contains(announcement.States, f.State) {
		return web.RecipientPage{}, announcement.FieldErrors{{Field: "state", Value: string(f.State), Why: "is not one of the six states"}}
	}
	standing, err := b.standing(ctx, v)
	if err != nil {
		return web.RecipientPage{}, err
	}
	team := v.Roster.Everybody()
	if f.Team != "" {
		if team, err = b.teamBelow(v, f.Team); err != nil {
			return web.RecipientPage{}, err
		}
	}
	limit := f.Limit
	if limit <= 0 || limit > 500 {
		limit = 100
	}
	if f.Only != nil {
		numbers := slices.DeleteFunc(slices.Clone(f.Only), func(n int) bool { return n < 0 || n >= len(v.Roster.Recipients) || !b.sees(v.Roster.Recipients[n]) })
		page := web.RecipientPage{Total: len(numbers)}
		page.Recipients, err = b.recipients(ctx, v, numbers[:min(len(numbers), limit)])
		return page, err
	}
	wanted := b.wanted(v, f)
	page := web.RecipientPage{Recipients: []web.Recipient{}}
	from := max(f.Offset, 0)
	var numbers []int
	for _, state := range announcement.States {
		if f.State != "" && state != f.State {
			continue
		}
		in := standing.InTeam(state, team)
		if state == announcement.NeedsHelp {
			if in, err = b.mostUrgent(ctx, v, in); err != nil {
				return web.RecipientPage{}, err
			}
		}
		for n := range in {
			if !wanted(n) {
				continue
			}
			if page.Total >= from && len(numbers) < limit {
				numbers = append(numbers, n)
			}
			page.Total++
		}
	}
	if to := from + len(numbers); len(numbers) > 0 && to < page.Total {
		page.Next = &to
	}
	page.Recipients, err = b.recipients(ctx, v, numbers)
	return page, err
}

// wanted returns which recipients a list shows, whatever their state.
func (b boards) wanted(v tracker.View, f web.RecipientFilter) func(int) bool {
	search := strings.ToLower(strings.TrimSpace(f.Search))
	return func(n int) bool {
		r := v.Roster.Recipients[n]
		if f.Site != "" && !strings.EqualFold(f.Site, r.Site) {
			return false
		}
		if search == "" {
			return true
		}
		who, ok := b.directory.Person(r.Person)
		return ok && (strings.Contains(strings.ToLower(who.Name), search) || strings.Contains(strings.ToLower(who.Number), search))
	}
}

// mostUrgent puts calls for help in the order in which somebody must look: those
// that nobody handles, the newest first; then those that are handled; then those
// that are resolved.
func (b boards) mostUrgent(ctx context.Context, v tracker.View, in iter.Seq[int]) (iter.Seq[int], error) {
	numbers := slices.Collect(in)
	if len(numbers) < 2 || len(numbers) > 500 { // so many at once are a list, not a queue
		return slices.Values(numbers), nil
	}
	details, err := b.tracker.Details(ctx, v.Announcement.ID, numbers)
	if err != nil {
		return nil, fmt.Errorf("read calls for help of %s: %w", v.Announcement.ID, err)
	}
	stage := func(t tracker.Detail) int {
		switch {
		case t.Resolved != "":
			return 2
		case !t.ClaimedAt.IsZero():
			return 1
		}
		return 0
	}
	slices.SortStableFunc(details, func(a, b tracker.Detail) int {
		return cmp.Or(cmp.Compare(stage(a), stage(b)), b.Since.Compare(a.Since))
	})
	for i, t := range details {
		numbers[i] = t.Number
	}
	return slices.Values(numbers), nil
}

// teamBelow returns the recipients below a manager, by employee number.
func (d *desk) teamBelow(v tracker.View, number string) (announcement.Team, error) {
	who, _ := d.directory.ByNumber(number)
	if lines := v.Roster.LinesOf(func(p announcement.PersonID) bool { return p == who.ID }); len(lines) > 0 {
		return v.Roster.Team(lines...), nil
	}
	return nil, announcement.FieldErrors{{Field: "team", Value: number, Why: "nobody of this announcement reports to this employee number"}}
}

func (b boards) recipients(ctx context.Context, v tracker.View, numbers []int) ([]web.Recipient, error) {
	details, err := b.tracker.Details(ctx, v.Announcement.ID, numbers)
	if err != nil {
		return nil, fmt.Errorf("read recipients of %s: %w", v.Announcement.ID, err)
	}
	out := make([]web.Recipient, len(details))
	for i, detail := range details {
		out[i] = b.recipient(ctx, v, detail)
	}
	return out, nil
}

func (b boards) recipient(ctx context.Context, v tracker.View, t tracker.Detail) web.Recipient {
	who := v.Roster.Recipients[t.Number]
	r := web.Recipient{
		Name: b.name(who.Person), Index: t.Number, Site: who.Site, Department: who.Department, Language: who.Language,
		State: t.State, Since: moment(t.Since), AnsweredAt: moment(t.AnsweredAt), Via: t.Via, Late: t.Late, How: t.How,
		ClaimedAt: moment(t.ClaimedAt), Resolved: t.Resolved, FromWords: t.FromWords,
		Channels: map[announcement.Channel]web.Ladder{},
	}
	if r.State == announcement.Unreachable {
		r.Reason = cmp.Or(who.Unreachable, "every_channel_failed")
	}
	if b.grant.May(web.Call) {
		r.Words = b.words(ctx, v.Announcement.ID, t.Note)
		if p, ok := b.directory.Person(who.Person); ok {
			r.Mobile = p.Mobile
		}
	}
	if t.VouchedBy != "" || t.VouchActor != "" {
		r.VouchedBy = cmp.Or(b.name(t.VouchedBy).Name, b.actorName(t.VouchActor))
		if t.VouchedBy == "" {
			r.VouchedBy = b.actorName(t.VouchActor)
		}
	}
	r.VouchedAt = moment(t.VouchedAt)
	if v.Version > 1 {
		r.Version = int(t.Version)
	}
	if e := t.Earlier; e != nil {
		r.Earlier = &web.EarlierAnswer{State: e.Answer.State(), Version: int(e.Version), At: e.Said}
	}
	if !t.ClaimedAt.IsZero() {
		r.Claimed = b.actorName(t.ClaimActor)
		if t.ClaimedBy != "" {
			r.Claimed = b.name(t.ClaimedBy).Name
		}
	}
	for c, rung := range t.Ladder {
		r.Channels[c] = web.Ladder{Rank: rung.Rank.String(), Failure: rung.Failure, At: moment(rung.At)}
	}
	return r
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Recipient returns one person in an announcement, with their history.
func (b boards) Recipient(ctx context.Context, id announcement.ID, index int) (web.Recipient, []web.Entry, error) {
	v, err := b.view(ctx, id)
	if err != nil {
		return web.Recipient{}, nil, err
	}
	if index < 0 || index >= len(v.Roster.Recipients) || !b.sees(v.Roster.Recipients[index]) {
		return web.Recipient{}, nil, web.ErrNotFound
	}
	rs, err := b.recipients(ctx, v, []int{index})
	if err != nil {
		return web.Recipient{}, nil, err
	}
	var history []web.Entry
	for _, seq := range b.tracker.Records(id, index) {
		r, err := b.ledger.At(ctx, seq)
		if err != nil {
			return web.Recipient{}, nil, fmt.Errorf("read history of %s: %w", id, err)
		}
		for _, f := range r.Facts {
			if n, ok := v.About(f); ok && n == index {
				history = append(history, b.entry(ctx, v, r.Seq, f))
			}
		}
	}
	return rs[0], history, nil
}

// Teams lists managers' trees, those with calls for help and the largest
// outstanding first, and how many there are.
func (b boards) Teams(ctx context.Context, id announcement.ID, f web.TeamFilter) ([]web.Team, int, error) {
	v, err := b.view(ctx, id)
	if err != nil {
		return nil, 0, err
	}
	standing, err := b.standing(ctx, v)
	if err != nil {
		return nil, 0, err
	}
	leads := make([]bool, len(v.Roster.Lines)) // other managers
	for _, l := range v.Roster.Lines {
		if l.Up >= 0 {
			leads[l.Up] = true
		}
	}
	type team struct{ line, help, outstanding int }
	all := make([]team, 0, len(v.Roster.Lines))
	teams := v.Roster.Teams()
	for i := range v.Roster.Lines {
		if b.within != nil && standing.CountsOf(teams[i]).Recipients == 0 || len(teams[i]) == 0 {
			continue
		}
		help, outstanding := standing.WaitingOf(teams[i])
		all = append(all, team{i, help, outstanding})
	}
	last := func(t team) int {
		if f.LeadersLast && leads[t.line] {
			return 1
		}
		return 0
	}
	slices.SortFunc(all, func(a, b team) int {
		return cmp.Or(cmp.Compare(last(a), last(b)), cmp.Compare(b.help, a.help), cmp.Compare(b.outstanding, a.outstanding), cmp.Compare(a.line, b.line))
	})
	from := min(max(f.Offset, 0), len(all))
	to := len(all)
	if f.Limit > 0 {
		to = min(from+f.Limit, to)
	}
	out := make([]web.Team, 0, to-from)
	for _, t := range all[from:to] { // only what is shown is named and counted
		l := v.Roster.Lines[t.line]
		out = append(out, web.Team{Name: b.name(l.Person), Leads: leads[t.line], Counts: standing.CountsOf(teams[t.line])})
	}
	return out, len(all), nil
}

// TeamName returns who has an employee number, for the heading of a list: they lead
// somebody in the announcement whom the principal may see.
func (b boards) TeamName(ctx context.Context, id announcement.ID, number string) (string, error) {
	v, err := b.view(ctx, id)
	if err != nil {
		return "", err
	}
	team, err := b.teamBelow(v, number)
	if err != nil {
		return "", err
	}
	if b.within != nil {
		standing, err := b.standing(ctx, v)
		if err != nil {
			return "", err
		}
		if standing.CountsOf(team).Recipients == 0 {
			return "", web.ErrNotFound
		}
	}
	who, _ := b.directory.ByNumber(number)
	return who.Name, nil
}

// Sites counts the states per site.
func (b boards) Sites(ctx context.Context, id announcement.ID) (map[string]announcement.Counts, error) {
	v, err := b.view(ctx, id)
	if err != nil {
		return nil, err
	}
	standing, err := b.standing(ctx, v)
	if err != nil {
		return nil, err
	}
	out := map[string]announcement.Counts{}
	for _, state := range announcement.States {
		for n := range standing.In(state, 0, len(v.Roster.Recipients)) {
			site := v.Roster.Recipients[n].Site
			c := out[site]
			c.Add(state)
			out[site] = c
		}
	}
	return out, nil
}

// Readiness says how well everybody could be called now.
func (d *desk) Readiness(context.Context) web.Readiness {
	r := web.Readiness{SMSProvider: d.config.SMSProvider, TwoWay: d.twoWay(), Sample: d.directory.HasSample(), Practice: d.practice(), Failing: d.providers.failing()}
	if resolved, err := d.directory.Resolve(announcement.Audience{All: true}); err == nil {
		r = reach(r, resolved)
	}
	for _, id := range d.tracker.IDs() {
		if v, ok := d.tracker.View(id); ok && v.Announcement.Mode == announcement.Drill {
			r.LastDrill = &v.OpenedAt
			break
		}
	}
	return r
}

func reach(r web.Readiness, resolved *directory.Resolution) web.Readiness {
	for _, p := range resolved.Roster.Recipients {
		r.People++
		switch {
		case p.Unreachable != "" || p.Ways() == 0:
			r.None++
		case p.Ways() == 1:
			r.One++
		default:
			r.TwoOrMore++
		}
	}
	return r
}
