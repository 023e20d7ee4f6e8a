package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/web"
)

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
