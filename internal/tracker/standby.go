package tracker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"kentongan/internal/announcement"
)

// Standby is a Store that goes on in this process while the main one does not
// answer: somebody who calls for help cannot wait for an operator to mend Redis.
//
// It costs nothing to change over, because every reader of a Store compares its
// position with the ledger and rebuilds what is behind: the own store when the
// main one is left, the main one when it is there again. Two nodes that each keep
// their own meanwhile may take the same decision, and the ledger lets one win.
type Standby struct {
	main  Store
	check func(context.Context) error
	own   *MemoryStore
	log   *slog.Logger

	patience time.Duration // how long the main store has for one operation
	pause    time.Duration // how long it is left alone before it is asked again

	mu      sync.Mutex
	away    bool
	refused string // why it was last not used though it answers
	askAt   time.Time
	asking  bool
}

// NewStandby returns a store that works with main, and without it. check says
// whether main may be used, and is asked before main is used again; an error of it
// now, for absent, means that main is not used yet.
func NewStandby(main Store, check func(context.Context) error, absent error, log *slog.Logger) *Standby {
	s := &Standby{main: main, check: check, own: NewMemoryStore(), log: log, patience: 3 * time.Second, pause: time.Second}
	if absent != nil {
		s.leave(absent)
	}
	return s
}

// Away reports whether the main store does not answer.
func (s *Standby) Away() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.away
}

// do runs an operation on the main store, or on the own one while that is away.
func (s *Standby) do(ctx context.Context, operate func(context.Context, Store) error) error {
	if s.present(ctx) {
		limited, cancel := context.WithTimeout(ctx, s.patience)
		err := operate(limited, s.main)
		cancel()
		if err == nil || errors.Is(err, ErrLost) || ctx.Err() != nil {
			return err
		}
		s.leave(err)
	}
	return operate(ctx, s.own)
}

func (s *Standby) leave(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.away {
		s.log.Error("Redis does not answer; the working state is kept in this process until it does, and nothing waits for it", "reason", err)
	}
	s.away, s.askAt = true, time.Now().Add(s.pause)
}

// present reports whether the main store is to be used. While it is away it is
// asked now and then, without making anybody wait.
func (s *Standby) present(ctx context.Context) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away && !s.asking && !time.Now().Before(s.askAt) {
		s.asking = true
		go s.ask(context.WithoutCancel(ctx))
	}
	return !s.away
}

// ask returns to the main store if it can be read and written.
func (s *Standby) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.patience)
	defer cancel()
	err := s.usable(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asking = false
	if err != nil {
		s.askAt = time.Now().Add(s.pause)
		if why := err.Error(); !errors.Is(err, ErrAway) && why != s.refused {
			s.refused = why // said once, not every second
			s.log.Error("Redis answers, but is not used: the working state stays in this process", "reason", err)
		}
		return
	}
	s.away = false
	s.own.Flush()
	s.log.Info("Redis answers again; the working state is rebuilt there from the ledger")
}

// usable checks the main store as a start does, and that it can be written. One
// that has seen another ledger than this process stays where it is: at a start that
// is an alarm.
func (s *Standby) usable(ctx context.Context) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	epoch, seq, err := s.main.Cursor(ctx)
	if err == nil {
		err = s.main.SetCursor(ctx, epoch, seq)
	}
	if err != nil {
		return errors.Join(ErrAway, err)
	}
	if ours, _, _ := s.own.Cursor(ctx); epoch != "" && ours != "" && epoch != ours {
		return errors.New("it knows another ledger: restore the ledger, or empty Redis if it is meant to be new")
	}
	return nil
}

func (s *Standby) Apply(ctx context.Context, id announcement.ID, prev uint64, changes []Change) error {
	return s.do(ctx, func(ctx context.Context, to Store) error { return to.Apply(ctx, id, prev, changes) })
}

func (s *Standby) Snapshot(ctx context.Context, id announcement.ID) (out Snapshot, err error) {
	err = s.do(ctx, func(ctx context.Context, to Store) error { out, err = to.Snapshot(ctx, id); return err })
	return out, err
}

func (s *Standby) Look(ctx context.Context, id announcement.ID, numbers []int, names []string) (out Look, err error) {
	err = s.do(ctx, func(ctx context.Context, to Store) error { out, err = to.Look(ctx, id, numbers, names); return err })
	return out, err
}

func (s *Standby) Peek(ctx context.Context, id announcement.ID, n int, round int64, c announcement.Channel) (out Peek, err error) {
	err = s.do(ctx, func(ctx context.Context, to Store) error { out, err = to.Peek(ctx, id, n, round, c); return err })
	return out, err
}

func (s *Standby) Settled(ctx context.Context, id announcement.ID, round int64, c announcement.Channel) (out Bitmap, at uint64, err error) {
	err = s.do(ctx, func(ctx context.Context, to Store) error { out, at, err = to.Settled(ctx, id, round, c); return err })
	return out, at, err
}

func (s *Standby) Forget(ctx context.Context, id announcement.ID) error {
	return s.do(ctx, func(ctx context.Context, to Store) error { return to.Forget(ctx, id) })
}

func (s *Standby) Arm(ctx context.Context, id announcement.ID, due time.Time, keep bool) error {
	return s.do(ctx, func(ctx context.Context, to Store) error { return to.Arm(ctx, id, due, keep) })
}

func (s *Standby) Disarm(ctx context.Context, id announcement.ID) error {
	return s.do(ctx, func(ctx context.Context, to Store) error { return to.Disarm(ctx, id) })
}

func (s *Standby) Due(ctx context.Context, now, until time.Time, limit int) (out []announcement.ID, err error) {
	err = s.do(ctx, func(ctx context.Context, to Store) error { out, err = to.Due(ctx, now, until, limit); return err })
	return out, err
}

func (s *Standby) Cursor(ctx context.Context) (epoch string, seq uint64, err error) {
	err = s.do(ctx, func(ctx context.Context, to Store) error { epoch, seq, err = to.Cursor(ctx); return err })
	return epoch, seq, err
}

func (s *Standby) SetCursor(ctx context.Context, epoch string, seq uint64) error {
	return s.do(ctx, func(ctx context.Context, to Store) error { return to.SetCursor(ctx, epoch, seq) })
}
