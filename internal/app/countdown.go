package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// countdowns holds the announcements that a person has confirmed and that go
// out in a moment, so that the moment can be used to take them back. They are
// kept in the vault, encrypted: every node follows them, so that a node that
// dies in the countdown does not keep an alarm from going out.
//
// Whether it goes out or is cancelled is decided by who first creates its end:
// the vault lets exactly one of them.
type countdowns struct {
	vault ledger.Vault

	mu     sync.RWMutex
	all    map[announcement.ID]prepared
	lets   map[announcement.ID]approval
	ends   map[announcement.ID]ending
	faults map[announcement.ID]fault // of this node's tries
}

// fault says why an announcement could not go out, and when to try again.
type fault struct {
	err   error
	after time.Time
}

// prepared is a confirmed draft as stored.
type prepared struct {
	Draft  web.Draft          `json:"draft"`
	Key    string             `json:"key"` // makes the id, so that sending it twice sends it once
	By     announcement.Actor `json:"by"`
	Grant  web.Grant          `json:"grant"`
	People int                `json:"people"` // as the person confirmed
	At     time.Time          `json:"at,omitzero"`
	Due    time.Time          `json:"due"`
	Awaits bool               `json:"awaits,omitempty"` // a second person has to approve it; Due says nothing then
}

// ending says how a countdown ended, and who ended it.
type ending struct {
	Sent bool               `json:"sent"`
	By   announcement.Actor `json:"by,omitempty"`
	At   time.Time          `json:"at"`

	Rejected bool   `json:"rejected,omitempty"` // by whoever was to approve it
	Reason   string `json:"reason,omitempty"`
}

const (
	preparedKey = "prepared."
	endKey      = "countdown."

	// countdownTick is how late an announcement may go out after its countdown.
	countdownTick = 200 * time.Millisecond
	// countdownRetry is when one that could not go out is tried again.
	countdownRetry = 2 * time.Second
	// countdownsKept is how long an ended one can still be looked at.
	countdownsKept = 24 * time.Hour
)

// openCountdowns returns when everything that was stored before is loaded.
func openCountdowns(ctx context.Context, vault ledger.Vault) (*countdowns, error) {
	c := &countdowns{vault: vault, all: map[announcement.ID]prepared{}, lets: map[announcement.ID]approval{}, ends: map[announcement.ID]ending{}, faults: map[announcement.ID]fault{}}
	for _, prefix := range []string{endKey, approvalKey, preparedKey} { // ends first: nothing that ended goes out again
		if err := keepUp(ctx, vault, prefix, "countdowns", c.learn); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func (c *countdowns) learn(key string, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id, ok := strings.CutPrefix(key, preparedKey); ok {
		var p prepared
		if value == nil || json.Unmarshal(value, &p) != nil {
			delete(c.all, announcement.ID(id))
			return
		}
		c.all[announcement.ID(id)] = p
		return
	}
	if id, ok := strings.CutPrefix(key, approvalKey); ok {
		var a approval
		if value == nil || json.Unmarshal(value, &a) != nil {
			delete(c.lets, announcement.ID(id))
			return
		}
		c.lets[announcement.ID(id)] = a
		return
	}
	id := announcement.ID(strings.TrimPrefix(key, endKey))
	var e ending
	if value == nil || json.Unmarshal(value, &e) != nil {
		delete(c.ends, id)
		return
	}
	c.ends[id] = e
}

func (c *countdowns) get(id announcement.ID) (p prepared, end ending, known bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	p, known = c.all[id]
	return p, c.ends[id], known
}

func (c *countdowns) approval(id announcement.ID) (approval, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	a, ok := c.lets[id]
	return a, ok
}

// goesAt returns when an announcement is due; not ok while it waits for somebody. c.mu
// is held.
func (c *countdowns) goesAt(id announcement.ID, p prepared) (at time.Time, ok bool) {
	if !p.Awaits {
		return p.Due, true
	}
	a, ok := c.lets[id]
	return a.Due, ok
}

// end decides how a countdown ends. It returns the ending that stands, which may
// be another's.
func (c *countdowns) end(ctx context.Context, id announcement.ID, e ending) (ending, error) {
	value, err := json.Marshal(e)
	if err != nil {
		return ending{}, fmt.Errorf("encode end of countdown: %w", err)
	}
	err = c.vault.Create(ctx, endKey+string(id), value)
	if err == nil {
		c.learn(endKey+string(id), value)
		return e, nil
	}
	if !errors.Is(err, ledger.ErrAlready) {
		return ending{}, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	value, err = c.vault.Get(ctx, endKey+string(id))
	if err != nil {
		return ending{}, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	c.learn(endKey+string(id), value)
	_, stands, _ := c.get(id)
	return stands, nil
}

// Prepare accepts an announcement that goes out after the countdown, and returns
// its id. Once it returns, the announcement goes out by itself unless somebody
// cancels it. It is idempotent by key.
func (d *desk) Prepare(ctx context.Context, p web.Principal, draft web.Draft, key string) (announcement.ID, error) {
	if !p.May(web.Announce) {
		return "", web.ErrForbidden
	}
	a, resolved, err := d.complete(draft)
	if err == nil {
		err = d.allowed(p.Grant, a, resolved.Roster)
	}
	if err != nil {
		return "", err
	}
	if d.heldBack(draft.Mode, len(resolved.Roster.Recipients)) {
		return "", whyHeldBack
	}
	why, approvers := d.needsApproval(a, resolved, p.Actor)
	awaits := why != "" && len(approvers) > 0
	if d.config.Countdown == 0 && !awaits {
		s, _, err := d.Announce(ctx, p, draft, key)
		return s.ID, err
	}
	id := idForKey(d.links.key, p, key)
	value, err := json.Marshal(prepared{Draft: draft, Key: key, By: p.Actor, Grant: p.Grant, People: len(resolved.Roster.Recipients),
		At: d.now().UTC(), Due: d.now().UTC().Add(d.config.Countdown), Awaits: awaits})
	if err != nil {
		return "", fmt.Errorf("encode countdown: %w", err)
	}
	err = d.countdowns.vault.Create(ctx, preparedKey+string(id), value)
	switch {
	case errors.Is(err, ledger.ErrAlready):
		return id, d.countdowns.pressedAgain(ctx, id, draft)
	case err != nil:
		return "", fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	d.countdowns.learn(preparedKey+string(id), value)
	if awaits {
		go d.askApprovers(ctx, id, p.Actor)
	}
	return id, nil
}

// pressedAgain lets the same form pass once more; with other words it was changed
// after it was sent, and must not be swallowed.
func (c *countdowns) pressedAgain(ctx context.Context, id announcement.ID, draft web.Draft) error {
	value, err := c.vault.Get(ctx, preparedKey+string(id))
	var before prepared
	if err != nil || json.Unmarshal(value, &before) != nil {
		return web.ErrNotYet
	}
	was, err := fingerprint(before.Draft)
	if err != nil {
		return err
	}
	is, err := fingerprint(draft)
	if err == nil && was != is {
		err = web.ErrReused
	}
	return err
}

// Countdowns lists what is about to go out, the next first.
func (d *desk) Countdowns(context.Context) []web.Countdown {
	d.countdowns.mu.RLock()
	ids := slices.Collect(maps.Keys(d.countdowns.all))
	d.countdowns.mu.RUnlock()
	var out []web.Countdown
	for _, id := range ids {
		if _, end, _ := d.countdowns.get(id); !end.At.IsZero() {
			continue // most of them, and a look at one resolves its audience
		}
		if c, err := d.countdown(id); err == nil && (c.Status == announcement.StatusCountdown || c.Status == announcement.StatusAwaiting) {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b web.Countdown) int { return a.Due.Compare(b.Due) })
	return out
}

// Countdown returns an announcement that was prepared, with the print of what may be
// approved.
func (d *desk) Countdown(_ context.Context, id announcement.ID) (web.Countdown, error) {
	c, err := d.countdown(id)
	if p, _, known := d.countdowns.get(id); known && c.Status == announcement.StatusAwaiting {
		c.Print, _ = d.printOf(p) // what cannot be completed cannot be approved either
	}
	return c, err
}

// countdown is Countdown without the print. Left is 0 once it is due.
func (d *desk) countdown(id announcement.ID) (web.Countdown, error) {
	p, end, known := d.countdowns.get(id)
	if !known {
		return web.Countdown{}, web.ErrNotFound
	}
	c := web.Countdown{ID: id, Status: announcement.StatusCountdown, Draft: p.Draft, People: p.People, Author: p.By, By: d.actorName(p.By), Due: p.Due}
	if p.Awaits {
		a, approved := d.countdowns.approval(id)
		c.Asked, c.AloneAt, c.Due, c.Alone = p.At, p.At.Add(aloneAfter), a.Due, a.Alone
		if approved {
			c.ApprovedBy = d.actorName(a.By)
		} else {
			c.Status = announcement.StatusAwaiting
			if d.now().Sub(p.At) >= awaitsFor {
				c.Status, c.CancelledAt, c.Lapsed = announcement.StatusDraft, p.At.Add(awaitsFor), true
			}
		}
	}
	c.Left = max(0, c.Due.Sub(d.now()))
	if _, there := d.tracker.View(id); end.Sent && there { // its board is shown
		c.Status = announcement.StatusOpen
		return c, nil
	}
	a, to, err := d.completeConfirmed(p.Draft, d.now())
	if err == nil {
		c.Severity, c.Text = a.Severity, a.Text
	}
	if c.Status == announcement.StatusAwaiting && err == nil {
		c.Approvers = d.approvers(p.By, &to.Roster)
	}
	if err := d.countdowns.fault(id); err != nil {
		c.Fault = asFieldErrors(err, "announcement")[0].Why
	}
	switch {
	case end.At.IsZero():
	case end.Sent:
		c.Status = announcement.StatusOpen
	default:
		c.Status, c.CancelledBy, c.CancelledAt, c.Rejected, c.Reason = announcement.StatusDraft, d.actorName(end.By), end.At, end.Rejected, end.Reason
	}
	return c, nil
}

// Countdowns lists those of them that the principal may read.
func (b boards) Countdowns(ctx context.Context) []web.Countdown {
	return slices.DeleteFunc(b.desk.Countdowns(ctx), func(c web.Countdown) bool { return !b.reads(c.Author, c.Draft.Audience) })
}

// Countdown returns one that the principal may read.
func (b boards) Countdown(ctx context.Context, id announcement.ID) (web.Countdown, error) {
	c, err := b.desk.Countdown(ctx, id)
	if err == nil && !b.reads(c.Author, c.Draft.Audience) {
		return web.Countdown{}, web.ErrNotFound
	}
	return c, err
}

// Cancel takes an announcement back before anybody was called: its author may, and
// whoever might have sent it. ErrClosed says that it is too late: it has gone out and
// must be corrected.
func (d *desk) Cancel(ctx context.Context, p web.Principal, id announcement.ID) error {
	if !p.May(web.Announce) {
		return web.ErrForbidden
	}
	confirmed, _, known := d.countdowns.get(id)
	if !known {
		return web.ErrNotFound
	}
	if p.Actor != confirmed.By {
		a, to, err := d.completeConfirmed(confirmed.Draft, d.now())
		switch {
		case !d.boardsOf(p).reads(confirmed.By, confirmed.Draft.Audience):
			return web.ErrNotFound
		case err == nil && d.allowed(p.Grant, a, to.Roster) != nil:
			return web.ErrForbidden
		}
	}
	return d.takeBack(ctx, id, confirmed, ending{By: p.Actor, At: d.now().UTC()})
}

// runCountdowns sends what is due until ctx ends. Any number of nodes may do it.
func (d *desk) runCountdowns(ctx context.Context) error {
	ticker := time.NewTicker(countdownTick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
		for _, id := range d.countdowns.due(d.now()) {
			err := d.launch(ctx, id)
			d.countdowns.note(id, err, d.now().Add(countdownRetry))
			if err != nil && ctx.Err() == nil {
				d.log.Error("announcement could not be sent after its countdown; trying again", "announcement", id, "reason", err)
			}
		}
		d.countdowns.forget(ctx, d.now())
	}
}

// due returns the announcements whose time has come and which nobody cancelled.
func (c *countdowns) due(now time.Time) []announcement.ID {
	c.mu.RLock()
	defer c.mu.RUnlock()
	var out []announcement.ID
	for id, p := range c.all {
		if now.Before(c.faults[id].after) {
			continue
		}
		at, ok := c.goesAt(id, p)
		if end := c.ends[id]; ok && !now.Before(at) && (end.At.IsZero() || end.Sent) {
			out = append(out, id)
		}
	}
	return out
}

func (c *countdowns) note(id announcement.ID, err error, after time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		delete(c.faults, id)
		return
	}
	c.faults[id] = fault{err, after}
}

func (c *countdowns) fault(id announcement.ID) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.faults[id].err
}

// launch sends one announcement. Whether it can go out is asked first; then the end is
// created, so that from then on nobody can cancel; what follows is idempotent and comes
// again after a crash. What cannot go out any more is given back to its author, with the
// reason, instead of waiting for ever.
func (d *desk) launch(ctx context.Context, id announcement.ID) error {
	if _, ok := d.tracker.View(id); ok {
		return nil
	}
	p, end, known := d.countdowns.get(id)
	if !known {
		return nil
	}
	approved, _ := d.countdowns.approval(id)
	if p.Awaits && end.At.IsZero() {
		if ok, err := d.stillApproved(ctx, id, p, approved); err != nil || !ok {
			return err
		}
	}
	a, to, err := d.ready(p)
	var bad announcement.FieldErrors
	switch {
	case end.At.IsZero() && errors.As(err, &bad):
		return d.takeBack(ctx, id, p, ending{By: announcement.ByPolicy, At: d.now().UTC(), Rejected: true, Reason: bad[0].Why})
	case err != nil:
		return err
	case end.At.IsZero():
		if end, err = d.countdowns.end(ctx, id, ending{Sent: true, At: d.now().UTC()}); err != nil {
			return err
		}
	}
	if !end.Sent {
		return nil
	}
	// What ended long ago is forgotten, its end after the rest: a node that hears
	// only of the latter must not take a cancelled announcement for one that is due.
	if _, err := d.vault.Get(ctx, preparedKey+string(id)); errors.Is(err, ledger.ErrNotFound) {
		d.countdowns.learn(preparedKey+string(id), nil)
		return nil
	} else if err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	if a.ID = id; p.Awaits {
		a.Approved = &announcement.Approval{By: approved.By, At: approved.At, Alone: approved.Alone, Reason: approved.Reason}
	}
	print, err := fingerprint(p.Draft)
	if err != nil {
		return err
	}
	return d.accept(ctx, a, to, p.By, print)
}

// ready completes what was prepared, as its author may send it now: to those of its
// people who are still here.
func (d *desk) ready(p prepared) (*announcement.Announcement, *directory.Resolution, error) {
	grant := p.Grant
	if p.Awaits {
		now, err := d.author(p)
		if err != nil {
			return nil, nil, announcement.FieldErrors{{Field: "by", Why: "Whoever wrote it may not send any more."}}
		}
		grant = now
	}
	a, to, err := d.completeConfirmed(p.Draft, d.now())
	if err == nil {
		err = d.allowed(grant, a, to.Roster)
	}
	return a, to, err
}

// forget removes what ended long ago.
func (c *countdowns) forget(ctx context.Context, now time.Time) {
	c.mu.RLock()
	var old []announcement.ID
	for id, end := range c.ends {
		if !end.At.IsZero() && now.Sub(end.At) > countdownsKept {
			old = append(old, id)
		}
	}
	for id, p := range c.all { // nobody approved it, and nobody took it back
		if _, approved := c.lets[id]; p.Awaits && !approved && now.Sub(p.At) > awaitsFor+countdownsKept {
			old = append(old, id)
		}
	}
	c.mu.RUnlock()
	for _, id := range old {
		if c.vault.Delete(ctx, preparedKey+string(id)) == nil && c.vault.Delete(ctx, approvalKey+string(id)) == nil && c.vault.Delete(ctx, endKey+string(id)) == nil {
			c.learn(preparedKey+string(id), nil)
			c.learn(approvalKey+string(id), nil)
			c.learn(endKey+string(id), nil)
		}
	}
}
