package directory

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"kentongan/internal/announcement"
)

// Resolution is an audience turned into people.
type Resolution struct {
	Roster   announcement.Roster
	Audience announcement.Audience // as given, with person ids for employee numbers, for the ledger
}

// Resolve turns an audience into its roster: the active people of all its
// parts, without those of Except. Names of sites and departments match in any
// case. Names that nobody has, and an audience that is nobody, are refused as
// FieldErrors, all at once: a misspelt site must not leave a site unwarned.
func (d *Directory) Resolve(a announcement.Audience) (*Resolution, error) {
	return d.resolved(a, false)
}

// Remaining is Resolve for an audience that was confirmed a while ago: somebody who
// left since, and a site, a department or a group in which nobody is any more, keep
// nobody else from being warned. It is refused when nobody is left.
func (d *Directory) Remaining(a announcement.Audience) (*Resolution, error) {
	return d.resolved(a, true)
}

func (d *Directory) resolved(a announcement.Audience, remaining bool) (*Resolution, error) {
	d.mu.RLock()
	defer d.mu.RUnlock()

	f := d.forest()
	r := d.resolver()
	r.remaining = remaining
	resolved, chosen := r.resolve("audience", a, false)
	if len(r.bad) > 0 {
		return nil, r.bad
	}
	if len(chosen) == 0 {
		return nil, announcement.FieldErrors{{Field: "audience", Why: "nobody matches"}}
	}
	roster := f.roster(chosen, r.describe)
	roster.Duty = d.onDuty(f)
	return &Resolution{Roster: roster, Audience: resolved}, nil
}

// resolver needs d.mu.
func (d *Directory) resolver() *resolver {
	active := d.active()
	return &resolver{
		d: d, active: active, zones: map[string]string{},
		sites:       newSpellings(active, func(p *Person) string { return p.Site }),
		departments: newSpellings(active, func(p *Person) string { return p.Department }),
	}
}

// resolver gathers what is wrong while it resolves one audience. It lives
// under the directory's read lock.
type resolver struct {
	d           *Directory
	active      []record
	sites       spellings
	departments spellings
	zones       map[string]string   // of sites, by their name
	below       map[string][]record // reports by their manager's folded number, made when first needed
	remaining   bool                // see Directory.Remaining
	bad         announcement.FieldErrors
}

func (r *resolver) resolve(at string, a announcement.Audience, except bool) (announcement.Audience, map[announcement.PersonID]bool) {
	out := announcement.Audience{All: a.All}
	sites, departments := map[string]bool{}, map[string]bool{}
	out.Sites = r.places(at+".sites", r.renamed(a.Sites), r.sites, "no active person has this site", sites)
	maps.Copy(sites, folded(r.d.siteNames(a.Sites)))
	out.Departments = r.places(at+".departments", a.Departments, r.departments, "no active person has this department", departments)
	chosen := r.at(a.All, sites, departments)
	for i, name := range a.Groups {
		field := fmt.Sprintf("%s.groups[%d]", at, i)
		g, known := r.group(name)
		if !known {
			r.bad = append(r.bad, &announcement.FieldError{Field: field, Value: shorten(name), Why: "is not the name of a group"})
			continue
		}
		members := r.members(g)
		if len(members) == 0 && !except {
			r.gone(&announcement.FieldError{Field: field, Value: shorten(name), Why: "nobody is in this group now"})
		}
		out.Groups = append(out.Groups, g.ID)
		maps.Copy(chosen, members)
	}
	for i, n := range a.Under {
		if p, known := r.person(fmt.Sprintf("%s.under[%d]", at, i), n); known {
			out.Under = append(out.Under, string(p.ID))
			r.under(p, chosen)
		}
	}
	for i, n := range a.People {
		field := fmt.Sprintf("%s.people[%d]", at, i)
		p, known := r.person(field, n)
		switch {
		case !known:
		case p.Active:
			out.People = append(out.People, string(p.ID))
			chosen[p.ID] = true
		case except: // whoever left is left out anyway
			out.People = append(out.People, string(p.ID))
		default:
			r.gone(inactiveNumber(field, n))
		}
	}
	if a.Except != nil {
		less, out2 := r.resolve(at+".except", *a.Except, true)
		out.Except = &less
		for id := range out2 {
			delete(chosen, id)
		}
	}
	return out, chosen
}

// at returns the active people of these sites and departments, whose names are folded,
// or all of them.
func (r *resolver) at(all bool, sites, departments map[string]bool) map[announcement.PersonID]bool {
	chosen := map[announcement.PersonID]bool{}
	if !all && len(sites)+len(departments) == 0 {
		return chosen
	}
	for _, p := range r.active {
		if all || sites[fold(p.Site)] || departments[fold(p.Department)] {
			chosen[p.ID] = true
		}
	}
	return chosen
}

// renamed returns names of sites as they are called now.
func (r *resolver) renamed(names []string) []string {
	out := slices.Clone(names)
	for i, name := range names {
		if _, now := r.sites.show(name); now {
			continue
		}
		if s, was := r.d.formerly(name); was {
			out[i] = s.Name
		}
	}
	return out
}

// places notes the folded names in want and returns them as they are commonly spelt.
func (r *resolver) places(field string, names []string, known spellings, why string, want map[string]bool) []string {
	var out []string
	for i, name := range names {
		common, ok := known.show(name)
		if !ok {
			r.gone(&announcement.FieldError{Field: fmt.Sprintf("%s[%d]", field, i), Value: shorten(name), Why: why})
			continue
		}
		want[fold(name)] = true
		out = append(out, common)
	}
	return out
}

func (r *resolver) person(field, number string) (record, bool) {
	p, known := r.d.byNumber(number)
	if !known {
		r.gone(unknownNumber(field, number))
	}
	return p, known
}

// gone is wrong with what somebody asks for now, but not with whom remains of it.
func (r *resolver) gone(fault *announcement.FieldError) {
	if !r.remaining {
		r.bad = append(r.bad, fault)
	}
}

// under chooses a manager and everybody who reports to them at any depth, also
// through managers who left and around a loop.
func (r *resolver) under(manager record, chosen map[announcement.PersonID]bool) {
	if r.below == nil {
		r.below = map[string][]record{}
		for _, p := range r.d.people {
			if p.Manager != "" {
				key := fold(p.Manager)
				r.below[key] = append(r.below[key], p)
			}
		}
	}
	seen := map[announcement.PersonID]bool{manager.ID: true}
	for todo := []record{manager}; len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if p.Active {
			chosen[p.ID] = true
		}
		for _, report := range r.below[fold(p.Number)] {
			if !seen[report.ID] {
				seen[report.ID] = true
				todo = append(todo, report)
			}
		}
	}
}

func (r *resolver) describe(p record) announcement.Recipient {
	channels, why := reach(p, r.d.contacts[p.ID])
	site, _ := r.sites.show(p.Site)
	department, _ := r.departments.show(p.Department)
	return announcement.Recipient{
		Language:    p.Language,
		Site:        site,
		Department:  department,
		Zone:        cmp.Or(p.Zone, r.zoneOf(p.Site)),
		Reach:       channels,
		Unreachable: why,
	}
}

// zoneOf returns the time zone of a site, "" where none is set.
func (r *resolver) zoneOf(site string) string {
	zone, known := r.zones[site]
	if !known {
		place, _ := r.d.place(site)
		zone = place.Zone
		r.zones[site] = zone
	}
	return zone
}

// Zone returns the time zone by which somebody lives: their own, else that of their
// site, else "".
func (d *Directory) Zone(id announcement.PersonID) string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	p := d.people[id]
	place, _ := d.place(p.Site)
	return cmp.Or(p.Zone, place.Zone)
}

func unknownNumber(field, number string) *announcement.FieldError {
	return &announcement.FieldError{Field: field, Value: shorten(number), Why: "nobody has this employee number"}
}

func inactiveNumber(field, number string) *announcement.FieldError {
	return &announcement.FieldError{Field: field, Value: shorten(number), Why: "this person is no longer active"}
}

// shorten keeps what somebody typed short enough for an error.
func shorten(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
