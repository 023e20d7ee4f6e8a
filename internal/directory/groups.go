package directory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// Group is people who are called together: named ones, or all whom a rule finds
// at that moment.
type Group struct {
	ID       string                  `json:"-"`
	Name     string                  `json:"name"`
	People   []announcement.PersonID `json:"people,omitempty"`
	Rule     *Rule                   `json:"rule,omitempty"`     // nil: People
	External string                  `json:"external,omitempty"` // how an identity provider calls it
	Created  time.Time               `json:"created,omitzero"`
	Changed  time.Time               `json:"changed,omitzero"`
	Version  int64                   `json:"version"` // see Directory.apply

	Count   int      `json:"-"` // active people in it now
	Numbers []string `json:"-"` // employee numbers of People, or of the managers of the rule, as people write them
}

// Rule finds people by what is known about them. Every part that is given must
// fit; one value of a part is enough.
type Rule struct {
	Sites       []string                `json:"sites,omitempty"`
	Departments []string                `json:"departments,omitempty"`
	Shifts      []string                `json:"shifts,omitempty"`
	Titles      []string                `json:"titles,omitempty"`
	Under       []announcement.PersonID `json:"under,omitempty"` // managers, with everybody who reports to them
}

func (r Rule) empty() bool {
	return len(r.Sites)+len(r.Departments)+len(r.Shifts)+len(r.Titles)+len(r.Under) == 0
}

func (g Group) version() int64         { return g.Version }
func (g Group) called(id string) Group { g.ID = id; return g }

// Groups returns the groups by name, each with its count as of now.
func (d *Directory) Groups() []Group {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r := d.resolver()
	var out []Group
	for _, g := range d.groups {
		g.Count = len(r.members(g))
		g.Numbers = r.numbersOf(g)
		out = append(out, g)
	}
	slices.SortFunc(out, func(a, b Group) int {
		return cmp.Or(strings.Compare(fold(a.Name), fold(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return out
}

// Members returns the active people of a group by name.
func (d *Directory) Members(id string) []Person {
	d.mu.RLock()
	defer d.mu.RUnlock()
	g, ok := d.groups[id]
	if !ok {
		return nil
	}
	var out []Person
	for p := range d.resolver().members(g) {
		out = append(out, d.people[p].Person)
	}
	slices.SortFunc(out, func(a, b Person) int {
		return cmp.Or(strings.Compare(fold(a.Name), fold(b.Name)), strings.Compare(fold(a.Number), fold(b.Number)))
	})
	return out
}

// numbersOf returns the employee numbers that a group names.
func (r *resolver) numbersOf(g Group) []string {
	ids := g.People
	if g.Rule != nil {
		ids = g.Rule.Under
	}
	var out []string
	for _, id := range ids {
		if p, known := r.d.people[id]; known {
			out = append(out, p.Number)
		}
	}
	return out
}

// members returns the active people of a group.
func (r *resolver) members(g Group) map[announcement.PersonID]bool {
	chosen := map[announcement.PersonID]bool{}
	if g.Rule == nil {
		for _, id := range g.People {
			if p, known := r.d.people[id]; known && p.Active {
				chosen[id] = true
			}
		}
		return chosen
	}
	below := map[announcement.PersonID]bool{}
	for _, id := range g.Rule.Under {
		if m, known := r.d.people[id]; known {
			r.under(m, below)
		}
	}
	fits := func(values []string, value string) bool {
		return len(values) == 0 || slices.ContainsFunc(values, func(v string) bool { return fold(v) == fold(value) })
	}
	for _, p := range r.active {
		if fits(g.Rule.Sites, p.Site) && fits(g.Rule.Departments, p.Department) && fits(g.Rule.Shifts, p.Shift) &&
			fits(g.Rule.Titles, p.Title) && (len(g.Rule.Under) == 0 || below[p.ID]) {
			chosen[p.ID] = true
		}
	}
	return chosen
}

// group returns the group of this name. Of two that two nodes made at the same
// time, it is the same one everywhere.
func (r *resolver) group(name string) (Group, bool) {
	found, ok := Group{}, false
	for _, g := range r.d.groups {
		if fold(g.Name) == fold(name) && (!ok || g.ID < found.ID) {
			found, ok = g, true
		}
	}
	return found, ok
}

// SaveGroup stores a group; an empty ID makes a new one. numbers are employee
// numbers: of its people, or of the managers of its rule.
func (d *Directory) SaveGroup(ctx context.Context, g Group, numbers []string) (string, error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	g.Name, g.People = oneLine(g.Name), nil
	bad := checkName("name", g.Name)
	d.mu.RLock()
	r := d.resolver()
	old, known := d.groups[g.ID]
	if other, taken := r.group(g.Name); taken && other.ID != g.ID {
		bad = append(bad, &announcement.FieldError{Field: "name", Value: shorten(g.Name), Why: "is the name of another group"})
	}
	field, ids := "people", []announcement.PersonID(nil)
	if g.Rule != nil {
		field = "under"
	}
	for i, n := range numbers {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch p, found := d.byNumber(n); {
		case !found:
			bad = append(bad, unknownNumber(at, n))
		case !p.Active && g.Rule == nil:
			bad = append(bad, inactiveNumber(at, n))
		case !slices.Contains(ids, p.ID):
			ids = append(ids, p.ID)
		}
	}
	d.mu.RUnlock()
	if g.Rule == nil {
		g.People = ids
		if len(numbers) == 0 {
			bad = append(bad, &announcement.FieldError{Field: "people", Why: "is empty"})
		}
	} else {
		rule := Rule{Sites: compact(g.Rule.Sites), Departments: compact(g.Rule.Departments), Shifts: compact(g.Rule.Shifts), Titles: compact(g.Rule.Titles), Under: ids}
		g.Rule = &rule
		if rule.empty() && len(numbers) == 0 {
			bad = append(bad, &announcement.FieldError{Field: "rule", Why: "Choose at least one thing that the people of this group have in common."})
		}
	}
	switch {
	case g.ID != "" && !known:
		return "", ErrUnknown
	case len(bad) > 0:
		return "", bad
	case g.ID == "":
		g.ID = string(announcement.NewID())
	}
	g.External = old.External
	return g.ID, d.putGroup(ctx, g, old)
}

func (d *Directory) putGroup(ctx context.Context, g, old Group) error {
	g.Changed = d.Now().UTC().Round(0)
	g.Created = old.Created
	if old.Version == 0 {
		g.Created = g.Changed
	}
	g.Version = old.Version + 1
	return d.putSetting(ctx, groupKey+g.ID, g)
}

// NamedGroups returns the groups of named people by id: those which an identity
// provider can fill.
func (d *Directory) NamedGroups() []Group {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var out []Group
	for _, g := range d.groups {
		if g.Rule == nil {
			out = append(out, g)
		}
	}
	slices.SortFunc(out, func(a, b Group) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// NamedGroup returns one of them.
func (d *Directory) NamedGroup(id string) (Group, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	g, known := d.groups[id]
	return g, known && g.Rule == nil
}

// ProvisionGroup stores a group as an identity provider has it: also one in which
// nobody is, or somebody who does not work here any more. An empty ID makes a new
// one. version is that on which the change is based.
func (d *Directory) ProvisionGroup(ctx context.Context, g Group, version int64) (string, error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	g.Name, g.Rule = oneLine(g.Name), nil
	bad := checkName("name", g.Name)
	if why := cellFault(g.External, longestLogin); why != "" {
		bad = append(bad, &announcement.FieldError{Field: "external_id", Why: why})
	}
	d.mu.RLock()
	old, known := d.groups[g.ID]
	other, taken := (&resolver{d: d}).group(g.Name)
	for _, id := range g.People {
		if p, known := d.people[id]; !known || p.hidden() {
			bad = append(bad, &announcement.FieldError{Field: "people", Why: "names somebody who is not known"})
			break
		}
	}
	d.mu.RUnlock()
	switch {
	case g.ID != "" && (!known || old.Rule != nil):
		return "", ErrUnknown
	case g.ID != "" && old.Version != version:
		return "", ErrChanged
	case taken && other.ID != g.ID:
		return "", inUse("name")
	case len(bad) > 0:
		return "", bad
	case g.ID == "":
		g.ID = string(announcement.NewID())
	case g.Name == old.Name && g.External == old.External && slices.Equal(g.People, old.People):
		return g.ID, nil
	}
	return g.ID, d.putGroup(ctx, g, old)
}

// DeleteGroup forgets a group. Its people stay.
func (d *Directory) DeleteGroup(ctx context.Context, id string) error {
	return d.deleteSetting(ctx, groupKey+id)
}

// Values returns every shift and job title that active people have.
func (d *Directory) Values() (shifts, titles map[string]int) {
	return d.count(func(p *Person) string { return p.Shift }), d.count(func(p *Person) string { return p.Title })
}
