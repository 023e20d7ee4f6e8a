package app

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// opened returns an announcement on which a sender may act.
func (d *desk) opened(ctx context.Context, p web.Principal, id announcement.ID) (tracker.View, error) {
	if p.Role != web.Sender {
		return tracker.View{}, web.ErrForbidden
	}
	v, err := d.view(ctx, id)
	if err == nil && v.Status != announcement.StatusOpen {
		err = web.ErrClosed
	}
	return v, err
}

// Escalate takes the next step that calls somebody else now.
func (d *desk) Escalate(ctx context.Context, p web.Principal, id announcement.ID) (int, error) {
	if _, err := d.opened(ctx, p, id); err != nil {
		return 0, err
	}
	n, err := d.tracker.Escalate(ctx, id, p.Actor)
	switch {
	case errors.Is(err, tracker.ErrNoStep):
		return 0, web.ErrConflict
	case err != nil:
		return 0, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return n, d.caughtUp(ctx)
}

// Update tells everybody who was called what is new.
func (d *desk) Update(ctx context.Context, p web.Principal, id announcement.ID, words map[announcement.Language]string) (int, error) {
	v, err := d.opened(ctx, p, id)
	if err != nil {
		return 0, err
	}
	said := map[announcement.Language]string{}
	var bad announcement.FieldErrors
	for lang, w := range words {
		field := "words." + string(lang)
		switch w = strings.TrimSpace(w); {
		case w == "":
		case len([]rune(w)) > announcement.MaxUpdateSMS:
			bad = append(bad, &announcement.FieldError{Field: field, Value: fmt.Sprint(len([]rune(w))),
				Why: fmt.Sprintf("is longer than %d characters", announcement.MaxUpdateSMS)})
		case announcement.CheckWords(w) != nil:
			bad = append(bad, &announcement.FieldError{Field: field, Why: announcement.CheckWords(w).Error()})
		default:
			said[lang] = w
		}
	}
	if len(said) == 0 && len(bad) == 0 {
		bad = append(bad, &announcement.FieldError{Field: "words." + string(announcement.Indonesian), Why: "write what is new"})
	}
	if len(bad) > 0 {
		return 0, bad
	}
	called, err := d.called(ctx, v)
	if err != nil {
		return 0, err
	}
	err = d.extraRound(ctx, v, announcement.Fact{Announcement: id, Kind: announcement.KindDecided, Actor: p.Actor,
		Decided: &announcement.Decided{Message: announcement.SayUpdate, Channels: v.Announcement.Channels, Only: announcement.OnlyCalled, Words: said}})
	if err != nil {
		return 0, err
	}
	return called, d.caughtUp(ctx)
}

// called returns how many people have been called.
func (d *desk) called(ctx context.Context, v tracker.View) (int, error) {
	standing, err := d.tracker.Standing(ctx, v.Announcement.ID)
	if err != nil {
		return 0, err
	}
	n := 0
	for i := range v.Roster.Recipients {
		if standing.Called(i) {
			n++
		}
	}
	return n, nil
}

// AllClear tells everybody who was called that it is over, and closes unless
// those who have not answered are to be asked on.
func (d *desk) AllClear(ctx context.Context, p web.Principal, id announcement.ID, keepAsking bool, reason string) error {
	if !keepAsking {
		return d.Close(ctx, p, id, announcement.AsAllClear, reason)
	}
	v, err := d.opened(ctx, p, id)
	if err != nil {
		return err
	}
	note, err := d.keepNote(ctx, id, reason)
	if err != nil {
		return err
	}
	_, err = d.ledger.Once(ctx, fmt.Sprint(tracker.AllClearRound), announcement.Fact{Announcement: id, Kind: announcement.KindDecided, At: d.now().UTC(),
		Actor: p.Actor, Reason: note, Decided: &announcement.Decided{Round: tracker.AllClearRound, Message: announcement.SayAllClear,
			Channels: v.Announcement.Channels, Only: announcement.OnlyCalled}})
	if err != nil && !errors.Is(err, ledger.ErrAlready) {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return d.caughtUp(ctx)
}

// extraRound writes a round that a person caused under the next free number.
func (d *desk) extraRound(ctx context.Context, v tracker.View, f announcement.Fact) error {
	round := int64(announcement.FirstExtraRound)
	for _, r := range v.Rounds {
		if r.Round >= round && r.Round < tracker.AllClearRound {
			round = r.Round + 1
		}
	}
	for ; ; round++ {
		f.At, f.Decided.Round = d.now().UTC(), round
		_, err := d.ledger.Once(ctx, fmt.Sprint(round), f)
		if errors.Is(err, ledger.ErrAlready) {
			if f.Decided.Message == announcement.SayReminder {
				return web.ErrConflict // most likely the same button pressed twice
			}
			continue // another person acted at this moment
		}
		if err != nil {
			return fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		return nil
	}
}
