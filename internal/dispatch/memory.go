package dispatch

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"kentongan/internal/announcement"
)

// MemoryQueue is a Queue that lives as long as the process: for tests and for
// rehearsals of the dispatcher.
type MemoryQueue struct {
	now func() time.Time

	mu        sync.Mutex
	lines     map[line][]*entry
	published map[string]time.Time // job ID → when
	broken    map[string]int       // job ID → attempts that did not come to their end
	stuck     []Stuck
	changed   chan struct{} // closed and replaced when a job becomes ready
}

type line struct {
	lane    announcement.Lane
	channel announcement.Channel
}

type entry struct {
	job     Job
	at      time.Time
	attempt int  // how often it was given out
	held    bool // running, or waiting for its time
}

// NewMemoryQueue returns an empty queue that reads the time from now.
func NewMemoryQueue(now func() time.Time) *MemoryQueue {
	if now == nil {
		now = time.Now
	}
	return &MemoryQueue{
		now:       now,
		lines:     map[line][]*entry{},
		published: map[string]time.Time{},
		broken:    map[string]int{},
		changed:   make(chan struct{}),
	}
}

// Publish implements Queue.
func (q *MemoryQueue) Publish(ctx context.Context, jobs []Job) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("publish jobs: %w", err)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	for id, at := range q.published {
		if now.Sub(at) >= DuplicateWindow {
			delete(q.published, id)
		}
	}
	for _, j := range jobs {
		if _, again := q.published[j.ID()]; again {
			continue
		}
		q.published[j.ID()] = now
		at := line{j.Lane, j.Channel}
		q.lines[at] = append(q.lines[at], &entry{job: j, at: now})
	}
	q.wake()
	return nil
}

// Work implements Queue.
func (q *MemoryQueue) Work(ctx context.Context, c announcement.Channel, parallel int, fn func(ctx context.Context, job Job, attempt int) Outcome) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	for _, lane := range Lanes {
		for range parallel {
			wg.Go(func() {
				for {
					e := q.take(ctx, line{lane, c})
					if e == nil {
						return
					}
					q.finish(e, attempt(ctx, fn, e.job, e.attempt))
				}
			})
		}
	}
	return nil
}

// take waits for a job of the line, or returns nil when ctx ends.
func (q *MemoryQueue) take(ctx context.Context, at line) *entry {
	for ctx.Err() == nil {
		q.mu.Lock()
		e := q.ready(at)
		if at.lane == announcement.Routine && q.ready(line{announcement.Emergency, at.channel}) != nil {
			e = nil
		}
		if e != nil {
			e.held = true
			e.attempt++
			q.wake() // routine may have waited for this one to be taken
		}
		changed := q.changed
		q.mu.Unlock()
		if e != nil {
			return e
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return nil
}

// ready returns the first job that may be given out. The caller holds mu.
func (q *MemoryQueue) ready(at line) *entry {
	for _, e := range q.lines[at] {
		if !e.held {
			return e
		}
	}
	return nil
}

func (q *MemoryQueue) finish(e *entry, o Outcome) {
	if q.setAside(e, o) {
		o.Again = false
	}
	q.giveBack(e, o)
}

// setAside puts a job into the list that was broken too often.
func (q *MemoryQueue) setAside(e *entry, o Outcome) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if o.Broken == "" {
		delete(q.broken, e.job.ID())
		return false
	}
	if q.broken[e.job.ID()]++; q.broken[e.job.ID()] < brokenMost {
		return false
	}
	delete(q.broken, e.job.ID())
	q.stuck = append(q.stuck, Stuck{ID: stuckID([]byte(e.job.ID())), Why: o.Broken, Place: o.Place, Job: e.job, Attempts: e.attempt, Published: e.at, At: q.now()})
	return true
}

func (q *MemoryQueue) giveBack(e *entry, o Outcome) {
	if o.Again && o.After > 0 {
		time.AfterFunc(o.After, func() { q.giveBack(e, Outcome{Again: true}) })
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if o.Again {
		e.held = false
		q.wake()
		return
	}
	at := line{e.job.Lane, e.job.Channel}
	for i, other := range q.lines[at] {
		if other == e {
			q.lines[at] = append(q.lines[at][:i], q.lines[at][i+1:]...)
			return
		}
	}
}

// wake lets every waiting worker look again. The caller holds mu.
func (q *MemoryQueue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// Depth implements Queue.
func (q *MemoryQueue) Depth(context.Context) (map[announcement.Lane]map[announcement.Channel]int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	depth := noDepth()
	for at, entries := range q.lines {
		depth[at.lane][at.channel] = len(entries)
	}
	return depth, nil
}

// Oldest implements Queue.
func (q *MemoryQueue) Oldest(context.Context) (map[announcement.Lane]map[announcement.Channel]time.Time, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	oldest := map[announcement.Lane]map[announcement.Channel]time.Time{}
	for _, lane := range Lanes {
		oldest[lane] = map[announcement.Channel]time.Time{}
	}
	for at, entries := range q.lines {
		if len(entries) > 0 {
			oldest[at.lane][at.channel] = entries[0].at
		}
	}
	return oldest, nil
}

// Stuck implements Queue.
func (q *MemoryQueue) Stuck(context.Context) ([]Stuck, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.stuck), nil
}

// StuckJobs implements Queue.
func (q *MemoryQueue) StuckJobs(context.Context) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.stuck), nil
}

// TryAgain implements Queue.
func (q *MemoryQueue) TryAgain(_ context.Context, id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	s, err := q.takeOut(id)
	if err != nil {
		return err
	}
	at := line{s.Job.Lane, s.Job.Channel}
	q.lines[at] = append(q.lines[at], &entry{job: s.Job, at: q.now()})
	q.wake()
	return nil
}

// Drop implements Queue.
func (q *MemoryQueue) Drop(_ context.Context, id string) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, err := q.takeOut(id)
	return err
}

// takeOut takes a job out of the list. The caller holds mu.
func (q *MemoryQueue) takeOut(id string) (Stuck, error) {
	i := slices.IndexFunc(q.stuck, func(s Stuck) bool { return s.ID == id })
	if i < 0 {
		return Stuck{}, ErrNotStuck
	}
	s := q.stuck[i]
	q.stuck = slices.Delete(q.stuck, i, i+1)
	return s, nil
}

// noDepth returns a depth of 0 for every lane and channel.
func noDepth() map[announcement.Lane]map[announcement.Channel]int {
	depth := map[announcement.Lane]map[announcement.Channel]int{}
	for _, lane := range Lanes {
		depth[lane] = map[announcement.Channel]int{}
		for _, c := range announcement.Channels {
			depth[lane][c] = 0
		}
	}
	return depth
}
