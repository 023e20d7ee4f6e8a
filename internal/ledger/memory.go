package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"kentongan/internal/announcement"
)

// Memory is a Ledger that forgets everything when the process ends. It is for
// tests, also under a fake clock, and passes the same suite as JetStream.
type Memory struct {
	now   func() time.Time
	epoch string

	mu      sync.Mutex
	stored  []placed          // position is index + 1
	once    map[string]uint64 // subject of a fact with a key → position
	shares  map[string]*share
	changed chan struct{} // closed and replaced when something was added
	closed  bool
}

// share is how far the nodes that share a name have come.
type share struct {
	next  uint64   // first position never handed out
	again []uint64 // handed out, and failed
}

// NewMemory returns an empty ledger.
func NewMemory(now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	return &Memory{
		now: now, epoch: now().UTC().Format(time.RFC3339Nano),
		once: map[string]uint64{}, shares: map[string]*share{}, changed: make(chan struct{}),
	}
}

// Append implements Ledger.
func (m *Memory) Append(ctx context.Context, facts ...announcement.Fact) (uint64, error) {
	if len(facts) == 0 {
		return m.Last(ctx)
	}
	all, err := encodeAll(facts, m.now)
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return 0, fmt.Errorf("append facts: %w", err)
	}
	var seq uint64
	for _, r := range arrange([]*pending{{facts: all}}) {
		seq = m.add(placed{subject: r.subject, body: pack(r.facts...)})
	}
	return seq, nil
}

// Once implements Ledger.
func (m *Memory) Once(ctx context.Context, key string, fact announcement.Fact) (uint64, error) {
	p, err := placeOnce(key, fact, m.now)
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return 0, fmt.Errorf("write once: %w", err)
	}
	if m.once[p.subject] != 0 {
		return 0, ErrAlready
	}
	m.once[p.subject] = m.add(p)
	return m.once[p.subject], nil
}

// Accept implements Ledger.
func (m *Memory) Accept(ctx context.Context, facts []announcement.Fact) (uint64, error) {
	all, err := layout(facts, m.now)
	if err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.usable(ctx); err != nil {
		return 0, fmt.Errorf("accept: %w", err)
	}
	if seq := m.once[all[len(all)-1].subject]; seq != 0 {
		return seq, nil
	}
	var seq uint64
	for _, p := range all {
		seq = m.add(p)
		m.once[p.subject] = seq
	}
	return seq, nil
}

func (m *Memory) usable(ctx context.Context) error {
	if m.closed {
		return fmt.Errorf("ledger closed: %w", ErrUnavailable)
	}
	return ctx.Err()
}

func (m *Memory) add(p placed) uint64 {
	m.stored = append(m.stored, p)
	m.wakeAll()
	return uint64(len(m.stored))
}

func (m *Memory) wakeAll() {
	close(m.changed)
	m.changed = make(chan struct{})
}

// Follow implements Ledger.
func (m *Memory) Follow(ctx context.Context, after uint64, fn func(Record) error) error {
	return m.Scan(ctx, after, func(s Stored) error {
		r, err := decode(s.Seq, s.Subject, s.Body)
		if err != nil {
			return err
		}
		return fn(r)
	})
}

// Scan implements Ledger.
func (m *Memory) Scan(ctx context.Context, after uint64, fn func(Stored) error) error {
	for ctx.Err() == nil {
		m.mu.Lock()
		var fresh []placed
		if after < uint64(len(m.stored)) {
			fresh = m.stored[after:]
		}
		changed := m.changed
		m.mu.Unlock()
		for _, p := range fresh {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			after++
			if err := fn(Stored{after, p.subject, p.body}); err != nil {
				return err
			}
		}
		if len(fresh) > 0 {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

// Share implements Ledger.
func (m *Memory) Share(ctx context.Context, name string, kinds []announcement.Kind, fn func(context.Context, Record) error) error {
	m.mu.Lock()
	if m.shares[name] == nil {
		m.shares[name] = &share{next: 1}
	}
	s := m.shares[name]
	m.mu.Unlock()
	for ctx.Err() == nil {
		m.mu.Lock()
		seq, p, found := m.take(s, kinds)
		changed := m.changed
		m.mu.Unlock()
		if !found {
			select {
			case <-changed:
			case <-ctx.Done():
			}
			continue
		}
		r, err := decode(seq, p.subject, p.body)
		if err == nil {
			err = fn(ctx, r)
		}
		if err == nil {
			continue
		}
		giveBack := func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			s.again = append(s.again, seq)
			m.wakeAll()
		}
		if ctx.Err() != nil {
			giveBack()
		} else {
			time.AfterFunc(retryDelay(1), giveBack)
		}
	}
	return ctx.Err()
}

// take hands out the next record of the kinds; m.mu is held.
func (m *Memory) take(s *share, kinds []announcement.Kind) (uint64, placed, bool) {
	if len(s.again) > 0 {
		seq := s.again[0]
		s.again = s.again[1:]
		return seq, m.stored[seq-1], true
	}
	for s.next <= uint64(len(m.stored)) {
		seq := s.next
		s.next++
		kind := strings.Split(m.stored[seq-1].subject, ".")[2]
		if slices.Contains(kinds, announcement.Kind(kind)) {
			return seq, m.stored[seq-1], true
		}
	}
	return 0, placed{}, false
}

// errEnd stops a Follow that has seen enough.
var errEnd = errors.New("end of what was asked for")

// Read implements Ledger.
func (m *Memory) Read(ctx context.Context, id announcement.ID, fn func(Record) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	stored := m.stored
	m.mu.Unlock()
	for i, p := range stored {
		if !strings.HasPrefix(p.subject, subjectPrefix+string(id)+".") {
			continue
		}
		r, err := decode(uint64(i+1), p.subject, p.body)
		if err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
	}
	return nil
}

// At implements Ledger.
func (m *Memory) At(ctx context.Context, seq uint64) (Record, error) {
	if err := ctx.Err(); err != nil {
		return Record{}, err
	}
	m.mu.Lock()
	stored := m.stored
	m.mu.Unlock()
	if seq == 0 || seq > uint64(len(stored)) {
		return Record{}, ErrNotFound
	}
	return decode(seq, stored[seq-1].subject, stored[seq-1].body)
}

// Last implements Ledger.
func (m *Memory) Last(ctx context.Context) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return uint64(len(m.stored)), ctx.Err()
}

// Epoch implements Ledger.
func (m *Memory) Epoch(ctx context.Context) (string, error) { return m.epoch, ctx.Err() }

// Close implements Ledger.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}
