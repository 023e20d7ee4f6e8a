package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// DataOf is everything that is kept about a person, for an administrator who hands
// it out to them.
func (k *keeper) DataOf(ctx context.Context, p web.Principal, number string) (web.PersonalData, error) {
	if !p.May(web.Administer) {
		return web.PersonalData{}, web.ErrForbidden
	}
	who, ok := k.directory.ByNumber(number)
	if !ok {
		return web.PersonalData{}, web.ErrNotFound
	}
	return k.dataOf(ctx, who.ID)
}

// MyData is the same for the person themselves.
func (k *keeper) MyData(ctx context.Context, device string) (web.PersonalData, error) {
	p, _, err := k.deviceOf(device)
	if err != nil {
		return web.PersonalData{}, err
	}
	return k.dataOf(ctx, p)
}

// MyPlacesGone erases the places that a person has shared.
func (k *keeper) MyPlacesGone(ctx context.Context, device string) error {
	p, _, err := k.deviceOf(device)
	if err != nil {
		return err
	}
	for _, place := range k.tracker.PlacesOf(p) {
		err := k.wordsAt(ctx, place.ID, place.Number, func(f announcement.Fact, ref string) error {
			if f.Actor != announcement.ByPerson(p) {
				return nil
			}
			return k.vault.Delete(ctx, placeKey(place.ID, ref))
		})
		if err != nil {
			return fmt.Errorf("%w: erase a place: %w", web.ErrNotYet, err)
		}
	}
	return nil
}

// wordsAt calls fn with every fact about a recipient that refers to words.
func (k *keeper) wordsAt(ctx context.Context, id announcement.ID, number int, fn func(f announcement.Fact, ref string) error) error {
	for _, seq := range k.tracker.Records(id, number) {
		r, err := k.ledger.At(ctx, seq)
		if err != nil {
			return err
		}
		for _, f := range r.Facts {
			about, note := -1, ""
			switch {
			case f.Answered != nil:
				about, note = f.Answered.Number, f.Answered.Note
			case f.Vouched != nil:
				about, note = f.Vouched.Number, f.Vouched.Note
			case f.Heard != nil:
				about, note = f.Heard.Number, f.Heard.Note
			}
			if ref, ok := strings.CutPrefix(note, "note:"); ok && about == number {
				if err := fn(f, ref); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (k *keeper) dataOf(ctx context.Context, p announcement.PersonID) (web.PersonalData, error) {
	who, _ := k.directory.Person(p)
	l, _ := k.directory.Listing(who.Number)
	data := web.PersonalData{Number: who.Number, Name: who.Name, Given: who.Given, Mobile: who.Mobile, Email: who.Email, Language: who.Language, Zone: cmp.Or(who.Zone, k.config.Zone),
		Country: who.Country, Site: who.Site, Department: who.Department, Title: who.Title, Shift: who.Shift, Manager: l.Boss, Active: who.Active,
		SMSStopped: l.SMSStopped, Wrong: l.WrongNumber, At: k.now().UTC(), Org: k.config.OrgName}
	for _, g := range k.directory.Groups() {
		if slices.ContainsFunc(k.directory.Members(g.ID), func(m directory.Person) bool { return m.ID == p }) {
			data.Groups = append(data.Groups, g.Name)
		}
	}
	push := map[string]string{}
	for _, s := range l.Subscriptions {
		push[s.Device] = s.Endpoint
	}
	for _, d := range l.Devices {
		data.Devices = append(data.Devices, web.HeldDevice{Name: d.Name, Seen: d.Seen, Endpoint: push[d.ID]})
		delete(push, d.ID)
	}
	for _, s := range l.Subscriptions {
		if _, other := push[s.Device]; other {
			data.Devices = append(data.Devices, web.HeldDevice{Seen: s.Seen, Endpoint: s.Endpoint})
		}
	}
	var err error
	for _, place := range k.tracker.PlacesOf(p) {
		var one web.HeldAlert
		one, err = k.heldAlert(ctx, p, place.ID, place.Number)
		if err != nil {
			return web.PersonalData{}, err
		}
		data.Alerts = append(data.Alerts, one)
	}
	for _, t := range k.inbox.walk() {
		if t.Person == p || k.onlyTheirs(who, t.From) {
			data.Texts = append(data.Texts, web.HeldText{At: t.At, Words: t.Body, Where: t.Where, Photo: t.Photo, Until: t.At.Add(time.Duration(k.config.RetainWords) * day)})
		}
	}
	if data.Looks, err = k.looks(ctx, p); err != nil {
		return web.PersonalData{}, err
	}
	slices.SortFunc(data.Texts, func(a, b web.HeldText) int { return b.At.Compare(a.At) })
	return data, nil
}

// heldAlert is how a person stood in an announcement, with what was written there as
// long as it is kept.
func (k *keeper) heldAlert(ctx context.Context, p announcement.PersonID, id announcement.ID, number int) (web.HeldAlert, error) {
	v, ok := k.tracker.View(id)
	if !ok {
		return web.HeldAlert{}, web.ErrNotYet
	}
	who, _ := k.directory.Person(p)
	text, _, _ := v.Announcement.In(who.Language)
	out := web.HeldAlert{ID: id, Title: text.Title, Mode: v.Announcement.Mode, At: v.OpenedAt, Answers: v.Announcement.Answers}
	details, err := k.tracker.Details(ctx, id, []int{number})
	if err != nil {
		return out, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	t := details[0]
	out.Answer, out.State, out.Answered = t.Answer, t.State, t.AnsweredAt
	switch {
	case t.VouchedBy != "":
		out.By = k.name(t.VouchedBy).Name
	case t.How != "":
		out.By = k.actorName(t.VouchActor)
	}
	until := time.Time{}
	if !v.ClosedAt.IsZero() {
		until = v.ClosedAt.Add(time.Duration(k.config.RetainWords) * day)
		if k.now().After(until.Add(2 * day)) {
			return out, nil // they are gone, and the ledger need not be read
		}
	}
	err = k.wordsAt(ctx, id, number, func(f announcement.Fact, ref string) error {
		w := web.HeldWords{At: f.At, WordsUntil: until, Others: f.Actor != announcement.ByPerson(p)}
		var words, place error
		w.Words, words = k.kept(ctx, noteKey(id, ref))
		w.Place, place = k.kept(ctx, placeKey(id, ref))
		if err := errors.Join(words, place); err != nil {
			return err
		}
		if w.Place != "" {
			w.PlaceUntil = f.At.Add(placeDays * day)
		}
		if w.Words != "" || w.Place != "" {
			out.Words = append(out.Words, w)
		}
		return nil
	})
	if err != nil {
		return out, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return out, nil
}

// kept is a value of the vault; nothing if it is gone.
func (k *keeper) kept(ctx context.Context, key string) (string, error) {
	b, err := k.vault.Get(ctx, key)
	if errors.Is(err, ledger.ErrNotFound) {
		return "", nil
	}
	return string(b), err
}

// How far back, and how many, a person reads who looked at their data.
const (
	looksBack = 90 * day
	mostShown = 50
)

// looks are what the audit trail says that others looked at, took out or changed of
// a person, the newest first: from their own subject of the ledger, so that nothing
// else is read. Their own phone is nobody else. An act that came to nothing stands there
// twice, as it was asked for and as refused, and is told not at all.
func (k *keeper) looks(ctx context.Context, p announcement.PersonID) ([]web.Look, error) {
	type asked struct {
		by  announcement.Actor
		act announcement.Act
	}
	var out []web.Look
	refused := map[asked]int{}
	err := k.ledger.Noted(ctx, p, 0, func(r ledger.Record) bool {
		for _, f := range slices.Backward(r.Facts) {
			if k.now().Sub(f.At) >= looksBack || len(out) == mostShown {
				return false
			}
			if f.Noted == nil || f.Actor == announcement.ByPerson(p) {
				continue
			}
			switch a := (asked{f.Actor, f.Noted.Act}); {
			case f.Noted.About.Refused && !a.act.Looks():
				refused[a]++
			case f.Noted.About.Refused:
			case refused[a] > 0:
				refused[a]--
			default:
				out = append(out, web.Look{At: f.At, By: k.actorName(f.Actor), What: string(a.act)})
			}
		}
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("%w: read who looked: %w", web.ErrNotYet, err)
	}
	slices.SortStableFunc(out, func(a, b web.Look) int { return b.At.Compare(a.At) })
	return out, nil
}
