package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

const reportErrand = "report"

// OrderReport has the file of a large report made. Two presses within a minute are
// one: the numbers of an open alert go on, so later is another file.
func (b boards) OrderReport(ctx context.Context, p web.Principal, o web.ReportOrder) (string, error) {
	if _, err := b.view(ctx, o.Announcement); err != nil {
		return "", err
	}
	o.Grant = p.Grant // the file holds what this person may see, whoever makes it
	id := fmt.Sprintf("%s-%s-%s-%s-%d-%s", reportErrand, o.Announcement, o.File, o.Language, b.now().Unix()/60, shorten(fmt.Sprint(p.Grant)))
	return id, b.errands.begin(ctx, id, reportErrand, p.Actor, o)
}

// MadeReports lists the files of the reports of an announcement, newest first.
func (b boards) MadeReports(_ context.Context, id announcement.ID) []web.MadeReport {
	var out []web.MadeReport
	for _, key := range b.errands.list(func(_ string, e errand) bool { return e.Kind == reportErrand }) {
		if r, err := b.madeReport(key); err == nil && r.Announcement == id && b.grant.Covers(r.Grant) {
			out = append(out, r)
		}
	}
	return out
}

// MadeReport says how the file of a report goes.
func (b boards) MadeReport(_ context.Context, id announcement.ID, key string) (web.MadeReport, error) {
	r, err := b.madeReport(key)
	if err == nil && (r.Announcement != id || !b.grant.Covers(r.Grant)) {
		err = web.ErrNotFound
	}
	return r, err
}

func (d *desk) madeReport(key string) (web.MadeReport, error) {
	var r web.MadeReport
	e, _ := d.errands.get(key)
	if e.Kind != reportErrand || json.Unmarshal(e.Order, &r.ReportOrder) != nil {
		return r, web.ErrNotFound
	}
	var err error
	r.Errand, err = d.errands.under(key)
	return r, err
}

// ReportBytes returns a file that was made.
func (b boards) ReportBytes(ctx context.Context, id announcement.ID, key string) (web.MadeReport, []byte, error) {
	r, err := b.MadeReport(ctx, id, key)
	if err == nil && (!r.Done || r.Fault != "") {
		err = web.ErrNotFound
	}
	if err != nil {
		return r, nil, err
	}
	e, _ := b.errands.get(key)
	file, err := getParts(ctx, b.vault, errandPartKey+key, e.Parts)
	return r, file, err
}

// makeReport is the errand: write makes the file, the vault keeps it.
func (d *desk) makeReport(write func(context.Context, web.ReportOrder, func(percent int)) (file []byte, name string, err error)) work {
	return func(ctx context.Context, id string, e errand, progress func(int)) (errand, error) {
		var o web.ReportOrder
		if err := json.Unmarshal(e.Order, &o); err != nil {
			return e, fmt.Errorf("decode report: %w", err)
		}
		file, name, err := write(ctx, o, progress)
		if errors.Is(err, web.ErrNotFound) {
			return e, announcement.FieldErrors{{Field: "file", Why: "This report does not exist."}}
		}
		if err != nil {
			return e, err
		}
		e.Result = name
		e.Parts, err = putParts(ctx, d.vault, errandPartKey+id, file)
		return e, err
	}
}
