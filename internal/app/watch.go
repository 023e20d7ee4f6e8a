package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/dispatch"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
)

// watch is the one who walks round at night. Every minute it holds what the node
// believes against the ledger, and looks whether anything that is due was left lying:
// the mistakes that nobody sees, because a board shows them as if they were right.
//
// When all is well it says so to KENTONGAN_HEARTBEAT_URL, whose owner calls somebody
// when it falls silent: the only alarm that also rings when this machine is gone.
type watch struct {
	ledger    ledger.Ledger
	tracker   *tracker.Tracker
	queue     dispatch.Queue
	heartbeat string // no address, no heartbeat
	client    *http.Client
	now       func() time.Time
	log       *slog.Logger

	mu    sync.Mutex
	found []finding // by the last round
	at    time.Time
	end   uint64 // of the ledger, a round ago
	mute  bool   // the last heartbeat was not taken

	// unplanned says how many decisions are not in the queue yet; nil: nobody knows. A
	// round ago there were so many.
	unplanned func(context.Context) (int, error)
	planning  int
	missing   map[missed]bool // from every queue, a round ago
	// again publishes jobs once more that have these targets, see dispatch.Dispatcher.Again.
	again func(ctx context.Context, id announcement.ID, round int64, c announcement.Channel, targets []int) error
}

// finding is one thing that is not as it should be.
type finding struct {
	code string // the pages have words for it, for people who do not run the server
	says string // no names, no numbers
}

const (
	round = time.Minute
	// What may lie for so long: the tries of one delivery, and a tick of the tracker.
	mayWait = 2 * time.Minute
	mayLag  = 30 * time.Second
	// What is not urgent may lie until everybody's morning, wherever that is.
	routineMayWait = 25 * time.Hour
)

// run walks until ctx ends.
func (w *watch) run(ctx context.Context) error {
	each := time.NewTicker(round)
	defer each.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-each.C:
		}
		w.walk(ctx)
	}
}

// walk is one round.
func (w *watch) walk(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, round)
	defer cancel()
	found := w.look(ctx)
	if ctx.Err() != nil && len(found) == 0 {
		found = []finding{{"slow", "a round took more than a minute"}}
	}
	w.mu.Lock()
	before := w.found
	w.found, w.at = found, w.now()
	w.mu.Unlock()
	for _, f := range found {
		if !slices.Contains(before, f) {
			w.log.Error("the watch found something", "step", "watch", "reason", f.says)
		}
	}
	if len(found) == 0 && w.heartbeat != "" {
		w.beat(ctx)
	}
}

// look returns what is not as it should be.
//
// No intent to send is without a result for long. Until its announcement is planned it is
// a decision that is not planned; then it is a job, which leaves the queue only when there
// is a receipt for each of its people, or why there is none; and a job that cannot be worked
// on is stuck. Each of the three is looked at here, and so is the alert of which there is
// no job any more.
func (w *watch) look(ctx context.Context) (found []finding) {
	add := func(code, says string) { found = append(found, finding{code, says}) }
	last, err := w.ledger.Last(ctx)
	if err != nil {
		return []finding{{"ledger", "the ledger does not answer"}}
	}
	if applied := w.tracker.Applied(); applied < w.end {
		add("behind", fmt.Sprintf("the tracker is at record %d and ought to have been at %d a minute ago", applied, w.end))
	}
	w.end = last // only read and written here
	if late := w.tracker.Overdue(); late > mayLag {
		add("escalation", "a step of an escalation is late")
	}
	waits, err := w.queue.Oldest(ctx)
	if w.waits(waits[announcement.Emergency], mayWait) {
		add("emergency", "a delivery of an emergency waits for more than two minutes")
	}
	if w.waits(waits[announcement.Routine], routineMayWait) {
		add("routine", "a delivery that is not urgent waits for more than a day")
	}
	q := queued{was: w.missing, missing: map[missed]bool{}}
	w.missing = q.missing // only read and written here
	var depthErr, stuckErr error
	q.depth, depthErr = w.queue.Depth(ctx)
	q.stuck, stuckErr = w.queue.Stuck(ctx)
	if n := len(q.stuck); n > 0 {
		add("stuck", fmt.Sprintf("%d deliveries are stuck and wait for a person, on the page /stuck", n))
	}
	unseen := errors.Join(err, depthErr, stuckErr)
	if w.unplanned != nil {
		if n, err := w.unplanned(ctx); err == nil {
			if n > 0 && w.planning > 0 {
				add("unplanned", "a decision is not in the queue after a minute")
			}
			w.planning = n // only read and written here
		}
	}
	lost := 0
	for _, id := range w.tracker.IDs() {
		v, ok := w.tracker.View(id)
		if !ok || v.Status != announcement.StatusOpen {
			continue
		}
		if err := w.tracker.Recount(ctx, id); err == nil && unseen == nil {
			n, err := w.lost(ctx, id, v, q)
			lost, unseen = lost+n, err
		} else if errors.Is(err, tracker.ErrMiscounted) {
			add("miscounted", fmt.Sprintf("%s: who has answered was counted wrongly, and was counted anew from the ledger", id))
		} else if errors.Is(err, tracker.ErrUnread) {
			add("unread", fmt.Sprintf("%s: a newer version wrote facts that this one does not know: finish the upgrade; until then counts on this node may be wrong", id))
		} else if err != nil {
			add("uncounted", fmt.Sprintf("%s: who has answered cannot be counted", id))
		}
	}
	if lost > 0 {
		add("lost", fmt.Sprintf("%d calls were in no queue any more, and are put there again", lost))
	}
	if unseen != nil {
		add("queue", "what waits in the queue of deliveries cannot be seen: check NATS, and restart this server if its streams were deleted")
	}
	return found
}

// waits reports whether one of these has waited for longer than it may.
func (w *watch) waits(oldest map[announcement.Channel]time.Time, most time.Duration) bool {
	for _, at := range oldest {
		if w.now().Sub(at) > most {
			return true
		}
	}
	return false
}

// beat says that all is well. That nobody takes it is no reason to alarm anybody here:
// whoever waits for it does.
func (w *watch) beat(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	mute := true
	if r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.heartbeat, nil); err == nil {
		if answer, err := w.client.Do(r); err == nil {
			_ = answer.Body.Close()
			mute = answer.StatusCode >= 300
		}
	}
	w.mu.Lock()
	was := w.mute
	w.mute = mute
	w.mu.Unlock()
	if mute && !was { // the address is a secret, and so is what an error says of it
		w.log.Warn("the heartbeat was not taken: check KENTONGAN_HEARTBEAT_URL", "step", "watch")
	}
}

// Found is what the last round found, when that was, and whether the heartbeat is heard.
func (w *watch) Found() (found []string, at time.Time, heard bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.found {
		found = append(found, f.says)
	}
	return found, w.at, !w.mute
}

// codes is what the last round found, each kind once.
func (w *watch) codes() (codes []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.found {
		if !slices.Contains(codes, f.code) {
			codes = append(codes, f.code)
		}
	}
	return codes
}
