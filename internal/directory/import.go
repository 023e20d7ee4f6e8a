package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"kentongan/internal/announcement"
)

// ImportOptions say what an import is for.
type ImportOptions struct {
	DryRun     bool     // only say what would happen
	Sample     bool     // these people are made up and must never be called for real
	Columns    []string // what each column of the file holds, see ColumnKeys; nil: as its heading says
	SkipFaulty bool     // import everybody else when some rows are faulty
	WholeList  bool     // the file is everybody: who is not in it leaves, who is in it works here
	KnownSites bool     // a site that nobody has and nobody set up is a fault
	Leaving    int      // how many people leave, as a person confirmed; anything else is refused with ErrManyLeave where many do
	Undo       string   // whoever imports, as an actor: what was before is kept for UndoWithin
	UndoID     string   // begun again under the same id, an import that was cut off goes on; empty: a new one

	Progress func(percent int) // how far it is; may be nil
}

// AnyNumber as Leaving: a person confirmed it, before the import was cut off.
const AnyNumber = -1

// said tells how far an import is: part of whole, between two percentages.
func (o ImportOptions) said(from, to, part, whole int) {
	if o.Progress != nil && whole > 0 {
		o.Progress(from + (to-from)*part/whole)
	}
}

// ImportReport says what an import did, or would do.
type ImportReport struct {
	DryRun    bool       `json:"dry_run"`
	Rows      int        `json:"rows"`
	Added     int        `json:"added"`
	Changed   int        `json:"changed"`
	Unchanged int        `json:"unchanged"`
	Leaving   int        `json:"leaving"`  // active people who become inactive by this file
	Missing   int        `json:"missing"`  // active people who are not in this file; they are left alone
	Confirm   bool       `json:"confirm"`  // so many leave that a person has to say how many
	Mended    int        `json:"mended"`   // numbers put into international form
	Warnings  []RowError `json:"warnings"` // shared numbers, landlines, nobody to call
	Errors    []RowError `json:"errors"`   // with any, nothing is imported

	Skipped int         `json:"-"` // faulty rows left out
	Fatal   bool        `json:"-"` // the file as a whole cannot be imported, not even without some rows
	Faulty  []FaultyRow `json:"-"` // at most shownRows, and always the first of each kind
	Sums    []FaultSum  `json:"-"` // most first
	Lists   ImportLists `json:"-"`
	Undo    string      `json:"-"` // id by which the import can be undone
}

// ImportLists name the people behind the numbers, each at most shownRows.
type ImportLists struct{ Added, Changed, Leaving, Missing, Mended []Listed }

// Listed is one person of an import.
type Listed struct {
	Row          int // 0: not in the file
	Number, Name string
	Changes      []Change
}

// Change is one thing about a person that an import changes, named by its column.
type Change struct{ Column, From, To string }

// FaultyRow is a row with what is wrong in each of its cells, by column.
type FaultyRow struct {
	Row      int
	Cells    map[string]string
	Problems map[string]string
}

// FaultSum is how many rows have a fault in a column, and the first of them. An
// empty column means rows that are faulty as a whole.
type FaultSum struct {
	Column      string
	Rows, First int
}

// shownRows is how many people or rows a report names: nobody reads more.
const shownRows = 500

// RowError is a fault in one cell of an import. Row 0 is the file as a whole.
type RowError struct {
	Row    int    `json:"row"`   // as a spreadsheet numbers it: the heading is row 1
	Field  string `json:"field"` // column heading as in the file
	Value  string `json:"value"`
	Reason string `json:"reason"`
}

// Import takes people from a CSV file. Somebody known by employee number is
// changed, anybody else is added; a column that the file lacks leaves what is
// known alone, an empty cell clears it. Faults of the file are in the report,
// and then nothing is imported; an error means that r or the store failed.
// After a failure of the store some people may be imported: import again.
func (d *Directory) Import(ctx context.Context, r io.Reader, o ImportOptions) (ImportReport, error) {
	report := ImportReport{DryRun: o.DryRun, Warnings: []RowError{}, Errors: []RowError{}}
	s, bad, err := readSheet(r)
	if err != nil {
		return report, err
	}
	report.Rows = len(s.rows)
	cs, headingFaults := columns{}, []RowError(nil)
	switch {
	case s.heading == nil:
	case o.Columns != nil:
		cs, headingFaults = matchHeadings(s.heading, o.Columns)
	default:
		cs, headingFaults = readHeadings(s.heading)
	}
	report.Errors = append(append(report.Errors, headingFaults...), bad...)
	report.Fatal = len(headingFaults) > 0 || s.heading == nil || len(s.rows) == 0
	if report.Fatal {
		return report, nil
	}

	o.said(0, 20, 1, 1) // a workbook of 50,000 rows takes some seconds to read
	d.writing.Lock()
	defer d.writing.Unlock()
	c := d.check(cs, s.rows, o, &report)
	report.Faulty, report.Sums = c.faulty()
	if len(report.Errors) > 0 {
		if !o.SkipFaulty {
			return report, nil
		}
		if c, report = d.checkRest(cs, s.rows, o, report); len(report.Errors) > 0 {
			return report, nil
		}
	}
	changes := c.changes(&report, o.UndoID)
	leavers := report.Leaving
	if o.WholeList {
		leavers += report.Missing
	}
	report.Confirm = d.manyLeave(leavers)
	if o.DryRun || len(changes) == 0 {
		return report, nil
	}
	confirmed := leavers > 0 && (o.Leaving == leavers || o.Leaving == AnyNumber)
	if report.Confirm && !confirmed {
		return report, ErrManyLeave
	}
	if o.Undo != "" {
		if report.Undo, err = d.keepPast(ctx, o.Undo, o.UndoID, changes, report); err != nil {
			return report, err
		}
	}
	stored := 0
	for some := range slices.Chunk(changes, storedAtOnce) {
		if err := d.storeConfirmed(ctx, some, confirmed); err != nil {
			return report, err
		}
		stored += len(some)
		o.said(60, 100, stored, len(changes))
	}
	return report, nil
}

// storedAtOnce is how many people are stored before it is said how far it is.
const storedAtOnce = 1000

// checkRest checks the rows again without the faulty ones. A fault that only
// shows then, such as two rows of one number of which one was faulty, takes its
// row out too.
func (d *Directory) checkRest(cs columns, rows []sheetRow, o ImportOptions, first ImportReport) (*check, ImportReport) {
	out := map[int]bool{}
	report := first
	for {
		before := len(out)
		for _, e := range report.Errors {
			out[e.Row] = true
		}
		rest := make([]sheetRow, 0, len(rows))
		without := map[string]bool{}
		for _, row := range rows {
			if out[row.number] {
				without[fold(cs.cell(row.cells, colNumber))] = true
				continue
			}
			rest = append(rest, row)
		}
		report = ImportReport{DryRun: o.DryRun, Rows: len(rows), Warnings: []RowError{}, Errors: []RowError{}}
		c := d.checkWithout(cs, rest, without, o, &report)
		if len(report.Errors) == 0 || len(out) == before && before > 0 {
			report.Faulty, report.Sums, report.Skipped = first.Faulty, first.Sums, len(out)
			return c, report
		}
	}
}

// storePeople stores people and shows them on this node at once.
func (d *Directory) storePeople(ctx context.Context, changes []record) error {
	return d.storeConfirmed(ctx, changes, false)
}

// storeConfirmed is storePeople; a person may have confirmed how many leave, and then
// these do not count against others who leave within the hour.
func (d *Directory) storeConfirmed(ctx context.Context, changes []record, confirmed bool) error {
	values := make(map[string][]byte, len(changes))
	for _, rec := range changes {
		d.mu.RLock()
		was := d.people[rec.ID].Active
		d.mu.RUnlock()
		if rec.Active || confirmed {
			rec.Provision.Left = time.Time{}
		} else if was {
			rec.Provision.Left = d.Now().UTC().Round(0)
		}
		rec.Changed = d.Now().UTC().Round(0)
		if rec.Version == 1 {
			rec.Created = rec.Changed
		}
		value, err := json.Marshal(rec)
		if err != nil {
			return fmt.Errorf("encode person: %w", err)
		}
		values[personKey+string(rec.ID)] = value
	}
	if err := d.store.PutAll(ctx, values); err != nil {
		return fmt.Errorf("store people: %w", err)
	}
	for key, value := range values {
		d.apply(key, value)
	}
	return nil
}

// changes counts what the checked people would change and returns them with
// their new versions.
func (c *check) changes(report *ImportReport, undoID string) []record {
	var changes []record
	for _, e := range c.entries {
		switch {
		case e.old.ID == "":
			report.Added++
			e.new.ID = announcement.NewPersonID()
			if undoID != "" {
				e.new.ID = announcement.PersonIDFor(undoID, e.new.Number)
			}
			e.new.Version = 1
			list(&report.Lists.Added, e.row.number, e.new)
		case e.new == e.old:
			report.Unchanged++
			continue
		default:
			report.Changed++
			if e.old.Active && !e.new.Active {
				report.Leaving++
				list(&report.Lists.Leaving, e.row.number, e.new)
			} else {
				list(&report.Lists.Changed, e.row.number, e.new, differences(e.old, e.new)...)
			}
			e.new.Version++
		}
		changes = append(changes, e.new)
	}
	for _, key := range slices.Sorted(maps.Keys(c.known)) {
		r := c.known[key]
		if !r.Active || c.byNumber[key] != nil || c.without[key] {
			continue
		}
		report.Missing++
		list(&report.Lists.Missing, 0, r)
		if c.wholeList {
			r.Active = false
			r.Version++
			changes = append(changes, r)
		}
	}
	return changes
}

func list(to *[]Listed, row int, r record, changes ...Change) {
	if len(*to) < shownRows {
		*to = append(*to, Listed{Row: row, Number: r.Number, Name: r.Name, Changes: changes})
	}
}

// differences names what changes about a person.
func differences(old, now record) []Change {
	var out []Change
	for _, f := range []struct {
		col      column
		from, to string
	}{
		{colName, old.Name, now.Name}, {colGiven, old.Given, now.Given}, {colEmail, old.Email, now.Email}, {colMobile, old.Mobile, now.Mobile},
		{colManager, old.Manager, now.Manager}, {colSite, old.Site, now.Site}, {colCountry, old.Country, now.Country}, {colZone, old.Zone, now.Zone},
		{colLocale, string(old.Language), string(now.Language)}, {colDepartment, old.Department, now.Department},
		{colTitle, old.Title, now.Title}, {colShift, old.Shift, now.Shift}, {colActive, yesNo(old.Active), yesNo(now.Active)},
	} {
		if f.from != f.to {
			out = append(out, Change{columnKeys[f.col], f.from, f.to})
		}
	}
	return out
}

func yesNo(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// Upload is what a file looks like before anything is checked.
type Upload struct {
	Headings []string
	Samples  [][]string // up to three values of each column
	Guess    []string   // what each column seems to hold
	Rows     int
	Faults   []RowError // why it cannot be read
}

// Look reads a file only to show its columns.
func Look(r io.Reader) (Upload, error) {
	s, bad, err := readSheet(r)
	if err != nil {
		return Upload{}, err
	}
	u := Upload{Headings: s.heading, Samples: make([][]string, len(s.heading)), Guess: guess(s.heading), Rows: len(s.rows)}
	if len(s.rows) == 0 {
		u.Faults = bad
	}
	const samples = 3
	for i := range s.heading {
		for _, row := range s.rows {
			if cell := row.cells[i]; cell != "" && len(u.Samples[i]) < samples {
				u.Samples[i] = append(u.Samples[i], shorten(printable(cell)))
			}
			if len(u.Samples[i]) == samples {
				break
			}
		}
	}
	return u, nil
}

// Match says what is wrong with a matching of columns before anybody is checked.
func Match(headings, keys []string) []RowError {
	_, bad := matchHeadings(headings, keys)
	return bad
}
