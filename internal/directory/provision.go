package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// Account is what an identity provider calls somebody.
type Account struct {
	UserName   string `json:"user_name,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
	Division   string `json:"division,omitempty"`
	Composed   bool   `json:"composed,omitempty"` // the name is the given and the family name; no other was said
}

// provision is what is kept of somebody for an identity provider.
type provision struct {
	Account
	Removed bool      `json:"removed,omitempty"` // the provider deleted them: it knows them no more until they come back
	Left    time.Time `json:"left,omitzero"`     // when they left, where nobody confirmed how many do
}

// Provisioned is a person as an identity provider sees them.
type Provisioned struct {
	Person
	Account
	Version     int64
	Created     time.Time // zero where that is not known
	Changed     time.Time
	ManagerID   announcement.PersonID
	ManagerName string
}

// Wanted is what an identity provider wants somebody to be.
type Wanted struct {
	Values  map[string]string // by column, as of Save; one that is missing stays as it is
	Account Account
}

// ErrTaken is returned for a login that somebody else has.
var ErrTaken = errors.New("somebody else has this")

// Account returns one person, active or not, as an identity provider sees them.
func (d *Directory) Account(id announcement.PersonID) (Provisioned, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r, known := d.people[id]
	if !known || r.hidden() {
		return Provisioned{}, false
	}
	return d.provisioned(r), true
}

// hidden reports whether the provider deleted this person.
func (r record) hidden() bool { return r.Provision.Removed && !r.Active }

// provisioned needs d.mu.
func (d *Directory) provisioned(r record) Provisioned {
	p := Provisioned{Person: r.Person, Account: r.Provision.Account, Version: r.Version, Created: r.Created, Changed: r.Changed}
	p.UserName = d.login(r)
	if m, ok := d.byNumber(r.Manager); ok && r.Manager != "" {
		p.ManagerID, p.ManagerName = m.ID, m.Name
	}
	return p
}

// login needs d.mu. Who came by a file has no login of a provider yet: it is their
// address, unless somebody shares it, else their number, so that a provider that
// is connected later finds them.
func (d *Directory) login(r record) string {
	switch {
	case r.Provision.UserName != "":
		return r.Provision.UserName
	case r.Email != "" && len(d.logins[fold(r.Email)]) == 1:
		return r.Email
	}
	return r.Number
}

// indexed names what somebody can be found by as a login.
func (r record) indexed() []string {
	if r.Provision.UserName != "" {
		return []string{fold(r.Provision.UserName)}
	}
	if email, number := fold(r.Email), fold(r.Number); email != number {
		return []string{email, number}
	}
	return []string{fold(r.Number)}
}

// Hint narrows a search by what an index knows. Empty: everybody.
type Hint struct {
	ID                           announcement.PersonID
	UserName, ExternalID, Number string
}

// Accounts returns those whom keep chooses, from a place on, and how many there are
// in all. They stand in an order that stays while nobody is added. Nobody who has
// to be called waits for it: people are read a few at a time.
func (d *Directory) Accounts(h Hint, keep func(Provisioned) bool, from, limit int) (total int, page []Provisioned) {
	ids := d.candidates(h)
	if keep == nil {
		from = min(from, len(ids))
		return len(ids), d.accounts(ids[from:min(from+limit, len(ids))])
	}
	const few = 250
	for part := range slices.Chunk(ids, few) {
		for _, p := range d.accounts(part) {
			if !keep(p) {
				continue
			}
			if total >= from && len(page) < limit {
				page = append(page, p)
			}
			total++
		}
	}
	return total, page
}

func (d *Directory) accounts(ids []announcement.PersonID) []Provisioned {
	d.mu.RLock()
	defer d.mu.RUnlock()
	out := make([]Provisioned, 0, len(ids))
	for _, id := range ids {
		if r, known := d.people[id]; known && !r.hidden() {
			out = append(out, d.provisioned(r))
		}
	}
	return out
}

// candidates returns in order who can be meant.
func (d *Directory) candidates(h Hint) []announcement.PersonID {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var ids []announcement.PersonID
	switch {
	case h.ID != "":
		ids = []announcement.PersonID{h.ID}
	case h.UserName != "":
		ids = d.logins[fold(h.UserName)]
	case h.ExternalID != "":
		ids = d.externals[h.ExternalID]
	case h.Number != "":
		ids = d.numbers[fold(h.Number)]
	default:
		if known := d.order.Load(); known != nil {
			return *known
		}
		for id, r := range d.people {
			if !r.hidden() {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		d.order.Store(&ids)
		return ids
	}
	ids = slices.DeleteFunc(slices.Clone(ids), func(id announcement.PersonID) bool { r, known := d.people[id]; return !known || r.hidden() })
	slices.Sort(ids)
	return ids
}

// Provision makes somebody what an identity provider wants, by the rules of an
// import. An empty id adds them, or brings back whom the provider deleted under
// the same employee number. version is that on which the change is based.
//
// What is wrong is returned as FieldErrors named by column, or by "user_name" and
// "external_id"; a value that is somebody else's has ErrTaken as its cause too.
// ErrManyLeave says that too many people left.
func (d *Directory) Provision(ctx context.Context, id announcement.PersonID, w Wanted, version int64, sample bool) (announcement.PersonID, error) {
	d.writing.Lock()
	defer d.writing.Unlock()
	number := oneLine(w.Values[columnKeys[colNumber]])
	d.mu.RLock()
	old, known := d.people[id]
	namesake, taken := d.byNumber(number)
	d.mu.RUnlock()
	switch {
	case id != "" && (!known || old.hidden()):
		return "", ErrUnknown
	case id != "" && old.Version != version:
		return "", ErrChanged
	case id == "" && taken && namesake.hidden():
		old = namesake
	case taken && namesake.ID != id:
		return "", inUse(columnKeys[colNumber])
	}
	if bad := d.checkAccount(old.ID, w.Account); bad != nil {
		return "", bad
	}
	values := w.Values
	renumbered := old.ID != "" && number != "" && number != old.Number
	if renumbered {
		if why := numberFault(number); why != "" {
			return "", announcement.FieldErrors{{Field: columnKeys[colNumber], Why: why}}
		}
	}
	if old.ID != "" {
		values = maps.Clone(w.Values)
		values[columnKeys[colNumber]] = old.Number
		if _, told := values[columnKeys[colActive]]; id == "" && !told {
			values[columnKeys[colActive]] = "true" // they come back
		}
	}
	cs, row := oneRow(values)
	c, bad := d.checkOne(cs, row, sample)
	if bad != nil {
		return "", bad
	}
	now := c.entries[0].new
	now.Provision.Account, now.Provision.Removed = w.Account, false
	if renumbered {
		now.Number = number
	}
	if old.Active && !now.Active {
		if err := d.mayLeave(ctx, old.ID); err != nil {
			return "", err
		}
	}
	if now == old {
		return old.ID, nil
	}
	if now.ID == "" {
		now.ID = announcement.NewPersonID()
	}
	now.Version++
	changes := []record{now}
	if renumbered {
		if err := d.renumberDuty(ctx, old.Number, number); err != nil {
			return "", err
		}
		changes = append(changes, d.led(old.Number, number, now.ID)...)
	}
	return now.ID, d.storePeople(ctx, changes)
}

// Remove takes somebody out whom an identity provider deleted. They stay known,
// because the story of what happened names them.
func (d *Directory) Remove(ctx context.Context, id announcement.PersonID, version int64) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.mu.RLock()
	r, known := d.people[id]
	d.mu.RUnlock()
	switch {
	case !known || r.hidden():
		return ErrUnknown
	case r.Version != version:
		return ErrChanged
	case r.Active:
		if err := d.mayLeave(ctx, id); err != nil {
			return err
		}
	}
	r.Active, r.Provision.Removed = false, true
	r.Version++
	return d.storePeople(ctx, []record{r})
}

// checkAccount holds a login against those of everybody else.
func (d *Directory) checkAccount(id announcement.PersonID, a Account) error {
	for field, value := range map[string]string{"user_name": a.UserName, "external_id": a.ExternalID, columnKeys[colDepartment]: a.Division} {
		if why := cellFault(value, longestLogin); why != "" {
			return announcement.FieldErrors{{Field: field, Why: why}}
		}
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	for _, other := range d.logins[fold(a.UserName)] {
		if r := d.people[other]; other != id && !r.hidden() && fold(d.login(r)) == fold(a.UserName) {
			return inUse("user_name")
		}
	}
	return nil
}

const longestLogin = 256 // characters

func inUse(field string) error {
	return errors.Join(ErrTaken, announcement.FieldErrors{{Field: field, Why: "is that of somebody else"}})
}

// led lets everybody who is led by a number be led by the new one.
func (d *Directory) led(from, to string, except announcement.PersonID) []record {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var out []record
	for _, id := range d.reports[fold(from)] {
		if r := d.people[id]; id != except {
			r.Manager = to
			r.Version++
			out = append(out, r)
		}
	}
	return out
}

// checkOne is check for one person who is changed on their own: only they and the
// line above them are looked at, so that thousands can follow each other.
func (d *Directory) checkOne(cs columns, row sheetRow, sample bool) (*check, error) {
	report := ImportReport{}
	c := &check{columns: cs, home: d.Options, sample: sample, report: &report,
		known: map[string]record{}, holders: map[string]string{}, byNumber: map[string]*entry{}, zones: map[string]bool{}}
	d.mu.RLock()
	for _, number := range []string{cs.cell(row.cells, colNumber), cs.cell(row.cells, colManager)} {
		for key := fold(number); key != ""; {
			r, found := d.byNumber(key)
			if _, seen := c.known[key]; seen || !found {
				break
			}
			c.known[key] = r
			key = fold(r.Manager)
		}
	}
	d.mu.RUnlock()
	c.row(row)
	c.managers()
	c.loops()
	if len(report.Errors) == 0 {
		return c, nil
	}
	return nil, report.fieldErrors()
}

// fieldErrors are the faults of one person, by column.
func (r ImportReport) fieldErrors() announcement.FieldErrors {
	var bad announcement.FieldErrors
	for _, e := range r.Errors {
		bad = append(bad, &announcement.FieldError{Field: e.Field, Value: e.Value, Why: e.Reason})
	}
	return bad
}

// oneRow makes a row of a file out of values by column.
func oneRow(values map[string]string) (columns, sheetRow) {
	cs := columns{}
	row := sheetRow{number: 1}
	for c, key := range columnKeys {
		cs.at[c] = -1
		if value, given := values[key]; given {
			cs.at[c] = len(cs.heading)
			cs.heading, row.cells = append(cs.heading, key), append(row.cells, oneLine(value))
		}
	}
	return cs, row
}

// cellFault says what is wrong with a text as such.
func cellFault(cell string, limit int) string {
	switch {
	case len([]rune(cell)) > limit:
		return fmt.Sprintf("is longer than %d characters", limit)
	case strings.ContainsFunc(cell, forbidden):
		return "contains a control or direction character; type it again"
	}
	return ""
}

// numberFault says what is wrong with an employee number.
func numberFault(number string) string {
	if why := cellFault(number, limits[colNumber]); why != "" {
		return why
	}
	switch {
	case number == "":
		return "the employee number is empty"
	case damaged.MatchString(number):
		return ErrDamaged.Error()
	}
	return ""
}
