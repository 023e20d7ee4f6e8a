package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/sms"
	"kentongan/internal/directory"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// inbox holds the texts that belong to no announcement until a person has dealt
// with them: from numbers nobody has, or from people who are asked nothing now.
// They are kept encrypted and can be erased; every node follows them.
type inbox struct{ *shelf[text] }

// text is one SMS as stored.
type text struct {
	At      time.Time `json:"at"`
	From    string    `json:"from"`
	Body    string    `json:"body"`
	Class   sms.Class `json:"class"`
	Handled bool      `json:"handled,omitempty"`
	By      string    `json:"by,omitempty"` // actor who dealt with it

	Person announcement.PersonID `json:"person,omitempty"` // whose it is, where somebody in HR knows

	HandledAt time.Time `json:"handled_at,omitzero"`

	// Of an emergency that an employee reported on their own page.
	Kind  string          `json:"kind,omitempty"`
	Where string          `json:"where,omitempty"`
	Photo bool            `json:"photo,omitempty"`
	Call  announcement.ID `json:"call,omitempty"` // of the duty list; empty: nobody could be called
}

// openInbox returns when everything that was stored before is loaded.
func openInbox(ctx context.Context, vault ledger.Vault) (*inbox, error) {
	texts, err := openShelf[text](ctx, vault, "inbox.", "inbox")
	return &inbox{texts}, err
}

// file keeps a text; the same MessageSid is kept once.
func (b *inbox) file(ctx context.Context, in sms.Inbound, class sms.Class, at time.Time) error {
	err := b.create(ctx, shorten(in.SID), text{At: at, From: in.From, Body: cut(in.Body, sms.MaxNote), Class: class})
	if errors.Is(err, ledger.ErrAlready) {
		return nil
	}
	return err
}

func cut(s string, limit int) string {
	s = strings.ToValidUTF8(s, "")
	if r := []rune(s); len(r) > limit {
		return string(r[:limit])
	}
	return s
}

// has reports whether a text was filed before.
func (b *inbox) has(sid string) bool { return b.holds(shorten(sid)) }

func (b *inbox) holds(id string) bool {
	_, ok := b.get(id)
	return ok
}

// waiting returns a text that waits.
func (b *inbox) waiting(id string) (text, error) {
	t, ok := b.get(id)
	if !ok || t.Handled {
		return text{}, web.ErrNotFound
	}
	return t, nil
}

// change stores what somebody did with a text.
func (b *inbox) change(ctx context.Context, id string, edit func(*text)) error {
	t, err := b.waiting(id)
	if err != nil {
		return err
	}
	edit(&t)
	return b.put(ctx, id, t)
}

// Inbox lists the texts that wait for a person: calls for help first, then the
// oldest.
func (b boards) Inbox(context.Context) []web.Text {
	out := []web.Text{}
	for id, t := range b.inbox.walk() {
		if t.Handled || !b.mayRead(t) {
			continue
		}
		out = append(out, b.textOf(id, t))
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

// textOf is a text as a page shows it.
func (d *desk) textOf(id string, t text) web.Text {
	w := web.Text{ID: id, At: t.At, From: t.From, Body: t.Body, Help: t.Class == sms.ClassHelp, Assigned: t.Person != "", Kind: t.Kind, Where: t.Where, Photo: t.Photo}
	if w.Assigned {
		w.Names = []web.Name{d.name(t.Person)}
		if to, _, ok := d.directory.ContactPoints(t.Person); ok && to.Mobile != t.From {
			w.Mobile = to.Mobile
		}
		return w
	}
	for _, p := range d.directory.ByMobile(t.From) {
		if p.Active {
			w.Names = append(w.Names, d.name(p.ID))
		}
	}
	return w
}

// WaitingText returns one text that waits for a person.
func (b boards) WaitingText(_ context.Context, id string) (web.Text, error) {
	t, err := b.inbox.waiting(id)
	if err == nil && !b.mayRead(t) {
		err = web.ErrNotFound
	}
	if err != nil {
		return web.Text{}, err
	}
	return b.textOf(id, t), nil
}

// mayRead reports whether a text is for the principal: who sees some people only
// reads what comes from one of them.
func (b boards) mayRead(t text) bool {
	if b.within == nil {
		return true
	}
	if t.Person != "" {
		return b.seesPerson(t.Person)
	}
	return slices.ContainsFunc(b.directory.ByMobile(t.From), func(p directory.Person) bool { return b.seesPerson(p.ID) })
}

// HandleText takes a text out of the inbox.
func (d *desk) HandleText(ctx context.Context, p web.Principal, id string) error {
	if !p.May(web.Call) {
		return web.ErrForbidden
	}
	if _, err := d.boards(p.Grant).WaitingText(ctx, id); err != nil {
		return err
	}
	return d.inbox.change(ctx, id, func(t *text) { t.Handled, t.By, t.HandledAt = true, string(p.Actor), d.now().UTC() })
}

// AssignText says whose text it is. While an announcement asks that person it is
// filed there, and leaves the inbox: words that may ask for help become their call
// for help, as if they had come from the person's own number. Otherwise it stays
// in the inbox under their name, because somebody still has to read it.
func (d *desk) AssignText(ctx context.Context, p web.Principal, id, number string) (announcement.ID, int, error) {
	if !p.May(web.Call) {
		return "", 0, web.ErrForbidden
	}
	t, err := d.inbox.waiting(id)
	if err == nil && !d.boards(p.Grant).mayRead(t) {
		err = web.ErrNotFound
	}
	if err != nil {
		return "", 0, err
	}
	who, ok := d.directory.ByNumber(strings.TrimSpace(number))
	if !ok || !who.Active || !d.boards(p.Grant).seesPerson(who.ID) {
		return "", 0, announcement.FieldErrors{{Field: "number", Value: cut(number, 40), Why: "nobody has this employee number"}}
	}
	if err := d.caughtUp(ctx); err != nil {
		return "", 0, err
	}
	for _, place := range d.tracker.OpenFor(who.ID) {
		v, ok := d.tracker.View(place.ID)
		if !ok || !place.Open || v.OpenedAt.After(t.At) { // it cannot be about what came later
			continue
		}
		if err := d.fileText(ctx, p.Actor, id, t, v, place.Number); err != nil {
			return "", 0, err
		}
		if err := d.inbox.change(ctx, id, func(t *text) { t.Person, t.Handled, t.By, t.HandledAt = who.ID, true, string(p.Actor), d.now().UTC() }); err != nil {
			return "", 0, err
		}
		return place.ID, place.Number, d.caughtUp(ctx)
	}
	return "", 0, d.inbox.change(ctx, id, func(t *text) { t.Person, t.By = who.ID, string(p.Actor) })
}

// fileText writes a text down under a recipient. The key is that of a text which
// the house could place by itself: however often it is assigned, it counts once.
func (d *desk) fileText(ctx context.Context, by announcement.Actor, id string, t text, v tracker.View, number int) error {
	note, err := d.keepNote(ctx, v.Announcement.ID, t.Body)
	if err != nil {
		return err
	}
	fact := announcement.Fact{Announcement: v.Announcement.ID, Kind: announcement.KindHeard, At: d.now().UTC(),
		Heard: &announcement.Heard{Number: number, Class: string(t.Class), Via: announcement.ViaSMS, Note: note, Ref: id}}
	if t.Class == sms.ClassHelp {
		fact = d.answered(v, number, announcement.Answered{Answer: announcement.NeedHelp, Via: announcement.ViaSMS, Said: t.At, Ref: id, Note: note, FromWords: true})
	}
	fact.Actor = by
	if _, err := d.ledger.Once(ctx, "sms-"+id+"-"+strconv.Itoa(number), fact); err != nil && !errors.Is(err, ledger.ErrAlready) {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return nil
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
	if _, err := d.callDuty(ctx, "number", in.From, d.catalogue.HelpReport()); err != nil {
		return err
	}
	return d.inbox.file(ctx, in, sms.ClassHelp, d.now().UTC())
}

// repeatedCalls asks again until somebody on duty answers.
func repeatedCalls() []announcement.Step {
	var steps []announcement.Step
	for _, minutes := range []int{2, 5, 10, 15, 30, 60} {
		steps = append(steps, announcement.Step{After: announcement.Duration(time.Duration(minutes) * time.Minute), Whom: announcement.CallRecipient})
	}
	return steps
}
