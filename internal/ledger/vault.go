package ledger

import (
	"context"
	"time"
)

// Vault keeps what may have to be erased: people, contact points, a person's
// own words, hashed tokens. Values are encrypted with a key outside NATS
// (AES-256-GCM, bound to their key); keys are opaque ids. Deleting purges.
//
// It is implemented on a JetStream key-value bucket and in memory; ledgertest
// judges both. Every value is also followed, so that a node can hold it all in
// memory.
type Vault interface {
	// Put stores value under key. Keys have the form "<kind>.<id>", letters,
	// digits, '-', '_' and '.'.
	Put(ctx context.Context, key string, value []byte) error
	// PutAll stores many values; it is much faster than many calls of Put. On
	// an error some may be stored.
	PutAll(ctx context.Context, values map[string][]byte) error
	// Create stores value unless key exists; then it returns ErrAlready.
	Create(ctx context.Context, key string, value []byte) error
	// Change stores value if what is stored under key is still was; else it returns
	// ErrChanged. Of two nodes that change the same at once one is told to look again.
	Change(ctx context.Context, key string, was, value []byte) error
	// Get returns the value, or ErrNotFound.
	Get(ctx context.Context, key string) ([]byte, error)
	// Delete purges the key and its history. Deleting nothing is no error.
	Delete(ctx context.Context, key string) error
	// Follow calls fn with every present value whose key starts with prefix,
	// then calls ready once, then fn again for each change until ctx ends. A nil
	// value means deleted. fn is called from one goroutine.
	Follow(ctx context.Context, prefix string, fn func(key string, value []byte), ready func()) error
	// Walk calls fn with every present value whose key starts with prefix, and when
	// it was put, until fn fails. What changes meanwhile may come or not.
	Walk(ctx context.Context, prefix string, fn func(key string, value []byte, at time.Time) error) error
	// Rewrite takes off the disk whatever was overwritten or deleted before it was
	// called. A store that only appends keeps that, sealed, until its files are
	// written anew. Present values stay as they are, and as old as they are.
	Rewrite(ctx context.Context) error
}
