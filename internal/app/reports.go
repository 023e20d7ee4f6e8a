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
func (d *desk) OrderReport(ctx context.Context, p web.Principal, o web.ReportOrder) (string, error) {
	if _, err := d.view(ctx, o.Announcement); err != nil {
		return "", err
	}
	id := fmt.Sprintf("%s-%s-%s-%s-%d", reportErrand, o.Announcement, o.File, o.Language, d.now().Unix()/60)
	return id, d.errands.begin(ctx, id, reportErrand, p.Actor, o)
}

// MadeReports lists the files of the reports of an announcement, newest first.
func (d *desk) MadeReports(_ context.Context, id announcement.ID) []web.MadeReport {
	var out []web.MadeReport
	for _, key := range d.errands.list(func(_ string, e errand) bool { return e.Kind == reportErrand }) {
		if r, err := d.madeReport(key); err == nil && r.Announcement == id {
			out = append(out, r)
		}
	}
	return out
}

// MadeReport says how the file of a report goes.
func (d *desk) MadeReport(_ context.Context, id announcement.ID, key string) (web.MadeReport, error) {
	r, err := d.madeReport(key)
	if err == nil && r.Announcement != id {
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
func (d *desk) ReportBytes(ctx context.Context, id announcement.ID, key string) (web.MadeReport, []byte, error) {
	r, err := d.MadeReport(ctx, id, key)
	if err == nil && (!r.Done || r.Fault != "") {
		err = web.ErrNotFound
	}
	if err != nil {
		return r, nil, err
	}
	e, _ := d.errands.get(key)
	file, err := getParts(ctx, d.vault, errandPartKey+key, e.Parts)
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
