package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/directory"
	"kentongan/internal/web"
)

// Keep takes a file of people for an import in steps.
func (p *people) Keep(ctx context.Context, who web.Principal, name string, file []byte) (string, error) {
	if !who.May(web.Keep) {
		return "", web.ErrForbidden
	}
	look, err := directory.Look(bytes.NewReader(file))
	if err != nil {
		return "", err
	}
	if len(look.Faults) > 0 {
		return "", announcement.FieldErrors{{Field: "file", Why: look.Faults[0].Reason}}
	}
	return p.uploads.keep(ctx, upload{Name: cut(name, 80), Headings: look.Headings, Rows: look.Rows}, file)
}

// Upload shows the columns of a kept file.
func (p *people) Upload(ctx context.Context, id string) (web.Upload, error) {
	up, err := p.uploads.kept(id)
	if err != nil {
		return web.Upload{}, err
	}
	file, err := p.uploads.file(ctx, id, up)
	if err != nil {
		return web.Upload{}, err
	}
	look, err := directory.Look(bytes.NewReader(file))
	if err != nil {
		return web.Upload{}, err
	}
	out := web.Upload{ID: id, Name: up.Name, Rows: look.Rows, Headings: look.Headings, Samples: look.Samples, Columns: look.Guess, Kinds: directory.ColumnKeys()}
	if up.Columns != nil {
		out.Columns = up.Columns
	}
	return out, nil
}

// Match says what each column of a kept file holds.
func (p *people) Match(ctx context.Context, who web.Principal, id string, columns []string) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	up, err := p.uploads.kept(id)
	if err != nil {
		return err
	}
	if len(columns) > len(up.Headings) {
		columns = columns[:len(up.Headings)]
	}
	var bad announcement.FieldErrors
	for _, e := range directory.Match(up.Headings, columns) {
		field := "columns" // one that is lacking
		if i := slices.Index(up.Headings, e.Field); i >= 0 && e.Value != "" {
			field = fmt.Sprintf("c%d", i)
			for j := len(columns) - 1; j > i; j-- { // the later of two headings of one name
				if up.Headings[j] == e.Field && columns[j] == columns[i] {
					field = fmt.Sprintf("c%d", j)
					break
				}
			}
			bad = append(bad, &announcement.FieldError{Field: field, Value: e.Field, Why: e.Reason})
			continue
		}
		bad = append(bad, &announcement.FieldError{Field: field, Why: e.Reason})
	}
	if len(bad) > 0 {
		return bad
	}
	up.Columns = columns
	return p.uploads.put(ctx, id, up)
}

func (p *people) options(up upload, skipFaulty, whole bool) directory.ImportOptions {
	return directory.ImportOptions{Sample: p.sample, Columns: up.Columns, SkipFaulty: skipFaulty, WholeList: whole, KnownSites: true}
}

// Check says what the import of a kept file would do.
func (p *people) Check(ctx context.Context, id string, skipFaulty, whole bool) (web.ImportCheck, error) {
	up, err := p.uploads.kept(id)
	if err != nil {
		return web.ImportCheck{}, err
	}
	if up.Columns == nil {
		return web.ImportCheck{}, web.ErrNotFound
	}
	key := fmt.Sprint(id, up.Columns, skipFaulty, whole)
	report, err := p.uploads.check(ctx, key, !up.large(), func(ctx context.Context, progress func(int)) (directory.ImportReport, error) {
		o := p.options(up, skipFaulty, whole)
		o.DryRun, o.Progress = true, progress
		return p.take(ctx, id, up, o)
	})
	if err != nil {
		return web.ImportCheck{}, err
	}
	return p.checked(up, report), nil
}

// take reads a kept file and imports it, or only says what would happen.
func (p *people) take(ctx context.Context, id string, up upload, o directory.ImportOptions) (directory.ImportReport, error) {
	file, err := p.uploads.file(ctx, id, up)
	if err != nil {
		return directory.ImportReport{}, err
	}
	return p.directory.Import(ctx, bytes.NewReader(file), o)
}

// checked is a report as the pages show it.
func (p *people) checked(up upload, report directory.ImportReport) web.ImportCheck {
	rows := map[int]bool{}
	for _, e := range report.Errors {
		rows[e.Row] = true
	}
	c := web.ImportCheck{ImportReport: importReport(report), Name: up.Name, Fine: report.Rows - len(rows), Skipped: report.Skipped, Fatal: report.Fatal,
		Lists:  web.ImportLists{Added: listed(report.Lists.Added), Changed: listed(report.Lists.Changed), Leaving: listed(report.Lists.Leaving), Missing: listed(report.Lists.Missing), Mended: listed(report.Lists.Mended)},
		Active: len(p.directory.Everybody())}
	for _, f := range report.Faulty {
		c.Faulty = append(c.Faulty, web.FaultyRow(f))
	}
	for _, s := range report.Sums {
		c.Sums = append(c.Sums, web.FaultSum(s))
	}
	return c
}

func listed(in []directory.Listed) []web.Listed {
	out := make([]web.Listed, len(in))
	for i, l := range in {
		out[i] = web.Listed{Row: l.Row, Number: l.Number, Name: l.Name}
		for _, c := range l.Changes {
			out[i].Changes = append(out[i].Changes, web.Change(c))
		}
	}
	return out
}

// importOrder is a large import as an errand.
type importOrder struct {
	Upload string
	Choice web.ImportChoice
}

const importErrand = "import"

// Apply imports a kept file. A second press imports nothing and comes to the
// same place. A large file is imported by an errand, and Underway says so.
func (p *people) Apply(ctx context.Context, who web.Principal, id string, choice web.ImportChoice) (string, error) {
	if !who.May(web.Keep) {
		return "", web.ErrForbidden
	}
	up, err := p.uploads.kept(id)
	if err != nil {
		return "", err
	}
	if !up.large() || up.Done != "" {
		return p.apply(ctx, who.Actor, id, choice, func(int) {})
	}
	// What is wrong is said at once if it is known already, else by the errand.
	var under *web.Underway
	c, err := p.Check(ctx, id, choice.SkipFaulty, choice.Whole)
	if err == nil {
		err = allowed(c, choice)
	}
	if err != nil && !errors.As(err, &under) {
		return "", err
	}
	if err := p.errands.begin(ctx, importErrand+"-"+id, importErrand, who.Actor, importOrder{id, choice}); err != nil {
		return "", err
	}
	return "", &web.Underway{}
}

// Applying says how the import of a large file goes.
func (p *people) Applying(_ context.Context, id string) (web.Errand, error) {
	return p.errands.under(importErrand + "-" + id)
}

// doImport is Apply as an errand.
func (p *people) doImport(ctx context.Context, _ string, e errand, progress func(int)) (errand, error) {
	var o importOrder
	if err := json.Unmarshal(e.Order, &o); err != nil {
		return e, fmt.Errorf("decode import: %w", err)
	}
	var err error
	e.Result, err = p.apply(ctx, e.By, o.Upload, o.Choice, progress)
	switch {
	case errors.Is(err, web.ErrConflict):
		err = announcement.FieldErrors{{Field: "file", Why: "Somebody changed people in between. Check the file again."}}
	case errors.Is(err, web.ErrNotFound):
		err = announcement.FieldErrors{{Field: "file", Why: "This upload is too old. Choose the file again."}}
	}
	return e, err
}

// allowed says why an import may not be made.
func allowed(c web.ImportCheck, choice web.ImportChoice) error {
	if len(c.Errors) > 0 {
		return announcement.FieldErrors{{Field: "file", Why: "Mend the faulty rows first, or leave them out."}}
	}
	if c.MustType(choice.Whole) && choice.Typed != c.LeavingWith(choice.Whole) {
		return announcement.FieldErrors{{Field: "typed", Why: fmt.Sprintf("Type how many people leave: %d.", c.LeavingWith(choice.Whole))}}
	}
	return nil
}

// apply counts anew what is imported, and imports it under the id of the upload:
// cut off in the middle and done again, it is one import.
func (p *people) apply(ctx context.Context, by announcement.Actor, id string, choice web.ImportChoice, progress func(int)) (string, error) {
	p.applying.Lock()
	defer p.applying.Unlock()
	up, err := p.uploads.kept(id)
	if err != nil {
		return "", err
	}
	if up.Done != "" {
		return up.Done, nil
	}
	o := p.options(up, choice.SkipFaulty, choice.Whole)
	o.DryRun, o.Progress = true, func(percent int) { progress(percent / 2) }
	dry, err := p.take(ctx, id, up, o)
	if err != nil {
		return "", err
	}
	switch _, err := p.Imported(ctx, id); {
	case err != nil:
		if dry.Confirm || choice.Whole && dry.Missing > 0 {
			o.Leaving = choice.Typed
		}
		if err := allowed(p.checked(up, dry), choice); err != nil {
			return "", err
		}
		up.Confirmed = &choice
		if err := p.uploads.put(ctx, id, up); err != nil {
			return "", err
		}
	case up.Confirmed == nil || up.Confirmed.Whole != choice.Whole || up.Confirmed.SkipFaulty != choice.SkipFaulty:
		return "", web.ErrConflict // it was cut off, and this is not what was confirmed
	default:
		o.Leaving = directory.AnyNumber // fewer are left than were typed: the others have gone already
	}
	o.DryRun, o.Progress = false, func(percent int) { progress(50 + percent/2) }
	o.Undo, o.UndoID = string(by), id
	report, err := p.take(ctx, id, up, o)
	if errors.Is(err, directory.ErrManyLeave) {
		return "", web.ErrConflict // others left in between
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	p.uploads.forgetChecks()
	if len(report.Errors) > 0 {
		return "", web.ErrConflict // somebody changed people in between
	}
	up.Done = report.Undo
	if _, err := p.Imported(ctx, id); err == nil {
		up.Done = id // also when nothing was left to do
	}
	if up.Done == "" {
		return "", nil // it changed nothing
	}
	return up.Done, p.uploads.put(ctx, id, up)
}

// Imports lists the imports that were made, newest first.
func (p *people) Imports(context.Context) []web.Imported {
	var out []web.Imported
	for _, past := range p.directory.Imports() {
		i := web.Imported{ID: past.ID, At: past.At, By: p.desk.actorName(announcement.Actor(past.By)), Added: past.Added, Changed: past.Changed, Left: past.Left,
			Skipped: past.Skipped, Mended: past.Mended, Kept: past.Kept, Undone: !past.Undone.IsZero()}
		if until := past.At.Add(directory.UndoWithin); !i.Undone && p.desk.now().Before(until) {
			i.Until = until
		}
		out = append(out, i)
	}
	return out
}

// Imported returns one import that was made.
func (p *people) Imported(ctx context.Context, done string) (web.Imported, error) {
	for _, i := range p.Imports(ctx) {
		if i.ID == done {
			return i, nil
		}
	}
	return web.Imported{}, web.ErrNotFound
}

// Undo brings back what was before an import. People whom it added and who were
// called since, for themselves or about others, stay known, inactive: the story of what
// happened names them.
func (p *people) Undo(ctx context.Context, who web.Principal, done string) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	called := map[announcement.PersonID]bool{}
	for _, id := range p.desk.tracker.IDs() {
		if v, ok := p.desk.tracker.View(id); ok && v.Roster != nil {
			for _, r := range v.Roster.Recipients {
				called[r.Person] = true
			}
			for _, l := range v.Roster.Lines {
				called[l.Person] = true
			}
			for _, duty := range v.Roster.Duty {
				called[duty] = true
			}
			for _, round := range v.Rounds {
				for _, c := range round.To {
					called[c.Person] = true
				}
			}
		}
	}
	err := p.directory.Undo(ctx, done, func(id announcement.PersonID) bool { return called[id] })
	switch {
	case errors.Is(err, directory.ErrUnknown):
		return web.ErrNotFound
	case errors.Is(err, directory.ErrTooLate):
		return announcement.FieldErrors{{Field: "undo", Why: "An import can be undone for 24 hours."}}
	case err != nil:
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	p.uploads.forgetChecks()
	return nil
}

// People lists people.
func (p *people) People(_ context.Context, who web.Principal, f web.PeopleFilter) (web.PeoplePage, error) {
	if f.Trouble != "" && !slices.Contains(directory.Troubles, directory.Trouble(f.Trouble)) {
		return web.PeoplePage{}, web.ErrNotFound
	}
	total, list := p.directory.Find(directory.Filter{Search: f.Search, Site: f.Site, Trouble: directory.Trouble(f.Trouble), Offset: f.Offset, Limit: f.Limit, Only: p.only(who.Grant), Names: !who.May(web.Call, web.Keep)})
	page := web.PeoplePage{Total: total, Troubles: map[string]int{}}
	for _, l := range list {
		page.People = append(page.People, p.person(l))
	}
	if next := f.Offset + len(list); next < total && len(list) > 0 {
		page.Next = &next
	}
	for t, n := range p.directory.Count(p.only(who.Grant)) {
		page.Troubles[string(t)] = n
	}
	within := p.desk.within(who.Sees)
	for _, s := range p.directory.Places() {
		if within == nil || within("", s.Name) {
			page.Sites = append(page.Sites, s.Name)
		}
	}
	return page, nil
}

// only returns who is in the list for somebody, nil for everybody.
func (p *people) only(g web.Grant) func(directory.Person) bool {
	within := p.desk.within(g.Sees)
	if within == nil {
		return nil
	}
	return func(one directory.Person) bool { return within(one.ID, one.Site) }
}

// Person returns one person of the list.
func (p *people) Person(_ context.Context, who web.Principal, number string) (web.Person, error) {
	l, ok := p.directory.Listing(number)
	if !ok || !p.desk.boards(who.Grant).seesPerson(l.ID) {
		return web.Person{}, web.ErrNotFound
	}
	return p.person(l), nil
}

func (p *people) person(l directory.Listing) web.Person {
	w := web.Person{
		Name: web.Name{Number: l.Number, Name: l.Name, Team: l.Department, Manager: l.Boss, Reason: l.Why}, Version: l.Version,
		Given: l.Given, Email: l.Email, Mobile: l.Mobile, Landline: l.Landline, Country: l.Country, Zone: l.Zone, Language: l.Language,
		Site: l.Site, Department: l.Department, Title: l.Title, Shift: l.Shift, Active: l.Active, Sample: l.Sample,
		ManagerNumber: l.Manager, Channels: l.Channels, SMSStopped: l.SMSStopped, Wrong: l.WrongNumber,
	}
	away := p.directory.Absence(l.ID)
	if away.To < p.desk.now().Add(-24*time.Hour).Format(time.DateOnly) {
		away = directory.Absence{} // it is over, wherever they are
	}
	if w.AwayFrom, w.AwayTo = away.From, away.To; away.Delegate != "" {
		w.StandIn = p.desk.name(away.Delegate)
	}
	for _, t := range l.Troubles {
		w.Troubles = append(w.Troubles, string(t))
	}
	for _, other := range l.Sharing {
		w.Sharing = append(w.Sharing, web.Name{Number: other.Number, Name: other.Name})
	}
	names := map[string]string{}
	for _, dev := range l.Devices {
		names[dev.ID] = dev.Name
	}
	for _, s := range l.Subscriptions {
		w.Devices = append(w.Devices, web.Handset{Name: names[s.Device], Seen: s.Seen, Stale: p.desk.now().Sub(s.Seen) >= directory.SilentAfter})
	}
	return w
}

// SavePerson changes or adds a person.
func (p *people) SavePerson(ctx context.Context, who web.Principal, values map[string]string, version int64) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	err := p.directory.Save(ctx, values, version, p.sample)
	var bad announcement.FieldErrors
	switch {
	case err == nil:
		p.uploads.forgetChecks()
		return nil
	case errors.As(err, &bad):
		return bad
	case errors.Is(err, directory.ErrChanged):
		return web.ErrConflict
	case errors.Is(err, directory.ErrManyLeave):
		return announcement.FieldErrors{{Field: "active", Why: "More than one in twenty people would have left within the hour. Allow it on the page People, then save again."}}
	}
	return fmt.Errorf("%w: %w", web.ErrNotYet, err)
}

// ClearNumber believes in a person's number again.
func (p *people) ClearNumber(ctx context.Context, who web.Principal, number string) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	person, ok := p.directory.ByNumber(number)
	if !ok {
		return web.ErrNotFound
	}
	if err := p.directory.WrongNumber(ctx, person.ID, false); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return nil
}

// SetAway says when a person is away, and who answers for their people meanwhile.
func (p *people) SetAway(ctx context.Context, who web.Principal, number, from, to, delegate string) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	person, ok := p.directory.ByNumber(number)
	if !ok {
		return web.ErrNotFound
	}
	return saved(p.directory.SetAbsence(ctx, person.ID, strings.TrimSpace(from), strings.TrimSpace(to), strings.TrimSpace(delegate)))
}

// DisconnectPhones shuts out every phone of a person: one was stolen, and nobody knows
// which.
func (p *people) DisconnectPhones(ctx context.Context, who web.Principal, number string) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	person, ok := p.directory.ByNumber(number)
	if !ok {
		return web.ErrNotFound
	}
	if err := p.directory.DisconnectAll(ctx, person.ID); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	p.desk.hub.Wake(topicOfPerson(person.ID)) // their open pages end
	return nil
}

// AllSites lists the sites.
func (p *people) AllSites(context.Context) []web.Site {
	var out []web.Site
	for _, s := range p.directory.Places() {
		out = append(out, web.Site{ID: s.ID, Name: s.Name, Assembly: s.Assembly, Zone: s.Zone, Emergency: s.Emergency, People: s.People})
	}
	return out
}

// SaveSite stores what is known about a site.
func (p *people) SaveSite(ctx context.Context, who web.Principal, s web.Site) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	_, err := p.directory.SaveSite(ctx, directory.Site{ID: s.ID, Name: s.Name, Assembly: s.Assembly, Zone: s.Zone, Emergency: s.Emergency})
	p.uploads.forgetChecks()
	return saved(err)
}

// saved tells a fault of a form from one of the store.
func saved(err error) error {
	var bad announcement.FieldErrors
	switch {
	case err == nil:
		return nil
	case errors.As(err, &bad):
		return bad
	case errors.Is(err, directory.ErrUnknown):
		return web.ErrNotFound
	}
	return fmt.Errorf("%w: %w", web.ErrNotYet, err)
}

// DeleteSite forgets what was set up about a site.
func (p *people) DeleteSite(ctx context.Context, who web.Principal, id string) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	return saved(p.directory.DeleteSite(ctx, id))
}

func group(g directory.Group) web.Group {
	w := web.Group{ID: g.ID, Name: g.Name, Numbers: g.Numbers, Count: g.Count}
	if g.Rule != nil {
		w.ByRule, w.Sites, w.Departments, w.Shifts, w.Titles = true, g.Rule.Sites, g.Rule.Departments, g.Rule.Shifts, g.Rule.Titles
	}
	return w
}

// AllGroups lists the groups with their count of people as of now.
func (p *people) AllGroups(context.Context) []web.Group {
	var out []web.Group
	for _, g := range p.directory.Groups() {
		out = append(out, group(g))
	}
	return out
}

// Group returns a group and who is in it now.
func (p *people) Group(_ context.Context, id string) (web.Group, []web.Name, error) {
	for _, g := range p.directory.Groups() {
		if g.ID != id {
			continue
		}
		var names []web.Name
		for _, m := range p.directory.Members(id) {
			names = append(names, web.Name{Number: m.Number, Name: m.Name, Team: m.Department})
		}
		return group(g), names, nil
	}
	return web.Group{}, nil, web.ErrNotFound
}

// SaveGroup stores a group.
func (p *people) SaveGroup(ctx context.Context, who web.Principal, w web.Group) (string, error) {
	if !who.May(web.Keep) {
		return "", web.ErrForbidden
	}
	g := directory.Group{ID: w.ID, Name: w.Name}
	if w.ByRule {
		g.Rule = &directory.Rule{Sites: w.Sites, Departments: w.Departments, Shifts: w.Shifts, Titles: w.Titles}
	}
	id, err := p.directory.SaveGroup(ctx, g, w.Numbers)
	return id, saved(err)
}

// DeleteGroup forgets a group.
func (p *people) DeleteGroup(ctx context.Context, who web.Principal, id string) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	return saved(p.directory.DeleteGroup(ctx, id))
}

// GroupChoices lists the values a rule can ask for.
func (p *people) GroupChoices(context.Context) web.GroupChoices {
	shifts, titles := p.directory.Values()
	return web.GroupChoices{Sites: choices(p.directory.Sites()), Departments: choices(p.directory.Departments()), Shifts: choices(shifts), Titles: choices(titles)}
}

// Invite sends a person the link by which their phone joins.
func (p *people) Invite(ctx context.Context, who web.Principal, number string) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	person, ok := p.directory.ByNumber(number)
	if !ok || !person.Active {
		return web.ErrNotFound
	}
	code, until := p.links.enrolment(person.ID, p.desk.now())
	text := p.desk.catalogue.AnswerBack("enrol", person.Language, map[string]string{"org": p.desk.config.OrgName,
		"link": p.desk.config.PublicURL + "/e/" + code, "until": announcement.FormatDay(until, person.Language, cmp.Or(person.Zone, p.desk.config.Zone))})
	return p.desk.textOne(ctx, person.ID, text)
}

// noteLife is how long a text to one person is of use.
const noteLife = time.Hour

// textOne sends one SMS to one person, outside of any announcement.
func (d *desk) textOne(ctx context.Context, person announcement.PersonID, text string) error {
	to, lang, ok := d.directory.ContactPoints(person)
	if !ok {
		return web.ErrNotFound
	}
	sender := d.senders[announcement.SMS]
	switch {
	case sender == nil:
		return announcement.FieldErrors{{Field: "sms", Why: "SMS is not set up. Ask whoever runs this server to set KENTONGAN_SMS_PROVIDER."}}
	case to.Mobile == "":
		return announcement.FieldErrors{{Field: "sms", Why: "This person has no number that can take an SMS."}}
	}
	now := d.now().UTC()
	if d.replies.again(to.Mobile, text, now) {
		return nil // the same form, sent twice
	}
	_, err := sender.Send(ctx, "", to, announcement.Message{Language: lang, SMS: text, Sent: now, Expires: now.Add(noteLife)})
	if err != nil {
		d.replies.failed(to.Mobile, text)
		d.providers.note(announcement.SMS, announcement.Failed, string(channel.ReasonOf(err)))
		return announcement.FieldErrors{{Field: "sms", Why: "The SMS provider did not take it: " + string(channel.ReasonOf(err))}}
	}
	d.providers.note(announcement.SMS, announcement.Accepted, "")
	return nil
}
