package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/web"
)

// Keep takes a file of people for an import in steps.
func (p *people) Keep(ctx context.Context, who web.Principal, name string, file []byte) (string, error) {
	if !who.May(web.Keep) {
		return "", web.ErrForbidden
	}
	look, err := directory.Look(bytes.NewReader(file))
	if err != nil {
		return "", err
	}
	if len(look.Faults) > 0 {
		return "", announcement.FieldErrors{{Field: "file", Why: look.Faults[0].Reason}}
	}
	return p.uploads.keep(ctx, upload{Name: cut(name, 80), Headings: look.Headings, Rows: look.Rows}, file)
}

// Upload shows the columns of a kept file.
func (p *people) Upload(ctx context.Context, id string) (web.Upload, error) {
	up, err := p.uploads.kept(id)
	if err != nil {
		return web.Upload{}, err
	}
	file, err := p.uploads.file(ctx, id, up)
	if err != nil {
		return web.Upload{}, err
	}
	look, err := directory.Look(bytes.NewReader(file))
	if err != nil {
		return web.Upload{}, err
	}
	out := web.Upload{ID: id, Name: up.Name, Rows: look.Rows, Headings: look.Headings, Samples: look.Samples, Columns: look.Guess, Kinds: directory.ColumnKeys()}
	if up.Columns != nil {
		out.Columns = up.Columns
	}
	return out, nil
}

// Match says what each column of a kept file holds.
func (p *people) Match(ctx context.Context, who web.Principal, id string, columns []string) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	up, err := p.uploads.kept(id)
	if err != nil {
		return err
	}
	if len(columns) > len(up.Headings) {
		columns = columns[:len(up.Headings)]
	}
	var bad announcement.FieldErrors
	for _, e := range directory.Match(up.Headings, columns) {
		field := "columns" // one that is lacking
		if i := slices.Index(up.Headings, e.Field); i >= 0 && e.Value != "" {
			field = fmt.Sprintf("c%d", i)
			for j := len(columns) - 1; j > i; j-- { // the later of two headings of one name
				if up.Headings[j] == e.Field && columns[j] == columns[i] {
					field = fmt.Sprintf("c%d", j)
					break
				}
			}
			bad = append(bad, &announcement.FieldError{Field: field, Value: e.Field, Why: e.Reason})
			continue
		}
		bad = append(bad, &announcement.FieldError{Field: field, Why: e.Reason})
	}
	if len(bad) > 0 {
		return bad
	}
	up.Columns = columns
	return p.uploads.put(ctx, id, up)
}

func (p *people) options(up upload, skipFaulty, whole bool) directory.ImportOptions {
	return directory.ImportOptions{Sample: p.sample, Columns: up.Columns, SkipFaulty: skipFaulty, WholeList: whole, KnownSites: true}
}

// Check says what the import of a kept file would do.
func (p *people) Check(ctx context.Context, id string, skipFaulty, whole bool) (web.ImportCheck, error) {
	up, err := p.uploads.kept(id)
	if err != nil {
		return web.ImportCheck{}, err
	}
	if up.Columns == nil {
		return web.ImportCheck{}, web.ErrNotFound
	}
	key := fmt.Sprint(id, up.Columns, skipFaulty, whole)
	report, err := p.uploads.check(ctx, key, !up.large(), func(ctx context.Context, progress func(int)) (directory.ImportReport, error) {
		o := p.options(up, skipFaulty, whole)
		o.DryRun, o.Progress = true, progress
		return p.take(ctx, id, up, o)
	})
	if err != nil {
		return web.ImportCheck{}, err
	}
	return p.checked(up, report), nil
}

// take reads a kept file and imports it, or only says what would happen.
func (p *people) take(ctx context.Context, id string, up upload, o directory.ImportOptions) (directory.ImportReport, error) {
	file, err := p.uploads.file(ctx, id, up)
	if err != nil {
		return directory.ImportReport{}, err
	}
	return p.directory.Import(ctx, bytes.NewReader(file), o)
}

// checked is a report as the pages show it.
func (p *people) checked(up upload, report directory.ImportReport) web.ImportCheck {
	rows := map[int]bool{}
	for _, e := range report.Errors {
		rows[e.Row] = true
	}
	c := web.ImportCheck{ImportReport: importReport(report), Name: up.Name, Fine: report.Rows - len(rows), Skipped: report.Skipped, Fatal: report.Fatal,
		Lists:  web.ImportLists{Added: listed(report.Lists.Added), Changed: listed(report.Lists.Changed), Leaving: listed(report.Lists.Leaving), Missing: listed(report.Lists.Missing), Mended: listed(report.Lists.Mended)},
		Active: len(p.directory.Everybody())}
	for _, f := range report.Faulty {
		c.Faulty = append(c.Faulty, web.FaultyRow(f))
	}
	for _, s := range report.Sums {
		c.Sums = append(c.Sums, web.FaultSum(s))
	}
	return c
}

func listed(in []directory.Listed) []web.Listed {
	out := make([]web.Listed, len(in))
	for i, l := range in {
		out[i] = web.Listed{Row: l.Row, Number: l.Number, Name: l.Name}
		for _, c := range l.Changes {
			out[i].Changes = append(out[i].Changes, web.Change(c))
		}
	}
	return out
}

// importOrder is a large import as an errand.
type importOrder struct {
	Upload string
	Choice web.ImportChoice
}

const importErrand = "import"

// Apply imports a kept file. A second press imports nothing and comes to the
// same place. A large file is imported by an errand, and Underway says so.
func (p *people) Apply(ctx context.Context, who web.Principal, id string, choice web.ImportChoice) (string, error) {
	if !who.May(web.Keep) {
		return "", web.ErrForbidden
	}
	up, err := p.uploads.kept(id)
	if err != nil {
		return "", err
	}
	if !up.large() || up.Done != "" {
		return p.apply(ctx, who.Actor, id, choice, func(int) {})
	}
	// What is wrong is said at once if it is known already, else by the errand.
	var under *web.Underway
	c, err := p.Check(ctx, id, choice.SkipFaulty, choice.Whole)
	if err == nil {
		err = allowed(c, choice)
	}
	if err != nil && !errors.As(err, &under) {
		return "", err
	}
	if err := p.errands.begin(ctx, importErrand+"-"+id, importErrand, who.Actor, importOrder{id, choice}); err != nil {
		return "", err
	}
	return "", &web.Underway{}
}

// Applying says how the import of a large file goes.
func (p *people) Applying(_ context.Context, id string) (web.Errand, error) {
	return p.errands.under(importErrand + "-" + id)
}

// doImport is Apply as an errand.
func (p *people) doImport(ctx context.Context, _ string, e errand, progress func(int)) (errand, error) {
	var o importOrder
	if err := json.Unmarshal(e.Order, &o); err != nil {
		return e, fmt.Errorf("decode import: %w", err)
	}
	var err error
	e.Result, err = p.apply(ctx, e.By, o.Upload, o.Choice, progress)
	switch {
	case errors.Is(err, web.ErrConflict):
		err = announcement.FieldErrors{{Field: "file", Why: "Somebody changed people in between. Check the file again."}}
	case errors.Is(err, web.ErrNotFound):
		err = announcement.FieldErrors{{Field: "file", Why: "This upload is too old. Choose the file again."}}
	}
	return e, err
}

// allowed says why an import may not be made.
func allowed(c web.ImportCheck, choice web.ImportChoice) error {
	if len(c.Errors) > 0 {
		return announcement.FieldErrors{{Field: "file", Why: "Mend the faulty rows first, or leave them out."}}
	}
	if c.MustType(choice.Whole) && choice.Typed != c.LeavingWith(choice.Whole) {
		return announcement.FieldErrors{{Field: "typed", Why: fmt.Sprintf("Type how many people leave: %d.", c.LeavingWith(choice.Whole))}}
	}
	return nil
}

// apply counts anew what is imported, and imports it under the id of the upload:
// cut off in the middle and done again, it is one import.
func (p *people) apply(ctx context.Context, by announcement.Actor, id string, choice web.ImportChoice, progress func(int)) (string, error) {
	p.applying.Lock()
	defer p.applying.Unlock()
	up, err := p.uploads.kept(id)
	if err != nil {
		return "", err
	}
	if up.Done != "" {
		return up.Done, nil
	}
	o := p.options(up, choice.SkipFaulty, choice.Whole)
	o.DryRun, o.Progress = true, func(percent int) { progress(percent / 2) }
	dry, err := p.take(ctx, id, up, o)
	if err != nil {
		return "", err
	}
	switch _, err := p.Imported(ctx, id); {
	case err != nil:
		if dry.Confirm || choice.Whole && dry.Missing > 0 {
			o.Leaving = choice.Typed
		}
		if err := allowed(p.checked(up, dry), choice); err != nil {
			return "", err
		}
		up.Confirmed = &choice
		if err := p.uploads.put(ctx, id, up); err != nil {
			return "", err
		}
	case up.Confirmed == nil || up.Confirmed.Whole != choice.Whole || up.Confirmed.SkipFaulty != choice.SkipFaulty:
		return "", web.ErrConflict // it was cut off, and this is not what was confirmed
	default:
		o.Leaving = directory.AnyNumber // fewer are left than were typed: the others have gone already
	}
	o.DryRun, o.Progress = false, func(percent int) { progress(50 + percent/2) }
	o.Undo, o.UndoID = string(by), id
	report, err := p.take(ctx, id, up, o)
	if errors.Is(err, directory.ErrManyLeave) {
		return "", web.ErrConflict // others left in between
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	p.uploads.forgetChecks()
	if len(report.Errors) > 0 {
		return "", web.ErrConflict // somebody changed people in between
	}
	up.Done = report.Undo
	if _, err := p.Imported(ctx, id); err == nil {
		up.Done = id // also when nothing was left to do
	}
	if up.Done == "" {
		return "", nil // it changed nothing
	}
	return up.Done, p.uploads.put(ctx, id, up)
}

// Imports lists the imports that were made, newest first.
func (p *people) Imports(context.Context) []web.Imported {
	var out []web.Imported
	for _, past := range p.directory.Imports() {
		i := web.Imported{ID: past.ID, At: past.At, By: p.desk.actorName(announcement.Actor(past.By)), Added: past.Added, Changed: past.Changed, Left: past.Left,
			Skipped: past.Skipped, Mended: past.Mended, Kept: past.Kept, Undone: !past.Undone.IsZero()}
		if until := past.At.Add(directory.UndoWithin); !i.Undone && p.desk.now().Before(until) {
			i.Until = until
		}
		out = append(out, i)
	}
	return out
}

// Imported returns one import that was made.
func (p *people) Imported(ctx context.Context, done string) (web.Imported, error) {
	for _, i := range p.Imports(ctx) {
		if i.ID == done {
			return i, nil
		}
	}
	return web.Imported{}, web.ErrNotFound
}

// Undo brings back what was before an import. People whom it added and who were
// called since, for themselves or about others, stay known, inactive: the story of what
// happened names them.
func (p *people) Undo(ctx context.Context, who web.Principal, done string) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	called := map[announcement.PersonID]bool{}
	for _, id := range p.desk.tracker.IDs() {
		if v, ok := p.desk.tracker.View(id); ok && v.Roster != nil {
			for _, r := range v.Roster.Recipients {
				called[r.Person] = true
			}
			for _, l := range v.Roster.Lines {
				called[l.Person] = true
			}
			for _, duty := range v.Roster.Duty {
				called[duty] = true
			}
			for _, round := range v.Rounds {
				for _, c := range round.To {
					called[c.Person] = true
				}
			}
		}
	}
	err := p.directory.Undo(ctx, done, func(id announcement.PersonID) bool { return called[id] })
	switch {
	case errors.Is(err, directory.ErrUnknown):
		return web.ErrNotFound
	case errors.Is(err, directory.ErrTooLate):
		return announcement.FieldErrors{{Field: "undo", Why: "An import can be undone for 24 hours."}}
	case err != nil:
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	p.uploads.forgetChecks()
	return nil
}
