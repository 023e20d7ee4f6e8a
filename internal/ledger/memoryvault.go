package ledger

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// MemoryVault is a Vault that forgets everything when the process ends, for tests.
type MemoryVault struct {
	mu      sync.Mutex
	values  map[string][]byte
	put     map[string]time.Time
	changes []string // keys, in the order in which they changed
	changed chan struct{}
}

// NewMemoryVault returns an empty vault.
func NewMemoryVault() *MemoryVault {
	return &MemoryVault{values: map[string][]byte{}, put: map[string]time.Time{}, changed: make(chan struct{})}
}

func (v *MemoryVault) set(key string, value []byte) {
	if value == nil {
		delete(v.values, key)
	} else {
		v.values[key], v.put[key] = value, time.Now().UTC()
	}
	v.changes = append(v.changes, key)
	close(v.changed)
	v.changed = make(chan struct{})
}

// Put implements Vault.
func (v *MemoryVault) Put(ctx context.Context, key string, value []byte) error {
	return v.PutAll(ctx, map[string][]byte{key: value})
}

// PutAll implements Vault.
func (v *MemoryVault) PutAll(ctx context.Context, values map[string][]byte) error {
	for key := range values {
		if err := checkName(key); err != nil {
			return err
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	for key, value := range values {
		v.set(key, append([]byte{}, value...))
	}
	return ctx.Err()
}

// Create implements Vault.
func (v *MemoryVault) Create(ctx context.Context, key string, value []byte) error {
	if err := checkName(key); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.values[key]; ok {
		return ErrAlready
	}
	v.set(key, append([]byte{}, value...))
	return ctx.Err()
}

// Change implements Vault.
func (v *MemoryVault) Change(ctx context.Context, key string, was, value []byte) error {
	if err := checkName(key); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if now, ok := v.values[key]; !ok || !bytes.Equal(now, was) {
		return ErrChanged
	}
	v.set(key, append([]byte{}, value...))
	return ctx.Err()
}

// Get implements Vault.
func (v *MemoryVault) Get(ctx context.Context, key string) ([]byte, error) {
	if err := checkName(key); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	value, ok := v.values[key]
	if !ok {
		return nil, ErrNotFound
	}
	return bytes.Clone(value), ctx.Err()
}

// Delete implements Vault.
func (v *MemoryVault) Delete(ctx context.Context, key string) error {
	if err := checkName(key); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.set(key, nil)
	return ctx.Err()
}

// Follow implements Vault.
func (v *MemoryVault) Follow(ctx context.Context, prefix string, fn func(key string, value []byte), ready func()) error {
	v.mu.Lock()
	var keys []string
	for key := range v.values {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	seen := len(v.changes)
	present := make([][]byte, len(keys))
	for i, key := range keys {
		present[i] = bytes.Clone(v.values[key])
	}
	v.mu.Unlock()
	for i, key := range keys {
		if strings.HasPrefix(key, prefix) {
			fn(key, present[i])
		}
	}
	ready()
	for ctx.Err() == nil {
		v.mu.Lock()
		fresh, values := slices.Clone(v.changes[seen:]), map[string][]byte{}
		for _, key := range fresh {
			values[key] = bytes.Clone(v.values[key])
		}
		seen += len(fresh)
		changed := v.changed
		v.mu.Unlock()
		for _, key := range fresh {
			if strings.HasPrefix(key, prefix) {
				fn(key, values[key])
			}
		}
		if len(fresh) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// Walk implements Vault.
func (v *MemoryVault) Walk(ctx context.Context, prefix string, fn func(key string, value []byte, at time.Time) error) error {
	v.mu.Lock()
	values, put := maps.Clone(v.values), maps.Clone(v.put)
	v.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if err := fn(key, bytes.Clone(values[key]), put[key]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Rewrite implements Vault: nothing is kept that was overwritten.
func (v *MemoryVault) Rewrite(ctx context.Context) error { return ctx.Err() }
