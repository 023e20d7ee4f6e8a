package dispatch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"kentongan/internal/announcement"
)

const (
	streamName = "kentongan-deliveries"

	// stuckName is the stream of the jobs that nobody works on any more, a message each,
	// and beside them of how often a job was begun without an end.
	stuckName    = "kentongan-stuck"
	stuckSubject = "stuck.job."
	begunSubject = "stuck.begun."

	// ackWait is how long a job stays with a worker that has gone silent, and so
	// how long a crash delays the rest of its jobs: the reminders of a step come within
	// half a minute though a node died. A live worker says that it is at work three
	// times in that: two may be lost, and a job that two hold is called once, since
	// each looks before each call.
	ackWait = 24 * time.Second

	pullWait  = 10 * time.Second       // one long poll for the next job
	yieldWait = 100 * time.Millisecond // routine looks again for waiting emergencies
	retryWait = time.Second            // after a failed poll: the connection is being mended
	batchMax  = 1_000                  // messages in one atomic batch (ADR-50)
)

// QueueOptions configures OpenQueue.
type QueueOptions struct {
	Replicas int // of the streams; 0 is 1
	Log      *slog.Logger
	Now      func() time.Time // nil is time.Now
	AckWait  time.Duration    // how long a job stays with a worker that has gone silent; 0 is 24 s
}

// JetStreamQueue is the Queue on a JetStream work-queue stream, shared by every
// node of the cluster.
type JetStreamQueue struct {
	js        jetstream.JetStream
	stream    jetstream.Stream
	list      jetstream.Stream // of stuck jobs
	consumers map[line]jetstream.Consumer
	log       *slog.Logger
	now       func() time.Time
	ackWait   time.Duration
	alone     alone

	mu    sync.Mutex
	lived map[string]time.Time // jobs that this process has begun and outlived, by stuckID
}

// OpenQueue creates the streams and the consumers, or finds them as they were.
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
	list, err := js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
		Name:              stuckName,
		Description:       "deliveries that nobody works on any more, until a person decides",
		Subjects:          []string{stuckSubject + "*", begunSubject + "*"},
		Discard:           jetstream.DiscardNew,
		Storage:           jetstream.FileStorage,
		Replicas:          max(1, o.Replicas),
		MaxMsgsPerSubject: 1,
		DenyPurge:         true,
	})
	if err != nil {
		return nil, fmt.Errorf("open the list of stuck jobs: %w", err)
	}
	q := &JetStreamQueue{js: js, stream: stream, list: list, consumers: map[line]jetstream.Consumer{}, log: o.Log, now: o.Now, ackWait: o.AckWait, alone: newAlone(), lived: map[string]time.Time{}}
	if q.log == nil {
		q.log = slog.New(slog.DiscardHandler)
	}
	if q.now == nil {
		q.now = time.Now
	}
	if q.ackWait <= 0 {
		q.ackWait = ackWait
	}
	for _, lane := range Lanes {
		for _, c := range announcement.Channels {
			at := line{lane, c}
			q.consumers[at], err = stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
				Durable:       fmt.Sprintf("%s-%s", lane, c),
				FilterSubject: at.subject(),
				AckPolicy:     jetstream.AckExplicitPolicy,
				AckWait:       q.ackWait,
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
			q.run(ctx, at, msg, fn)
		case errors.Is(err, nats.ErrReconnectBufExceeded): // not connected, which others say
			pause(ctx, retryWait)
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

func (q *JetStreamQueue) run(ctx context.Context, at line, msg jetstream.Msg, fn func(context.Context, Job, int) Outcome) {
	w := &working{queue: q, msg: msg, job: Job{Lane: at.lane, Channel: at.channel}, id: stuckID(msg.Data())}
	meta, err := msg.Metadata()
	if err != nil { // not from the stream: nobody can say which job it is
		q.log.ErrorContext(ctx, "not a job of the queue", "step", "decode", "reason", err.Error())
		return
	}
	w.attempts, w.published = int(meta.NumDelivered), meta.Timestamp
	job, err := readJob(at, msg.Data())
	if err != nil {
		w.setAside(ctx, Unreadable, "")
		return
	}
	w.job = job
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		beat := time.NewTicker(q.ackWait / 3)
		defer beat.Stop()
		for {
			select {
			case <-beat.C:
				q.settle(ctx, msg.InProgress())
				q.outlive(w.id)
				w.outlived(ctx)
			case <-done:
				return
			}
		}
	})
	leave, crashed := w.begin(ctx)
	o := Outcome{Again: true}
	if !crashed && ctx.Err() == nil {
		o = attempt(ctx, fn, job, w.attempts)
	}
	leave()
	close(done)
	wg.Wait()
	switch {
	case crashed:
		w.setAside(ctx, Crashed, "")
	case o.Broken != "" && w.broke(ctx) >= brokenMost:
		w.setAside(ctx, o.Broken, o.Place)
	default:
		if o.Broken == "" {
			w.ended(ctx)
		}
		q.settle(ctx, w.answer(o))
	}
}

// working is a job while a worker has it.
type working struct {
	queue     *JetStreamQueue
	msg       jetstream.Msg
	job       Job
	id        string // in the list
	attempts  int
	published time.Time

	mu       sync.Mutex
	begun    int  // how often it was begun without an end, with this time; 0: nobody wrote it down
	survived bool // this time is not counted any more
}

// answer tells the queue what becomes of the job.
func (w *working) answer(o Outcome) error {
	switch {
	case !o.Again:
		return w.msg.Ack()
	case o.After <= 0:
		return w.msg.Nak()
	}
	return w.msg.NakWithDelay(o.After)
}

// begin writes down that a job is begun which may have ended a process: it comes again,
// and not because this process gave it back, or was cut off from NATS. crashed says that
// it has done so too often.
// A list that does not answer holds no job up.
func (w *working) begin(ctx context.Context) (leave func(), crashed bool) {
	q := w.queue
	leave = func() {}
	if lived := q.outlive(w.id); w.attempts == 1 || lived {
		return leave, false
	}
	before, err := q.begunOf(ctx, w.id)
	if err == nil && before > 0 {
		leave = q.alone.enter(ctx, w.job.Lane)
		before, err = q.begunOf(ctx, w.id) // it may have waited long
	}
	switch {
	case ctx.Err() != nil:
		return leave, false
	case err == nil && before >= brokenMost:
		return leave, true
	case err == nil:
		err = q.noteBegun(ctx, w.id, before+1)
	}
	if err != nil {
		q.log.WarnContext(ctx, "cannot note that a job is begun again", "announcement", w.job.Announcement, "step", "begin", "reason", err.Error())
		return leave, false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.begun = before + 1
	return leave, false
}

// outlived takes back that the job is suspected: what ends a process does so at once, and
// a job that waits for its provider for hours is no cause of what happens meanwhile.
func (w *working) outlived(ctx context.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun == 0 || w.survived {
		return
	}
	if err := w.queue.noteBegun(ctx, w.id, w.begun-1); err == nil { // else the next beat does
		w.survived = true
	}
}

// broke notes that an attempt did not come to its end, and returns how many did not.
func (w *working) broke(ctx context.Context) int {
	q := w.queue
	q.mu.Lock()
	delete(q.lived, w.id)
	q.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun > 0 && !w.survived {
		return w.begun
	}
	before, err := q.begunOf(ctx, w.id)
	if err == nil {
		err = q.noteBegun(ctx, w.id, before+1)
	}
	if err != nil { // then it is tried once more than it might be
		q.log.WarnContext(ctx, "cannot note that a job is broken", "announcement", w.job.Announcement, "step", "begin", "reason", err.Error())
		return 0
	}
	return before + 1
}

// outlive notes that this process lives with a job, and returns whether it did before.
func (q *JetStreamQueue) outlive(id string) (before bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	if _, before = q.lived[id]; !before {
		for other, at := range q.lived {
			if now.Sub(at) > forgetAfter {
				delete(q.lived, other)
			}
		}
	}
	q.lived[id] = now
	return before
}

// ended notes that an attempt came to its end, whatever became of the job.
func (w *working) ended(ctx context.Context) {
	q := w.queue
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.begun == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if err := q.forget(ctx, begunSubject+w.id); err != nil && !errors.Is(err, ErrNotStuck) {
		q.log.WarnContext(ctx, "cannot note that a job has ended", "announcement", w.job.Announcement, "step", "begin", "reason", err.Error())
	}
}

// setAside puts the job into the list, and only then takes it from its line.
func (w *working) setAside(ctx context.Context, why StuckWhy, place string) {
	q := w.queue
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	data, err := json.Marshal(Stuck{ID: w.id, Why: why, Place: place, Job: w.job, Attempts: w.attempts, Published: w.published.UTC(), At: q.now().UTC(), Data: w.msg.Data()})
	if err == nil {
		_, err = q.js.Publish(ctx, stuckSubject+w.id, data)
	}
	log := q.log.With("announcement", w.job.Announcement, "round", w.job.Round, "channel", w.job.Channel, "attempt", w.attempts, "step", "stuck", "stuck", w.id)
	if err != nil {
		log.ErrorContext(ctx, "a job is stuck and cannot be set aside yet", "reason", err.Error())
		q.settle(ctx, w.msg.NakWithDelay(backoff(1)))
		return
	}
	log.ErrorContext(ctx, "a job is stuck: nobody works on it until a person has decided", "reason", string(why), "place", place)
	if err := q.forget(ctx, begunSubject+w.id); err != nil && !errors.Is(err, ErrNotStuck) {
		log.WarnContext(ctx, "an old note about a job is left", "reason", err.Error())
	}
	q.settle(ctx, w.msg.TermWithReason(string(why)))
}

// begunOf returns how often a job was begun without an end.
func (q *JetStreamQueue) begunOf(ctx context.Context, id string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	m, err := q.list.GetLastMsgForSubject(ctx, begunSubject+id)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("read how often a job was begun: %w", err)
	}
	n, err := strconv.Atoi(string(m.Data))
	if err != nil {
		return 0, fmt.Errorf("read how often a job was begun: %w", err)
	}
	return n, nil
}

// noteBegun writes it down. It outlives ctx, which ends with the process.
func (q *JetStreamQueue) noteBegun(ctx context.Context, id string, n int) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	if _, err := q.js.Publish(ctx, begunSubject+id, []byte(strconv.Itoa(n))); err != nil {
		return fmt.Errorf("note that a job is begun: %w", err)
	}
	return nil
}

// forget takes what stands at a subject of the list away.
func (q *JetStreamQueue) forget(ctx context.Context, subject string) error {
	m, err := q.list.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return ErrNotStuck
	}
	if err != nil {
		return fmt.Errorf("take from the list of stuck jobs: %w", err)
	}
	return q.takeOut(ctx, m.Sequence)
}

// takeOut takes one message from the list, and nothing that came to its place since: a
// job that was tried again may be stuck again already.
func (q *JetStreamQueue) takeOut(ctx context.Context, seq uint64) error {
	err := q.list.DeleteMsg(ctx, seq)
	if err == nil {
		return nil
	}
	if _, gone := q.list.GetMsg(ctx, seq); errors.Is(gone, jetstream.ErrMsgNotFound) {
		return nil
	}
	return fmt.Errorf("take from the list of stuck jobs: %w", err)
}

// Stuck implements Queue.
func (q *JetStreamQueue) Stuck(ctx context.Context) ([]Stuck, error) {
	info, err := q.list.Info(ctx, jetstream.WithSubjectFilter(stuckSubject+"*"))
	if err != nil {
		return nil, fmt.Errorf("read the list of stuck jobs: %w", err)
	}
	var all []Stuck
	for subject := range info.State.Subjects {
		s, _, err := q.stuckAt(ctx, subject)
		switch {
		case err == nil:
			all = append(all, s)
		case !errors.Is(err, ErrNotStuck): // just taken out
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b Stuck) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

func (q *JetStreamQueue) stuckAt(ctx context.Context, subject string) (s Stuck, seq uint64, err error) {
	m, err := q.list.GetLastMsgForSubject(ctx, subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return Stuck{}, 0, ErrNotStuck
	}
	if err == nil {
		err = json.Unmarshal(m.Data, &s)
	}
	if err != nil {
		return Stuck{}, 0, fmt.Errorf("read a stuck job: %w", err)
	}
	return s, m.Sequence, nil
}

// StuckJobs implements Queue.
func (q *JetStreamQueue) StuckJobs(ctx context.Context) (int, error) {
	info, err := q.list.Info(ctx, jetstream.WithSubjectFilter(stuckSubject+"*"))
	if err != nil {
		return 0, fmt.Errorf("count the stuck jobs: %w", err)
	}
	return len(info.State.Subjects), nil
}

// subjectOf is where a job of the list stands; "" where the id is none.
func subjectOf(id string) string {
	if id == "" || strings.Trim(id, "0123456789abcdef") != "" {
		return ""
	}
	return stuckSubject + id
}

// TryAgain implements Queue. Published is before taken out: a crash between them tries
// a job twice, and loses none.
func (q *JetStreamQueue) TryAgain(ctx context.Context, id string) error {
	subject := subjectOf(id)
	if subject == "" {
		return ErrNotStuck
	}
	s, seq, err := q.stuckAt(ctx, subject)
	if err != nil {
		return err
	}
	again := &nats.Msg{Subject: line{s.Job.Lane, s.Job.Channel}.subject(), Data: s.Data,
		Header: nats.Header{jetstream.MsgIDHeader: {fmt.Sprintf("%s/%d", id, s.At.UnixNano())}}}
	if _, err := q.js.PublishMsg(ctx, again); err != nil {
		return fmt.Errorf("try a stuck job again: %w", err)
	}
	return q.takeOut(ctx, seq)
}

// Drop implements Queue.
func (q *JetStreamQueue) Drop(ctx context.Context, id string) error {
	subject := subjectOf(id)
	if subject == "" {
		return ErrNotStuck
	}
	return q.forget(ctx, subject)
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
