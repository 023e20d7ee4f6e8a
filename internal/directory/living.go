package directory

import (
	"cmp"
	"slices"
	"strings"

	"kentongan/internal/announcement"
)

// Watch has people told of changes, from now on: person of everybody about whom
// something changed but how they are reached, audience when a group or a site did, or
// who leads somebody with people below.
// They are called on whichever node this is, wherever the change was made, and must
// not ask the directory.
func (d *Directory) Watch(person func(announcement.PersonID), audience func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.onPerson, d.onAudience = person, audience
}

// Joining returns the active people of an audience, as the ledger keeps it, whom
// known does not know, by employee number. What was deleted since, a group say, has
// nobody.
func (d *Directory) Joining(a announcement.Audience, known func(announcement.PersonID) bool) []announcement.Joiner {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r := d.resolver()
	chosen := r.chosen(a)
	var out []announcement.Joiner
	for _, p := range r.active {
		if chosen[p.ID] && !known(p.ID) {
			j := announcement.Joiner{Recipient: r.describe(p), Above: d.above(p)}
			j.Person, j.Line = p.ID, -1
			out = append(out, j)
		}
	}
	return out
}

// chosen is resolve for an audience as the ledger keeps it: with ids.
func (r *resolver) chosen(a announcement.Audience) map[announcement.PersonID]bool {
	chosen := r.at(a.All, folded(r.d.siteNames(a.Sites)), folded(a.Departments))
	for _, id := range a.Groups {
		if g, known := r.d.groups[id]; known {
			for p := range r.members(g) {
				chosen[p] = true
			}
		}
	}
	for _, id := range a.Under {
		if m, known := r.d.people[announcement.PersonID(id)]; known {
			r.under(m, chosen)
		}
	}
	for _, id := range a.People {
		if p, known := r.d.people[announcement.PersonID(id)]; known && p.Active {
			chosen[p.ID] = true
		}
	}
	if a.Except != nil {
		for id := range r.chosen(*a.Except) {
			delete(chosen, id)
		}
	}
	return chosen
}

func folded(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, n := range names {
		if key := fold(n); key != "" {
			set[key] = true
		}
	}
	return set
}

// Above returns who leads somebody, the nearest first: active people only.
func (d *Directory) Above(id announcement.PersonID) []announcement.PersonID {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.above(d.people[id])
}

// above needs d.mu. A loop is cut where forest cuts it.
func (d *Directory) above(r record) []announcement.PersonID {
	walk := []record{r}
	for {
		m, ok := d.activeManager(walk[len(walk)-1])
		if !ok {
			break
		}
		if from := slices.IndexFunc(walk, func(w record) bool { return w.ID == m.ID }); from >= 0 {
			loop := walk[from:]
			head := slices.MinFunc(loop, func(a, b record) int {
				return cmp.Or(strings.Compare(fold(a.Number), fold(b.Number)), strings.Compare(string(a.ID), string(b.ID)))
			})
			end := slices.IndexFunc(walk, func(w record) bool { return w.ID == head.ID })
			walk = walk[:end+1]
			break
		}
		walk = append(walk, m)
	}
	ids := make([]announcement.PersonID, 0, len(walk)-1)
	for _, w := range walk[1:] {
		ids = append(ids, w.ID)
	}
	return ids
}
