package app

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// uploads keeps files of people on their way in, encrypted, so that any node can
// take the next step of an import and nothing travels through the browser twice.
type uploads struct {
	*shelf[upload]
	now func() time.Time

	checking sync.Mutex // held while checks is read or changed
	checks   map[string]*checked
	life     context.Context // of the node: a check outlives the page that asked for it
}

// upload is a file as kept.
type upload struct {
	Name     string    `json:"name"`
	At       time.Time `json:"at"`
	Parts    int       `json:"parts"`
	Columns  []string  `json:"columns,omitempty"`  // as a person matched them
	Done     string    `json:"done,omitempty"`     // the import that was made of it
	Headings []string  `json:"headings,omitempty"` // of the file
	Rows     int       `json:"rows,omitempty"`

	Confirmed *web.ImportChoice `json:"confirmed,omitempty"` // of the import that began
}

// large reports whether a file takes longer than a page may.
func (up upload) large() bool { return up.Rows > largeFile }

// largeFile is from how many rows on people see how far it is: some 5,000 are
// checked and imported within a second or two.
const largeFile = 5000

// checked is a check, which takes seconds for a large company. It changes nothing,
// so each node makes its own when it is asked for one.
type checked struct {
	percent atomic.Int32
	done    chan struct{}
	at      time.Time // when it was done
	stale   bool      // people changed while it went on
	report  directory.ImportReport
	err     error
}

const (
	uploadPartKey = "uploadpart."
	uploadLife    = time.Hour
	checkLife     = 5 * time.Minute
	checkPatience = time.Second // then a page says how far it is
)

// openUploads returns when everything that was kept before is known.
func openUploads(ctx context.Context, vault ledger.Vault, now func() time.Time) (*uploads, error) {
	kept, err := openShelf[upload](ctx, vault, "upload.", "uploads")
	return &uploads{shelf: kept, now: now, checks: map[string]*checked{}, life: ctx}, err
}

// kept returns a file that is not too old.
func (u *uploads) kept(id string) (upload, error) {
	up, ok := u.get(id)
	if !ok || u.now().Sub(up.At) >= uploadLife {
		return upload{}, web.ErrNotFound
	}
	return up, nil
}

// keep stores a file under a new id, and erases those that are too old.
func (u *uploads) keep(ctx context.Context, up upload, file []byte) (string, error) {
	if err := u.forget(ctx); err != nil {
		return "", err
	}
	id := string(announcement.NewID())
	var err error
	if up.Parts, err = putParts(ctx, u.vault, uploadPartKey+id, file); err != nil {
		return "", err
	}
	up.At = u.now().UTC()
	return id, u.put(ctx, id, up)
}

func (u *uploads) forget(ctx context.Context) error {
	for id, up := range u.walk() {
		if u.now().Sub(up.At) < uploadLife {
			continue
		}
		if err := deleteParts(ctx, u.vault, uploadPartKey+id, up.Parts); err != nil {
			return err
		}
		if err := u.drop(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// file returns what was uploaded.
func (u *uploads) file(ctx context.Context, id string, up upload) ([]byte, error) {
	return getParts(ctx, u.vault, uploadPartKey+id, up.Parts)
}

// check returns what an import would do, from memory if it was asked a moment ago.
// One that takes longer goes on, and Underway says how far it is; with patience it
// is waited for.
func (u *uploads) check(ctx context.Context, key string, patient bool, do func(context.Context, func(percent int)) (directory.ImportReport, error)) (directory.ImportReport, error) {
	c := u.begin(key, do)
	patience := time.NewTimer(checkPatience)
	defer patience.Stop()
	if patient {
		patience.Stop()
	}
	select {
	case <-c.done:
		return c.report, c.err
	case <-patience.C:
		return directory.ImportReport{}, &web.Underway{Percent: int(c.percent.Load())}
	case <-ctx.Done():
		return directory.ImportReport{}, ctx.Err()
	}
}

func (u *uploads) begin(key string, do func(context.Context, func(percent int)) (directory.ImportReport, error)) *checked {
	u.checking.Lock()
	defer u.checking.Unlock()
	for k, old := range u.checks {
		if !old.at.IsZero() && u.now().Sub(old.at) >= old.lives() {
			delete(u.checks, k)
		}
	}
	if c := u.checks[key]; c != nil {
		return c
	}
	c := &checked{done: make(chan struct{})}
	u.checks[key] = c
	go func() {
		defer func() {
			if v := recover(); v != nil {
				c.err = fmt.Errorf("panicked: %T", v)
			}
			u.checking.Lock()
			defer u.checking.Unlock()
			c.at = u.now()
			if c.err != nil && u.checks[key] == c { // the next who asks tries again
				delete(u.checks, key)
			}
			close(c.done)
		}()
		c.report, c.err = do(u.life, func(p int) { c.percent.Store(int32(min(p, 99))) }) // #nosec G115 -- at most 99
	}()
	return c
}

// lives is how long a check may be believed. One during which people changed is
// still shown to whoever waits for it: else, where people change all the time, a
// large file could never be checked. The import itself checks again.
func (c *checked) lives() time.Duration {
	if c.stale {
		return 10 * time.Second
	}
	return checkLife
}

func (u *uploads) forgetChecks() {
	u.checking.Lock()
	defer u.checking.Unlock()
	for key, c := range u.checks {
		if c.at.IsZero() {
			c.stale = true
			continue
		}
		delete(u.checks, key)
	}
}
