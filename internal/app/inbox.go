package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/sms"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// inbox holds the texts that belong to no announcement until a person has dealt
// with them: from numbers nobody has, or from people who are asked nothing now.
// They are kept encrypted and can be erased; every node follows them.
type inbox struct {
	vault ledger.Vault

	mu    sync.RWMutex
	texts map[string]text // by key
}

// text is one SMS as stored.
type text struct {
	At      time.Time `json:"at"`
	From    string    `json:"from"`
	Body    string    `json:"body"`
	Class   sms.Class `json:"class"`
	Handled bool      `json:"handled,omitempty"`
	By      string    `json:"by,omitempty"` // actor who dealt with it
}

const inboxKey = "inbox."

// openInbox returns when everything that was stored before is loaded.
func openInbox(ctx context.Context, vault ledger.Vault) (*inbox, error) {
	b := &inbox{vault: vault, texts: map[string]text{}}
	if err := keepUp(ctx, vault, inboxKey, "inbox", b.learn); err != nil {
		return nil, err
	}
	return b, nil
}

func (b *inbox) learn(key string, value []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var t text
	if value == nil || json.Unmarshal(value, &t) != nil {
		delete(b.texts, key)
		return
	}
	b.texts[key] = t
}

// file keeps a text; the same MessageSid is kept once.
func (b *inbox) file(ctx context.Context, in sms.Inbound, class sms.Class, at time.Time) error {
	value, err := json.Marshal(text{At: at, From: in.From, Body: cut(in.Body, sms.MaxNote), Class: class})
	if err != nil {
		return fmt.Errorf("encode text: %w", err)
	}
	key := inboxKey + shorten(in.SID)
	err = b.vault.Create(ctx, key, value)
	if err != nil && !errors.Is(err, ledger.ErrAlready) {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	if err == nil {
		b.learn(key, value)
	}
	return nil
}

func cut(s string, limit int) string {
	s = strings.ToValidUTF8(s, "")
	if r := []rune(s); len(r) > limit {
		return string(r[:limit])
	}
	return s
}

// has reports whether a text was filed before.
func (b *inbox) has(sid string) bool {
	b.mu.RLock()
	defer b.mu.RUnlock()
	_, ok := b.texts[inboxKey+shorten(sid)]
	return ok
}

// handle says that somebody dealt with a text.
func (b *inbox) handle(ctx context.Context, id string, by announcement.Actor) error {
	key := inboxKey + id
	b.mu.RLock()
	t, ok := b.texts[key]
	b.mu.RUnlock()
	if !ok {
		return web.ErrNotFound
	}
	t.Handled, t.By = true, string(by)
	value, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("encode text: %w", err)
	}
	if err := b.vault.Put(ctx, key, value); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	b.learn(key, value)
	return nil
}

// Inbox lists the texts that wait for a person: calls for help first, then the
// oldest.
func (d *desk) Inbox(context.Context) []web.Text {
	d.inbox.mu.RLock()
	defer d.inbox.mu.RUnlock()
	out := []web.Text{}
	for key, t := range d.inbox.texts {
		if t.Handled {
			continue
		}
		w := web.Text{ID: strings.TrimPrefix(key, inboxKey), At: t.At, From: t.From, Body: t.Body, Help: t.Class == sms.ClassHelp}
		for _, p := range d.directory.ByMobile(t.From) {
			if p.Active {
				w.Names = append(w.Names, d.name(p.ID))
			}
		}
		out = append(out, w)
	}
	slices.SortFunc(out, func(a, b web.Text) int {
		if a.Help != b.Help {
			if a.Help {
				return -1
			}
			return 1
		}
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// HandleText takes a text out of the inbox.
func (d *desk) HandleText(ctx context.Context, p web.Principal, id string) error {
	if p.Role != web.Sender {
		return web.ErrForbidden
	}
	return d.inbox.handle(ctx, id, p.Actor)
}

// reportEvery is how often one number can make the duty list be called: a
// frightened person texts many times, and a hostile one even more often.
const reportEvery = 10 * time.Minute

// askForHelp calls the duty list for a text and files it. Filing comes last and
// marks it as done: the provider posts a text again until it is taken.
func (d *desk) askForHelp(ctx context.Context, in sms.Inbound) error {
	if d.inbox.has(in.SID) {
		return nil
	}
	if err := d.reportHelp(ctx, in); err != nil {
		return err
	}
	return d.inbox.file(ctx, in, sms.ClassHelp, d.now().UTC())
}

// reportHelp calls the duty list for somebody who asks for help outside of an
// announcement. It is an announcement of its own, so that it is durable, goes
// out on every channel, and is repeated until somebody on duty has answered. It
// names nobody: the ledger cannot be erased.
func (d *desk) reportHelp(ctx context.Context, in sms.Inbound) error {
	now := d.now().UTC().Truncate(time.Millisecond)
	window := fmt.Sprint(now.Truncate(reportEvery).Unix())
	a := &announcement.Announcement{
		ID:   idForKey(d.links.key, web.Principal{Actor: announcement.ByNetwork}, "help-"+mac(d.links.key, 22, "number", in.From, window)),
		Mode: announcement.Live, Severity: announcement.Extreme, Answers: announcement.Read, Text: d.catalogue.HelpReport(),
		Channels: announcement.Channels, Zone: d.config.Zone, At: now,
		Policy: announcement.Policy{Steps: repeatedCalls(), ExpireAfter: announcement.Duration(24 * time.Hour)},
	}
	if _, ok := d.tracker.View(a.ID); ok {
		return nil
	}
	for _, p := range d.directory.Duty() {
		if who, ok := d.directory.Person(p); ok {
			a.Audience.People = append(a.Audience.People, who.Number)
		}
	}
	resolved, err := d.directory.Resolve(a.Audience)
	if err != nil {
		d.log.Error("a call for help reaches nobody: nobody is on the duty list", "announcement", a.ID, "reason", err)
		return nil // it is in the inbox; a retry of the webhook would not help
	}
	a.Audience = resolved.Audience
	if _, err := d.ledger.Accept(ctx, acceptance(a, &resolved.Roster, announcement.ByNetwork, "help_report")); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return nil
}

// repeatedCalls asks again until somebody on duty answers.
func repeatedCalls() []announcement.Step {
	var steps []announcement.Step
	for _, minutes := range []int{2, 5, 10, 15, 30, 60} {
		steps = append(steps, announcement.Step{After: announcement.Duration(time.Duration(minutes) * time.Minute), Whom: announcement.CallRecipient})
	}
	return steps
}
