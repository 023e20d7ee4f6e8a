package directory

import "kentongan/internal/announcement"

// forest is the active people and who leads whom, without loops. Indices are
// into people, which is sorted by employee number; so are roots and reports.
type forest struct {
	people  []record
	up      []int // nearest active manager, -1 at the top
	roots   []int
	reports [][]int
}

// forest needs d.mu. A manager who left is passed over: the next one up leads
// in their place. A loop, which an import refuses but two imports on two nodes
// could make, is cut above its smallest employee number.
func (d *Directory) forest() *forest {
	people := d.active()
	place := make(map[announcement.PersonID]int, len(people))
	for i, r := range people {
		place[r.ID] = i
	}
	f := &forest{people: people, up: make([]int, len(people)), reports: make([][]int, len(people))}
	for i, r := range people {
		f.up[i] = -1
		if m, ok := d.activeManager(r); ok {
			f.up[i] = place[m.ID]
		}
	}
	f.cutLoops()
	for i, m := range f.up {
		if m < 0 {
			f.roots = append(f.roots, i)
		} else {
			f.reports[m] = append(f.reports[m], i)
		}
	}
	return f
}

// activeManager needs d.mu. It returns the nearest active manager above r, who
// is never r.
func (d *Directory) activeManager(r record) (record, bool) {
	passed := map[announcement.PersonID]bool{r.ID: true}
	for at := r; at.Manager != ""; {
		m, known := d.byNumber(at.Manager)
		if !known || passed[m.ID] {
			return record{}, false
		}
		if m.Active {
			return m, true
		}
		passed[m.ID] = true
		at = m
	}
	return record{}, false
}

// Leads reports whether somebody active reports to this person, directly or
// through managers who left. It looks at these people only, so that a phone's
// page costs the same in a large company.
func (d *Directory) Leads(employeeNumber string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	seen := map[announcement.PersonID]bool{}
	if r, known := d.byNumber(employeeNumber); known {
		seen[r.ID] = true // nobody leads themselves
	}
	var leads func(number string) bool
	leads = func(number string) bool {
		for _, id := range d.reports[fold(number)] {
			if seen[id] {
				continue
			}
			seen[id] = true
			if r := d.people[id]; r.Active || leads(r.Number) {
				return true
			}
		}
		return false
	}
	return leads(employeeNumber)
}

// cutLoops makes the smallest index of every loop a root.
func (f *forest) cutLoops() {
	const unseen = -1
	walk := make([]int, len(f.up)) // which walk first came by here
	for i := range walk {
		walk[i] = unseen
	}
	for start := range f.up {
		at := start
		for at >= 0 && walk[at] == unseen {
			walk[at] = start
			at = f.up[at]
		}
		if at < 0 || walk[at] != start {
			continue // ended at the top, or where an earlier walk had been
		}
		least := at
		for i := f.up[at]; i != at; i = f.up[i] {
			least = min(least, i)
		}
		f.up[least] = -1
	}
}

// roster numbers the chosen people in a depth-first walk, so that everybody
// below a manager is one contiguous range of recipients, and keeps a line for
// each manager who has at least one of them below. describe fills in the rest
// of a recipient.
func (f *forest) roster(chosen map[announcement.PersonID]bool, describe func(record) announcement.Recipient) announcement.Roster {
	var ro announcement.Roster
	var walk func(i, up int)
	walk = func(i, up int) {
		p := f.people[i]
		number := -1
		if chosen[p.ID] {
			number = len(ro.Recipients)
			rc := describe(p)
			rc.Person, rc.Line = p.ID, up
			ro.Recipients = append(ro.Recipients, rc)
		}
		if len(f.reports[i]) == 0 {
			return
		}
		line, lo := len(ro.Lines), len(ro.Recipients)
		ro.Lines = append(ro.Lines, announcement.Line{Person: p.ID, Up: up, Number: number, Lo: lo})
		for _, below := range f.reports[i] {
			walk(below, line)
		}
		if hi := len(ro.Recipients); hi > lo {
			ro.Lines[line].Hi = hi
		} else {
			ro.Lines = ro.Lines[:line] // nobody below hears this; no line below was kept either
		}
	}
	for _, i := range f.roots {
		walk(i, -1)
	}
	return ro
}
