package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/channel/sms"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// trials knows what tests of the providers have shown: above all whether a reply
// by SMS comes back. Every node follows them, because every node writes messages.
type trials struct {
	vault ledger.Vault

	changing sync.Mutex // held from reading what is stored until the change is
	mu       sync.RWMutex
	known    tried
}

// tried is what the tests have shown, as stored.
type tried struct {
	SMS    time.Time             `json:"sms,omitzero"`  // the provider took a test
	Push   time.Time             `json:"push,omitzero"` // a push service took one
	Person announcement.PersonID `json:"person,omitempty"`
	Asked  time.Time             `json:"asked,omitzero"`  // when that person was asked to reply
	Live   time.Time             `json:"live,omitzero"`   // when HR switched to live
	Proven time.Time             `json:"proven,omitzero"` // when a reply came back; zero: replies are not asked for
}

const (
	trialsKey = "setting.trials"
	// replyWithin is how long a reply test waits.
	replyWithin = 30 * time.Minute
)

// openTrials returns when what was stored before is known.
func openTrials(ctx context.Context, vault ledger.Vault) (*trials, error) {
	t := &trials{vault: vault}
	if err := keepUp(ctx, vault, trialsKey, "tests of providers", t.learn); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *trials) learn(_ string, value []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var known tried
	if value != nil && json.Unmarshal(value, &known) == nil {
		t.known = known
	}
}

func (t *trials) get() tried {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.known
}

// change edits what is stored, not what this node last heard of it: two tests at
// once must not undo each other.
func (t *trials) change(ctx context.Context, edit func(*tried)) error {
	t.changing.Lock()
	defer t.changing.Unlock()
	var known tried
	stored, err := t.vault.Get(ctx, trialsKey)
	if err == nil {
		err = json.Unmarshal(stored, &known)
	}
	if err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return fmt.Errorf("%w: read tests of providers: %w", web.ErrNotYet, err)
	}
	edit(&known)
	value, err := json.Marshal(known)
	if err != nil {
		return fmt.Errorf("encode tests of providers: %w", err)
	}
	if err := t.vault.Put(ctx, trialsKey, value); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	t.learn(trialsKey, value)
	return nil
}

// twoWay reports whether texts may ask for a reply by SMS: the operator says so,
// or a test has proved that one comes back.
func (d *desk) twoWay() bool { return d.config.SMSTwoWay || !d.trials.get().Proven.IsZero() }

// hearTrial takes the reply of a reply test; ok is false for any other text.
func (d *desk) hearTrial(ctx context.Context, people []listener, in sms.Inbound) (answer string, ok bool, err error) {
	t := d.trials.get()
	if t.Asked.IsZero() || d.now().Sub(t.Asked) >= replyWithin || t.Proven.After(t.Asked) || strings.TrimSpace(in.Body) != "1" {
		return "", false, nil
	}
	for _, l := range people {
		if l.person.ID != t.Person {
			continue
		}
		if len(l.open()) > 0 {
			return "", false, nil // an alert asks them too: the answer is for that
		}
		if err := d.trials.change(ctx, func(t *tried) { t.Proven = d.now().UTC() }); err != nil {
			return "", true, err
		}
		return d.answerBack(in.From, in.Body, false, "test_reply_ok", l.person.Language, d.backFields(nil, l.person.Language)), true, nil
	}
	return "", false, nil
}

// Trials says what the tests of the providers have shown.
func (p *people) Trials(context.Context) web.Trials {
	d := p.desk
	t := d.trials.get()
	w := web.Trials{SMSProvider: d.config.SMSProvider, Push: d.config.PushSubject != "", SMSAt: t.SMS, PushAt: t.Push, TwoWay: d.twoWay(),
		Forced: d.config.SMSTwoWay, Proven: t.Proven, Sender: d.config.TwilioFrom, Failing: d.providers.failing()}
	if until := t.Asked.Add(replyWithin); !t.Asked.IsZero() && !t.Proven.After(t.Asked) && d.now().Before(until) {
		w.WaitsUntil, w.Asked = until, d.name(t.Person).Name
	}
	return w
}

// SendTest sends a message that says that it is a test to one person's own
// contact points.
func (p *people) SendTest(ctx context.Context, who web.Principal, number string, c announcement.Channel) error {
	if !who.May(web.Keep, web.Operate) {
		return web.ErrForbidden
	}
	person, err := p.tester(number)
	if err != nil {
		return err
	}
	d := p.desk
	if c == announcement.SMS {
		text := d.catalogue.AnswerBack("test", person.lang, map[string]string{"org": d.config.OrgName})
		if err := d.textOne(ctx, person.id, text); err != nil {
			return err
		}
		return d.trials.change(ctx, func(t *tried) { t.SMS = d.now().UTC() })
	}
	if err := d.pushOne(ctx, person.id); err != nil {
		return err
	}
	return d.trials.change(ctx, func(t *tried) { t.Push = d.now().UTC() })
}

type tester struct {
	id   announcement.PersonID
	lang announcement.Language
}

func (p *people) tester(number string) (tester, error) {
	person, ok := p.directory.ByNumber(strings.TrimSpace(number))
	if !ok || !person.Active {
		return tester{}, announcement.FieldErrors{{Field: "number", Value: cut(number, 40), Why: "nobody has this employee number"}}
	}
	return tester{person.ID, person.Language}, nil
}

// pushOne sends a test notification to all of a person's devices.
func (d *desk) pushOne(ctx context.Context, person announcement.PersonID) error {
	to, lang, ok := d.directory.ContactPoints(person)
	sender := d.senders[announcement.WebPush]
	switch {
	case !ok:
		return web.ErrNotFound
	case sender == nil:
		return announcement.FieldErrors{{Field: "push", Why: "Push is not set up. Ask whoever runs this server to set KENTONGAN_PUSH_SUBJECT."}}
	case len(to.Subscriptions) == 0:
		return announcement.FieldErrors{{Field: "push", Why: "No phone of this person shows notifications yet. Send them the link to join first."}}
	}
	text := d.catalogue.TryOut(lang)
	return d.pushTo(ctx, person, announcement.Message{Announcement: "test", Kind: announcement.SayUpdate, Language: lang,
		Title: d.config.OrgName + ": " + text.Title, Body: text.Body, Link: d.config.PublicURL + "/me"})
}

// pushTo sends one notification to one person, outside of any announcement.
func (d *desk) pushTo(ctx context.Context, person announcement.PersonID, m announcement.Message) error {
	to, _, ok := d.directory.ContactPoints(person)
	sender := d.senders[announcement.WebPush]
	if !ok || sender == nil || len(to.Subscriptions) == 0 {
		return nil
	}
	m.Sent, m.Expires = d.now().UTC(), d.now().UTC().Add(tryLife)
	handed, err := sender.Send(ctx, "", to, m)
	retired := handed.Retired
	if failed := (*channel.Error)(nil); errors.As(err, &failed) {
		retired = failed.Retired
	}
	if len(retired) > 0 {
		if err := d.directory.Retire(ctx, person, retired); err != nil {
			d.log.Warn("a device that is gone was not retired", "channel", announcement.WebPush, "reason", err)
		}
	}
	if err != nil {
		return announcement.FieldErrors{{Field: "push", Why: "The push service did not take it: " + string(channel.ReasonOf(err))}}
	}
	return nil
}

// StartReplyTest asks one person by SMS to reply.
func (p *people) StartReplyTest(ctx context.Context, who web.Principal, number string) error {
	if !who.May(web.Keep, web.Operate) {
		return web.ErrForbidden
	}
	person, err := p.tester(number)
	if err != nil {
		return err
	}
	d := p.desk
	asked := d.now().UTC() // before the text goes: the reply may be quick
	if err := d.trials.change(ctx, func(t *tried) { t.Person, t.Asked = person.id, asked }); err != nil {
		return err
	}
	if err := d.textOne(ctx, person.id, d.catalogue.AnswerBack("test_reply", person.lang, map[string]string{"org": d.config.OrgName})); err != nil {
		return errors.Join(err, d.trials.change(ctx, func(t *tried) { t.Asked = time.Time{} }))
	}
	return nil
}

// LockOneWay takes back that replies come back.
func (p *people) LockOneWay(ctx context.Context, who web.Principal) error {
	if !who.May(web.Keep, web.Operate) {
		return web.ErrForbidden
	}
	return p.desk.trials.change(ctx, func(t *tried) { t.Proven, t.Asked = time.Time{}, time.Time{} })
}
