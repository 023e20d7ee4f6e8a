package app

import (
	"context"

	"kentongan/internal/directory"
	"kentongan/internal/web"
)

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
func (p *people) Group(_ context.Context, who web.Principal, id string) (web.Group, []web.Name, error) {
	for _, g := range p.directory.Groups() {
		if g.ID != id {
			continue
		}
		var names []web.Name
		reach := p.desk.boards(who.Grant)
		for _, m := range p.directory.Members(id) {
			if !reach.seesPerson(m.ID) {
				continue
			}
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
