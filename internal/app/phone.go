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

// emergencyOf is the number to dial at a site when life is in danger; 112 is run
// by each district, so that some sites have another.
func (d *desk) emergencyOf(site string) string {
	place, _ := d.directory.Place(site)
	return cmp.Or(place.Emergency, directory.Emergency)
}

// resolve returns the announcement and recipient of a personal token, unless
// the person has left.
func (d *desk) resolve(ctx context.Context, token string) (tracker.View, int, error) {
	p, ok := d.links.answer(token)
	if !ok {
		if err := d.behind(ctx, token); err != nil {
			return tracker.View{}, 0, err
		}
		p, ok = d.links.answer(token)
	}
	if !ok {
		return tracker.View{}, 0, web.ErrNotFound
	}
	v, ok := d.tracker.View(p.id)
	if !ok || p.number >= len(v.Roster.Recipients) {
		return tracker.View{}, 0, web.ErrNotFound
	}
	if who, ok := d.directory.Person(v.Roster.Recipients[p.number].Person); !ok || !who.Active {
		return tracker.View{}, 0, web.ErrNotFound
	}
	return v, p.number, nil
}

// resolveAt is resolve for whoever has a version of the text before them: another node
// may have shown it before this one has heard of it.
func (d *desk) resolveAt(ctx context.Context, token string, version int) (tracker.View, int, error) {
	v, n, err := d.resolve(ctx, token)
	if err != nil || version <= v.Version {
		return v, n, err
	}
	if err := d.tracker.CatchUp(ctx); err != nil {
		return v, n, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return d.resolve(ctx, token)
}

// behind reports whether a link may be unknown only because this node does not
// yet reflect the ledger: whoever calls for help in the seconds after a restart
// must be told to press again, not that their link has expired.
func (d *desk) behind(ctx context.Context, token string) error {
	if ready, _ := d.tracker.Ready(); ready || len(token) != tokenLength {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := d.tracker.CatchUp(ctx); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return nil
}

// AnswerPage shows one recipient's page. It changes nothing.
func (d *desk) AnswerPage(ctx context.Context, token string) (web.AnswerPage, error) {
	v, n, err := d.resolve(ctx, token)
	if err != nil {
		return web.AnswerPage{}, err
	}
	return d.answerPage(ctx, v, n)
}

func (d *desk) answerPage(ctx context.Context, v tracker.View, n int) (web.AnswerPage, error) {
	who, _ := d.directory.Person(v.Roster.Recipients[n].Person)
	text, lang, _ := v.Announcement.In(who.Language)
	p := web.AnswerPage{
		Announcement: v.Announcement, Text: text, Language: lang, Person: cmp.Or(who.Given, who.Name), PersonLang: who.Language,
		Status: v.Status, ClosedAs: v.ClosedAs, ClosedAt: v.ClosedAt, Emergency: d.emergencyOf(who.Site), Org: d.config.OrgName,
		Nonce: string(announcement.NewID()), Version: v.Version, RevisedAt: v.RevisedAt, Changed: announcement.Decided{Words: v.Changed()}.Say(lang),
	}
	if v.Version > 1 {
		p.Before = v.Before[lang]
	}
	for i, r := range v.Rounds {
		switch r.Message {
		case announcement.SayUpdate:
			if v.RoundsAt[i].After(v.RevisedAt) { // else the new text says it
				p.Update, p.UpdatedAt = r.Say(lang), v.RoundsAt[i]
			}
		case announcement.SayAllClear:
			p.ClearAt = v.RoundsAt[i]
		}
	}
	if d.twoWay() && !strings.HasPrefix(d.config.TwilioFrom, "MG") {
		p.SMSNumber = d.config.TwilioFrom
	}
	details, err := d.tracker.Details(ctx, v.Announcement.ID, []int{n})
	if err != nil {
		// The page must be there to answer on even when the working state is not.
		d.log.Warn("answer page without its state", "announcement", v.Announcement.ID, "reason", err)
		return p, nil
	}
	t := details[0]
	p.Answer, p.AnsweredAt = t.Answer, t.Since
	if t.Answer != 0 && t.Since.IsZero() {
		p.AnsweredAt = t.AnsweredAt
	}
	switch {
	case t.VouchedBy != "":
		p.VouchedBy = d.name(t.VouchedBy).Name
	case t.How != "":
		p.VouchedBy = d.actorName(t.VouchActor)
	}
	p.Late = t.Late
	if t.Earlier != nil {
		p.Earlier, p.EarlierAt = t.Earlier.Answer, t.Earlier.Said
	}
	if !t.ClaimedAt.IsZero() {
		p.Handler, p.HandledAt, p.Resolved = d.actorName(t.ClaimActor), t.ClaimedAt, t.Resolved
	}
	return p, nil
}

// Answer records an acknowledgment. nil means that it is on disk.
func (d *desk) Answer(ctx context.Context, token string, press web.Press) (web.AnswerPage, error) {
	known := press.Version
	if press.Answer == announcement.NeedHelp {
		known = 0 // it counts whatever it is an answer to, and waits for nothing
	}
	v, n, err := d.resolveAt(ctx, token, known)
	if err != nil {
		return web.AnswerPage{}, err
	}
	if !press.Answer.Valid() {
		return web.AnswerPage{}, announcement.FieldErrors{{Field: "a", Why: "must be 1, 2 or 3"}}
	}
	if press.Via != announcement.ViaPush {
		press.Via = announcement.ViaPage
	}
	said, ref := d.said(press.Said, v), shorten(press.Ref)
	version := min(max(press.Version, 1), v.Version) // of the text that they had before them
	err = d.presses.once(token+ref, func() error {
		note, err := d.keepNote(ctx, v.Announcement.ID, press.Note)
		if err != nil {
			return err
		}
		seq, err := d.record(ctx, d.answered(v, n, announcement.Answered{Answer: press.Answer, Via: press.Via, Said: said, Ref: ref, Note: note, Version: version}))
		if err != nil {
			return err
		}
		d.shows(ctx, func(ctx context.Context) error { return d.tracker.Reach(ctx, seq) })
		return nil
	})
	if err != nil {
		return web.AnswerPage{}, err
	}
	page, err := d.answerPage(ctx, v, n)
	if page.Answer == 0 && version == v.Version { // durable, though the tracker does not show it yet
		page.Answer, page.AnsweredAt = press.Answer, said
	}
	return page, err
}

// Tell records what a person adds after their answer. From somebody who needs
// help it goes with their call, where those who help read it; from anybody else
// it is no answer, and waits for HR in the inbox.
func (d *desk) Tell(ctx context.Context, token string, press web.Press) (web.AnswerPage, error) {
	v, n, err := d.resolve(ctx, token)
	if err != nil {
		return web.AnswerPage{}, err
	}
	if err := d.presses.once(token+shorten(press.Ref), func() error { return d.tell(ctx, v, n, press) }); err != nil {
		return web.AnswerPage{}, err
	}
	return d.answerPage(ctx, v, n)
}

func (d *desk) tell(ctx context.Context, v tracker.View, n int, press web.Press) error {
	ref := shorten(press.Ref)
	note, err := d.keepNote(ctx, v.Announcement.ID, press.Note)
	if err != nil {
		return err
	}
	details, err := d.tracker.Details(ctx, v.Announcement.ID, []int{n})
	if err == nil && details[0].Answer == announcement.NeedHelp {
		seq, err := d.record(ctx, d.answered(v, n, announcement.Answered{Answer: announcement.NeedHelp, Via: announcement.ViaPage, Said: d.said(press.Said, v), Ref: ref, Note: note}))
		if err != nil {
			return err
		}
		d.shows(ctx, func(ctx context.Context) error { return d.tracker.Reach(ctx, seq) })
		return nil
	}
	who, _ := d.directory.Person(v.Roster.Recipients[n].Person)
	// The inbox first: a text that came twice is filed once there as well.
	if err := d.inbox.file(ctx, sms.Inbound{SID: "page-" + ref, From: who.Mobile, Body: press.Note}, sms.ClassFreeText, d.now().UTC()); err != nil {
		return err
	}
	_, err = d.ledger.Once(ctx, "page-"+ref+"-"+strconv.Itoa(n), announcement.Fact{Announcement: v.Announcement.ID, Kind: announcement.KindHeard, At: d.now().UTC(),
		Actor: announcement.ByPerson(who.ID), Heard: &announcement.Heard{Number: n, Class: string(sms.ClassFreeText), Via: announcement.ViaPage, Note: note, Ref: ref}})
	if err != nil && !errors.Is(err, ledger.ErrAlready) {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return nil
}

func (d *desk) answered(v tracker.View, n int, a announcement.Answered) announcement.Fact {
	a.Number = n
	if a.Version == 1 {
		a.Version = 0 // as before there were versions
	}
	return announcement.Fact{Announcement: v.Announcement.ID, Kind: announcement.KindAnswered, At: d.now().UTC(),
		Actor: announcement.ByPerson(v.Roster.Recipients[n].Person), Answered: &a}
}

// Seen records that the page was displayed, or a notification shown, once.
func (d *desk) Seen(ctx context.Context, token string, c announcement.Channel, version int) error {
	if done, err := d.shownTry(ctx, token); done {
		return err
	}
	v, n, err := d.resolveAt(ctx, token, version)
	if err != nil {
		return err
	}
	details, err := d.tracker.Details(ctx, v.Announcement.ID, []int{n})
	if err != nil {
		return err
	}
	f := announcement.Fact{Announcement: v.Announcement.ID, At: d.now().UTC(), Actor: announcement.ByPerson(v.Roster.Recipients[n].Person)}
	if c == announcement.InApp { // an open page shows what counts
		version = v.Version
	}
	if version = min(max(version, 1), v.Version); version < v.Version {
		return nil // they have seen what no longer counts
	}
	if c == "" {
		if details[0].State != announcement.NoAnswer && details[0].State != announcement.Unreachable {
			return nil // already opened or answered: nothing new
		}
		f.Kind, f.Opened = announcement.KindOpened, &announcement.Opened{Number: n}
		return d.write(ctx, f)
	}
	if details[0].Ladder[c].Rank >= announcement.Shown {
		return nil
	}
	f.Kind, f.Receipt = announcement.KindReceipt, &announcement.Receipt{Channel: c, Number: n, Rank: announcement.Shown}
	if version > 1 {
		f.Receipt.Version = version
	}
	if err := d.write(ctx, f); err != nil {
		return err
	}
	if c == announcement.WebPush {
		d.noteShown(ctx, v.Roster.Recipients[n].Person)
	}
	return nil
}

// teamFor is how long a manager's link opens their team after the close, or after
// a call for help that came later still.
const teamFor = 24 * time.Hour

// resolveTeam returns the team of a manager's link. The right lasts only while
// the person is employed, and until a day after there is nothing left to do.
func (d *desk) resolveTeam(ctx context.Context, token string) (tracker.View, charge, error) {
	t, ok := d.links.team(token)
	if !ok {
		if err := d.behind(ctx, token); err != nil {
			return tracker.View{}, charge{}, err
		}
		t, ok = d.links.team(token)
	}
	if !ok {
		return tracker.View{}, charge{}, web.ErrNotFound
	}
	v, ok := d.tracker.View(t.id)
	if !ok {
		return tracker.View{}, charge{}, web.ErrNotFound
	}
	if last := v.ClosedAt; !last.IsZero() {
		for _, at := range v.RoundsAt {
			if at.After(last) {
				last = at
			}
		}
		if d.now().Sub(last) > teamFor {
			return tracker.View{}, charge{}, web.ErrNotFound
		}
	}
	if who, ok := d.directory.Person(t.person); !ok || !who.Active {
		return tracker.View{}, charge{}, web.ErrNotFound
	}
	c := charge{t, d.teamOf(v, t.person)}
	if c.Team == nil {
		return tracker.View{}, charge{}, web.ErrNotFound
	}
	return v, c, nil
}

// charge is a team with those who are in it now.
type charge struct {
	team
	announcement.Team
}

// teamOf returns for whom somebody answers now: everybody on the duty list, a manager
// for their own. Nil: for nobody, and they were never asked to.
func (d *desk) teamOf(v tracker.View, p announcement.PersonID) announcement.Team {
	if slices.Contains(v.Roster.Duty, p) {
		return v.Roster.Everybody()
	}
	lines := v.Roster.LinesOf(func(m announcement.PersonID) bool { return m == p })
	for _, d := range v.Rounds { // of those for whom they were called to stand in
		for _, call := range d.To {
			for _, line := range append([]int{call.Line}, call.Lines...) {
				if call.Person == p && line >= 0 && line < len(v.Roster.Lines) && !slices.Contains(lines, line) {
					lines = append(lines, line)
				}
			}
		}
	}
	if len(lines) == 0 {
		return nil
	}
	if t := v.Roster.Team(lines...); t != nil {
		return t
	}
	return announcement.Team{}
}

// TeamPage shows a manager their own tree.
func (d *desk) TeamPage(ctx context.Context, token string) (web.TeamPage, error) {
	v, t, err := d.resolveTeam(ctx, token)
	if err != nil {
		return web.TeamPage{}, err
	}
	who, _ := d.directory.Person(t.person)
	d.saw(announcement.ByPerson(t.person), announcement.TeamViewed, announcement.About{Announcement: t.id, By: "link"})
	text, lang, _ := v.Announcement.In(who.Language)
	standing, err := d.tracker.Standing(ctx, t.id)
	if err != nil {
		return web.TeamPage{}, err
	}
	p := web.TeamPage{Announcement: v.Announcement, Text: text, Manager: who.Name, Language: lang, Status: v.Status, ClosedAs: v.ClosedAs,
		Counts: standing.CountsOf(t.Team), Org: d.config.OrgName, Emergency: d.emergencyOf(who.Site)}
	var numbers []int
	for _, state := range announcement.States {
		for _, span := range t.Team {
			for n := span.Lo; n < span.Hi && len(numbers) < 500; n++ {
				if standing.State(n) == state && !standing.Excused(n) {
					numbers = append(numbers, n)
				}
			}
		}
	}
	details, err := d.tracker.Details(ctx, t.id, numbers)
	if err != nil {
		return web.TeamPage{}, err
	}
	for _, detail := range details {
		r := d.whole().recipient(ctx, v, detail)
		r.Undo = d.undoable(detail, t.person)
		p.Recipients = append(p.Recipients, r)
	}
	for n, r := range v.Roster.Recipients {
		if r.Person == t.person {
			p.AnswerLink = "/r/" + d.links.answerToken(t.id, n)
			p.Answered = !standing.Outstanding(n)
		}
	}
	return p, nil
}

// TeamMark records what a manager knows of their people.
func (d *desk) TeamMark(ctx context.Context, token string, marks []web.Mark) error {
	_, t, err := d.resolveTeam(ctx, token)
	if err != nil {
		return err
	}
	for _, m := range marks {
		if !t.Has(m.Index) {
			return web.ErrNotFound
		}
	}
	for _, m := range marks {
		if err := d.mark(ctx, t.id, t.person, announcement.ByPerson(t.person), m); err != nil {
			return err
		}
	}
	return nil
}

// TeamClaim says that this manager handles a call for help, or how it was resolved.
func (d *desk) TeamClaim(ctx context.Context, token string, index int, resolved announcement.Resolution) error {
	_, t, err := d.resolveTeam(ctx, token)
	if err != nil {
		return err
	}
	if !t.Has(index) {
		return web.ErrNotFound
	}
	return d.claim(ctx, t.id, t.person, announcement.ByPerson(t.person), index, resolved)
}

// undoWithin is how long a manager can take a mark back.
const undoWithin = 5 * time.Minute

// TeamUndo takes a manager's own mark back, within five minutes.
func (d *desk) TeamUndo(ctx context.Context, token string, index int) error {
	v, t, err := d.resolveTeam(ctx, token)
	if err != nil {
		return err
	}
	if !t.Has(index) {
		return web.ErrNotFound
	}
	details, err := d.tracker.Details(ctx, t.id, []int{index})
	if err != nil {
		return err
	}
	if !d.undoable(details[0], t.person) {
		return web.ErrConflict
	}
	now := d.now().UTC()
	err = d.write(ctx, announcement.Fact{Announcement: t.id, Kind: announcement.KindVouched, At: now, Actor: announcement.ByPerson(t.person),
		Vouched: &announcement.Vouched{Number: index, Answer: announcement.TakenBack, By: t.person, Said: now, Version: v.VersionAt(now), Ref: shorten("undo-" + string(announcement.NewID()))}})
	if err != nil {
		return err
	}
	return d.caughtUp(ctx)
}

func (d *desk) undoable(t tracker.Detail, by announcement.PersonID) bool {
	return t.VouchedBy == by && d.now().Sub(t.VouchedAt) < undoWithin
}

// remindEvery is how often a manager may have one person called again.
const remindEvery = 5 * time.Minute

// TeamRemind calls one silent person again, at most once in five minutes.
func (d *desk) TeamRemind(ctx context.Context, token string, index int) error {
	v, t, err := d.resolveTeam(ctx, token)
	if err != nil {
		return err
	}
	if !t.Has(index) {
		return web.ErrNotFound
	}
	return d.remindOne(ctx, v, announcement.ByPerson(t.person), "manager_reminds", index)
}

// RemindAt is TeamRemind for the console.
func (d *desk) RemindAt(ctx context.Context, p web.Principal, id announcement.ID, index int) error {
	v, err := d.mineOne(ctx, p, id, index)
	if err != nil {
		return err
	}
	return d.remindOne(ctx, v, p.Actor, "reminded from the board", index)
}

func (d *desk) remindOne(ctx context.Context, v tracker.View, actor announcement.Actor, reason string, index int) error {
	id := v.Announcement.ID
	if v.Status != announcement.StatusOpen {
		return web.ErrClosed
	}
	standing, err := d.tracker.Standing(ctx, id)
	if err != nil {
		return err
	}
	if !standing.Outstanding(index) {
		return nil
	}
	// The key is the person and the five minutes we are in, so that two managers
	// and two nodes call once.
	window := d.now().UTC().Truncate(remindEvery).Unix()
	round := int64(1)<<44 + window/int64(remindEvery.Seconds())<<20 + int64(index)
	_, err = d.ledger.Once(ctx, fmt.Sprint(round), announcement.Fact{Announcement: id, Kind: announcement.KindDecided, At: d.now().UTC(),
		Actor: actor, Reason: reason, Decided: &announcement.Decided{Round: round,
			Message: announcement.SayReminder, Channels: v.Announcement.Channels,
			To: []announcement.Call{{Person: v.Roster.Recipients[index].Person, Line: -1, Count: 1, Why: []string{reason}, Lo: index, Hi: index + 1}}}})
	if errors.Is(err, ledger.ErrAlready) {
		return web.ErrConflict
	}
	if err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return nil
}

// TeamChanges wakes a manager's page.
func (d *desk) TeamChanges(ctx context.Context, token string) (<-chan struct{}, error) {
	_, t, err := d.resolveTeam(ctx, token)
	if err != nil {
		return nil, err
	}
	return d.hub.Watch(ctx, topicOf(t.id)), nil
}
