package tracker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"kentongan/internal/announcement"
)

// respondersRound tells managers and the duty list what round r tells the
// recipients who were called. It is above every other round.
func respondersRound(r int64) int64 { return 1<<48 + r }

// whyCalledBefore: they were called about others, and must hear how it goes on.
const whyCalledBefore = "called_before"

// Responders are those who were called about others, a manager or the duty list,
// and do not hear as recipients what is said now. Of an error they hear too
// if they were told only that the alert was sent.
func (t *Tracker) Responders(ctx context.Context, id announcement.ID, say announcement.MessageKind) ([]announcement.Call, error) {
	_, v, _, err := t.known(id)
	if err != nil {
		return nil, err
	}
	standing, err := t.Standing(ctx, id)
	if err != nil {
		return nil, err
	}
	var out []announcement.Call
	for _, c := range responders(v, v.Rounds, say, standing.Called) {
		called, err := t.wasCalled(ctx, id, v, -1, c.Person)
		if err != nil {
			return nil, err
		}
		if called {
			out = append(out, c)
		}
	}
	return out, nil
}

// responders are those for whom a call was decided: it may be on its way.
func responders(v View, rounds []announcement.Decided, say announcement.MessageKind, called func(n int) bool) []announcement.Call {
	hears := map[announcement.PersonID]bool{}
	for n, r := range v.Roster.Recipients {
		if called(n) {
			hears[r.Person] = true
		}
	}
	var out []announcement.Call
	at := map[announcement.PersonID]int{}
	for _, d := range rounds {
		switch {
		case d.Message == announcement.SayDigest, d.Message == announcement.SayHelp:
		case d.Message == announcement.SaySent && say == announcement.SayCorrection:
		default:
			continue
		}
		for _, c := range d.To {
			i, found := at[c.Person]
			switch {
			case hears[c.Person]:
			case found:
				out[i].Lo, out[i].Hi = min(out[i].Lo, c.Lo), max(out[i].Hi, c.Hi)
			default:
				at[c.Person] = len(out)
				out = append(out, announcement.Call{Person: c.Person, Line: c.Line, Why: []string{whyCalledBefore}, Lo: c.Lo, Hi: c.Hi})
			}
		}
	}
	return out
}

// tellResponders decides the round that goes with one of recipients who were
// called. It follows from the fact, so that no crash in between loses it.
func (t *Tracker) tellResponders(ctx context.Context, id announcement.ID, said announcement.Decided) error {
	if err := t.CatchUp(ctx); err != nil {
		return err
	}
	_, v, _, err := t.known(id)
	if errors.Is(err, errUnknown) {
		return nil
	}
	if err != nil {
		return err
	}
	standing, err := t.Standing(ctx, id)
	if err == nil && standing.Rebuilding {
		err = ErrLost
	}
	if err != nil {
		return err
	}
	round := respondersRound(said.Round)
	if said.Message == announcement.SayRevised { // it may be said in several rounds, to each part of the world in its morning
		said.Message, round = announcement.SayUpdate, respondersRound(roundOf(max(said.Version, 2), 0, 0))
	}
	before := slices.IndexFunc(v.Rounds, func(d announcement.Decided) bool { return d.Round == said.Round })
	to := responders(v, v.Rounds[:max(before, 0)], said.Message, standing.Called)
	if len(to) == 0 {
		return nil
	}
	return t.once(ctx, strconv.FormatInt(round, 10), announcement.Fact{Announcement: id, Kind: announcement.KindDecided, Reason: whyCalledBefore,
		Decided: &announcement.Decided{Round: round, Message: said.Message, Channels: announcement.Channels, To: to, Words: said.Words}})
}

// wasCalled reports whether a person was called about others before a round (-1: ever):
// deciding it is not enough, the provider must have taken a call.
func (t *Tracker) wasCalled(ctx context.Context, id announcement.ID, v View, round int64, p announcement.PersonID) (bool, error) {
	var names []string
	for _, d := range v.Rounds {
		if d.Round == round {
			break
		}
		for n, c := range d.To {
			if c.Person == p {
				names = append(names, fmt.Sprintf("t:%d:%d", d.Round, n))
			}
		}
	}
	look, rebuilding, err := t.look(ctx, id, []int{0}, names)
	if err == nil && rebuilding {
		err = ErrLost
	}
	return slices.ContainsFunc(look.Fields, func(taken string) bool { return taken != "" }), err
}
