package ledger

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"kentongan/internal/announcement"
)

// writeHeader carries a random id of one write, by which a writer whose reply
// was lost recognises its own record.
const writeHeader = "Kentongan-Write"

// writePacked publishes the records in order, all at once, and then waits for
// each PubAck. A record without one is published again under the same id: the
// server stores it once.
func (l *JetStream) writePacked(records []*packed) []result {
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	msgs := make([]*nats.Msg, len(records))
	acks := make([]jetstream.PubAckFuture, len(records))
	for i, r := range records {
		msgs[i] = nats.NewMsg(r.subject)
		msgs[i].Data = pack(r.facts...)
		msgs[i].Header.Set(jetstream.MsgIDHeader, rand.Text())
		acks[i], _ = l.js.PublishMsgAsync(msgs[i]) // without an ack it is tried again below
	}
	results := make([]result, len(records))
	for i := range records {
		seq, err := awaitAck(ctx, acks[i])
		for err != nil && !refused(err) && pause(ctx, retryPause) {
			seq, err = l.publish(ctx, msgs[i])
		}
		if err != nil {
			err = fmt.Errorf("append facts: %w", unavailable(err))
		}
		results[i] = result{seq, err}
	}
	return results
}

func awaitAck(ctx context.Context, ack jetstream.PubAckFuture) (uint64, error) {
	if ack == nil {
		return 0, errors.New("not published")
	}
	t := time.NewTimer(ackTimeout)
	defer t.Stop()
	select {
	case a := <-ack.Ok():
		return a.Sequence, nil
	case err := <-ack.Err():
		return 0, err
	case <-ctx.Done():
		return 0, ctx.Err()
	case <-t.C:
		return 0, nats.ErrTimeout
	}
}

// publish is one try with a timeout of its own.
func (l *JetStream) publish(ctx context.Context, msg *nats.Msg, opts ...jetstream.PublishOpt) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	again := nats.NewMsg(msg.Subject) // PublishMsg writes into the header it is given
	again.Data = msg.Data
	for k, v := range msg.Header {
		if k == jetstream.MsgIDHeader || k == writeHeader {
			again.Header[k] = v
		}
	}
	a, err := l.js.PublishMsg(ctx, again, opts...)
	if err != nil {
		return 0, err
	}
	return a.Sequence, nil
}

// Once implements Ledger: the server compares and sets on the fact's own
// subject, so no clock, lease or window is involved.
func (l *JetStream) Once(ctx context.Context, key string, fact announcement.Fact) (uint64, error) {
	p, err := placeOnce(key, fact, l.now)
	if err != nil {
		return 0, err
	}
	return l.once(ctx, p)
}

func placeOnce(key string, fact announcement.Fact, now func() time.Time) (placed, error) {
	if !validToken(key) {
		return placed{}, errors.New("write once: key is not letters, digits, '-' and '_'")
	}
	e, err := encode(fact, now)
	if err != nil {
		return placed{}, fmt.Errorf("write once: %w", err)
	}
	return placed{subject: e.subject + "." + key, body: pack(e.json)}, nil
}

func (l *JetStream) once(ctx context.Context, p placed) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	msg := nats.NewMsg(p.subject)
	msg.Data = p.body
	id := rand.Text()
	msg.Header.Set(writeHeader, id)
	for {
		seq, err := l.publish(ctx, msg, jetstream.WithExpectLastSequencePerSubject(0))
		if err == nil {
			return seq, nil
		}
		if taken(err) {
			there, lookErr := l.stream.GetLastMsgForSubject(ctx, p.subject)
			switch {
			case lookErr == nil && there.Header.Get(writeHeader) == id:
				return there.Sequence, nil // ours: an earlier reply was lost
			case lookErr == nil:
				return 0, ErrAlready
			}
			// Another write is in flight, or nobody can say: ask again.
		} else if refused(err) {
			return 0, fmt.Errorf("write once: %w", unavailable(err))
		}
		if !pause(ctx, retryPause) {
			return 0, fmt.Errorf("write once: %w", unavailable(err))
		}
	}
}
