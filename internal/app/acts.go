package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/sms"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// mine returns an announcement on which a sender may act: one that concerns nobody
// else than whom they may alarm, or their own.
func (d *desk) mine(ctx context.Context, p web.Principal, id announcement.ID) (tracker.View, error) {
	if !p.May(web.Announce) {
		return tracker.View{}, web.ErrForbidden
	}
	v, err := d.boards(p.Grant).view(ctx, id)
	if err == nil && !d.actsOn(p, v, v.Roster.Recipients) {
		err = web.ErrForbidden
	}
	return v, err
}

// mineOne is mine for an act about one recipient, whoever else it concerns.
func (d *desk) mineOne(ctx context.Context, p web.Principal, id announcement.ID, index int) (tracker.View, error) {
	if !p.May(web.Announce) {
		return tracker.View{}, web.ErrForbidden
	}
	b := d.boards(p.Grant)
	v, err := b.view(ctx, id)
	switch {
	case err != nil:
	case index < 0 || index >= len(v.Roster.Recipients) || !b.sees(v.Roster.Recipients[index]):
		err = web.ErrNotFound
	case !d.actsOn(p, v, v.Roster.Recipients[index:index+1]):
		err = web.ErrForbidden
	}
	return v, err
}

// actsOn reports whether somebody may act on these recipients of an announcement: as its
// author, who was allowed to send it, or if they may send such a one to all of them who
// are still here. Whoever left since is in no group any more.
func (d *desk) actsOn(p web.Principal, v tracker.View, these []announcement.Recipient) bool {
	if v.By == p.Actor {
		return true
	}
	here := announcement.Roster{}
	for _, r := range these {
		if who, ok := d.directory.Person(r.Person); ok && who.Active {
			here.Recipients = append(here.Recipients, r)
		}
	}
	return d.allowed(p.Grant, v.Announcement, here) == nil
}

// opened is mine for an announcement that is open.
func (d *desk) opened(ctx context.Context, p web.Principal, id announcement.ID) (tracker.View, error) {
	v, err := d.mine(ctx, p, id)
	if err == nil && v.Status != announcement.StatusOpen {
		err = web.ErrClosed
	}
	return v, err
}

// Escalate takes the next step that calls somebody else now.
func (d *desk) Escalate(ctx context.Context, p web.Principal, id announcement.ID, step int) (int, error) {
	if _, err := d.opened(ctx, p, id); err != nil {
		return 0, err
	}
	n, err := d.tracker.Escalate(ctx, id, step, p.Actor)
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
	said, bad := spoken("words", words, "write what is new")
	if len(bad) > 0 {
		return 0, bad
	}
	called, err := d.called(ctx, v)
	if err != nil {
		return 0, err
	}
	if d.saidBefore(v, said) {
		return called, nil // the same button pressed twice
	}
	err = d.extraRound(ctx, v, announcement.Fact{Announcement: id, Kind: announcement.KindDecided, Actor: p.Actor,
		Decided: &announcement.Decided{Message: announcement.SayUpdate, Channels: v.Announcement.Channels, Only: announcement.OnlyCalled, Words: said}})
	if err != nil {
		return 0, err
	}
	return called, d.caughtUp(ctx)
}

// spoken are the words of an update, or of what changed, as people will read them;
// missing says what to do where there are none.
func spoken(field string, words map[announcement.Language]string, missing string) (map[announcement.Language]string, announcement.FieldErrors) {
	said := map[announcement.Language]string{}
	var bad announcement.FieldErrors
	for _, lang := range slices.Sorted(maps.Keys(words)) {
		at := field + "." + string(lang)
		switch w := strings.TrimSpace(words[lang]); {
		case w == "":
		case len([]rune(w)) > announcement.MaxUpdateSMS:
			bad = append(bad, &announcement.FieldError{Field: at, Value: fmt.Sprint(len([]rune(w))),
				Why: fmt.Sprintf("is longer than %d characters", announcement.MaxUpdateSMS)})
		case announcement.CheckWords(w) != nil:
			bad = append(bad, &announcement.FieldError{Field: at, Why: announcement.CheckWords(w).Error()})
		default:
			said[lang] = w
		}
	}
	if len(said) == 0 && len(bad) == 0 {
		bad = append(bad, &announcement.FieldError{Field: field + "." + string(announcement.Indonesian), Why: missing})
	}
	return said, bad
}

// sameUpdateWithin is how long the same words are taken for the same update.
const sameUpdateWithin = 5 * time.Minute

// saidBefore reports whether the same update went out a moment ago.
func (d *desk) saidBefore(v tracker.View, words map[announcement.Language]string) bool {
	for i, r := range v.Rounds {
		if r.Message == announcement.SayUpdate && maps.Equal(r.Words, words) && d.now().Sub(v.RoundsAt[i]) < sameUpdateWithin {
			return true
		}
	}
	return false
}

// Act says what an act on an open announcement would do: how many people would be
// told, and what they would read.
func (d *desk) Act(ctx context.Context, id announcement.ID, kind announcement.MessageKind, words map[announcement.Language]string) (web.Act, error) {
	v, err := d.view(ctx, id)
	if err != nil {
		return web.Act{}, err
	}
	standing, err := d.tracker.Standing(ctx, id)
	if err != nil {
		return web.Act{}, err
	}
	act := web.Act{Push: map[announcement.Language][2]string{}, SMS: map[announcement.Language]web.SMSPreview{}}
	about := 0
	concerns := standing.Called // everybody who was told must hear how it goes on
	switch kind {
	case announcement.SayRevised:
		concerns = func(n int) bool { return !standing.Excused(n) }
		act.Text = v.Announcement.Text
		if v.Announcement.Template != "" {
			act.Fields = v.Announcement.Fields
		}
	case announcement.SayReminder:
		concerns = standing.Outstanding
		if last := d.remindedAll(v); d.now().Sub(last) < remindAllEvery {
			act.Last, act.Next = last, last.Add(remindAllEvery)
		}
	case announcement.SayAlert:
		failed, err := d.tracker.Failed(ctx, id, d.again())
		if err != nil {
			return web.Act{}, fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		concerns = func(n int) bool { _, found := slices.BinarySearch(failed, n); return found }
		act.Second = d.config.secondSMS()
		if last := d.sentAgain(v); d.now().Sub(last) < remindAllEvery {
			act.Last, act.Next = last, last.Add(remindAllEvery)
		}
	case announcement.SayDigest:
		next, err := d.tracker.Next(ctx, id)
		if errors.Is(err, tracker.ErrNoStep) {
			return act, nil
		}
		if err != nil {
			return web.Act{}, fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		concerns = func(int) bool { return false }
		act.People, act.Step = len(next.To), next.Step
		for _, c := range next.To {
			about = max(about, c.Count)
			if len(act.Who) < shownExcluded {
				act.Who = append(act.Who, d.name(c.Person))
			}
		}
	}
	a := v.Announcement
	for lang := range a.Text {
		m := d.catalogue.Compose(a, announcement.Saying{Round: announcement.FirstExtraRound, Kind: kind, Language: lang, Org: d.config.OrgName, Count: about,
			Link: d.config.anybodys(), TwoWay: d.twoWay(), Now: d.now().UTC(), Words: announcement.Decided{Words: words}.Say(lang)})
		measured := sms.Measure(m.SMS)
		act.Push[lang] = [2]string{m.Title, m.Body}
		act.SMS[lang] = web.SMSPreview{Text: m.SMS, Encoding: measured.Encoding, Segments: measured.Segments, Units: measured.Units, Limit: measured.Limit, Awkward: measured.Awkward}
	}
	segments := 0
	for i, r := range v.Roster.Recipients {
		if !concerns(i) {
			continue
		}
		act.People++
		if a.Waits() && a.Quiet.Contain(d.now(), v.ZoneOf(i)) {
			act.Asleep++
		}
		if _, lang, _ := a.In(r.Language); slices.Contains(r.Reach, announcement.SMS) && slices.Contains(a.Channels, announcement.SMS) {
			segments += act.SMS[lang].Segments
		}
	}
	if kind != announcement.SayReminder && kind != announcement.SayDigest && kind != announcement.SayAlert {
		responders, err := d.tracker.Responders(ctx, id, kind)
		if err != nil {
			return web.Act{}, fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		act.People += len(responders)
		for _, r := range responders {
			if to, lang, ok := d.directory.ContactPoints(r.Person); ok && to.Mobile != "" {
				_, lang, _ = a.In(lang)
				segments += act.SMS[lang].Segments
			}
		}
	}
	if d.config.SMSPrice > 0 && segments > 0 {
		act.Cost = money(d.config.Currency, segments*d.config.SMSPrice)
	}
	return act, nil
}

// again is the round that sends the SMS again to those for whom it failed, or waits.
func (d *desk) again() announcement.Decided {
	second := d.config.secondSMS()
	return announcement.Decided{Message: announcement.SayAlert, Channels: []announcement.Channel{announcement.SMS}, Only: announcement.OnlyFailed,
		Second: second, Waiting: second && d.away(announcement.SMS)}
}

// sentAgain is when the SMS was last sent again to those for whom it had failed.
func (d *desk) sentAgain(v tracker.View) time.Time {
	var last time.Time
	for i, r := range v.Rounds {
		if r.Only == announcement.OnlyFailed && v.RoundsAt[i].After(last) {
			last = v.RoundsAt[i]
		}
	}
	return last
}

// Resend sends the SMS again to those without an answer for whom it failed, through
// the second provider where there is one. It is ErrConflict within two minutes of
// the last time.
func (d *desk) Resend(ctx context.Context, p web.Principal, id announcement.ID) (int, error) {
	v, err := d.opened(ctx, p, id)
	if err != nil {
		return 0, err
	}
	if d.now().Sub(d.sentAgain(v)) < remindAllEvery {
		return 0, web.ErrConflict
	}
	round := d.again()
	failed, err := d.tracker.Failed(ctx, id, round)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	if len(failed) == 0 {
		return 0, nil
	}
	if err := d.extraRound(ctx, v, announcement.Fact{Announcement: id, Kind: announcement.KindDecided, Actor: p.Actor, Decided: &round}); err != nil {
		return 0, err
	}
	return len(failed), d.caughtUp(ctx)
}

// called returns how many people have been called, for themselves or about others.
func (d *desk) called(ctx context.Context, v tracker.View) (int, error) {
	standing, err := d.tracker.Standing(ctx, v.Announcement.ID)
	if err != nil {
		return 0, err
	}
	responders, err := d.tracker.Responders(ctx, v.Announcement.ID, announcement.SayUpdate)
	return standing.CalledCount() + len(responders), err
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
			if f.Decided.Message == announcement.SayReminder || f.Decided.Message == announcement.SayAlert {
				return web.ErrConflict // most likely the same button pressed twice
			}
			if err := d.tracker.CatchUp(ctx); err != nil {
				return fmt.Errorf("%w: %w", web.ErrNotYet, err)
			}
			if now, ok := d.tracker.View(v.Announcement.ID); ok && f.Decided.Message == announcement.SayUpdate && d.saidBefore(now, f.Decided.Words) {
				return nil
			}
			continue // another person acted at this moment
		}
		if err != nil {
			return fmt.Errorf("%w: %w", web.ErrNotYet, err)
		}
		return nil
	}
}
