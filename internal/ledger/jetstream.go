package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"kentongan/internal/announcement"
)

// streamName is the one stream of facts.
const streamName = "kentongan-ledger"

const (
	// ackTimeout is how long one try of a write waits for its PubAck. A healthy
	// server needs milliseconds; an election of a new leader, about 2 s.
	ackTimeout = 3 * time.Second
	// writeTimeout is how long a write is tried again, with the same id. It must
	// stay well below the duplicate window of the stream (2 min), inside which
	// the server recognises a repeat.
	writeTimeout = 15 * time.Second
	// retryPause lies between two tries, and before a broken follower is opened again.
	retryPause = 100 * time.Millisecond
)

// Options of a JetStream ledger.
type Options struct {
	Replicas int              // copies of the stream; 0 means 1. Three survive the loss of one server
	Now      func() time.Time // time.Now if nil
	Log      *slog.Logger     // slog.Default() if nil
}

// JetStream is the Ledger that serves: one stream on files.
type JetStream struct {
	js     jetstream.JetStream
	stream jetstream.Stream
	batch  *batcher
	now    func() time.Time
	log    *slog.Logger
}

// OpenJetStream creates the stream unless it exists, and returns its ledger.
// The connection stays the caller's. It refuses a server that is too old.
func OpenJetStream(ctx context.Context, nc *nats.Conn, o Options) (*JetStream, error) {
	if err := CheckServer(nc); err != nil {
		return nil, err
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:               streamName,
		Subjects:           []string{subjectPrefix + ">"},
		Storage:            jetstream.FileStorage,
		Retention:          jetstream.LimitsPolicy,
		Discard:            jetstream.DiscardNew, // full means refused, never the oldest facts dropped
		DenyDelete:         true,
		DenyPurge:          true,
		AllowAtomicPublish: true,
		Replicas:           max(o.Replicas, 1),
		Duplicates:         2 * time.Minute,
	})
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return newJetStream(js, stream, o), nil
}

// Replicas returns how many copies of the ledger there are on the servers, 0 when
// there is none yet.
func Replicas(ctx context.Context, nc *nats.Conn) (int, error) {
	l, err := ReadJetStream(ctx, nc, Options{})
	if errors.Is(err, ErrNone) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.stream.CachedInfo().Config.Replicas, nil
}

// ErrNone says that a server holds no ledger.
var ErrNone = errors.New("there is no ledger on this NATS server")

// ReadJetStream returns the ledger that is there, and changes nothing of its
// stream: who only looks must not create one, nor take away its replicas.
func ReadJetStream(ctx context.Context, nc *nats.Conn, o Options) (*JetStream, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	stream, err := js.Stream(ctx, streamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return newJetStream(js, stream, o), nil
}

func newJetStream(js jetstream.JetStream, stream jetstream.Stream, o Options) *JetStream {
	l := &JetStream{js: js, stream: stream, now: o.Now, log: o.Log}
	if l.now == nil {
		l.now = time.Now
	}
	if l.log == nil {
		l.log = slog.Default()
	}
	l.batch = newBatcher(l.writePacked)
	return l
}

// oldestServer is the oldest nats-server whose replication fixes we rely on:
// before it, changes of membership could lose acknowledged messages even with
// sync_interval always (jepsen.io/analyses/nats-2.12.1).
var oldestServer = [3]int{2, 12, 3}

// CheckServer returns an error if the connected server is too old to be trusted
// with facts.
func CheckServer(nc *nats.Conn) error {
	return checkVersion(nc.ConnectedServerVersion())
}

func checkVersion(version string) error {
	var v [3]int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &v[0], &v[1], &v[2]); err != nil {
		return fmt.Errorf("check nats-server: version %q is not known: %w", version, ErrUnavailable)
	}
	for i := range v {
		if v[i] > oldestServer[i] {
			return nil
		}
		if v[i] < oldestServer[i] {
			return fmt.Errorf("check nats-server: version %s is older than 2.12.3, which can lose acknowledged facts", version)
		}
	}
	return nil
}

// Last implements Ledger.
func (l *JetStream) Last(ctx context.Context) (uint64, error) {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return 0, fmt.Errorf("read last position: %w", unavailable(err))
	}
	return info.State.LastSeq, nil
}

// Epoch implements Ledger: the time at which the stream was created.
func (l *JetStream) Epoch(ctx context.Context) (string, error) {
	info, err := l.stream.Info(ctx)
	if err != nil {
		return "", fmt.Errorf("read epoch: %w", unavailable(err))
	}
	return info.Created.UTC().Format(time.RFC3339Nano), nil
}

// Close implements Ledger.
func (l *JetStream) Close() error {
	l.batch.close()
	return nil
}

// Append implements Ledger.
func (l *JetStream) Append(ctx context.Context, facts ...announcement.Fact) (uint64, error) {
	if len(facts) == 0 {
		return l.Last(ctx)
	}
	all, err := encodeAll(facts, l.now)
	if err != nil {
		return 0, err
	}
	return l.batch.append(ctx, all)
}

func encodeAll(facts []announcement.Fact, now func() time.Time) ([]encoded, error) {
	all := make([]encoded, len(facts))
	for i, f := range facts {
		var err error
		if all[i], err = encode(f, now); err != nil {
			return nil, fmt.Errorf("append facts: %w", err)
		}
	}
	return all, nil
}

func unavailable(err error) error { return fmt.Errorf("%w: %w", ErrUnavailable, err) }

// refused reports whether the server answered no, so that the same write will
// be refused again.
func refused(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.Code >= 400 && api.Code < 500 && api.Code != 429 ||
		errors.Is(err, nats.ErrMaxPayload)
}

// taken reports whether the subject already has, or is about to have, a message.
// The second code comes from replicated streams.
func taken(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence ||
		api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// pause waits d or until ctx ends, and reports whether to go on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
