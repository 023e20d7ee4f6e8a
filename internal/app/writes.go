package app

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// writes remembers whether what was last written reached the disk. That NATS
// answers does not tell: with a full disk everything can still be read, and
// nothing recorded.
type writes struct {
	mu      sync.Mutex
	failing error
	tried   time.Time

	// The ledger's own, which a write to the vault says nothing about: after a full
	// disk NATS may refuse one stream until it is restarted, and take the other.
	stuck       error
	since, last time.Time // of writes that failed, with none between that did not

	failed atomic.Uint64       // writes that were not acknowledged, since the start
	took   func(time.Duration) // hears how long each write to the ledger took; nil: nobody asks
}

// began returns what is called when a write to the ledger has ended.
func (w *writes) began() (ended func()) {
	if w.took == nil {
		return func() {}
	}
	start := time.Now()
	return func() { w.took(time.Since(start)) }
}

// A ledger that has failed for stuckAfter, and just now, is not mended by itself.
// A moment without NATS is shorter, and who has stopped writing is asked again.
const (
	stuckAfter = 15 * time.Second
	stuckFor   = time.Minute
)

// noteLedger is note for a write to the ledger.
func (w *writes) noteLedger(err error) error {
	w.mu.Lock()
	switch now := time.Now(); {
	case err == nil:
		w.stuck = nil
	case errors.Is(err, ledger.ErrUnavailable) && !errors.Is(err, context.Canceled):
		if w.stuck == nil {
			w.since = now
		}
		w.stuck, w.last = err, now
	}
	w.mu.Unlock()
	return w.note(err)
}

// writesPause is how often it is tried again whether writing works.
const writesPause = 2 * time.Second

func (w *writes) note(err error) error {
	if errors.Is(err, context.Canceled) {
		return err // whoever asked has gone; that says nothing about the disk
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tried = time.Now()
	if w.failing = nil; errors.Is(err, ledger.ErrUnavailable) {
		w.failed.Add(1)
		w.failing = err
	}
	return err
}

// check returns why nothing can be recorded. While the last write has failed it
// tries one of its own, so that it ends without anybody's help.
func (w *writes) check(ctx context.Context, vault ledger.Vault) error {
	w.mu.Lock()
	failing, wait := w.failing, writesPause-time.Since(w.tried)
	if w.stuck != nil && w.last.Sub(w.since) >= stuckAfter && time.Since(w.last) < stuckFor {
		failing, wait = w.stuck, writesPause
	}
	w.mu.Unlock()
	if failing == nil || wait > 0 {
		return failing
	}
	return vault.Put(ctx, "probe.write", []byte("1"))
}

// notedLedger and notedVault tell writes how each write went.
type notedLedger struct {
	ledger.Ledger
	*writes
}

func (l notedLedger) Append(ctx context.Context, facts ...announcement.Fact) (uint64, error) {
	defer l.began()()
	seq, err := l.Ledger.Append(ctx, facts...)
	return seq, l.noteLedger(err)
}

func (l notedLedger) Once(ctx context.Context, key string, f announcement.Fact) (uint64, error) {
	defer l.began()()
	seq, err := l.Ledger.Once(ctx, key, f)
	return seq, l.noteLedger(err)
}

func (l notedLedger) Accept(ctx context.Context, facts []announcement.Fact) (uint64, error) {
	defer l.began()()
	seq, err := l.Ledger.Accept(ctx, facts)
	return seq, l.noteLedger(err)
}

type notedVault struct {
	ledger.Vault
	*writes
}

func (v notedVault) Put(ctx context.Context, key string, value []byte) error {
	return v.note(v.Vault.Put(ctx, key, value))
}

func (v notedVault) PutAll(ctx context.Context, values map[string][]byte) error {
	return v.note(v.Vault.PutAll(ctx, values))
}

func (v notedVault) Create(ctx context.Context, key string, value []byte) error {
	return v.note(v.Vault.Create(ctx, key, value))
}

func (v notedVault) Change(ctx context.Context, key string, was, value []byte) error {
	return v.note(v.Vault.Change(ctx, key, was, value))
}

func (v notedVault) Delete(ctx context.Context, key string) error {
	return v.note(v.Vault.Delete(ctx, key))
}
