package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"

	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// keepUp follows the values of the vault whose keys start with prefix, until ctx
// ends, so that what one node stores every node knows. It returns when learn has
// heard everything that was stored before. what names it in an error.
func keepUp(ctx context.Context, vault ledger.Vault, prefix, what string, learn func(key string, value []byte)) error {
	ready, failed := make(chan struct{}), make(chan error, 1)
	go func() { failed <- vault.Follow(ctx, prefix, learn, func() { close(ready) }) }()
	select {
	case <-ready:
		return nil
	case err := <-failed:
		return fmt.Errorf("load %s: %w", what, err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// shelf is one kind of thing in the vault, held in memory by every node: what is
// put on it here is there at once, and on the others a moment later.
type shelf[T any] struct {
	vault  ledger.Vault
	prefix string // of the keys, "kind."

	mu  sync.RWMutex
	all map[string]T // by id: the key without its prefix

	// dropped here, and the vault has not told us so yet. What it tells of them until
	// then is older: a session that was ended must not let in for another moment.
	dropped map[string]bool
}

// versioned things that come late change nothing.
type versioned interface{ version() int64 }

// openShelf returns when everything that was stored before is known.
func openShelf[T any](ctx context.Context, vault ledger.Vault, prefix, what string) (*shelf[T], error) {
	s := &shelf[T]{vault: vault, prefix: prefix, all: map[string]T{}, dropped: map[string]bool{}}
	return s, keepUp(ctx, vault, prefix, what, func(key string, value []byte) {
		s.mu.Lock()
		defer s.mu.Unlock()
		id := strings.TrimPrefix(key, prefix)
		if value == nil {
			delete(s.dropped, id)
		}
		if !s.dropped[id] {
			s.learn(id, value)
		}
	})
}

// learn takes what is stored of one thing; nil: nothing. mu is held.
func (s *shelf[T]) learn(id string, value []byte) {
	var is T
	if value == nil || json.Unmarshal(value, &is) != nil {
		delete(s.all, id)
		return
	}
	if late, ok := any(is).(versioned); ok && late.version() < any(s.all[id]).(versioned).version() {
		return
	}
	s.all[id] = is
}

// get returns one thing.
func (s *shelf[T]) get(id string) (T, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	one, ok := s.all[id]
	return one, ok
}

// walk returns all of them as they are now.
func (s *shelf[T]) walk() map[string]T {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return maps.Clone(s.all)
}

// put stores one. web.ErrNotYet: it is not known whether it is stored.
func (s *shelf[T]) put(ctx context.Context, id string, one T) error {
	return s.store(ctx, id, one, s.vault.Put)
}

// create is put for what must not be there yet: then it is ledger.ErrAlready.
func (s *shelf[T]) create(ctx context.Context, id string, one T) error {
	return s.store(ctx, id, one, s.vault.Create)
}

// change makes of one thing what edit makes of it as it is stored now, on whichever
// node: somebody else's change is never lost. web.ErrNotFound: there is none.
func (s *shelf[T]) change(ctx context.Context, id string, edit func(*T) error) (T, error) {
	for {
		var one T
		was, err := s.vault.Get(ctx, s.prefix+id)
		switch {
		case errors.Is(err, ledger.ErrNotFound):
			return one, web.ErrNotFound
		case err != nil:
			return one, fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		if err := json.Unmarshal(was, &one); err != nil {
			return one, fmt.Errorf("read %s: %w", strings.TrimSuffix(s.prefix, "."), err)
		}
		if err := edit(&one); err != nil {
			return one, err
		}
		err = s.store(ctx, id, one, func(ctx context.Context, key string, value []byte) error { return s.vault.Change(ctx, key, was, value) })
		if !errors.Is(err, ledger.ErrChanged) {
			return one, err
		}
	}
}

func (s *shelf[T]) store(ctx context.Context, id string, one T, write func(context.Context, string, []byte) error) error {
	value, err := json.Marshal(one)
	if err != nil {
		return fmt.Errorf("encode %s: %w", strings.TrimSuffix(s.prefix, "."), err)
	}
	switch err := write(ctx, s.prefix+id, value); {
	case errors.Is(err, ledger.ErrAlready), errors.Is(err, ledger.ErrChanged):
		return err
	case err != nil:
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.dropped, id)
	s.learn(id, value)
	return nil
}

// drop erases one. Erasing what is not there is no error.
func (s *shelf[T]) drop(ctx context.Context, id string) error {
	s.mu.Lock()
	s.dropped[id] = true
	s.mu.Unlock()
	err := s.vault.Delete(ctx, s.prefix+id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		delete(s.dropped, id)
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	delete(s.all, id)
	return nil
}
