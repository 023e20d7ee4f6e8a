package tracker

import (
	"slices"

	"kentongan/internal/announcement"
)

// Why somebody is on the list of a round, as the timeline tells it.
const (
	whyLineManager        = "line_manager"
	whyManagersManager    = "managers_manager"
	whyManagerOutstanding = "manager_outstanding" // the one below was called too, and is silent
	whyManagerLeft        = "manager_left"
	whyManagerUnreachable = "manager_unreachable"
	whyManagerAway        = "manager_away"
	whyStandsIn           = "stands_in"
	whyNoManager          = "no_manager"
	whyCycle              = "reporting_cycle"
	whyDuty               = "duty_step"
	whyHelp               = "asked_for_help"
	whyLeft               = "left_the_company"
	whyJoined             = "joined_the_audience"
	whyBack               = "came_back"
	whyMoved              = "manager_changed"
	whySent               = "real_alert_sent"
	whyRevised            = "revised"
	whyMorning            = "morning" // it was night for them when the notice was sent
)

// Situation is all that a decision depends on, so that it can be tested without
// a clock, a store or a network.
type Situation struct {
	Announcement *announcement.Announcement
	Roster       *announcement.Roster
	Outstanding  func(n int) bool
	Active       func(announcement.PersonID) bool // still employed
	Reachable    func(announcement.PersonID) bool // has a contact point
	// StandIn reports who is away, and who answers for their people meanwhile, if
	// anybody does. nil: nobody is away.
	StandIn func(announcement.PersonID) (by announcement.PersonID, away bool)
}

// Decide returns the round that step (1-based) of the policy calls for.
//
// A recipient step names nobody: each recipient is checked again right before
// the call. A manager step makes one digest per manager, never one message per
// missing person. Whoever cannot answer for their people is passed by, with the
// reason; a manager who is outstanding is called and so is the next one up;
// where a reporting line ends, or turns in a circle, the duty list is called.
func Decide(s Situation, step int) announcement.Decided {
	st := s.Announcement.Policy.Steps[step-1]
	d := announcement.Decided{Round: int64(step), Step: step, Channels: st.Channels}
	if st.Whom == announcement.CallRecipient {
		d.Message, d.Only = announcement.SayReminder, announcement.OnlyOutstanding
		if len(d.Channels) == 0 {
			d.Channels = s.Announcement.Channels
		}
		return d
	}
	d.Message = announcement.SayDigest
	if len(d.Channels) == 0 {
		d.Channels = announcement.Channels
	}
	d.To = s.digests(st.Whom, whyLineManager)
	return d
}

// decideNews returns the round that tells managers of people of theirs who joined or
// moved after the others were told.
func decideNews(s Situation, why string) announcement.Decided {
	return announcement.Decided{Message: announcement.SayDigest, Channels: announcement.Channels, To: s.digests(announcement.CallManager, why)}
}

// digests calls one person for each manager of people who are outstanding.
func (s Situation) digests(whom announcement.Whom, why string) []announcement.Call {
	c := newCalls(s)
	groups := map[int]int{} // line index → outstanding people directly under it
	for n, r := range s.Roster.Recipients {
		if s.Outstanding(n) {
			groups[r.Line]++
		}
	}
	lines := make([]int, 0, len(groups))
	for l := range groups {
		lines = append(lines, l)
	}
	slices.Sort(lines)
	for _, l := range lines {
		clear(c.counted)
		switch whom {
		case announcement.CallDuty:
			c.duty(groups[l], whyDuty)
		case announcement.CallManagersOwn:
			if up, ok := c.up(l); ok {
				c.climb(up, groups[l], whyManagersManager)
			} else {
				c.duty(groups[l], whyNoManager)
			}
		default:
			c.climb(l, groups[l], why)
		}
	}
	return c.to
}

// DecideHelp returns the round for a call for help of recipient n: their line
// manager, or the first above who is still here, and the duty list always.
func DecideHelp(s Situation, n int, round int64) announcement.Decided {
	c := newCalls(s)
	c.climbOnce(s.Roster.Recipients[n].Line, 1, whyHelp)
	c.duty(1, whyHelp)
	to := slices.DeleteFunc(c.to, func(call announcement.Call) bool { // nobody is told of their own call
		return call.Person == s.Roster.Recipients[n].Person && len(c.to) > 1
	})
	return announcement.Decided{Round: round, Message: announcement.SayHelp, Channels: announcement.Channels, To: to, About: n}
}

// DecideSent returns the round that tells the duty list, and the others who may send,
// of a real alert: whoever sent it in error is noticed by another, in seconds and not
// by a stranger.
func DecideSent(s Situation, senders []announcement.PersonID) announcement.Decided {
	c := newCalls(s)
	c.duty(len(s.Roster.Recipients), whySent)
	for _, p := range senders {
		if c.Active(p) {
			c.add(announcement.Call{Person: p, Line: -1, Count: len(s.Roster.Recipients), Why: []string{whySent}, Hi: len(s.Roster.Recipients)})
		}
	}
	return announcement.Decided{Round: sentRound, Message: announcement.SaySent, Channels: []announcement.Channel{announcement.WebPush}, To: c.to}
}

// calls collects one Call per person.
type calls struct {
	Situation
	to      []announcement.Call
	at      map[announcement.PersonID]int
	counted map[announcement.PersonID]bool // already told of the group at hand: a duty person may be a manager too
}

func newCalls(s Situation) *calls {
	return &calls{Situation: s, at: map[announcement.PersonID]int{}, counted: map[announcement.PersonID]bool{}}
}

func (c *calls) valid(line int) bool { return line >= 0 && line < len(c.Roster.Lines) }

func (c *calls) up(line int) (int, bool) {
	if !c.valid(line) || !c.valid(c.Roster.Lines[line].Up) {
		return -1, false
	}
	return c.Roster.Lines[line].Up, true
}

// climb calls the first in the line who can answer for count people, and
// everybody on the way who is outstanding themselves.
func (c *calls) climb(line, count int, why string) {
	seen := map[int]bool{}
	for reasons := []string{why}; ; {
		if !c.valid(line) {
			c.duty(count, append(reasons[1:], whyNoManager)...)
			return
		}
		if seen[line] {
			c.duty(count, append(reasons[1:], whyCycle)...)
			return
		}
		seen[line] = true
		l := c.Roster.Lines[line]
		switch {
		case !c.Active(l.Person):
			reasons = append(reasons, whyManagerLeft)
		case c.away(l.Person):
			by, called := c.standIn(line, count, reasons)
			if called && !c.silent(by) {
				return
			}
			if reasons = append(slices.Clone(reasons), whyManagerAway); called {
				reasons = append(reasons, whyManagerOutstanding)
			}
		case !c.Reachable(l.Person):
			reasons = append(reasons, whyManagerUnreachable)
		default:
			c.add(announcement.Call{Person: l.Person, Line: line, Count: count, Why: reasons, Lo: l.Lo, Hi: l.Hi})
			if l.Number < 0 || l.Number >= len(c.Roster.Recipients) || !c.Outstanding(l.Number) {
				return
			}
			reasons = append(slices.Clone(reasons), whyManagerOutstanding)
		}
		line = l.Up
	}
}

func (c *calls) away(p announcement.PersonID) bool {
	if c.StandIn == nil {
		return false
	}
	_, away := c.StandIn(p)
	return away
}

// silent reports whether somebody is a recipient without an answer.
func (c *calls) silent(p announcement.PersonID) bool {
	for n, r := range c.Roster.Recipients {
		if r.Person == p {
			return c.Outstanding(n)
		}
	}
	return false
}

// standIn calls whoever answers for the people of a manager who is away; false where
// nobody can.
func (c *calls) standIn(line, count int, reasons []string) (by announcement.PersonID, called bool) {
	l := c.Roster.Lines[line]
	by, _ = c.StandIn(l.Person)
	if by == "" || by == l.Person || !c.Active(by) || !c.Reachable(by) {
		return "", false
	}
	c.add(announcement.Call{Person: by, Line: line, Count: count, Why: append(slices.Clone(reasons), whyStandsIn), Lo: l.Lo, Hi: l.Hi})
	return by, true
}

// climbOnce calls the first in the line who is still here, and nobody when the
// line ends: for a call for help the duty list is called in any case.
func (c *calls) climbOnce(line, count int, why string) {
	reasons := []string{why}
	for seen := map[int]bool{}; c.valid(line) && !seen[line]; line = c.Roster.Lines[line].Up {
		seen[line] = true
		l := c.Roster.Lines[line]
		if c.away(l.Person) && c.Active(l.Person) {
			if _, called := c.standIn(line, count, reasons); called {
				return
			}
			reasons = append(reasons, whyManagerAway)
			continue
		}
		if c.Active(l.Person) && c.Reachable(l.Person) {
			c.add(announcement.Call{Person: l.Person, Line: line, Count: count, Why: reasons, Lo: l.Lo, Hi: l.Hi})
			return
		}
		reasons = append(reasons, whyManagerLeft)
	}
}

// duty calls the duty list: those still here, or the whole list when nobody is,
// because calling somebody who left beats calling nobody.
func (c *calls) duty(count int, why ...string) {
	list := slices.DeleteFunc(slices.Clone(c.Roster.Duty), func(p announcement.PersonID) bool { return !c.Active(p) })
	if len(list) == 0 {
		list = c.Roster.Duty
	}
	for _, p := range list {
		c.add(announcement.Call{Person: p, Line: -1, Count: count, Why: slices.Clone(why), Lo: 0, Hi: len(c.Roster.Recipients)})
	}
}

func (c *calls) add(call announcement.Call) {
	i, found := c.at[call.Person]
	if !found {
		c.at[call.Person], c.counted[call.Person] = len(c.to), true
		c.to = append(c.to, call)
		return
	}
	was := &c.to[i]
	if !c.counted[call.Person] {
		was.Count += call.Count
		c.counted[call.Person] = true
	}
	was.Lo, was.Hi = min(was.Lo, call.Lo), max(was.Hi, call.Hi)
	if call.Line >= 0 && call.Line != was.Line && !slices.Contains(was.Lines, call.Line) { // they stand in for another
		was.Lines = append(was.Lines, call.Line)
	}
	if call.Line < 0 {
		was.Line = -1
	}
	for _, w := range call.Why {
		if !slices.Contains(was.Why, w) {
			was.Why = append(was.Why, w)
		}
	}
}
