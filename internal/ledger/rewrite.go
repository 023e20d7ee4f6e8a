package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

// What nats-server overwrites or deletes stays in its files, sealed as it was: it
// writes a file anew only when less than half of it counts, and the newest never.
// So every present value is put again behind the newest file, and what lies before is
// purged, which removes whole files. Filling up the newest one first makes sure that
// none of them is shared.
const (
	fileSize   = 8 << 20 // the largest that nats-server makes
	fillerSize = 512 << 10
	// markersKept is how long it stays known that a key was deleted: a node that has
	// not followed for so long is started anew.
	markersKept = 7 * 24 * time.Hour

	rewriteBatch = 500
	rewriteBytes = 4 << 20
	rewriteTries = 5
)

// Rewrite implements Vault. Every value is sealed anew, with the newest key. It does
// no harm when two nodes do it at once, or when it is cut off.
//
// With replicas, the servers' logs of replication hold the old files' content until
// their next snapshot.
func (v *KV) Rewrite(ctx context.Context) error {
	first, err := v.fill(ctx)
	if err != nil {
		return fmt.Errorf("rewrite vault: fill a file: %w", unavailable(err))
	}
	for try := range rewriteTries {
		behind, err := v.putAgain(ctx, first, try == 0)
		if err != nil {
			return fmt.Errorf("rewrite vault: %w", unavailable(err))
		}
		if behind > 0 {
			continue // look again: nothing that counts may lie before what is purged
		}
		stream, err := v.js.Stream(ctx, "KV_"+bucketName)
		if err != nil {
			return fmt.Errorf("rewrite vault: %w", unavailable(err))
		}
		if err := stream.Purge(ctx, jetstream.WithPurgeSequence(first)); err != nil {
			return fmt.Errorf("rewrite vault: purge: %w", unavailable(err))
		}
		return nil
	}
	return errors.New("rewrite vault: values changed all the time; try again")
}

// fill begins a file and returns a position in it.
func (v *KV) fill(ctx context.Context) (uint64, error) {
	filler := make([]byte, fillerSize)
	_, _ = rand.Read(filler) // a file system that compresses must not make less of it
	var last uint64
	for range fileSize/fillerSize + 2 {
		ack, err := v.js.Publish(ctx, "$KV."+bucketName+"."+fillerKey, filler)
		if err != nil {
			return 0, err
		}
		last = ack.Sequence
	}
	return last, nil
}

// putAgain puts what lies before a position behind it, and returns how much that
// was. What somebody changes at the same time lies behind it by that.
func (v *KV) putAgain(ctx context.Context, first uint64, atOnce bool) (behind int, err error) {
	w, err := v.kv.WatchAll(ctx)
	if err != nil {
		return 0, err
	}
	defer func() { _ = w.Stop() }()
	var msgs []*nats.Msg
	size := 0
	send := func() error {
		some := msgs
		msgs, size = nil, 0
		return v.replace(ctx, some, atOnce)
	}
	for {
		e, err := v.next(ctx, w, false)
		if err != nil {
			return behind, err
		}
		if e == nil {
			return behind, send()
		}
		if e.Revision() >= first {
			continue
		}
		again := v.again(e)
		if again == nil {
			continue
		}
		behind++
		if msgs, size = append(msgs, again), size+len(again.Data); len(msgs) == rewriteBatch || size >= rewriteBytes {
			if err := send(); err != nil {
				return behind, err
			}
		}
	}
}

// again is an entry to be put in place of itself; nil for one that need not stay.
func (v *KV) again(e jetstream.KeyValueEntry) *nats.Msg {
	m := nats.NewMsg("$KV." + bucketName + "." + e.Key())
	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(e.Revision(), 10))
	if e.Operation() != jetstream.KeyValuePut {
		gone := e.Created()
		if _, at, err := v.seal.open(e.Key(), e.Value()); err == nil && !at.IsZero() {
			gone = at // it was written anew before
		}
		if v.now().Sub(gone) > markersKept {
			return nil
		}
		m.Header.Set("KV-Operation", "DEL")
		m.Data = v.seal.seal(e.Key(), nil, gone)
		return m
	}
	value, at, err := v.seal.open(e.Key(), e.Value())
	switch {
	case err != nil:
		m.Data = e.Value() // it may be mended one day
	case at.IsZero():
		m.Data = v.seal.seal(e.Key(), value, e.Created())
	default:
		m.Data = v.seal.seal(e.Key(), value, at)
	}
	return m
}

// replace puts values in place of those that were read, all at once or, where
// somebody changed one of them meanwhile, each by itself.
func (v *KV) replace(ctx context.Context, msgs []*nats.Msg, atOnce bool) error {
	if len(msgs) == 0 {
		return nil
	}
	if atOnce && len(msgs) > 1 {
		if _, err := jetstreamext.PublishMsgBatch(ctx, v.js, msgs); err == nil {
			return nil
		}
		for _, m := range msgs { // what the batch needed
			for _, h := range []string{"Nats-Batch-Id", "Nats-Batch-Sequence", "Nats-Batch-Commit"} {
				m.Header.Del(h)
			}
		}
	}
	for _, m := range msgs {
		if _, err := v.js.PublishMsg(ctx, m); err != nil && !taken(err) { // taken: changed meanwhile
			return err
		}
	}
	return nil
}

// Walk implements Vault. A value that does not open is passed over.
func (v *KV) Walk(ctx context.Context, prefix string, fn func(key string, value []byte, at time.Time) error) error {
	w, err := v.kv.Watch(ctx, keysUnder(prefix), jetstream.IgnoreDeletes())
	if err != nil {
		return fmt.Errorf("walk vault: %w", unavailable(err))
	}
	defer func() { _ = w.Stop() }()
	for {
		e, err := v.next(ctx, w, false)
		if err != nil {
			return fmt.Errorf("walk vault: %w", err)
		}
		if e == nil {
			return nil
		}
		if ours(e.Key()) {
			continue
		}
		value, at, err := v.seal.open(e.Key(), e.Value())
		if err != nil {
			continue
		}
		if at.IsZero() {
			at = e.Created()
		}
		if err := fn(e.Key(), value, at); err != nil {
			return err
		}
	}
}
