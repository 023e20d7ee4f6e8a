package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"
)

const (
	bucketName = "kentongan-people"
	// checkKey holds a known value, by which a wrong key is found at the start.
	checkKey = "vault.check"
	// fillerKey holds what Rewrite fills a file with.
	fillerKey = "vault.filler"
)

// KV is the Vault that serves: a JetStream key-value bucket.
type KV struct {
	js   jetstream.JetStream
	kv   jetstream.KeyValue
	seal sealer
	now  func() time.Time
}

// VaultOptions say how a vault is sealed and kept.
type VaultOptions struct {
	Key      [32]byte
	Former   [][32]byte // keys that values may still be sealed with; Rewrite ends that
	Replicas int        // 0 means 1
	Now      func() time.Time
}

// OpenVault creates the bucket unless it exists, and checks that the key is one
// its values were sealed with.
//
// The stream under the bucket is created here, as nats.go would, but with atomic
// batches: a thousand people then cost a few fsyncs instead of a thousand.
func OpenVault(ctx context.Context, nc *nats.Conn, o VaultOptions) (*KV, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	seal, err := newSealer(append([][32]byte{o.Key}, o.Former...)...)
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	_, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:               "KV_" + bucketName,
		Subjects:           []string{"$KV." + bucketName + ".>"},
		Storage:            jetstream.FileStorage,
		MaxMsgsPerSubject:  1,
		AllowRollup:        true,
		DenyDelete:         true,
		AllowDirect:        true,
		AllowAtomicPublish: true,
		Discard:            jetstream.DiscardNew,
		Duplicates:         2 * time.Minute,
		Replicas:           max(o.Replicas, 1),
		MaxBytes:           -1, MaxMsgSize: -1, MaxMsgs: -1, MaxConsumers: -1,
	})
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	kv, err := js.KeyValue(ctx, bucketName)
	if err != nil {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	v := &KV{js: js, kv: kv, seal: seal, now: o.Now}
	if err := v.Create(ctx, checkKey, []byte(bucketName)); err != nil && !errors.Is(err, ErrAlready) {
		return nil, fmt.Errorf("open vault: %w", err)
	}
	if _, err := v.Get(ctx, checkKey); err != nil {
		return nil, fmt.Errorf("open vault: check the key: %w", err)
	}
	return v, nil
}

// Put implements Vault.
func (v *KV) Put(ctx context.Context, key string, value []byte) error {
	if err := checkName(key); err != nil {
		return err
	}
	err := connected(ctx, func() error {
		_, err := v.kv.Put(ctx, key, v.seal.seal(key, value, v.now()))
		return err
	})
	if err != nil {
		return fmt.Errorf("put value: %w", unavailable(err))
	}
	return nil
}

// connected tries a write again while the connection is away: nothing was sent then, and
// in a moment another server may answer. A person waits for it, so not for long.
func connected(ctx context.Context, write func() error) error {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	for {
		if err := write(); !errors.Is(err, nats.ErrReconnectBufExceeded) || !pause(ctx, retryPause) {
			return err
		}
	}
}

// PutAll implements Vault, with atomic batches of up to 1,000 values.
func (v *KV) PutAll(ctx context.Context, values map[string][]byte) error {
	names := slices.Sorted(maps.Keys(values))
	for _, name := range names {
		if err := checkName(name); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(names, maxBatch) {
		msgs := make([]*nats.Msg, len(some))
		for i, name := range some {
			msgs[i] = nats.NewMsg("$KV." + bucketName + "." + name)
			msgs[i].Data = v.seal.seal(name, values[name], v.now())
		}
		if err := v.putBatch(ctx, msgs); err != nil {
			return fmt.Errorf("put values: %w", unavailable(err))
		}
	}
	return nil
}

// putBatch tries a batch again when its reply was lost: storing the same values
// twice changes nothing.
func (v *KV) putBatch(ctx context.Context, msgs []*nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	for {
		once, done := context.WithTimeout(ctx, 2*ackTimeout)
		_, err := jetstreamext.PublishMsgBatch(once, v.js, msgs)
		done()
		if err == nil || refused(err) || !pause(ctx, retryPause) {
			return err
		}
	}
}

// Create implements Vault.
func (v *KV) Create(ctx context.Context, key string, value []byte) error {
	if err := checkName(key); err != nil {
		return err
	}
	err := connected(ctx, func() error {
		_, err := v.kv.Create(ctx, key, v.seal.seal(key, value, v.now()))
		return err
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyExists):
		return ErrAlready
	}
	return fmt.Errorf("create value: %w", unavailable(err))
}

// Change implements Vault.
func (v *KV) Change(ctx context.Context, key string, was, value []byte) error {
	if err := checkName(key); err != nil {
		return err
	}
	e, err := v.kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return ErrChanged
	}
	if err != nil {
		return fmt.Errorf("change value: %w", unavailable(err))
	}
	now, _, err := v.seal.open(key, e.Value())
	if err != nil {
		return fmt.Errorf("change value: %w", err)
	}
	if !bytes.Equal(now, was) {
		return ErrChanged
	}
	err = connected(ctx, func() error {
		_, err := v.kv.Update(ctx, key, v.seal.seal(key, value, v.now()), e.Revision())
		return err
	})
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyExists): // so nats.go names another revision
		return ErrChanged
	}
	return fmt.Errorf("change value: %w", unavailable(err))
}

// Get implements Vault.
func (v *KV) Get(ctx context.Context, key string) ([]byte, error) {
	if err := checkName(key); err != nil {
		return nil, err
	}
	e, err := v.kv.Get(ctx, key)
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return nil, ErrNotFound
	case err != nil:
		return nil, fmt.Errorf("get value: %w", unavailable(err))
	}
	value, _, err := v.seal.open(key, e.Value())
	if err != nil {
		return nil, fmt.Errorf("get value: %w", err)
	}
	return value, nil
}

// Delete implements Vault. What stays is a marker with the opaque key.
func (v *KV) Delete(ctx context.Context, key string) error {
	if err := checkName(key); err != nil {
		return err
	}
	if err := connected(ctx, func() error { return v.kv.Purge(ctx, key) }); err != nil {
		return fmt.Errorf("delete value: %w", unavailable(err))
	}
	return nil
}

// Follow implements Vault. A value that does not open is logged and left out:
// one damaged person must not keep all others from being called. Before ready it ends
// with ErrDamaged when the server cannot read a record: who that was, nobody can say.
func (v *KV) Follow(ctx context.Context, prefix string, fn func(key string, value []byte), ready func()) error {
	isReady := false
	for ctx.Err() == nil {
		err := v.watch(ctx, prefix, &isReady, fn, ready)
		if errors.Is(err, ErrDamaged) {
			return err
		}
		if ctx.Err() == nil {
			slog.Default().Warn("vault cannot be followed, trying again", "step", "follow", "reason", fmt.Sprint(err))
			pause(ctx, retryPause)
		}
	}
	return ctx.Err()
}

// keysUnder is the pattern of the keys with a prefix, which ends a part or is a
// whole key, so that no follower is sent what another asked for.
func keysUnder(prefix string) string {
	if prefix == "" || strings.HasSuffix(prefix, ".") {
		return prefix + ">"
	}
	return prefix
}

// ErrDamaged says that the vault holds a record that the server cannot read. Such a
// record may be anybody: a start that went on would call fewer people in silence.
var ErrDamaged = errors.New("the vault is damaged")

// next returns the next entry of a watcher; nil: all that was there has come. The server
// leaves out what it cannot read, and the watcher then waits for it for ever: until all
// has come, a silence makes us look for such a record.
func (v *KV) next(ctx context.Context, w jetstream.KeyWatcher, complete bool) (jetstream.KeyValueEntry, error) {
	var silent <-chan time.Time
	if !complete {
		quiet := time.NewTimer(silence)
		defer quiet.Stop()
		silent = quiet.C
	}
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-silent:
		return nil, v.missed(ctx)
	case e, ok := <-w.Updates():
		if !ok {
			return nil, unavailable(errors.New("watcher stopped"))
		}
		return e, nil
	}
}

// missed says why a watcher got nothing for so long.
func (v *KV) missed(ctx context.Context) error {
	bad, err := v.unreadable(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("look for what cannot be read: %w", unavailable(err))
	case len(bad) == 0:
		return unavailable(fmt.Errorf("nothing came for %s", silence))
	}
	return fmt.Errorf("%w: %d records of the stream KV_%s cannot be read, the first at position %d; "+
		"copy the data folder or the NATS volume as it is, and restore the last backup into an empty one: deploy/runbook/ledger.md", ErrDamaged, len(bad), bucketName, bad[0])
}

// unreadable returns the positions that the server counts among its records and says
// "not found" of. It looks twice: what another node overwrites at that moment, or a
// copy does not have yet, is not damaged.
func (v *KV) unreadable(ctx context.Context) ([]uint64, error) {
	stream, err := v.js.Stream(ctx, "KV_"+bucketName)
	if err != nil {
		return nil, err
	}
	before, err := stream.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return nil, err
	}
	bad, err := notFound(ctx, stream, before.State, func(yield func(uint64) bool) {
		for seq := before.State.FirstSeq; seq <= before.State.LastSeq && yield(seq); seq++ {
		}
	})
	if err != nil || len(bad) == 0 || !pause(ctx, 2*retryPause) {
		return nil, errors.Join(err, ctx.Err())
	}
	now, err := stream.Info(ctx, jetstream.WithDeletedDetails(true))
	if err != nil {
		return nil, err
	}
	return notFound(ctx, stream, now.State, slices.Values(bad))
}

// notFound returns those of some positions that should be there and are not found.
func notFound(ctx context.Context, stream jetstream.Stream, s jetstream.StreamState, some iter.Seq[uint64]) (bad []uint64, err error) {
	deleted := make(map[uint64]bool, len(s.Deleted))
	for _, seq := range s.Deleted {
		deleted[seq] = true
	}
	for seq := range some {
		if seq < s.FirstSeq || deleted[seq] {
			continue
		}
		switch _, err := stream.GetMsg(ctx, seq); {
		case errors.Is(err, jetstream.ErrMsgNotFound):
			bad = append(bad, seq)
		case err != nil:
			return nil, err
		}
	}
	return bad, nil
}

// ours reports whether a key belongs to the vault itself.
func ours(key string) bool { return key == checkKey || key == fillerKey }

func (v *KV) watch(ctx context.Context, prefix string, isReady *bool, fn func(string, []byte), ready func()) error {
	w, err := v.kv.Watch(ctx, keysUnder(prefix))
	if err != nil {
		return err
	}
	defer func() { _ = w.Stop() }()
	for {
		e, err := v.next(ctx, w, *isReady)
		switch {
		case err != nil:
			return err
		case e == nil:
			if !*isReady {
				*isReady = true
				ready()
			}
		case ours(e.Key()):
		case e.Operation() != jetstream.KeyValuePut:
			if *isReady {
				fn(e.Key(), nil)
			}
		default:
			value, _, err := v.seal.open(e.Key(), e.Value())
			if err != nil {
				slog.Default().Error("vault value does not open", "step", "follow", "reason", err.Error())
				continue
			}
			fn(e.Key(), value)
		}
	}
}
