// Package directory knows who works here, who leads whom and how each person
// can be reached. It alone turns a person id into a name and a number.
//
// # Guarantees
//
// An import changes everything in the file or nothing. What Import, Subscribe,
// StopSMS and their like returned nil for is stored, and this node sees it at
// once; other nodes see it when the store tells them. Nobody is ever removed
// by being missing from a file.
//
// # Decisions
//
// Every node holds everybody in memory: a person is looked up right before
// every call, and an emergency must not wait for a database. 50,000 people are
// about 40 MB.
//
// The store has no compare-and-set here, so two nodes that change the same
// person's contact state in the same milliseconds keep the later change. A
// device subscribes again each time it opens a page, which mends that.
package directory

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kentongan/internal/announcement"
)

// Store is the part of the vault that the directory needs; see ledger.Vault
// for the promises of its methods.
type Store interface {
	Put(ctx context.Context, key string, value []byte) error
	PutAll(ctx context.Context, values map[string][]byte) error
	Get(ctx context.Context, key string) ([]byte, error)
	Delete(ctx context.Context, key string) error
	Follow(ctx context.Context, prefix string, fn func(key string, value []byte), ready func()) error
}

const (
	personKey  = "person."
	contactKey = "contact."
	settingKey = "setting."
	dutyKey    = "setting.duty"
)

// followAgain is how long a node waits before it follows the store again after
// following broke off.
const followAgain = time.Second

// Options say where the company is at home. The zero value is Indonesia.
type Options struct {
	Now      func() time.Time
	Country  string                // ISO 3166-1 alpha-2; numbers without a country code belong to it
	Zone     string                // IANA; by which the company lives, where nothing nearer is known
	Language announcement.Language // of people whose language is not known
	Log      *slog.Logger
}

// Directory holds everybody in memory. It is safe for concurrent use.
type Directory struct {
	store Store
	Options

	writing sync.Mutex // one change at a time: each reads, stores, then applies

	mu         sync.RWMutex
	onPerson   func(announcement.PersonID) // see Watch
	onAudience func()
	people     map[announcement.PersonID]record
	contacts   map[announcement.PersonID]contact
	numbers    index                                   // folded employee number
	mobiles    index                                   // E.164
	endpoints  index                                   // of subscriptions
	reports    index                                   // folded number of the manager → who names them
	logins     index                                   // folded login, or what stands for it
	externals  index                                   // of the identity provider
	order      atomic.Pointer[[]announcement.PersonID] // of Accounts; nil when somebody changed
	duty       setting
	leaving    leaving
	past       map[string]Past
	sites      map[string]Site
	groups     map[string]Group
}

// Open loads everybody and follows the store until ctx ends. It returns when
// everything that was stored before is loaded.
func Open(ctx context.Context, store Store, o Options) (*Directory, error) {
	o.Country = strings.ToUpper(cmp.Or(o.Country, "ID"))
	o.Language = cmp.Or(o.Language, announcement.Indonesian)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	d := &Directory{
		store:     store,
		Options:   o,
		people:    map[announcement.PersonID]record{},
		contacts:  map[announcement.PersonID]contact{},
		numbers:   index{},
		mobiles:   index{},
		endpoints: index{},
		reports:   index{},
		logins:    index{},
		externals: index{},
		past:      map[string]Past{},
		sites:     map[string]Site{},
		groups:    map[string]Group{},
	}
	for _, prefix := range []string{personKey, contactKey, settingKey, pastKey} {
		loaded := make(chan error, 1)
		go d.follow(ctx, prefix, loaded)
		select {
		case err := <-loaded:
			if err != nil {
				return nil, fmt.Errorf("load directory: %w", err)
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("load directory: %w", ctx.Err())
		}
	}
	return d, nil
}

// follow applies every change of the store until ctx ends. The first outcome,
// loaded or failed, goes to loaded; a node that could not load gives up, one
// that had loaded tries again.
func (d *Directory) follow(ctx context.Context, prefix string, loaded chan<- error) {
	var once sync.Once
	tell := func(err error) (first bool) {
		once.Do(func() { loaded <- err; first = true })
		return first
	}
	for {
		err := d.store.Follow(ctx, prefix, d.apply, func() { tell(nil) })
		if ctx.Err() != nil {
			tell(ctx.Err())
			return
		}
		if err != nil && tell(err) {
			return
		}
		d.Log.Warn("following the directory broke off, trying again", "step", strings.TrimSuffix(prefix, "."), "reason", err)
		select {
		case <-time.After(followAgain):
		case <-ctx.Done():
			return
		}
	}
}

// apply takes one value of the store into memory. A value older than the one
// held is an echo of a change of our own and is passed over; otherwise a quick
// second change would be undone for a moment and the third would build on it.
func (d *Directory) apply(key string, value []byte) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var err error
	switch {
	case strings.HasPrefix(key, personKey) && d.onPerson != nil:
		defer d.onPerson(announcement.PersonID(key[len(personKey):]))
	case (strings.HasPrefix(key, groupKey) || strings.HasPrefix(key, siteKey)) && d.onAudience != nil:
		defer d.onAudience()
	}
	switch {
	case strings.HasPrefix(key, personKey):
		id := announcement.PersonID(key[len(personKey):])
		was := d.people[id]
		err = d.applyPerson(id, value)
		if d.onAudience != nil && d.movesOthers(was, d.people[id]) {
			defer d.onAudience()
		}
	case strings.HasPrefix(key, contactKey):
		err = d.applyContact(announcement.PersonID(key[len(contactKey):]), value)
	case key == dutyKey:
		err = d.applyDuty(value)
	case key == leavingKey:
		err = d.applyLeaving(value)
	case strings.HasPrefix(key, siteKey):
		err = applyNamed(d.sites, key[len(siteKey):], value)
	case strings.HasPrefix(key, groupKey):
		err = applyNamed(d.groups, key[len(groupKey):], value)
	case strings.HasPrefix(key, pastKey):
		err = d.applyPast(key[len(pastKey):], value)
	}
	if err != nil {
		// Keys are opaque ids; the value may hold a name and is not logged.
		d.Log.Error("a stored value cannot be read and is passed over", "step", key)
	}
}

// movesOthers reports whether the people below somebody are led by others now, though
// nothing changed about themselves. It needs d.mu.
func (d *Directory) movesOthers(was, is record) bool {
	return (was.Manager != is.Manager || was.Number != is.Number) && len(d.reports[fold(is.Number)]) > 0
}

func (d *Directory) applyPerson(id announcement.PersonID, value []byte) error {
	old, known := d.people[id]
	if value == nil {
		d.unindex(old)
		delete(d.people, id)
		return nil
	}
	var r record
	if err := json.Unmarshal(value, &r); err != nil {
		return err
	}
	if known && r.Version < old.Version {
		return nil
	}
	r.ID = id
	d.unindex(old)
	d.people[id] = r
	d.numbers.add(fold(r.Number), id)
	d.mobiles.add(r.Mobile, id)
	d.reports.add(fold(r.Manager), id)
	for _, login := range r.indexed() {
		d.logins.add(login, id)
	}
	d.externals.add(r.Provision.ExternalID, id)
	d.order.Store(nil)
	return nil
}

func (d *Directory) unindex(r record) {
	d.numbers.remove(fold(r.Number), r.ID)
	d.mobiles.remove(r.Mobile, r.ID)
	d.reports.remove(fold(r.Manager), r.ID)
	for _, login := range r.indexed() {
		d.logins.remove(login, r.ID)
	}
	d.externals.remove(r.Provision.ExternalID, r.ID)
	d.order.Store(nil)
}

// Person returns one person, active or not.
func (d *Directory) Person(id announcement.PersonID) (Person, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r, ok := d.people[id]
	return r.Person, ok
}

// ByNumber returns the person with this employee number, in any case of letters.
func (d *Directory) ByNumber(employeeNumber string) (Person, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r, ok := d.byNumber(employeeNumber)
	return r.Person, ok
}

// byNumber needs d.mu. Two nodes that import the same newcomer at the same
// time make two persons of one number; the active one with the smallest id is
// then meant, on every node.
func (d *Directory) byNumber(number string) (record, bool) {
	return first(d.sorted(d.numbers[fold(number)]))
}

// ByMobile returns everybody who has this number, active people first. Spouses
// at the same company share phones.
func (d *Directory) ByMobile(e164 string) []Person {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return persons(d.sorted(d.mobiles[e164]))
}

// Everybody returns all active people by name.
func (d *Directory) Everybody() []Person {
	d.mu.RLock()
	defer d.mu.RUnlock()
	all := persons(d.active())
	slices.SortFunc(all, func(a, b Person) int {
		return cmp.Or(strings.Compare(fold(a.Name), fold(b.Name)), strings.Compare(fold(a.Number), fold(b.Number)))
	})
	return all
}

// HasSample reports whether any active person is made up.
func (d *Directory) HasSample() bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.ContainsFunc(d.active(), func(r record) bool { return r.Sample })
}

// Sites returns the sites with their number of active people.
func (d *Directory) Sites() map[string]int {
	return d.count(func(p *Person) string { return p.Site })
}

// Departments returns the departments with their number of active people.
func (d *Directory) Departments() map[string]int {
	return d.count(func(p *Person) string { return p.Department })
}

func (d *Directory) count(of func(*Person) string) map[string]int {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return newSpellings(d.active(), of).counts()
}

// active needs d.mu. It returns the active people, by employee number.
func (d *Directory) active() []record {
	all := make([]record, 0, len(d.people))
	for _, r := range d.people {
		if r.Active {
			all = append(all, r)
		}
	}
	sortByNumber(all)
	return all
}

// sorted needs d.mu. It returns records, active first, then by id.
func (d *Directory) sorted(ids []announcement.PersonID) []record {
	rs := make([]record, 0, len(ids))
	for _, id := range ids {
		rs = append(rs, d.people[id])
	}
	slices.SortFunc(rs, func(a, b record) int {
		if a.Active != b.Active {
			if a.Active {
				return -1
			}
			return 1
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return rs
}

func first(rs []record) (record, bool) {
	if len(rs) == 0 {
		return record{}, false
	}
	return rs[0], true
}

func persons(rs []record) []Person {
	ps := make([]Person, len(rs))
	for i, r := range rs {
		ps[i] = r.Person
	}
	return ps
}

// index finds people by a value that is nearly always theirs alone.
type index map[string][]announcement.PersonID

func (x index) add(key string, id announcement.PersonID) {
	if key != "" {
		x[key] = append(x[key], id)
	}
}

func (x index) remove(key string, id announcement.PersonID) {
	rest := slices.DeleteFunc(x[key], func(o announcement.PersonID) bool { return o == id })
	if len(rest) == 0 {
		delete(x, key)
		return
	}
	x[key] = rest
}
