package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/sms"
	"kentongan/internal/dispatch"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// reconciler asks the SMS providers what their webhooks may not have told us, because we
// were away or could not be reached: each minute while an announcement is open, and once
// at a start. What people wrote goes the way of the webhook, under the same MessageSid,
// and how far our texts have come goes the way of the status callback: so whatever was
// heard already changes nothing, and of two nodes that ask at once one is heard.
//
// The provider's name of a text is kept, sealed, until it is known how it ended: never in
// the ledger, because whoever may ask the provider finds the number by it.
type reconciler struct {
	*desk
	accounts []smsAccount
	found    func() // hears of a reply that no webhook brought

	mu    sync.Mutex
	fresh []handed             // not kept yet
	kept  bool                 // something was, that has to go when nothing is open any more
	known map[string]time.Time // texts that were heard, by SID, and when they were sent
}

// smsAccount is one SMS provider.
type smsAccount struct {
	name     string
	provider *sms.Twilio
	second   bool
}

// handed is a text that a provider took, and of which it is not known how it ended.
type handed struct {
	SID    string    `json:"sid"`
	SendID string    `json:"send"`
	Second bool      `json:"second,omitempty"`
	At     time.Time `json:"at"`
}

// inquiry is when a provider was last asked, by whichever node.
type inquiry struct {
	At time.Time `json:"at"`
}

const (
	handedKey  = "sent."
	inquiryKey = "setting.asked."

	askEvery  = time.Minute
	keepEvery = 5 * time.Second // and so what a crash forgets: how the texts of so long ended
	askTime   = 2 * time.Minute // of one question with all its pages
	keptAtOne = 2_000           // texts in one value of the vault

	// hookTime is what a webhook gets before the provider is asked instead: it brings our
	// answer with it. A provider tries for 15 s.
	hookTime = 20 * time.Second
	// askedAgain is how far questions overlap: a provider may list a text a while after
	// it came.
	askedAgain = 10 * time.Minute
	// askedBack is the longest absence after which everything is asked for.
	askedBack = 72 * time.Hour
	// endsWithin is how long it is asked how a text ended. A carrier keeps it for an hour.
	endsWithin = 3 * time.Hour
	// answeredWithin is how old a text may be to be answered. Thanks for what somebody
	// wrote this morning would look like thanks for something else.
	answeredWithin = time.Hour
)

// took remembers what a provider calls a text.
func (r *reconciler) took(c announcement.Channel, sendID, sid string, second bool) {
	if c != announcement.SMS {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fresh = append(r.fresh, handed{SID: sid, SendID: sendID, Second: second, At: r.now().UTC()})
}

// run asks until ctx ends.
func (r *reconciler) run(ctx context.Context) error {
	if len(r.accounts) == 0 {
		return nil
	}
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	began, next := false, time.Time{}
	for {
		if !began && r.tracker.CatchUp(ctx) == nil { // before, it is not known who was asked what
			began, next = true, r.now().Add(askEvery)
			r.ask(ctx, true)
		}
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepEvery)
			defer cancel()
			r.keep(last)
			return nil
		case <-tick.C:
		}
		r.keep(ctx)
		if !began || r.now().Before(next) {
			continue
		}
		next = r.now().Add(askEvery)
		switch {
		case !r.oldestOpen().IsZero():
			r.ask(ctx, false)
		case r.kept:
			r.kept = false
			r.endings(ctx, r.accounts, false) // of what is closed: they go
		}
	}
}

// oldestOpen is when the oldest open announcement was sent; zero: there is none.
func (r *reconciler) oldestOpen() time.Time {
	var oldest time.Time
	for _, id := range r.tracker.IDs() {
		if v, ok := r.tracker.View(id); ok && v.Status == announcement.StatusOpen && (oldest.IsZero() || v.OpenedAt.Before(oldest)) {
			oldest = v.OpenedAt
		}
	}
	return oldest
}

// ask asks every provider. Of several nodes the first in a minute does; at a start each.
func (r *reconciler) ask(ctx context.Context, start bool) {
	var asked []smsAccount
	for _, a := range r.accounts {
		mine, err := r.replies(ctx, a, start)
		if mine {
			asked = append(asked, a)
		}
		if err != nil && ctx.Err() == nil {
			r.log.Warn("the SMS provider did not say what came in; it is asked again", "step", "reconcile", "channel", announcement.SMS, "reason", err)
		}
	}
	r.endings(ctx, asked, start)
}

// replies hears what people wrote since the provider was last asked. It reports whether
// this node asked.
func (r *reconciler) replies(ctx context.Context, a smsAccount, start bool) (mine bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	now, last := r.now().UTC(), inquiry{}
	stored, err := r.vault.Get(ctx, inquiryKey+a.name)
	switch {
	case err == nil:
		if err := json.Unmarshal(stored, &last); err != nil {
			return false, fmt.Errorf("read when %s was asked: %w", a.name, err)
		}
	case !errors.Is(err, ledger.ErrNotFound):
		return false, fmt.Errorf("read when %s was asked: %w", a.name, err)
	}
	if !start && now.Sub(last.At) < askEvery-keepEvery {
		return false, nil
	}
	texts, err := a.provider.Inbound(ctx, r.since(last.At, now))
	if err != nil {
		return true, err
	}
	r.forgetOld(now)
	for _, in := range texts {
		if !start && now.Sub(in.At) < hookTime {
			continue
		}
		if err := r.reply(ctx, a, in, now); err != nil {
			return true, err // and nothing is passed by: it is asked for again
		}
	}
	value, err := json.Marshal(inquiry{now})
	if err != nil {
		return true, fmt.Errorf("encode when %s was asked: %w", a.name, err)
	}
	return true, r.vault.Put(ctx, inquiryKey+a.name, value)
}

// since is from when on a provider is asked. One that was never asked may hold texts that
// are older than this installation.
func (r *reconciler) since(last, now time.Time) time.Time {
	from := last.Add(-askedAgain)
	if last.IsZero() {
		if from = r.oldestOpen(); from.IsZero() {
			from = now
		}
	}
	if bound := now.Add(-askedBack); from.Before(bound) {
		from = bound
	}
	return from
}

// reply hears one text, unless it was heard.
func (r *reconciler) reply(ctx context.Context, a smsAccount, in sms.Inbound, now time.Time) error {
	if in.SID == "" || in.From == "" || !r.firstSight(in) {
		return nil
	}
	if _, err := r.vault.Get(ctx, heardKey(in.SID)); err == nil {
		return nil
	}
	answer, err := r.hear(ctx, in)
	if err != nil {
		r.forget(in.SID)
		return err
	}
	r.found()
	r.log.Info("a text was heard that no webhook brought", "step", "reconcile", "channel", announcement.SMS)
	sender := r.senders[announcement.SMS]
	if answer == "" || sender == nil || now.Sub(in.At) > answeredWithin {
		return nil
	}
	_, err = sender.Send(ctx, "", announcement.ContactPoints{Mobile: in.From}, announcement.Message{SMS: answer, Sent: now, Expires: now.Add(noteLife), Second: a.second})
	if err != nil { // it is recorded; that is what counts
		r.log.Warn("a text that was heard late was not answered", "step", "reconcile", "channel", announcement.SMS, "reason", err)
	}
	return nil
}

// firstSight reports whether this node has not heard a text yet, as far as it remembers.
func (r *reconciler) firstSight(in sms.Inbound) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.known[in.SID]; ok {
		return false
	}
	r.known[in.SID] = in.At
	return true
}

// forgetOld forgets texts that are asked for no more.
func (r *reconciler) forgetOld(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for sid, at := range r.known {
		if now.Sub(at) > 2*askedAgain {
			delete(r.known, sid)
		}
	}
}

func (r *reconciler) forget(sid string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.known, sid)
}

// keep puts what providers took since into the vault.
func (r *reconciler) keep(ctx context.Context) {
	r.mu.Lock()
	fresh := r.fresh
	r.fresh = nil
	r.mu.Unlock()
	for len(fresh) > 0 {
		part := fresh[:min(keptAtOne, len(fresh))]
		if err := r.keepPart(ctx, handedKey+rand.Text(), part); err != nil {
			r.log.Warn("what the SMS provider calls our texts was not kept; tried again", "step", "reconcile", "reason", err)
			r.mu.Lock()
			r.fresh = append(fresh, r.fresh...)
			r.mu.Unlock()
			return
		}
		r.kept, fresh = true, fresh[len(part):]
	}
}

func (r *reconciler) keepPart(ctx context.Context, key string, part []handed) error {
	if len(part) == 0 {
		return r.vault.Delete(ctx, key)
	}
	value, err := json.Marshal(part)
	if err != nil {
		return fmt.Errorf("encode texts: %w", err)
	}
	return r.vault.Put(ctx, key, value)
}

// endings writes down how far the texts have come of which that is not known, and lets go
// of those whose end is known, or of no use.
func (r *reconciler) endings(ctx context.Context, asked []smsAccount, start bool) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	parts := map[string][]handed{}
	err := r.vault.Walk(ctx, handedKey, func(key string, value []byte, _ time.Time) error {
		var part []handed
		if err := json.Unmarshal(value, &part); err != nil {
			return fmt.Errorf("read texts: %w", err)
		}
		parts[key] = part
		return nil
	})
	for _, a := range asked {
		if err == nil {
			err = r.endingsOf(ctx, a, parts, start)
		}
	}
	if err != nil && ctx.Err() == nil {
		r.log.Warn("the SMS provider did not say how our texts ended; it is asked again", "step", "reconcile", "channel", announcement.SMS, "reason", err)
	}
}

func (r *reconciler) endingsOf(ctx context.Context, a smsAccount, parts map[string][]handed, start bool) error {
	now, oldest := r.now(), time.Time{}
	waits := func(h handed) bool { return h.Second == a.second && (start || now.Sub(h.At) >= askEvery) }
	for _, part := range parts {
		for _, h := range part {
			if _, of := r.useful(h, now); waits(h) && of && (oldest.IsZero() || h.At.Before(oldest)) {
				oldest = h.At
			}
		}
	}
	progress := map[string]sms.Progress{}
	if !oldest.IsZero() {
		var err error
		if progress, err = a.provider.Outbound(ctx, oldest.Add(-askEvery)); err != nil {
			return err
		}
	}
	for key, part := range parts {
		var left []handed
		for _, h := range part {
			v, useful := r.useful(h, now)
			if !useful {
				continue
			}
			p, told := progress[h.SID]
			if !waits(h) || !told || p.Rank <= announcement.Accepted {
				left = append(left, h)
				continue
			}
			_, round, number, _ := dispatch.ParseSendID(h.SendID)
			if err := r.receiptOnce(ctx, v, announcement.Receipt{Round: round, Channel: announcement.SMS, Number: number, Rank: p.Rank, Failure: p.Failure}); err != nil {
				return err
			}
			if p.Rank == announcement.Sent {
				left = append(left, h)
			}
		}
		if len(left) == len(part) {
			continue
		}
		parts[key] = left
		if err := r.keepPart(ctx, key, left); err != nil {
			return fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
	}
	return nil
}

// useful returns the announcement of a text whose end somebody still wants to know.
func (r *reconciler) useful(h handed, now time.Time) (tracker.View, bool) {
	id, _, _, err := dispatch.ParseSendID(h.SendID)
	if err != nil || now.Sub(h.At) > endsWithin {
		return tracker.View{}, false
	}
	v, ok := r.tracker.View(id)
	return v, ok && v.Status == announcement.StatusOpen
}
