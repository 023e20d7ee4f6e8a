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
	found []string // by the last round; no names, no numbers
	at    time.Time
	end   uint64 // of the ledger, a round ago
	mute  bool   // the last heartbeat was not taken
}

const (
	round = time.Minute
	// What may lie for so long: the tries of one delivery, and a tick of the tracker.
	mayWait = 2 * time.Minute
	mayLag  = 30 * time.Second
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
		found = []string{"a round took more than a minute"}
	}
	w.mu.Lock()
	before := w.found
	w.found, w.at = found, w.now()
	w.mu.Unlock()
	for _, f := range found {
		if !slices.Contains(before, f) {
			w.log.Error("the watch found something", "step", "watch", "reason", f)
		}
	}
	if len(found) == 0 && w.heartbeat != "" {
		w.beat(ctx)
	}
}

// look returns what is not as it should be.
func (w *watch) look(ctx context.Context) (found []string) {
	last, err := w.ledger.Last(ctx)
	if err != nil {
		return []string{"the ledger does not answer"}
	}
	if applied := w.tracker.Applied(); applied < w.end {
		found = append(found, fmt.Sprintf("the tracker is at record %d and ought to have been at %d a minute ago", applied, w.end))
	}
	w.end = last // only read and written here
	if late := w.tracker.Overdue(); late > mayLag {
		found = append(found, "a step of an escalation is late")
	}
	if waits, err := w.queue.Oldest(ctx); err == nil {
		for _, at := range waits[announcement.Emergency] {
			if w.now().Sub(at) > mayWait {
				found = append(found, "a delivery of an emergency waits for more than two minutes")
				break
			}
		}
	}
	for _, id := range w.tracker.IDs() {
		v, ok := w.tracker.View(id)
		if !ok || v.Status != announcement.StatusOpen {
			continue
		}
		if err := w.tracker.Recount(ctx, id); errors.Is(err, tracker.ErrMiscounted) {
			found = append(found, fmt.Sprintf("%s: who has answered was counted wrongly, and was counted anew from the ledger", id))
		} else if err != nil {
			found = append(found, fmt.Sprintf("%s: who has answered cannot be counted", id))
		}
	}
	return found
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
	return slices.Clone(w.found), w.at, !w.mute
}
