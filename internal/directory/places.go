package directory

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"kentongan/internal/announcement"
)

// Emergency is the number to dial where a site has not said another. It is run
// district by district, so that each site sets its own.
const Emergency = "112"

const (
	siteKey  = "setting.site."
	groupKey = "setting.group."
	maxName  = 60 // characters of a site, an assembly point or a group
)

// Site is a place where people work.
type Site struct {
	ID        string   `json:"-"`
	Name      string   `json:"name"`
	Assembly  []string `json:"assembly,omitempty"`  // assembly points, the usual one first
	Zone      string   `json:"zone,omitempty"`      // IANA; empty: that of the company
	Emergency string   `json:"emergency,omitempty"` // number to dial when life is in danger
	Former    []string `json:"former,omitempty"`    // what it was called before
	Version   int64    `json:"version"`             // see Directory.apply

	People int  `json:"-"` // active people
	SetUp  bool `json:"-"` // false: only people say that it exists
}

func (s Site) version() int64        { return s.Version }
func (s Site) called(id string) Site { s.ID = id; return s }

// named is a site or a group as stored under an id.
type named[T any] interface {
	version() int64
	called(id string) T
}

// applyNamed keeps what is stored, or forgets one that was deleted. An older
// version that comes late changes nothing.
func applyNamed[T named[T]](all map[string]T, id string, value []byte) error {
	if value == nil {
		delete(all, id)
		return nil
	}
	var s T
	if err := json.Unmarshal(value, &s); err != nil {
		return err
	}
	if s.version() >= all[id].version() {
		all[id] = s.called(id)
	}
	return nil
}

// Places returns every site, those that were set up and those that only people
// have, by name.
func (d *Directory) Places() []Site {
	d.mu.RLock()
	defer d.mu.RUnlock()
	counts := newSpellings(d.active(), func(p *Person) string { return p.Site }).counts()
	var out []Site
	seen := map[string]bool{}
	for _, s := range d.sites {
		s.SetUp = true
		for name, n := range counts {
			if fold(name) == fold(s.Name) {
				s.People = n
			}
		}
		seen[fold(s.Name)] = true
		out = append(out, s)
	}
	for name, n := range counts {
		if !seen[fold(name)] {
			out = append(out, Site{Name: name, People: n})
		}
	}
	slices.SortFunc(out, func(a, b Site) int {
		return cmp.Or(strings.Compare(fold(a.Name), fold(b.Name)), strings.Compare(a.ID, b.ID))
	})
	return out
}

// Place returns what is known about the site of this name.
func (d *Directory) Place(name string) (Site, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.place(name)
}

// place needs d.mu.
func (d *Directory) place(name string) (Site, bool) {
	found, ok := Site{}, false
	for _, s := range d.sites { // of two of one name that two nodes made, the same one everywhere
		if fold(s.Name) == fold(name) && (!ok || s.ID < found.ID) {
			found, ok = s, true
		}
	}
	return found, ok
}

// knownSites needs d.mu. It returns the sites that a file may name, or nil while
// none has been set up.
func (d *Directory) knownSites() map[string]string {
	if len(d.sites) == 0 {
		return nil
	}
	known := map[string]string{}
	for _, r := range d.people {
		if r.Active && r.Site != "" {
			known[fold(r.Site)] = r.Site
		}
	}
	for _, s := range d.sites {
		known[fold(s.Name)] = s.Name
	}
	return known
}

// SiteNames returns names of sites with everything else that these sites are or were
// called: who is chosen by the name of a site is still chosen when it is renamed. A name
// that another site has now is that one's alone.
func (d *Directory) SiteNames(names []string) []string {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.siteNames(names)
}

// siteNames needs d.mu.
func (d *Directory) siteNames(names []string) []string {
	var out []string
	for _, name := range names {
		out = append(out, name)
		s, known := d.place(name)
		if !known {
			s, known = d.formerly(name)
		}
		if !known {
			continue
		}
		for _, other := range append(slices.Clone(s.Former), s.Name) {
			if now, taken := d.place(other); !taken || now.ID == s.ID {
				out = append(out, other)
			}
		}
	}
	return out
}

// formerly needs d.mu. It returns the site that was called this.
func (d *Directory) formerly(name string) (Site, bool) {
	found, ok := Site{}, false
	for _, s := range d.sites {
		if spelt(s.Former, name) && (!ok || s.ID < found.ID) {
			found, ok = s, true
		}
	}
	return found, ok
}

// spelt reports whether a name is among these, in any case of letters.
func spelt(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return fold(n) == fold(name) })
}

// SaveSite stores a site; an empty ID makes a new one. The people of a site that
// gets another name, and the rules of groups that ask for it, go with it.
func (d *Directory) SaveSite(ctx context.Context, s Site) (string, error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	s.Name, s.Emergency = oneLine(s.Name), oneLine(s.Emergency)
	s.Assembly = compact(s.Assembly)
	var bad announcement.FieldErrors
	bad = append(bad, checkName("name", s.Name)...)
	for _, point := range s.Assembly {
		bad = append(bad, checkName("assembly", point)...)
	}
	if len(s.Assembly) > 10 {
		bad = append(bad, &announcement.FieldError{Field: "assembly", Why: "has more than 10 lines"})
	}
	if s.Zone != "" {
		if _, err := time.LoadLocation(s.Zone); err != nil || s.Zone == "Local" {
			bad = append(bad, &announcement.FieldError{Field: "zone", Value: shorten(s.Zone), Why: "is not a time zone such as Asia/Jakarta or WIB"})
		}
	}
	if s.Emergency != "" && (len(s.Emergency) > 20 || strings.Trim(s.Emergency, "+0123456789 -") != "" || strings.Trim(s.Emergency, "+ -") == "") {
		bad = append(bad, &announcement.FieldError{Field: "emergency", Value: shorten(s.Emergency), Why: "is not a number that can be dialled"})
	}
	d.mu.RLock()
	old, known := d.sites[s.ID]
	if other, taken := d.place(s.Name); taken && other.ID != s.ID {
		bad = append(bad, &announcement.FieldError{Field: "name", Value: shorten(s.Name), Why: "is the name of another site"})
	}
	d.mu.RUnlock()
	switch {
	case s.ID != "" && !known:
		return "", ErrUnknown
	case len(bad) > 0:
		return "", bad
	case s.ID == "":
		s.ID = string(announcement.NewID())
	}
	s.Former, s.Version = old.Former, old.Version+1
	if known && fold(old.Name) != fold(s.Name) {
		s.Former = slices.DeleteFunc(append(slices.Clone(old.Former), old.Name), func(n string) bool { return fold(n) == fold(s.Name) })
	}
	if err := d.putSetting(ctx, siteKey+s.ID, s); err != nil {
		return "", err
	}
	if known && old.Name != s.Name {
		return s.ID, d.moveSite(ctx, old.Name, s.Name)
	}
	return s.ID, nil
}

func (d *Directory) moveSite(ctx context.Context, from, to string) error {
	d.mu.RLock()
	var moved []record
	for _, r := range d.people {
		if fold(r.Site) == fold(from) {
			r.Site = to
			r.Version++
			moved = append(moved, r)
		}
	}
	var ruled []Group
	for _, g := range d.groups {
		if g.Rule != nil && spelt(g.Rule.Sites, from) {
			ruled = append(ruled, g)
		}
	}
	d.mu.RUnlock()
	if err := d.storePeople(ctx, moved); err != nil {
		return err
	}
	for _, g := range ruled {
		old, rule := g, *g.Rule
		rule.Sites = slices.Clone(rule.Sites)
		for i, site := range rule.Sites {
			if fold(site) == fold(from) {
				rule.Sites[i] = to
			}
		}
		g.Rule = &rule
		if err := d.putGroup(ctx, g, old); err != nil {
			return err
		}
	}
	return nil
}

// DeleteSite forgets what was set up about a site. Its people keep its name.
func (d *Directory) DeleteSite(ctx context.Context, id string) error {
	return d.deleteSetting(ctx, siteKey+id)
}

func (d *Directory) putSetting(ctx context.Context, key string, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode setting: %w", err)
	}
	if err := d.store.Put(ctx, key, value); err != nil {
		return fmt.Errorf("store setting: %w", err)
	}
	d.apply(key, value)
	return nil
}

func (d *Directory) deleteSetting(ctx context.Context, key string) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	if err := d.store.Delete(ctx, key); err != nil {
		return fmt.Errorf("delete setting: %w", err)
	}
	d.apply(key, nil)
	return nil
}

func oneLine(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// compact takes blanks and repetitions out of a list of names.
func compact(names []string) []string {
	var out []string
	for _, n := range names {
		if n = oneLine(n); n != "" && !slices.ContainsFunc(out, func(o string) bool { return fold(o) == fold(n) }) {
			out = append(out, n)
		}
	}
	return out
}

func checkName(field, name string) announcement.FieldErrors {
	why := ""
	switch {
	case name == "":
		why = "is empty"
	case utf8.RuneCountInString(name) > maxName:
		why = fmt.Sprintf("is longer than %d characters", maxName)
	case strings.ContainsFunc(name, forbidden) || strings.ContainsAny(name, "{}"):
		why = "contains a character that cannot be sent; type it again as plain text"
	default:
		return nil
	}
	return announcement.FieldErrors{{Field: field, Value: shorten(printable(name)), Why: why}}
}
