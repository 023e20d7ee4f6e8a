package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// Once a day, in the first hour after midnight (UTC) in which the house is open, one
// node erases what is due and writes down how much it was. The record of the day is
// created by the node that begins; when it is not ended an hour later, another does it
// again, which does no harm: what is gone is gone.
const (
	sweepKey   = "sweep."
	sweepTick  = 5 * time.Minute
	sweepAgain = time.Hour

	eraseAtOnce = 200 // leavers: each lot reads the vault twice, however many they are
)

// sweep is one day's record: numbers only.
type sweep struct {
	At      time.Time      `json:"at"`
	Ended   time.Time      `json:"ended,omitzero"`
	Days    [3]int         `json:"days,omitzero"`     // for which words, strangers' texts and leavers were kept
	Erased  map[string]int `json:"erased,omitempty"`  // by kind
	Unnamed int            `json:"unnamed,omitempty"` // values of kinds that no table names: a fault of ours
	Fault   bool           `json:"fault,omitempty"`   // something could not be erased and is tried again the next day
}

// runRetention erases what is due until ctx ends. Any number of nodes may do it.
func (k *keeper) runRetention(ctx context.Context) error {
	ticker := time.NewTicker(sweepTick)
	defer ticker.Stop()
	for {
		if ready, _ := k.tracker.Ready(); ready && k.calm() {
			if err := k.sweepDay(ctx); err != nil && ctx.Err() == nil {
				k.log.Error("what is due could not all be erased; it is tried again", "step", "retention", "reason", err)
			}
			k.finishErasures(ctx)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// calm reports whether the last hour was: whoever calls people needs the disk more.
func (k *keeper) calm() bool {
	for _, id := range k.tracker.IDs() { // newest first
		if v, ok := k.tracker.View(id); ok && v.Status == announcement.StatusOpen {
			return k.now().Sub(v.OpenedAt) >= time.Hour
		}
	}
	return true
}

// sweepDay does today's round, if nobody has or does.
func (k *keeper) sweepDay(ctx context.Context) error {
	now := k.now().UTC()
	key := sweepKey + now.Format("20060102")
	s := sweep{At: now, Days: [3]int{k.config.RetainWords, k.config.RetainStrangers, k.config.RetainLeft}}
	value, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode sweep: %w", err)
	}
	switch err := k.vault.Create(ctx, key, value); {
	case errors.Is(err, ledger.ErrAlready):
		stored, err := k.vault.Get(ctx, key)
		var before sweep
		if err != nil || json.Unmarshal(stored, &before) != nil || !before.Ended.IsZero() || now.Sub(before.At) < sweepAgain {
			return err
		}
		if err := k.vault.Change(ctx, key, stored, value); err != nil {
			if errors.Is(err, ledger.ErrChanged) {
				return nil // another node was faster
			}
			return err
		}
	case err != nil:
		return err
	}
	if err := k.noteDays(ctx, s); err != nil {
		return err
	}
	failed := k.sweep(ctx, &s, func() error { // what takes hours is not begun again by another node
		s.At = k.now().UTC()
		value, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("encode sweep: %w", err)
		}
		return k.vault.Put(ctx, key, value)
	})
	s.Ended, s.Fault = k.now().UTC(), failed != nil
	if value, err = json.Marshal(s); err != nil {
		return fmt.Errorf("encode sweep: %w", err)
	}
	return errors.Join(failed, k.vault.Put(ctx, key, value))
}

// noteDays notes that data are kept longer or shorter than in the round before, before
// anything goes by that.
func (k *keeper) noteDays(ctx context.Context, today sweep) error {
	var last sweep
	err := k.vault.Walk(ctx, sweepKey, func(key string, value []byte, _ time.Time) error {
		var s sweep
		if json.Unmarshal(value, &s) == nil && s.Days != [3]int{} && key < sweepKey+today.At.Format("20060102") && s.At.After(last.At) {
			last = s
		}
		return nil
	})
	if err != nil || last.At.IsZero() || last.Days == today.Days {
		return err
	}
	return k.note(ctx, byOperator, announcement.RetentionChanged, announcement.About{Object: fmt.Sprintf("%d-%d-%d", today.Days[0], today.Days[1], today.Days[2])})
}

// byOperator is whoever runs the server and chooses its settings.
const byOperator announcement.Actor = "operator"

// sweep erases what is due. What fails is passed over and said. beat says that it is
// still at work.
func (k *keeper) sweep(ctx context.Context, s *sweep, beat func() error) error {
	s.Erased = map[string]int{}
	var due []string
	err := k.vault.Walk(ctx, "", func(key string, value []byte, put time.Time) error {
		h, known := holdingOf(kindOfKey(key))
		switch {
		case !known:
			s.Unnamed++
		case h.due != nil && h.due(k, key, value, put):
			due = append(due, key)
		}
		return nil
	})
	errs := []error{err}
	for _, key := range due {
		if err := k.vault.Delete(ctx, key); err != nil {
			errs = append(errs, err)
			continue
		}
		s.Erased[kindOfKey(key)]++
	}
	errs = append(errs, k.directory.ForgetImports(ctx))
	now := k.now()
	for _, p := range k.directory.Leavers(now.Add(-30 * day)) {
		was, err := k.directory.ForgetContact(ctx, p)
		if was {
			s.Erased["contact"]++
		}
		errs = append(errs, err)
	}
	for some := range slices.Chunk(k.directory.Leavers(now.Add(-time.Duration(k.config.RetainLeft)*day)), eraseAtOnce) {
		n, err := k.erase(ctx, announcement.ByPolicy, some, false)
		if n > 0 {
			s.Erased["person"] += n
		}
		errs = append(errs, err, beat())
	}
	// Also what was only overwritten goes: a number that somebody no longer has.
	return errors.Join(append(errs, k.vault.Rewrite(ctx))...)
}

// Kept says what was erased lately, the newest first.
func (k *keeper) Kept(ctx context.Context) (web.Retention, error) {
	out := web.Retention{Kinds: k.Holdings(ctx), Sweeps: []web.Sweep{}, Erasures: []web.Erasure{}}
	err := k.vault.Walk(ctx, sweepKey, func(_ string, value []byte, _ time.Time) error {
		var s sweep
		if json.Unmarshal(value, &s) != nil {
			return nil //nolint:nilerr // one that cannot be read is left out, the others are shown
		}
		w := web.Sweep{At: s.At, Ended: s.Ended, Fault: s.Fault, Unnamed: s.Unnamed, Erased: []web.Choice{}}
		for kind, n := range s.Erased {
			w.Erased = append(w.Erased, web.Choice{Name: kind, People: n})
		}
		slices.SortFunc(w.Erased, func(a, b web.Choice) int { return strings.Compare(a.Name, b.Name) })
		out.Sweeps = append(out.Sweeps, w)
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	err = k.vault.Walk(ctx, erasureKey, func(_ string, value []byte, _ time.Time) error {
		var e erasure
		if json.Unmarshal(value, &e) == nil {
			out.Erasures = append(out.Erasures, web.Erasure{At: e.At, Ended: e.Ended, By: k.actorName(e.By)})
		}
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	slices.SortFunc(out.Sweeps, func(a, b web.Sweep) int { return b.At.Compare(a.At) })
	slices.SortFunc(out.Erasures, func(a, b web.Erasure) int { return cmp.Compare(b.At.UnixNano(), a.At.UnixNano()) })
	return out, nil
}
