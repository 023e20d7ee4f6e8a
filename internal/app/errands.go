package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// errands are what takes longer than a page may: the import of a large file, the
// file of a large report. Each is written into the vault before it begins, so that
// its page can be closed and opened again on any node. One node does it and says
// how far it is; when nothing is heard of it for a while another begins it anew.
// So an errand must do no harm when it is done twice.
type errands struct {
	vault ledger.Vault
	now   func() time.Time
	log   *slog.Logger
	work  map[string]work // by kind; filled before run
	kick  chan struct{}

	mu   sync.RWMutex
	all  map[string]errand
	mine map[string]bool // under way on this node
}

// work does an errand of one kind. progress takes 0 to 100. What it returns stands
// in the errand, which it may add to. A FieldErrors is told to whoever waits;
// after any other error it is done again.
type work func(ctx context.Context, id string, e errand, progress func(percent int)) (errand, error)

// errand as it is kept.
type errand struct {
	Kind    string             `json:"kind"`
	By      announcement.Actor `json:"by"`
	At      time.Time          `json:"at"`
	Order   json.RawMessage    `json:"order"`
	Turn    int                `json:"turn,omitempty"`  // how often it was begun
	Since   int                `json:"since,omitempty"` // the turn at which it was ordered, the last time
	Beat    time.Time          `json:"beat,omitzero"`   // when whoever does it was heard of
	Percent int                `json:"percent,omitempty"`
	Ended   time.Time          `json:"ended,omitzero"`
	Result  string             `json:"result,omitempty"`
	Parts   int                `json:"parts,omitempty"` // of a file that was made
	Fault   string             `json:"fault,omitempty"`
}

const (
	errandKey     = "errand."
	errandTurnKey = "errandturn." // created by the one node that has the turn
	errandPartKey = "errandpart."

	errandTick    = time.Second
	errandSilent  = 15 * time.Second   // a node that is silent for so long is gone
	errandTurns   = 5                  // then somebody has to be told
	errandLife    = 7 * 24 * time.Hour // of what was made
	errandsAtOnce = 2                  // on a node: an alert needs the processor too
)

func openErrands(ctx context.Context, vault ledger.Vault, now func() time.Time, log *slog.Logger) (*errands, error) {
	e := &errands{vault: vault, now: now, log: log, work: map[string]work{}, kick: make(chan struct{}, 1), all: map[string]errand{}, mine: map[string]bool{}}
	if err := keepUp(ctx, vault, errandKey, "errands", e.learn); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *errands) learn(key string, value []byte) {
	e.mu.Lock()
	defer e.mu.Unlock()
	id := strings.TrimPrefix(key, errandKey)
	var one errand
	if value == nil || json.Unmarshal(value, &one) != nil {
		delete(e.all, id)
		return
	}
	// What this node wrote last may come back to it late.
	if known := e.all[id]; known.Turn > one.Turn || known.Turn == one.Turn && (known.Beat.After(one.Beat) || !known.Ended.IsZero() && one.Ended.IsZero()) {
		return
	}
	e.all[id] = one
}

func (e *errands) get(id string) (errand, bool) {
	e.mu.RLock()
	defer e.mu.RUnlock()
	one, ok := e.all[id]
	return one, ok && e.now().Sub(one.At) < errandLife
}

// list returns the errands that match, newest first.
func (e *errands) list(match func(id string, one errand) bool) []string {
	e.mu.RLock()
	defer e.mu.RUnlock()
	var ids []string
	for id, one := range e.all {
		if e.now().Sub(one.At) < errandLife && match(id, one) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return e.all[b].At.Compare(e.all[a].At) })
	return ids
}

func (e *errands) put(ctx context.Context, id string, one errand) error {
	value, err := json.Marshal(one)
	if err != nil {
		return fmt.Errorf("encode errand: %w", err)
	}
	if err := e.vault.Put(ctx, errandKey+id, value); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	e.learn(errandKey+id, value)
	return nil
}

// begin orders an errand under an id of the caller's. One that is under way, or
// was done, is not begun again; one that came to nothing is.
func (e *errands) begin(ctx context.Context, id, kind string, by announcement.Actor, order any) error {
	before, known := e.get(id)
	if known && before.Fault == "" {
		return nil
	}
	raw, err := json.Marshal(order)
	if err != nil {
		return fmt.Errorf("encode errand: %w", err)
	}
	now := e.now().UTC()
	one := errand{Kind: kind, By: by, At: now, Order: raw, Turn: before.Turn}
	if known { // otherwise it would look older than the one before
		one.Turn++
	}
	one.Since = one.Turn
	if err := e.put(ctx, id, one); err != nil {
		return err
	}
	select {
	case e.kick <- struct{}{}:
	default:
	}
	return nil
}

// run does errands until ctx ends. Any number of nodes may do it.
func (e *errands) run(ctx context.Context) error {
	ticker := time.NewTicker(errandTick)
	defer ticker.Stop()
	var working sync.WaitGroup
	defer working.Wait()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		case <-e.kick:
		}
		for _, id := range e.due() {
			working.Go(func() { e.take(ctx, id) })
		}
		e.forget(ctx)
	}
}

// due returns what nobody does, as much as this node may take, and notes it as
// this node's.
func (e *errands) due() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []string
	for _, id := range slices.Sorted(maps.Keys(e.all)) {
		if len(e.mine) == errandsAtOnce {
			break
		}
		if one := e.all[id]; one.Ended.IsZero() && !e.mine[id] && e.now().Sub(one.Beat) >= errandSilent {
			e.mine[id] = true
			out = append(out, id)
		}
	}
	return out
}

// take does one errand, if this node is the first to take its next turn.
func (e *errands) take(ctx context.Context, id string) {
	defer func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.mine, id)
	}()
	one, ok := e.get(id)
	if !ok || !one.Ended.IsZero() || e.now().Sub(one.Beat) < errandSilent {
		return // another node was faster, and has said so since
	}
	one.Turn++
	err := e.vault.Create(ctx, fmt.Sprintf("%s%s.%d", errandTurnKey, id, one.Turn), []byte{1})
	if err != nil && !errors.Is(err, ledger.ErrAlready) {
		return // at the next tick
	}
	one.Beat, one.Percent = e.now().UTC(), 0
	if err != nil { // another node has it; if that one dies before it writes so, the next turn is ours
		e.mu.Lock()
		defer e.mu.Unlock()
		if e.all[id].Turn < one.Turn {
			e.all[id] = one
		}
		return
	}
	if e.put(ctx, id, one) != nil {
		return
	}
	tries := one.Turn - one.Since
	done, err := one, errors.New("each node that began it ended before it was done")
	if tries <= errandTurns {
		done, err = e.watched(ctx, id, one)
	}
	var bad announcement.FieldErrors
	switch {
	case ctx.Err() != nil:
		return // the house closes; another node begins it anew, or this one after its start
	case errors.As(err, &bad):
		done.Fault = bad[0].Why
	case err != nil && tries < errandTurns:
		e.log.Warn("an errand has to be done again", "step", one.Kind, "reason", err)
		return
	case err != nil:
		e.log.Error("an errand came to nothing", "step", one.Kind, "reason", err)
		done.Fault = "This could not be done now. Try again in a minute."
	}
	done.Turn, done.Percent = one.Turn, 100
	done.Ended = e.now().UTC()
	done.Beat = done.Ended
	_ = e.put(ctx, id, done) // without it the errand is done again, which does no harm
}

// watched does the work and says once a second how far it is. It stops when
// another node, which took this one for dead, has begun it anew. Work that panics has
// failed, and takes nothing else with it.
func (e *errands) watched(ctx context.Context, id string, one errand) (done errand, err error) {
	do := e.work[one.Kind]
	if do == nil {
		return one, fmt.Errorf("nobody does %q", one.Kind) // a newer node will
	}
	ctx, stop := context.WithCancel(ctx)
	var percent atomic.Int32
	var saying sync.WaitGroup
	defer saying.Wait()
	defer stop()
	defer func() {
		if v := recover(); v != nil {
			done, err = one, fmt.Errorf("panicked: %T", v)
		}
	}()
	saying.Go(func() {
		ticker := time.NewTicker(errandTick)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			if now, _ := e.get(id); now.Turn > one.Turn {
				stop()
				return
			}
			said := one
			said.Beat, said.Percent = e.now().UTC(), int(percent.Load())
			_ = e.put(ctx, id, said)
		}
	})
	return do(ctx, id, one, func(p int) { percent.Store(int32(min(p, 99))) }) // #nosec G115 -- at most 99
}

// forget erases what is too old, the files last made first: whoever is cut off
// here begins again with what is still named.
func (e *errands) forget(ctx context.Context) {
	e.mu.RLock()
	old := map[string]errand{}
	for id, one := range e.all {
		if e.now().Sub(one.At) >= errandLife {
			old[id] = one
		}
	}
	e.mu.RUnlock()
	for id := range old {
		_ = e.drop(ctx, id) // else at the next tick
	}
}

// drop erases an errand and what it made.
func (e *errands) drop(ctx context.Context, id string) error {
	e.mu.RLock()
	one := e.all[id]
	e.mu.RUnlock()
	err := deleteParts(ctx, e.vault, errandPartKey+id, one.Parts)
	for turn := range one.Turn {
		err = errors.Join(err, e.vault.Delete(ctx, fmt.Sprintf("%s%s.%d", errandTurnKey, id, turn+1)))
	}
	if err == nil {
		err = e.vault.Delete(ctx, errandKey+id)
	}
	if err == nil {
		e.learn(errandKey+id, nil)
	}
	return err
}

// under says how an errand goes, for its page.
func (e *errands) under(id string) (web.Errand, error) {
	one, ok := e.get(id)
	if !ok {
		return web.Errand{}, web.ErrNotFound
	}
	return web.Errand{ID: id, Percent: one.Percent, Done: !one.Ended.IsZero(), Fault: one.Fault, Result: one.Result, At: one.At, Until: one.At.Add(errandLife)}, nil
}
