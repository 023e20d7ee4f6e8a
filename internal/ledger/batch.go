package ledger

import (
	"context"
	"fmt"
	"sync"
)

// pending is one Append that waits to be written.
type pending struct {
	facts []encoded
	done  chan result // buffered: the batcher never waits for a caller who left
}

type result struct {
	seq uint64
	err error
}

// packed is one record about to be written.
type packed struct {
	subject string
	facts   [][]byte
	bytes   int
	callers []*pending // in order, each once
}

// batcher is the group commit: while one group of records is being made
// durable, callers gather, and the next group carries all of them. There is no
// timer: an idle ledger writes a single fact at once, a busy one packs more.
type batcher struct {
	write func([]*packed) []result // writes records in order, one result for each

	mu      sync.Mutex
	waiting []*pending
	closed  bool
	wake    chan struct{}
	stopped chan struct{}
}

func newBatcher(write func([]*packed) []result) *batcher {
	b := &batcher{write: write, wake: make(chan struct{}, 1), stopped: make(chan struct{})}
	go b.run()
	return b
}

// append hands over facts and waits until all are durable.
func (b *batcher) append(ctx context.Context, facts []encoded) (uint64, error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("append facts: %w", err)
	}
	p := &pending{facts: facts, done: make(chan result, 1)}
	b.mu.Lock()
	if b.closed {
		b.mu.Unlock()
		return 0, fmt.Errorf("append facts: ledger closed: %w", ErrUnavailable)
	}
	b.waiting = append(b.waiting, p)
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	select {
	case r := <-p.done:
		return r.seq, r.err
	case <-ctx.Done():
		// Written or not, nobody may say that it is.
		return 0, fmt.Errorf("append facts: %w: %w", ErrUnavailable, ctx.Err())
	}
}

func (b *batcher) run() {
	defer close(b.stopped)
	for {
		b.mu.Lock()
		group, closed := b.waiting, b.closed
		b.waiting = nil
		b.mu.Unlock()
		if len(group) > 0 {
			b.commit(group)
			continue
		}
		if closed {
			return
		}
		<-b.wake
	}
}

func (b *batcher) commit(group []*pending) {
	records := arrange(group)
	results := b.write(records)
	outcome := make(map[*pending]result, len(group))
	for i, r := range records {
		for _, p := range r.callers {
			o := outcome[p]
			o.seq = max(o.seq, results[i].seq)
			if o.err == nil {
				o.err = results[i].err
			}
			outcome[p] = o
		}
	}
	for _, p := range group {
		o := outcome[p]
		if o.err != nil {
			o.seq = 0
		}
		p.done <- o
	}
}

// arrange packs the facts of a group into records: facts with the same subject
// share one, but no fact of a caller comes before that caller's earlier ones.
func arrange(group []*pending) []*packed {
	var records []*packed
	open := map[string]int{} // subject → index of its latest record
	for _, p := range group {
		least := 0
		for _, f := range p.facts {
			i, ok := open[f.subject]
			if !ok || i < least || len(records[i].facts) == MaxPack || records[i].bytes+len(f.json) > maxRecordBytes {
				i = len(records)
				records = append(records, &packed{subject: f.subject})
				open[f.subject] = i
			}
			r := records[i]
			r.facts = append(r.facts, f.json)
			r.bytes += len(f.json) + 1
			if n := len(r.callers); n == 0 || r.callers[n-1] != p {
				r.callers = append(r.callers, p)
			}
			least = i
		}
	}
	return records
}

// close refuses new callers and returns when everybody waiting has an answer.
func (b *batcher) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	select {
	case b.wake <- struct{}{}:
	default:
	}
	<-b.stopped
}
