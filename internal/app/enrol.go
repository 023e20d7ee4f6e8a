package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/directory"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// Limits of the codes that connect a phone or prove a number. Six digits are
// guessed in a million tries; what is allowed here is 20 an hour against one
// person, and at most three codes count at a time.
const (
	codeLife     = 15 * time.Minute
	codeRest     = 30 * time.Second // between two SMS to one person
	codesAnHour  = 5                // SMS to one person: each costs money
	codesKept    = 3                // an old code counts after a resend: SMS overtake each other
	triesAllowed = 5                // per person in codeLife
	approvalLife = 30 * time.Minute // a manager's code counts for one to two of these
)

// codes are what people type to connect a phone or to prove a number. They are
// kept hashed in the vault, where every node finds them; what was typed is
// counted there too, so that two nodes do not allow twice as much.
type codes struct {
	vault ledger.Vault
	key   []byte
	now   func() time.Time

	mu        sync.Mutex
	strangers map[string]int // tries for employee numbers that nobody has
	since     time.Time
}

// sentCodes are the codes of one person as stored.
type sentCodes struct {
	Codes []sentCode `json:"codes"`
}

type sentCode struct {
	Hash   string    `json:"hash"`
	At     time.Time `json:"at"`
	Mobile string    `json:"mobile,omitempty"` // a number to prove; empty: connects a phone
}

const codesKey = "code."

func (c *codes) hash(p announcement.PersonID, code string) string {
	return mac(c.key, 22, "code", string(p), code)
}

func (c *codes) load(ctx context.Context, p announcement.PersonID) (sentCodes, error) {
	var s sentCodes
	b, err := c.vault.Get(ctx, codesKey+string(p))
	if errors.Is(err, ledger.ErrNotFound) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	if err != nil {
		return s, fmt.Errorf("%w: load codes: %w", web.ErrNotYet, err)
	}
	return s, nil
}

func (c *codes) save(ctx context.Context, p announcement.PersonID, s sentCodes) error {
	b, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode codes: %w", err)
	}
	if err := c.vault.Put(ctx, codesKey+string(p), b); err != nil {
		return fmt.Errorf("%w: store codes: %w", web.ErrNotYet, err)
	}
	return nil
}

// errRest says that a code went out a moment ago, or too many within the hour.
var errRest = errors.New("a code was sent a moment ago")

// issue makes a code and stores it. mobile is a number to prove, empty for a
// code that connects a phone.
func (c *codes) issue(ctx context.Context, p announcement.PersonID, mobile string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := c.load(ctx, p)
	if err != nil {
		return "", err
	}
	now := c.now().UTC()
	recent := s.Codes[:0]
	for _, old := range s.Codes {
		if now.Sub(old.At) < time.Hour {
			recent = append(recent, old)
		}
	}
	if n := len(recent); n >= codesAnHour || n > 0 && recent[n-1].Mobile == mobile && now.Sub(recent[n-1].At) < codeRest {
		return "", errRest
	}
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
	if err != nil {
		return "", fmt.Errorf("make code: %w", err)
	}
	code := fmt.Sprintf("%06d", n)
	s.Codes = append(recent, sentCode{Hash: c.hash(p, code), At: now, Mobile: mobile})
	return code, c.save(ctx, p, s)
}

// try counts one attempt; it returns a *web.WaitError when there were too many.
func (c *codes) try(ctx context.Context, p announcement.PersonID) error {
	return countTry(ctx, c.vault, string(p), c.now(), triesAllowed)
}

// countTry counts one attempt at somebody's codes within codeLife, on all nodes
// together; it returns a *web.WaitError when there were more than allowed.
func countTry(ctx context.Context, vault ledger.Vault, whose string, now time.Time, allowed int) error {
	window := now.UTC().Truncate(codeLife)
	for n := range allowed {
		err := vault.Create(ctx, tryKey(whose, window, n), []byte("1"))
		if err == nil {
			return nil
		}
		if !errors.Is(err, ledger.ErrAlready) {
			return fmt.Errorf("%w: count a try: %w", web.ErrNotYet, err)
		}
	}
	return &web.WaitError{Until: window.Add(codeLife)}
}

func tryKey(whose string, window time.Time, n int) string {
	return fmt.Sprintf("try.%s.%d.%d", whose, window.Unix(), n)
}

// strange does for an employee number that nobody has what try does, so that the
// answers do not tell the two apart.
func (c *codes) strange(number string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	window := c.now().UTC().Truncate(codeLife)
	if !c.since.Equal(window) || len(c.strangers) > 50_000 {
		c.since, c.strangers = window, map[string]int{}
	}
	key := mac(c.key, 22, "stranger", number)
	c.strangers[key]++
	if c.strangers[key] > triesAllowed {
		return &web.WaitError{Until: window.Add(codeLife)}
	}
	return web.ErrWrongCode
}

// spend accepts a code once. It returns the number that the code proves, empty
// for one that connects a phone.
func (c *codes) spend(ctx context.Context, p announcement.PersonID, code string, proves bool) (mobile string, err error) {
	if err := c.try(ctx, p); err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s, err := c.load(ctx, p)
	if err != nil {
		return "", err
	}
	now, hash, old := c.now().UTC(), c.hash(p, code), false
	counts := s.Codes[max(0, len(s.Codes)-codesKept):]
	for _, k := range counts {
		if !same(k.Hash, hash) || (k.Mobile != "") != proves {
			continue
		}
		if now.Sub(k.At) > codeLife {
			old = true
			continue
		}
		return k.Mobile, c.forget(ctx, p)
	}
	if !proves {
		for _, window := range []time.Time{now.Truncate(approvalLife), now.Truncate(approvalLife).Add(-approvalLife)} {
			if !same(code, c.approval(p, window)) {
				continue
			}
			err := c.vault.Create(ctx, fmt.Sprintf("approved.%s.%d", p, window.Unix()), []byte("1"))
			if errors.Is(err, ledger.ErrAlready) {
				return "", web.ErrOldCode
			}
			if err != nil {
				return "", fmt.Errorf("%w: spend a code: %w", web.ErrNotYet, err)
			}
			return "", c.forget(ctx, p)
		}
	}
	if old {
		return "", web.ErrOldCode
	}
	return "", web.ErrWrongCode
}

// forget ends every code of a person, and their count of tries.
func (c *codes) forget(ctx context.Context, p announcement.PersonID) error {
	if err := c.vault.Delete(ctx, codesKey+string(p)); err != nil {
		return fmt.Errorf("%w: spend a code: %w", web.ErrNotYet, err)
	}
	window := c.now().UTC().Truncate(codeLife)
	for n := range triesAllowed {
		if err := c.vault.Delete(ctx, tryKey(string(p), window, n)); err != nil {
			return nil //nolint:nilerr // the code is spent; a count that stays is harmless
		}
	}
	return nil
}

// approval is the code that a manager shows. It is made from the time and a
// key, so that looking at it changes nothing and every node knows it.
func (c *codes) approval(p announcement.PersonID, window time.Time) string {
	return digits(c.key, 6, "approval", string(p), window.UTC().Format(time.RFC3339))
}

// pending returns the newest number that waits for its code.
func (c *codes) pending(ctx context.Context, p announcement.PersonID) string {
	s, err := c.load(ctx, p)
	if err != nil {
		return ""
	}
	for i := len(s.Codes) - 1; i >= 0; i-- {
		if k := s.Codes[i]; k.Mobile != "" && c.now().Sub(k.At) <= codeLife {
			return k.Mobile
		}
	}
	return ""
}

// approvalCode returns the code by which a person connects their phone without
// an SMS, for their manager to show, and until when it counts at least. The
// caller has checked that whoever sees it manages the person.
func (d *desk) approvalCode(p announcement.PersonID) (code string, until time.Time) {
	window := d.now().UTC().Truncate(approvalLife)
	return d.codes.approval(p, window), window.Add(2 * approvalLife)
}

// enrolment is how far a person has come: any phone connected, notifications on,
// one seen to arrive.
type enrolment struct{ Connected, Push, Arrived bool }

// enrolled tells how far a person has come, for the board of a manager.
func (d *desk) enrolled(p announcement.PersonID) enrolment {
	c := d.directory.Contact(p)
	return enrolment{Connected: len(c.Devices)+len(c.Subscriptions) > 0, Push: len(c.Subscriptions) > 0, Arrived: !c.Shown.IsZero()}
}

// enrolee returns the person of an enrolment code. One that is over still leads
// the phones that are theirs already.
func (d *desk) enrolee(code, device string) (directory.Person, error) {
	p, until, ok := d.links.enrolee(code)
	if !ok {
		return directory.Person{}, web.ErrNotFound
	}
	who, ok := d.directory.Person(p)
	if !ok || !who.Active {
		return directory.Person{}, web.ErrNotFound
	}
	if holder, _, err := d.deviceOf(device); !d.now().Before(until) && (err != nil || holder != p) {
		return directory.Person{}, web.ErrOldCode
	}
	return who, nil
}

// Enrolee says whom an enrolment code belongs to.
func (d *desk) Enrolee(_ context.Context, code, device string) (web.Enrolee, error) {
	who, err := d.enrolee(code, device)
	if err != nil {
		return web.Enrolee{}, err
	}
	return web.Enrolee{Given: firstName(who), Name: who.Name, Department: who.Department, Site: who.Site, Language: who.Language}, nil
}

// Enrol turns a personal enrolment code into a device credential.
func (d *desk) Enrol(ctx context.Context, code string, b web.Browser) (string, error) {
	who, err := d.enrolee(code, b.Device)
	if err != nil {
		return "", err
	}
	return d.connect(ctx, who.ID, b)
}

// connect makes a browser one of a person's devices, unless it is one already.
func (d *desk) connect(ctx context.Context, p announcement.PersonID, b web.Browser) (string, error) {
	if holder, _, err := d.deviceOf(b.Device); err == nil && holder == p {
		return b.Device, nil
	}
	dev := directory.Device{ID: string(announcement.NewID()), Name: cut(b.Name, 60), Seen: d.now().UTC()}
	if err := d.directory.Connect(ctx, p, dev); err != nil {
		return "", fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return d.links.credential("device", pair(p, dev.ID)), nil
}

// deviceOf returns the person of a device credential, and which of their devices
// it is. Somebody who left and a device that was removed are unknown.
func (d *desk) deviceOf(credential string) (announcement.PersonID, string, error) {
	both, ok := d.links.holder("device", credential)
	if !ok {
		return "", "", web.ErrNotFound
	}
	p, id := unpair(both)
	if who, ok := d.directory.Person(p); !ok || !who.Active || d.directory.Removed(p, id) {
		return "", "", web.ErrNotFound
	}
	return p, id, nil
}

// Connected reports whether a device is somebody's.
func (d *desk) Connected(_ context.Context, device string) error {
	_, _, err := d.deviceOf(device)
	return err
}

// codeLimit is how long sending a code may take; then the person asks again.
const codeLimit = 30 * time.Second

// AskCode sends a code to the phone on file. What happens is the same for the
// one who asks whether there is such a person or not; hence also the time it
// takes must be, and the sending goes on after the answer.
func (d *desk) AskCode(ctx context.Context, number string) {
	who, ok := d.directory.ByNumber(number)
	if !ok || !who.Active {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), codeLimit)
	go func() {
		defer cancel()
		if err := d.sendCode(ctx, who, ""); err != nil && !errors.Is(err, errRest) {
			d.log.Warn("a code to connect a phone was not sent", "channel", announcement.SMS, "reason", err)
		}
	}()
}

// sendCode sends a person a code by SMS, to the number on file or to the one
// that they want to prove.
func (d *desk) sendCode(ctx context.Context, who directory.Person, mobile string) error {
	to, lang, ok := d.directory.ContactPoints(who.ID)
	if !ok {
		return web.ErrNotFound
	}
	if mobile != "" {
		to.Mobile = mobile
	}
	sender := d.senders[announcement.SMS]
	if sender == nil || to.Mobile == "" {
		return channel.Fail(channel.NoContactPoint, "", "no SMS can go to this person")
	}
	code, err := d.codes.issue(ctx, who.ID, mobile)
	if err != nil {
		return err
	}
	text := d.catalogue.AnswerBack("otp", lang, map[string]string{"org": d.config.OrgName, "otp": code})
	now := d.now().UTC()
	_, err = sender.Send(ctx, "", to, announcement.Message{Language: lang, SMS: text, Sent: now, Expires: now.Add(codeLife)})
	rank, reason := announcement.Accepted, ""
	if err != nil {
		rank, reason = announcement.Failed, string(channel.ReasonOf(err))
	}
	d.providers.note(announcement.SMS, rank, reason)
	return err
}

// SMSFails reports whether an SMS would not go out now.
func (d *desk) SMSFails() bool {
	return d.senders[announcement.SMS] == nil || d.providers.failing()[announcement.SMS] != ""
}

// codePace is how long a code that is refused takes at least: the count of an
// employee number that somebody has is on disk, and the time that takes must not
// tell it from one that nobody has.
const codePace = 400 * time.Millisecond

// EnterCode connects a browser by a code.
func (d *desk) EnterCode(ctx context.Context, number, code string, b web.Browser) (string, error) {
	began := time.Now()
	device, err := d.enterCode(ctx, number, code, b)
	if err != nil {
		select {
		case <-time.After(codePace - time.Since(began)):
		case <-ctx.Done():
		}
	}
	return device, err
}

func (d *desk) enterCode(ctx context.Context, number, code string, b web.Browser) (string, error) {
	who, ok := d.directory.ByNumber(number)
	if !ok || !who.Active {
		return "", d.codes.strange(strings.ToLower(strings.TrimSpace(number)))
	}
	if _, err := d.codes.spend(ctx, who.ID, code, false); err != nil {
		return "", err
	}
	return d.connect(ctx, who.ID, b)
}

// AskNumber sends a code to a number that the person says is theirs now.
func (d *desk) AskNumber(ctx context.Context, device, number string) error {
	p, _, err := d.deviceOf(device)
	if err != nil {
		return err
	}
	who, _ := d.directory.Person(p)
	mobile, err := d.directory.OwnNumber(p, number)
	if err != nil {
		return announcement.FieldErrors{{Field: "mobile", Value: number, Why: err.Error()}}
	}
	switch err := d.sendCode(ctx, who, mobile); {
	case errors.Is(err, errRest):
		return announcement.FieldErrors{{Field: "mobile", Why: "A code was sent a moment ago. Wait a little before you ask again."}}
	case errors.Is(err, web.ErrNotYet):
		return err
	case err != nil:
		d.log.Warn("a code to prove a number was not sent", "channel", announcement.SMS, "reason", err)
		return announcement.FieldErrors{{Field: "mobile", Why: "The SMS could not be sent. Try again later, or ask HR to change the number."}}
	}
	return nil
}

// EnterNumber takes the number that the code proves.
func (d *desk) EnterNumber(ctx context.Context, device, code string) error {
	p, _, err := d.deviceOf(device)
	if err != nil {
		return err
	}
	mobile, err := d.codes.spend(ctx, p, code, true)
	if err != nil {
		return err
	}
	if err := d.directory.SetMobile(ctx, p, mobile); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return nil
}

// hidden shows only how a number ends: enough to know one's own.
func hidden(mobile string) string {
	if mobile == "" {
		return ""
	}
	return "•••• " + mobile[max(0, len(mobile)-4):]
}

// Settings are what a person sees about themselves.
func (d *desk) Settings(ctx context.Context, device string) (web.Settings, error) {
	p, id, err := d.deviceOf(device)
	if err != nil {
		return web.Settings{}, err
	}
	who, _ := d.directory.Person(p)
	c := d.directory.Contact(p)
	to, _, _ := d.directory.ContactPoints(p)
	s := web.Settings{Name: who.Name, Number: who.Number, Language: who.Language, Mobile: hidden(who.Mobile), SMS: to.Mobile != "",
		Asked: hidden(d.codes.pending(ctx, p)), Org: d.config.OrgName}
	push := map[string]bool{}
	for _, sub := range c.Subscriptions {
		push[sub.Device] = true
	}
	for _, dev := range c.Devices {
		s.Devices = append(s.Devices, web.Device{ID: dev.ID, Name: dev.Name, Seen: dev.Seen, Push: push[dev.ID], This: dev.ID == id})
	}
	return s, nil
}

// SetLanguage takes the language that a person chose.
func (d *desk) SetLanguage(ctx context.Context, device string, lang announcement.Language) error {
	p, _, err := d.deviceOf(device)
	if err != nil {
		return err
	}
	if err := d.directory.SetLanguage(ctx, p, lang); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return nil
}

// RemoveDevice shuts out one of the person's devices.
func (d *desk) RemoveDevice(ctx context.Context, device, id string) error {
	p, this, err := d.deviceOf(device)
	if err != nil {
		return err
	}
	if err := d.directory.Disconnect(ctx, p, cmp.Or(id, this)); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return nil
}
