package dispatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"kentongan/internal/announcement"
)

const (
	streamName = "kentongan-deliveries"

	// ackWait is how long a job stays with a worker that has gone silent, and so
	// how long a crash delays the rest of its jobs. A live worker says that it
	// is at work every heartbeat: two may be lost.
	ackWait   = 60 * time.Second
	heartbeat = 20 * time.Second

	pullWait  = 10 * time.Second       // one long poll for the next job
	yieldWait = 100 * time.Millisecond // routine looks again for waiting emergencies
	retryWait = time.Second            // after a failed poll: the connection is being mended
	batchMax  = 1_000                  // messages in one atomic batch (ADR-50)
)

// QueueOptions configures OpenQueue.
type QueueOptions struct {
	Replicas int // of the stream; 0 is 1
	Log      *slog.Logger
}

// JetStreamQueue is the Queue on a JetStream work-queue stream, shared by every
// node of the cluster.
type JetStreamQueue struct {
	js        jetstream.JetStream
	stream    jetstream.Stream
	consumers map[line]jetstream.Consumer
	log       *slog.Logger
}

// OpenQueue creates the stream and its consumers, or finds them as they were.
//
// Jobs are asked for one at a time: a job that was prefetched would age without
// a heartbeat. MaxAckPending is unlimited because a job that waits for its next
// try counts as pending, and a thousand of those must not stop a new emergency.
func OpenQueue(ctx context.Context, nc *nats.Conn, o QueueOptions) (*JetStreamQueue, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("open delivery queue: %w", err)
	}
	stream, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:               streamName,
		Description:        "deliveries that wait for a worker",
		Subjects:           []string{"delivery.>"},
		Retention:          jetstream.WorkQueuePolicy,
		Discard:            jetstream.DiscardNew,
		Storage:            jetstream.FileStorage,
		Replicas:           max(1, o.Replicas),
		Duplicates:         DuplicateWindow,
		AllowAtomicPublish: true,
	})
	if err != nil {
		return nil, fmt.Errorf("open delivery queue: %w", err)
	}
	q := &JetStreamQueue{js: js, stream: stream, consumers: map[line]jetstream.Consumer{}, log: o.Log}
	if q.log == nil {
		q.log = slog.New(slog.DiscardHandler)
	}
	for _, lane := range Lanes {
		for _, c := range announcement.Channels {
			at := line{lane, c}
			q.consumers[at], err = stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
				Durable:       fmt.Sprintf("%s-%s", lane, c),
				FilterSubject: at.subject(),
				AckPolicy:     jetstream.AckExplicitPolicy,
				AckWait:       ackWait,
				MaxDeliver:    -1,
				MaxAckPending: -1,
			})
			if err != nil {
				return nil, fmt.Errorf("open delivery queue for %s %s: %w", lane, c, err)
			}
		}
	}
	return q, nil
}

func (l line) subject() string { return fmt.Sprintf("delivery.%s.%s", l.lane, l.channel) }

// Publish implements Queue.
func (q *JetStreamQueue) Publish(ctx context.Context, jobs []Job) error {
	var msgs []*nats.Msg
	seen := map[string]bool{}
	for _, j := range jobs {
		if seen[j.ID()] {
			continue
		}
		seen[j.ID()] = true
		data, err := json.Marshal(j)
		if err != nil {
			return fmt.Errorf("publish job: %w", err)
		}
		msgs = append(msgs, &nats.Msg{
			Subject: line{j.Lane, j.Channel}.subject(),
			Header:  nats.Header{jetstream.MsgIDHeader: {j.ID()}},
			Data:    data,
		})
	}
	for len(msgs) > 0 {
		n := min(batchMax, len(msgs))
		if err := q.publishBatch(ctx, msgs[:n]); err != nil {
			return fmt.Errorf("publish jobs: %w", err)
		}
		msgs = msgs[n:]
	}
	return nil
}

// publishBatch stores the messages in one commit. A batch that holds a job
// published before is refused whole; then each goes alone, and the stream drops
// those it knows.
func (q *JetStreamQueue) publishBatch(ctx context.Context, msgs []*nats.Msg) error {
	_, err := jetstreamext.PublishMsgBatch(ctx, q.js, msgs)
	var api *jetstream.APIError
	if err == nil || !errors.As(err, &api) || api.ErrorCode != jetstreamext.JSErrCodeBatchPublishDuplicateMsgID {
		return err
	}
	for _, m := range msgs {
		alone := &nats.Msg{Subject: m.Subject, Data: m.Data, Header: nats.Header{jetstream.MsgIDHeader: m.Header[jetstream.MsgIDHeader]}}
		if _, err := q.js.PublishMsg(ctx, alone); err != nil {
			return err
		}
	}
	return nil
}

// Work implements Queue.
func (q *JetStreamQueue) Work(ctx context.Context, c announcement.Channel, parallel int, fn func(ctx context.Context, job Job, attempt int) Outcome) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, lane := range Lanes {
		if q.consumers[line{lane, c}] == nil {
			return fmt.Errorf("work on channel %s: no such channel", c)
		}
		for range parallel {
			wg.Go(func() { q.serve(ctx, line{lane, c}, fn) })
		}
	}
	return nil
}

// serve takes one job after the other until ctx ends.
func (q *JetStreamQueue) serve(ctx context.Context, at line, fn func(context.Context, Job, int) Outcome) {
	for ctx.Err() == nil {
		if at.lane == announcement.Routine && q.emergencyWaits(ctx, at.channel) {
			pause(ctx, yieldWait)
			continue
		}
		poll, cancel := context.WithTimeout(ctx, pullWait)
		msg, err := q.consumers[at].Next(jetstream.FetchContext(poll))
		idle := poll.Err() != nil
		cancel()
		switch {
		case err == nil:
			q.run(ctx, msg, fn)
		case !idle && !errors.Is(err, nats.ErrTimeout):
			q.log.WarnContext(ctx, "queue did not answer, asking again", "step", "pull", "channel", at.channel, "reason", err.Error())
			pause(ctx, retryWait)
		}
	}
}

// emergencyWaits reports whether an emergency job of the channel waits for a
// worker. When the queue does not say, routine goes on: it is not held for ever
// by a question.
func (q *JetStreamQueue) emergencyWaits(ctx context.Context, c announcement.Channel) bool {
	info, err := q.consumers[line{announcement.Emergency, c}].Info(ctx)
	return err == nil && info.NumPending > 0
}

func (q *JetStreamQueue) run(ctx context.Context, msg jetstream.Msg, fn func(context.Context, Job, int) Outcome) {
	var job Job
	meta, err := msg.Metadata()
	if err == nil {
		err = json.Unmarshal(msg.Data(), &job)
	}
	if err != nil { // nobody could ever read it
		q.log.ErrorContext(ctx, "job cannot be read, dropped", "step", "decode", "reason", err.Error())
		q.settle(ctx, msg.TermWithReason("unreadable"))
		return
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		beat := time.NewTicker(heartbeat)
		defer beat.Stop()
		for {
			select {
			case <-beat.C:
				q.settle(ctx, msg.InProgress())
			case <-done:
				return
			}
		}
	})
	o := fn(ctx, job, int(meta.NumDelivered))
	close(done)
	wg.Wait()
	switch {
	case !o.Again:
		q.settle(ctx, msg.Ack())
	case o.After <= 0:
		q.settle(ctx, msg.Nak())
	default:
		q.settle(ctx, msg.NakWithDelay(o.After))
	}
}

// settle notes that an ack could not be sent. Nothing is lost: the job comes
// again after ackWait, and the worker finds what is settled.
func (q *JetStreamQueue) settle(ctx context.Context, err error) {
	if err != nil {
		q.log.WarnContext(ctx, "job comes again", "step", "ack", "reason", err.Error())
	}
}

// Depth implements Queue.
func (q *JetStreamQueue) Depth(ctx context.Context) (map[announcement.Lane]map[announcement.Channel]int, error) {
	info, err := q.stream.Info(ctx, jetstream.WithSubjectFilter("delivery.>"))
	if err != nil {
		return nil, fmt.Errorf("read queue depth: %w", err)
	}
	depth := noDepth()
	for at := range q.consumers {
		depth[at.lane][at.channel] = int(info.State.Subjects[at.subject()])
	}
	return depth, nil
}

// Oldest implements Queue: of a work queue only what is not done is left.
func (q *JetStreamQueue) Oldest(ctx context.Context) (map[announcement.Lane]map[announcement.Channel]time.Time, error) {
	oldest := map[announcement.Lane]map[announcement.Channel]time.Time{}
	for _, lane := range Lanes {
		oldest[lane] = map[announcement.Channel]time.Time{}
	}
	for at := range q.consumers {
		first, err := q.stream.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(at.subject()))
		switch {
		case err == nil:
			oldest[at.lane][at.channel] = first.Time
		case !errors.Is(err, jetstream.ErrMsgNotFound):
			return nil, fmt.Errorf("read the oldest job: %w", err)
		}
	}
	return oldest, nil
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
