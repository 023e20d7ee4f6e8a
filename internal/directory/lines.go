package directory

import (
	"fmt"
	"slices"
	"strings"
)

// person returns somebody by folded employee number as they will be after the
// import: of the file, else as known.
func (c *check) person(key string) (record, bool) {
	if e, ok := c.byNumber[key]; ok {
		return e.new, true
	}
	r, ok := c.known[key]
	return r, ok
}

// managers checks that each manager exists, and spells their number as they do.
func (c *check) managers() {
	if !c.has(colManager) {
		return
	}
	for _, e := range c.entries {
		if e.new.Manager == "" {
			continue
		}
		key := fold(e.new.Manager)
		m, found := c.person(key)
		if !found && !c.without[key] {
			called := c.called(key)
			if len(called) > 1 {
				c.fault(e, colManager, "is the name of several people; give the employee number")
				continue
			}
			if len(called) == 1 {
				key = fold(called[0])
				m, found = c.person(key)
			}
		}
		switch {
		case !found && c.without[key]:
			e.new.Manager = e.old.Manager
			c.warn(e, colManager, "is the manager, and is left out of this import")
		case !found:
			c.fault(e, colManager, "no manager with this employee number is in the file or known already")
		case key == fold(e.new.Number):
			c.fault(e, colManager, "is this person themselves; leave it empty for the head of the company")
		default:
			e.new.Manager = m.Number
		}
	}
}

// called returns the employee numbers of the active people with this name:
// some lists name managers instead of numbering them.
func (c *check) called(name string) []string {
	if c.byName == nil {
		c.byName = map[string][]string{}
		for _, e := range c.entries {
			c.byName[fold(e.new.Name)] = append(c.byName[fold(e.new.Name)], e.new.Number)
		}
		for key, r := range c.known {
			if r.Active && c.byNumber[key] == nil {
				c.byName[fold(r.Name)] = append(c.byName[fold(r.Name)], r.Number)
			}
		}
	}
	return c.byName[name]
}

// loops finds reporting lines that never end.
func (c *check) loops() {
	walked := map[string]int{} // folded number → which walk came by
	for i, e := range c.entries {
		key, walk := fold(e.new.Number), i+1
		for key != "" && walked[key] == 0 {
			walked[key] = walk
			key = c.above(key)
		}
		if key == "" || walked[key] != walk {
			continue
		}
		c.loop(key)
	}
}

// above returns the folded number of somebody's manager. Whoever is their own
// manager has been told so, and counts as having none.
func (c *check) above(key string) string {
	p, _ := c.person(key)
	if up := fold(p.Manager); up != key {
		if _, found := c.person(up); found {
			return up
		}
	}
	return ""
}

// longestLoop is how many people of a loop are named.
const longestLoop = 12

// loop faults everybody of a loop who is in the file, each with the loop named
// from there on. A loop among people who are not in the file is survived at run
// time.
func (c *check) loop(key string) {
	var names []string
	for at := key; ; {
		p, _ := c.person(at)
		names = append(names, p.Number)
		if at = c.above(at); at == key {
			break
		}
	}
	for i, n := range names {
		e := c.byNumber[fold(n)]
		if e == nil {
			continue
		}
		from := append(append(slices.Clone(names[i:]), names[:i]...), n)
		if len(from) > longestLoop {
			from = append(append(from[:longestLoop-1:longestLoop-1], "…"), n)
		}
		c.fault(e, colManager, fmt.Sprintf("these people manage each other in a loop: %s", strings.Join(from, " → ")))
	}
}

// reachability warns of what is allowed, but worth a look: people without a
// number, and numbers that several people share.
func (c *check) reachability() {
	first := map[string]*entry{}
	for _, e := range c.entries {
		switch mobile := e.new.Mobile; {
		case !e.new.Active || len(c.report.Errors) > 0 && mobile == "":
		case mobile == "":
			c.warn(e, colMobile, "has no number: only their own device can reach them, once it is enrolled")
		case first[mobile] != nil:
			c.warn(e, colMobile, fmt.Sprintf("is also the number in row %d; both are called there", first[mobile].row.number))
		default:
			first[mobile] = e
			if holder, known := c.holders[mobile]; known && c.byNumber[fold(holder)] == nil {
				c.warn(e, colMobile, fmt.Sprintf("is also the number of employee %s; both are called there", holder))
			}
		}
	}
}
