package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"kentongan/internal/announcement"
)

// Follow implements Ledger. A record that cannot be read is logged and given
// with its position and no facts: one bad record must not silence the rest.
func (l *JetStream) Follow(ctx context.Context, after uint64, fn func(Record) error) error {
	return l.Scan(ctx, after, func(s Stored) error { return fn(l.record(s.Seq, s.Subject, s.Body)) })
}

// Scan implements Ledger.
func (l *JetStream) Scan(ctx context.Context, after uint64, fn func(Stored) error) error {
	holeAt := uint64(0)
	for ctx.Err() == nil {
		end, err := l.followOnce(ctx, jetstream.OrderedConsumerConfig{
			DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: after + 1,
		}, func(msg jetstream.Msg, seq uint64) error {
			if seq <= after {
				return nil
			}
			if seq != after+1 && holeAt != after+1 {
				holeAt = after + 1 // ask once more from there before believing in a hole
				return errAgain
			}
			if seq != after+1 {
				l.log.Error("ledger has a hole", "step", "follow", "reason", fmt.Sprintf("positions %d to %d are missing", after+1, seq-1))
			}
			if err := fn(Stored{seq, msg.Subject(), msg.Data()}); err != nil {
				return err
			}
			after = seq
			return nil
		})
		if end && !errors.Is(err, errAgain) {
			return err
		}
		if err != nil && !errors.Is(err, errAgain) && ctx.Err() == nil {
			l.log.Warn("ledger cannot be followed, trying again", "step", "follow", "reason", err.Error())
		}
		pause(ctx, retryPause)
	}
	return ctx.Err()
}

// errAgain ends one consumer so that the next begins after the last record seen.
var errAgain = errors.New("open again")

// followBeat is how often the server says that there is nothing new. When it has failed to
// twice, the connection or the server is gone though nobody says so: the library's own 15 s
// would keep a node behind, and every step of an escalation with it, for half a minute.
const followBeat = 2 * time.Second

// followOnce gives the messages of one ordered consumer to fn. ended is true if
// fn returned the error, false if the consumer or the connection did.
func (l *JetStream) followOnce(ctx context.Context, cfg jetstream.OrderedConsumerConfig, fn func(jetstream.Msg, uint64) error) (ended bool, err error) {
	consumer, err := l.stream.OrderedConsumer(ctx, cfg)
	if err != nil {
		return false, err
	}
	messages, err := consumer.Messages(jetstream.PullHeartbeat(followBeat), jetstream.PullExpiry(5*followBeat))
	if err != nil {
		return false, err
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return false, err
		}
		meta, err := msg.Metadata()
		if err != nil {
			return false, err
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err := fn(msg, meta.Sequence.Stream); err != nil {
			return true, err
		}
	}
}

func (l *JetStream) record(seq uint64, subject string, body []byte) Record {
	r, err := decode(seq, subject, body)
	if err != nil {
		l.log.Error("ledger record cannot be read", "announcement", r.Announcement, "step", "decode", "reason", err.Error())
	}
	return r
}

// Read implements Ledger.
func (l *JetStream) Read(ctx context.Context, id announcement.ID, fn func(Record) error) error {
	if !validToken(string(id)) {
		return nil
	}
	filter := subjectPrefix + string(id) + ".>"
	last, err := l.stream.GetLastMsgForSubject(ctx, filter)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read announcement: %w", unavailable(err))
	}
	var seen uint64
	for ctx.Err() == nil {
		ended, err := l.followOnce(ctx, jetstream.OrderedConsumerConfig{
			FilterSubjects: []string{filter}, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: seen + 1,
		}, func(msg jetstream.Msg, seq uint64) error {
			if seq > seen && seq <= last.Sequence {
				if err := fn(l.record(seq, msg.Subject(), msg.Data())); err != nil {
					return err
				}
				seen = seq
			}
			if seq >= last.Sequence {
				return errEnd
			}
			return nil
		})
		switch {
		case ended && errors.Is(err, errEnd):
			return nil
		case ended:
			return err
		}
		pause(ctx, retryPause)
	}
	return fmt.Errorf("read announcement: %w", unavailable(ctx.Err()))
}

// At implements Ledger.
func (l *JetStream) At(ctx context.Context, seq uint64) (Record, error) {
	if seq == 0 {
		return Record{}, ErrNotFound
	}
	msg, err := l.stream.GetMsg(ctx, seq)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Record{}, ErrNotFound
	}
	if err != nil {
		return Record{}, fmt.Errorf("read record %d: %w", seq, unavailable(err))
	}
	return decode(seq, msg.Subject, msg.Data)
}

// shareWait is how long a node may be silent about a record before another node
// gets it. While fn runs, the node reports progress every third of it.
const shareWait = 30 * time.Second

// Share implements Ledger with a durable consumer. A node takes one record at a
// time, so that its death holds up no other record.
func (l *JetStream) Share(ctx context.Context, name string, kinds []announcement.Kind, fn func(context.Context, Record) error) error {
	if !validToken(name) || len(kinds) == 0 {
		return errors.New("share ledger: name or kinds missing")
	}
	var filters []string
	for _, k := range kinds {
		packed := subjectPrefix + "*." + string(k)
		filters = append(filters, packed, packed+".>")
	}
	for ctx.Err() == nil {
		err := l.shareOnce(ctx, jetstream.ConsumerConfig{
			Durable: name, FilterSubjects: filters, DeliverPolicy: jetstream.DeliverAllPolicy,
			AckPolicy: jetstream.AckExplicitPolicy, AckWait: shareWait, MaxDeliver: -1, MaxAckPending: 1000,
		}, fn)
		if ctx.Err() == nil {
			l.log.Warn("ledger cannot be shared, trying again", "step", "share", "reason", fmt.Sprint(err))
			pause(ctx, retryPause)
		}
	}
	return ctx.Err()
}

func (l *JetStream) shareOnce(ctx context.Context, cfg jetstream.ConsumerConfig, fn func(context.Context, Record) error) error {
	consumer, err := l.stream.CreateOrUpdateConsumer(ctx, cfg)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		wait, cancel := context.WithTimeout(ctx, 5*time.Second)
		msg, err := consumer.Next(jetstream.FetchContext(wait))
		quiet := wait.Err() != nil
		cancel()
		switch {
		case err != nil && (quiet || errors.Is(err, jetstream.ErrNoMessages) || errors.Is(err, nats.ErrTimeout)):
			continue
		case err != nil:
			return err
		}
		l.handle(ctx, msg, fn)
	}
	return ctx.Err()
}

// handle gives one record to fn and tells the server how it went. A lost ack
// means that the record comes again, which fn bears.
func (l *JetStream) handle(ctx context.Context, msg jetstream.Msg, fn func(context.Context, Record) error) {
	working, done := context.WithCancel(ctx)
	defer done()
	go func() {
		for pause(working, shareWait/3) {
			_ = msg.InProgress()
		}
	}()
	delivered := uint64(1)
	var err error
	if meta, metaErr := msg.Metadata(); metaErr != nil {
		err = metaErr
	} else {
		delivered = meta.NumDelivered
		var r Record
		if r, err = decode(meta.Sequence.Stream, msg.Subject(), msg.Data()); err == nil {
			err = fn(ctx, r)
		}
	}
	switch {
	case err == nil:
		err = msg.Ack()
	case ctx.Err() != nil:
		err = msg.Nak() // another node may have it at once
	default:
		l.log.Warn("shared record failed, comes again", "step", "share", "attempt", delivered, "reason", err.Error())
		err = msg.NakWithDelay(retryDelay(delivered))
	}
	if err != nil {
		l.log.Warn("ledger was not told how a shared record went", "step", "share", "reason", err.Error())
	}
}

// retryDelay grows from 250 ms to 8 s: soon for a hiccup, sparing for an outage.
func retryDelay(delivered uint64) time.Duration {
	return 250 * time.Millisecond << min(max(delivered, 1)-1, 5)
}
