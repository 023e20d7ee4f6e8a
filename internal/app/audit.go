package app

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// audit writes down who did, took out and looked at what, as facts of the house in
// the ledger, beside the facts of the announcements: in the same order, under the same
// protection, and found by the same verify.
//
// # Decisions
//
// What changes the house, lets somebody in or takes data out is noted *before* it is
// done (note): no record, no act. Whoever only looks at somebody's data may be
// answering a call for help, so that looking never waits for the disk and never fails
// for the trail: it is noted *beside* (saw), by a queue that is written at once while
// the ledger takes it, and tried again until it does. How much waits is the metric
// kentongan_audit_waiting; what a crash takes with it is what waited, on a healthy
// ledger some milliseconds.
//
// Looking again at the same within lookAgain is the same look: a board that follows an
// alert all day is one entry an hour. A sign-in that is refused is written at most once
// in lookAgain per account, and once for all logins that nobody has, with the number of
// tries, so that a guesser cannot fill the ledger.
type audit struct {
	ledger ledger.Ledger
	now    func() time.Time
	log    *slog.Logger

	mu      sync.Mutex
	waiting []announcement.Fact
	lost    int
	looked  map[string]look
	wake    chan struct{}
}

// look is the last time that somebody looked at something, and how often since.
type look struct {
	at    time.Time
	again int
}

const (
	lookAgain  = time.Hour
	mostLooks  = 20_000  // of which it is known that they were noted; about 4 MB
	mostAudits = 100_000 // that wait for a ledger that takes nothing; about 50 MB
	auditPause = time.Second
	auditDrain = 5 * time.Second // that a stop waits for what is not written yet
)

func newAudit(l ledger.Ledger, now func() time.Time, log *slog.Logger) *audit {
	return &audit{ledger: l, now: now, log: log, looked: map[string]look{}, wake: make(chan struct{}, 1)}
}

func (a *audit) fact(by announcement.Actor, act announcement.Act, about announcement.About) announcement.Fact {
	return announcement.Fact{Announcement: announcement.House, Kind: announcement.KindNoted, At: a.now().UTC(), Actor: by,
		Noted: &announcement.Noted{Act: act, About: about}}
}

// note writes down what is about to be done, and returns when that is durable. On an
// error it must not be done.
func (a *audit) note(ctx context.Context, by announcement.Actor, act announcement.Act, about announcement.About) error {
	if _, err := a.ledger.Append(ctx, a.fact(by, act, about)); err != nil {
		a.log.Error("an act could not be noted, so it is not done", "step", "audit", "act", act, "reason", err)
		return fmt.Errorf("%w: note %s: %w", web.ErrNotYet, act, err)
	}
	return nil
}

// saw writes down that somebody looked at something, and neither waits nor fails.
func (a *audit) saw(by announcement.Actor, act announcement.Act, about announcement.About) {
	now := a.now()
	key := fmt.Sprint(by, " ", act, " ", about.Person, " ", about.Announcement, " ", about.Account, " ", about.Object, " ", about.By, " ", about.Refused, " ", about.Asked)
	a.mu.Lock()
	defer a.mu.Unlock()
	again := act.Looks() || act == announcement.SignInRefused // what may come any number of times
	last, known := a.looked[key]
	if again && known && now.Sub(last.at) < lookAgain {
		last.again++
		a.looked[key] = last
		return
	}
	if len(a.looked) >= mostLooks { // forgetting writes one look twice, never less than once
		for k, l := range a.looked {
			if now.Sub(l.at) >= lookAgain || len(a.looked) > mostLooks/2 {
				delete(a.looked, k)
			}
		}
	}
	if again {
		a.looked[key] = look{at: now}
	}
	if act == announcement.SignInRefused {
		about.Count = last.again + 1 // those that were not written since the last, and this one
	}
	if len(a.waiting) >= mostAudits {
		a.lost++
		return
	}
	a.waiting = append(a.waiting, a.fact(by, act, about))
	select {
	case a.wake <- struct{}{}:
	default:
	}
}

// run writes what waits until ctx ends.
func (a *audit) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-a.wake:
		}
		for !a.flush(ctx) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(auditPause):
			}
		}
	}
}

// flush writes what waits now and reports whether nothing is left. What may have been
// written is written again: the trail says twice rather than never.
func (a *audit) flush(ctx context.Context) bool {
	a.mu.Lock()
	batch := a.waiting[:min(len(a.waiting), ledger.MaxPack)]
	lost := a.lost
	a.lost = 0
	a.mu.Unlock()
	if lost > 0 {
		a.log.Error("looks at people's data were not noted: the ledger has taken nothing for too long", "step", "audit", "lost", lost)
	}
	if len(batch) == 0 {
		return true
	}
	if _, err := a.ledger.Append(ctx, batch...); err != nil {
		a.log.Warn("what was looked at is not noted yet", "step", "audit", "waiting", a.behind(), "reason", err)
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = a.waiting[len(batch):]
	return len(a.waiting) == 0
}

// behind is how many looks are not written yet.
func (a *audit) behind() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.waiting)
}

// doing notes an act, does it, and notes beside if nothing came of it.
func (a *audit) doing(ctx context.Context, by announcement.Actor, act announcement.Act, about announcement.About, do func() error) error {
	if err := a.note(ctx, by, act, about); err != nil {
		return err
	}
	err := do()
	if err != nil {
		about.Refused = true
		a.saw(by, act, about)
	}
	return err
}

// drain writes the rest before the ledger is closed.
func (a *audit) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), auditDrain)
	defer cancel()
	for !a.flush(ctx) && ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-time.After(auditPause / 10):
		}
	}
}
