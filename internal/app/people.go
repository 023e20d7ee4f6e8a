package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/web"
)

// people is the directory as the API sees it.
type people struct {
	directory    *directory.Directory
	links        *links
	sample       bool // an import in the sandbox makes sample people
	desk         *desk
	uploads      *uploads
	errands      *errands
	editions     *editions
	access       *access
	applying     sync.Mutex // one import at a time: of two presses the second finds it done
	provisioning sync.Mutex // one change of an identity provider at a time
}

// Import reads a CSV file: all of it, or nothing.
func (p *people) Import(ctx context.Context, who web.Principal, r io.Reader, dryRun bool, leaving int) (web.ImportReport, error) {
	if !who.May(web.Keep) {
		return web.ImportReport{}, web.ErrForbidden
	}
	report, err := p.directory.Import(ctx, r, directory.ImportOptions{DryRun: dryRun, Sample: p.sample, Leaving: leaving})
	if errors.Is(err, directory.ErrManyLeave) {
		err = announcement.FieldErrors{{Field: "leaving", Why: fmt.Sprintf("By this file %d people leave. If that is meant, say leaving=%d; nothing was imported.", report.Leaving, report.Leaving)}}
	}
	return importReport(report), err
}

func importReport(r directory.ImportReport) web.ImportReport {
	rows := func(in []directory.RowError) []web.RowError {
		out := make([]web.RowError, len(in))
		for i, e := range in {
			out[i] = web.RowError(e)
		}
		return out
	}
	return web.ImportReport{DryRun: r.DryRun, Rows: r.Rows, Added: r.Added, Changed: r.Changed, Unchanged: r.Unchanged, Leaving: r.Leaving,
		Missing: r.Missing, Confirm: r.Confirm, Mended: r.Mended, Warnings: rows(r.Warnings), Errors: rows(r.Errors)}
}

// EnrolCode returns a person's enrolment code, and until when it counts.
func (p *people) EnrolCode(_ context.Context, number string) (string, time.Time, error) {
	who, ok := p.directory.ByNumber(number)
	if !ok || !who.Active {
		return "", time.Time{}, web.ErrNotFound
	}
	code, until := p.links.enrolment(who.ID, p.desk.now())
	return code, until, nil
}
