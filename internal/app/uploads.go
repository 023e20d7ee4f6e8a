package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// uploads keeps files of people on their way in, encrypted, so that any node can
// take the next step of an import and nothing travels through the browser twice.
type uploads struct {
	vault ledger.Vault
	now   func() time.Time

	mu     sync.Mutex
	kept   map[string]upload
	checks map[string]checked
}

// upload is a file as kept.
type upload struct {
	Name     string    `json:"name"`
	At       time.Time `json:"at"`
	Parts    int       `json:"parts"`
	Columns  []string  `json:"columns,omitempty"`  // as a person matched them
	Done     string    `json:"done,omitempty"`     // the import that was made of it
	Headings []string  `json:"headings,omitempty"` // of the file
}

// checked is the outcome of a check that takes seconds for a large company.
type checked struct {
	at     time.Time
	report directory.ImportReport
}

const (
	uploadKey     = "upload."
	uploadPartKey = "uploadpart."
	uploadLife    = time.Hour
	uploadPart    = 512 << 10 // bytes; a value of the vault has to stay below 1 MB
	checkLife     = 5 * time.Minute
)

// openUploads returns when everything that was kept before is known.
func openUploads(ctx context.Context, vault ledger.Vault, now func() time.Time) (*uploads, error) {
	u := &uploads{vault: vault, now: now, kept: map[string]upload{}, checks: map[string]checked{}}
	if err := keepUp(ctx, vault, uploadKey, "uploads", u.learn); err != nil {
		return nil, err
	}
	return u, nil
}

func (u *uploads) learn(key string, value []byte) {
	u.mu.Lock()
	defer u.mu.Unlock()
	id := strings.TrimPrefix(key, uploadKey)
	var up upload
	if value == nil || json.Unmarshal(value, &up) != nil {
		delete(u.kept, id)
		return
	}
	u.kept[id] = up
}

// get returns a kept file that is not too old.
func (u *uploads) get(id string) (upload, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	up, ok := u.kept[id]
	if !ok || u.now().Sub(up.At) >= uploadLife {
		return upload{}, web.ErrNotFound
	}
	return up, nil
}

func (u *uploads) put(ctx context.Context, id string, up upload) error {
	value, err := json.Marshal(up)
	if err != nil {
		return fmt.Errorf("encode upload: %w", err)
	}
	if err := u.vault.Put(ctx, uploadKey+id, value); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	u.learn(uploadKey+id, value)
	return nil
}

// keep stores a file under a new id, and erases those that are too old.
func (u *uploads) keep(ctx context.Context, up upload, file []byte) (string, error) {
	if err := u.forget(ctx); err != nil {
		return "", err
	}
	id := string(announcement.NewID())
	for part := range slices.Chunk(file, uploadPart) {
		if err := u.vault.Put(ctx, fmt.Sprintf("%s%s.%d", uploadPartKey, id, up.Parts), part); err != nil {
			return "", fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		up.Parts++
	}
	up.At = u.now().UTC()
	return id, u.put(ctx, id, up)
}

func (u *uploads) forget(ctx context.Context) error {
	u.mu.Lock()
	old := map[string]int{}
	for id, up := range u.kept {
		if u.now().Sub(up.At) >= uploadLife {
			old[id] = up.Parts
		}
	}
	u.mu.Unlock()
	for id, parts := range old {
		for n := range parts {
			if err := u.vault.Delete(ctx, fmt.Sprintf("%s%s.%d", uploadPartKey, id, n)); err != nil {
				return fmt.Errorf("%w: %w", web.ErrNotYet, err)
			}
		}
		if err := u.vault.Delete(ctx, uploadKey+id); err != nil {
			return fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		u.learn(uploadKey+id, nil)
	}
	return nil
}

// file returns what was uploaded.
func (u *uploads) file(ctx context.Context, id string, up upload) ([]byte, error) {
	var out bytes.Buffer
	for n := range up.Parts {
		part, err := u.vault.Get(ctx, fmt.Sprintf("%s%s.%d", uploadPartKey, id, n))
		if errors.Is(err, ledger.ErrNotFound) {
			return nil, web.ErrNotFound
		}
		if err != nil {
			return nil, fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		out.Write(part)
	}
	return out.Bytes(), nil
}

// check returns what an import would do, from memory if it was asked a moment ago.
func (u *uploads) check(key string, make func() (directory.ImportReport, error)) (directory.ImportReport, error) {
	u.mu.Lock()
	c, ok := u.checks[key]
	for k, old := range u.checks {
		if u.now().Sub(old.at) >= checkLife {
			delete(u.checks, k)
		}
	}
	u.mu.Unlock()
	if ok && u.now().Sub(c.at) < checkLife {
		return c.report, nil
	}
	report, err := make()
	if err != nil {
		return report, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.checks[key] = checked{u.now(), report}
	return report, nil
}

func (u *uploads) forgetChecks() {
	u.mu.Lock()
	defer u.mu.Unlock()
	clear(u.checks)
}
