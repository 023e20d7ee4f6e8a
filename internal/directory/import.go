package directory

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"kentongan/internal/announcement"
)

// ImportOptions say what an import is for.
type ImportOptions struct {
	DryRun bool // only say what would happen
	Sample bool // these people are made up and must never be called for real
}

// ImportReport says what an import did, or would do.
type ImportReport struct {
	DryRun    bool       `json:"dry_run"`
	Rows      int        `json:"rows"`
	Added     int        `json:"added"`
	Changed   int        `json:"changed"`
	Unchanged int        `json:"unchanged"`
	Leaving   int        `json:"leaving"`  // active people who become inactive by this file
	Missing   int        `json:"missing"`  // known people who are not in this file; they are left alone
	Mended    int        `json:"mended"`   // numbers put into international form
	Warnings  []RowError `json:"warnings"` // shared numbers, landlines, nobody to call
	Errors    []RowError `json:"errors"`   // with any, nothing is imported
}

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
	if s.heading != nil {
		cs, headingFaults = readHeadings(s.heading)
	}
	report.Errors = append(append(report.Errors, headingFaults...), bad...)
	if len(headingFaults) > 0 || s.heading == nil {
		return report, nil
	}

	d.writing.Lock()
	defer d.writing.Unlock()
	c := d.check(cs, s.rows, o, &report)
	if len(report.Errors) > 0 {
		return report, nil
	}
	changes := c.changes(&report)
	if o.DryRun || len(changes) == 0 {
		return report, nil
	}
	values := make(map[string][]byte, len(changes))
	for _, rec := range changes {
		value, err := json.Marshal(rec)
		if err != nil {
			return report, fmt.Errorf("encode person: %w", err)
		}
		values[personKey+string(rec.ID)] = value
	}
	if err := d.store.PutAll(ctx, values); err != nil {
		return report, fmt.Errorf("store people: %w", err)
	}
	for key, value := range values {
		d.apply(key, value)
	}
	return report, nil
}

// changes counts what the checked people would change and returns them with
// their new versions.
func (c *check) changes(report *ImportReport) []record {
	var changes []record
	known := 0
	for _, e := range c.entries {
		if e.old.ID == "" {
			report.Added++
			e.new.ID = announcement.NewPersonID()
			e.new.Version = 1
			changes = append(changes, e.new)
			continue
		}
		known++
		if e.new == e.old {
			report.Unchanged++
			continue
		}
		report.Changed++
		if e.old.Active && !e.new.Active {
			report.Leaving++
		}
		e.new.Version++
		changes = append(changes, e.new)
	}
	report.Missing = len(c.known) - known
	return changes
}
