package tracker

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// Standing is where an announcement stands at one moment.
type Standing struct {
	AsOf       uint64 // position of the ledger that this reflects
	Rebuilding bool   // counts may be low
	recipients int
	states     [len(stateOrder)]words // nobody is in two of them
	open       words                  // asked, and without an answer
	excused    words
	called     words
	vouched    words
	late       words
	counters   map[string]int
}

// stateOrder is the order of Standing.states.
var stateOrder = [...]announcement.State{announcement.NeedsHelp, announcement.Confirmed, announcement.OffSite,
	announcement.HasOpened, announcement.Unreachable, announcement.NoAnswer}

// newStanding sorts the recipients of a snapshot into their states, 64 at a time.
func newStanding(snap Snapshot, recipients int, rebuilding bool) *Standing {
	s := &Standing{AsOf: snap.Applied, Rebuilding: rebuilding, recipients: recipients, counters: snap.Counters}
	n := (recipients + 63) / 64
	of := func(name string) words { return snap.Bits[name].words(n) }
	help, safe, offSite, opened := of(bitHelp), of(bitSafe), of(bitOffSite), of(bitOpened)
	noContact, failed, excused := of(bitNoContact), of(bitFailed), of(bitExcused)
	s.called, s.vouched, s.late, s.excused, s.open = of(bitCalled), of(bitVouched), of(bitLate), make(words, n), make(words, n)
	for i := range s.states {
		s.states[i] = make(words, n)
	}
	for i := range n {
		all := ^uint64(0)
		if i == n-1 && recipients%64 != 0 {
			all <<= 64 - recipients%64
		}
		answered := help[i] | safe[i] | offSite[i]
		s.open[i] = all &^ excused[i] &^ answered
		s.excused[i] = all & excused[i] &^ answered
		left := all &^ s.excused[i]
		for state, in := range [...]uint64{help[i], safe[i], offSite[i], opened[i], noContact[i] | failed[i], all} {
			s.states[state][i] = left & in
			left &^= in
		}
		s.vouched[i] &= all &^ s.excused[i]
		s.late[i] &= all &^ s.excused[i]
	}
	return s
}

// Only is the standing of some of the recipients; the others count in nothing.
func (s *Standing) Only(in func(n int) bool) *Standing {
	some := make(words, (s.recipients+63)/64)
	for n := range s.recipients {
		if in(n) {
			some[n>>6] |= 1 << 63 >> (n & 63)
		}
	}
	out := *s
	for i := range s.states {
		out.states[i] = s.states[i].and(some)
	}
	out.open, out.excused, out.called, out.vouched, out.late = s.open.and(some), s.excused.and(some), s.called.and(some), s.vouched.and(some), s.late.and(some)
	return &out
}

// Standing returns a snapshot. A store that was emptied is rebuilt first.
func (t *Tracker) Standing(ctx context.Context, id announcement.ID) (*Standing, error) {
	s, rebuilding, n, err := t.snapshot(ctx, id)
	if err != nil {
		return nil, err
	}
	return newStanding(s, n, rebuilding), nil
}

// Recent is Standing for pages: it reflects everything that this node has
// followed, and is read again only when something has happened since, however
// many people watch.
func (t *Tracker) Recent(ctx context.Context, id announcement.ID) (*Standing, error) {
	t.mu.RLock()
	e := t.entries[id]
	if e != nil && e.recent != nil && e.recent.AsOf >= e.applied {
		defer t.mu.RUnlock()
		return e.recent, nil
	}
	t.mu.RUnlock()
	s, err := t.Standing(ctx, id)
	if err == nil && !s.Rebuilding {
		t.mu.Lock()
		t.entries[id].recent = s
		t.mu.Unlock()
	}
	return s, err
}

func (t *Tracker) snapshot(ctx context.Context, id announcement.ID) (s Snapshot, rebuilding bool, recipients int, err error) {
	e, v, seq, err := t.known(id)
	if err != nil {
		return s, false, 0, err
	}
	recipients = len(v.Roster.Recipients)
	for range 3 {
		if s, err = t.o.Store.Snapshot(ctx, id); err != nil {
			return s, false, 0, err
		}
		if s.Applied >= seq {
			return s, false, recipients, nil
		}
		busy, err := t.mend(ctx, id, e)
		if err != nil {
			return s, false, 0, err
		}
		if busy {
			break
		}
	}
	return s, true, recipients, nil
}

// State returns the one state that recipient n is in; somebody excused counts in none.
func (s *Standing) State(n int) announcement.State {
	for i, state := range stateOrder {
		if s.states[i].get(n) {
			return state
		}
	}
	return announcement.NoAnswer
}

// In returns the recipients [lo, hi) in a state, in order.
func (s *Standing) In(state announcement.State, lo, hi int) iter.Seq[int] {
	i := slices.Index(stateOrder[:], state)
	if i < 0 {
		return func(func(int) bool) {}
	}
	return s.states[i].in(lo, min(hi, s.recipients))
}

// InTeam is In for a team.
func (s *Standing) InTeam(state announcement.State, team announcement.Team) iter.Seq[int] {
	return func(yield func(int) bool) {
		for _, span := range team {
			for n := range s.In(state, span.Lo, span.Hi) {
				if !yield(n) {
					return
				}
			}
		}
	}
}

// stateOf returns the one state of a recipient, of whom in tells in which
// bitmaps they are.
func stateOf(in func(name string) bool) announcement.State {
	switch {
	case in(bitHelp):
		return announcement.NeedsHelp
	case in(bitSafe):
		return announcement.Confirmed
	case in(bitOffSite):
		return announcement.OffSite
	case in(bitOpened):
		return announcement.HasOpened
	case in(bitNoContact) || in(bitFailed):
		return announcement.Unreachable
	}
	return announcement.NoAnswer
}

// Excused reports whether recipient n is no longer asked, and has not answered
// all the same: who calls for help is shown, whoever they are.
func (s *Standing) Excused(n int) bool { return s.excused.get(n) }

// Called reports whether recipient n was called on any channel.
func (s *Standing) Called(n int) bool { return s.called.get(n) }

// CalledCount returns how many recipients were called on any channel.
func (s *Standing) CalledCount() int { return s.called.count(0, s.recipients) }

// Outstanding reports whether recipient n has neither answered nor been
// accounted for.
func (s *Standing) Outstanding(n int) bool { return s.open.get(n) }

// Counts counts everybody.
func (s *Standing) Counts() announcement.Counts { return s.CountsIn(0, s.recipients) }

// CountsIn counts recipients [lo, hi): a manager's whole tree, say.
func (s *Standing) CountsIn(lo, hi int) announcement.Counts {
	lo, hi = max(lo, 0), min(hi, s.recipients)
	var c announcement.Counts
	for i, into := range []*int{&c.NeedHelp, &c.Confirmed, &c.NotOnSite, &c.Opened, &c.Unreachable, &c.NoAnswer} {
		*into = s.states[i].count(lo, hi)
		c.Recipients += *into
	}
	c.Excused, c.VouchedBy, c.Late = s.excused.count(lo, hi), s.vouched.count(lo, hi), s.late.count(lo, hi)
	return c
}

// WaitingIn counts those of recipients [lo, hi) who need help, and those without
// an answer.
func (s *Standing) WaitingIn(lo, hi int) (help, outstanding int) {
	lo, hi = max(lo, 0), min(hi, s.recipients)
	return s.states[0].count(lo, hi), s.open.count(lo, hi)
}

// WaitingOf is WaitingIn for a team.
func (s *Standing) WaitingOf(team announcement.Team) (help, outstanding int) {
	for _, span := range team {
		h, o := s.WaitingIn(span.Lo, span.Hi)
		help, outstanding = help+h, outstanding+o
	}
	return help, outstanding
}

// CountsOf is CountsIn for a team.
func (s *Standing) CountsOf(team announcement.Team) announcement.Counts {
	var c announcement.Counts
	for _, span := range team {
		c = c.Plus(s.CountsIn(span.Lo, span.Hi))
	}
	return c
}

// Detail is all that is known about one recipient.
type Detail struct {
	Number     int
	State      announcement.State
	Answer     announcement.Answer // that stands: their own, or what was vouched; 0 for none
	AnsweredAt time.Time           // their first own answer, kept for ever
	Since      time.Time           // of the state; when the announcement opened if nothing happened
	Via        announcement.Via
	Ref        string // names the press that stands
	Late       bool
	FromWords  bool
	Note       string
	Version    int64     // of the text that Answer is for
	Earlier    *Earlier  // what they said last, of an earlier version; nil if Answer is theirs, or they said nothing
	Opened     bool      // the page of the version that counts
	Told       time.Time // when the version that counts was first handed to their number by SMS; zero if it was not
	ToldBefore bool      // … and an earlier one before it
	VouchedBy  announcement.PersonID
	VouchActor announcement.Actor
	VouchedAt  time.Time
	How        announcement.How
	ClaimedBy  announcement.PersonID
	ClaimActor announcement.Actor
	ClaimedAt  time.Time
	Resolved   announcement.Resolution // by them, then
	Ladder     map[announcement.Channel]Rung
	Rebuilding bool // the state was emptied, and something may be missing

	helpCause string // the fact by which they last came to need help
}

// Earlier is an answer to an earlier version.
type Earlier struct {
	Answer  announcement.Answer
	Version int64
	Said    time.Time
	Via     announcement.Via
}

// Rung is how far the deliveries of one channel to one recipient have come.
type Rung struct {
	Rank    announcement.Rank
	Failure string
	At      time.Time
}

// Details returns what is known about recipients, in the order asked.
func (t *Tracker) Details(ctx context.Context, id announcement.ID, numbers []int) ([]Detail, error) {
	_, v, _, err := t.known(id)
	if err != nil {
		return nil, err
	}
	per := len(detailFields) + len(announcement.Channels)
	names := make([]string, 0, len(numbers)*per)
	for _, n := range numbers {
		if n < 0 || n >= len(v.Roster.Recipients) {
			return nil, fmt.Errorf("recipient %d: %w", n, errUnknown)
		}
		at := strconv.Itoa(n)
		for _, f := range detailFields {
			names = append(names, at+f)
		}
		for _, c := range announcement.Channels {
			names = append(names, at+":l:"+string(c))
		}
	}
	look, rebuilding, err := t.look(ctx, id, numbers, names)
	if err != nil {
		return nil, err
	}
	out := make([]Detail, len(numbers))
	for i, n := range numbers {
		out[i] = decode(look.Fields[i*per:(i+1)*per], int64(v.Version))
		out[i].Number, out[i].State = n, stateOf(func(name string) bool { return look.Bits[name][i] })
		out[i].Rebuilding, out[i].Opened = rebuilding, look.Bits[bitOpened][i]
		if out[i].Since.IsZero() || out[i].Since.Before(v.Since()) && out[i].State != announcement.NeedsHelp {
			out[i].Since = v.Since()
		}
	}
	return out, nil
}

// FailedFor reports whether a round of calls to those whose call failed is for
// this recipient.
func (d Detail) FailedFor(r announcement.Decided) bool {
	rung := d.Ladder[r.Channels[0]]
	return rung.Rank == announcement.Failed && r.Mends(rung.Failure) || r.Waiting && rung.Rank == announcement.Queued
}

// Failed returns the outstanding recipients for whom a round of calls to those
// whose call failed is.
func (t *Tracker) Failed(ctx context.Context, id announcement.ID, r announcement.Decided) ([]int, error) {
	standing, err := t.Standing(ctx, id)
	if err != nil {
		return nil, err
	}
	_, v, _, err := t.known(id)
	if err != nil {
		return nil, err
	}
	var out, some []int
	for n := range standing.recipients {
		// Nothing waits for whoever has no number; that it failed is not known before it is tried.
		if standing.Outstanding(n) && (!r.Waiting || slices.Contains(v.Roster.Recipients[n].Reach, r.Channels[0])) {
			some = append(some, n)
		}
	}
	for part := range slices.Chunk(some, 500) {
		details, err := t.Details(ctx, id, part)
		if err != nil {
			return nil, err
		}
		for _, d := range details {
			if d.FailedFor(r) {
				out = append(out, d.Number)
			}
		}
	}
	return out, nil
}

// look asks the store. A store that was emptied is rebuilt first, unless
// somebody is at it.
func (t *Tracker) look(ctx context.Context, id announcement.ID, numbers []int, names []string) (out Look, rebuilding bool, err error) {
	e, _, seq, err := t.known(id)
	if err != nil {
		return out, false, err
	}
	for range 3 {
		if out, err = t.o.Store.Look(ctx, id, numbers, names); err != nil || out.Applied >= seq {
			return out, false, err
		}
		if busy, err := t.mend(ctx, id, e); busy || err != nil {
			return out, true, err
		}
	}
	return out, true, nil
}

// detailFields are: first answer, since, own answer, vouched, claim, cause of help, told by SMS.
var detailFields = []string{":f", ":s", ":o", ":v", ":c", ":h", ":t"}

func decode(v []string, version int64) Detail {
	d := Detail{AnsweredAt: fromMillis(v[0]), Since: fromMillis(v[1]), helpCause: v[5], Ladder: map[announcement.Channel]Rung{}}
	said := strings.Split(v[2], unit)
	own := counting(said, ownVersion, version)
	if len(own) != len(said) {
		d.Earlier = &Earlier{announcement.Answer(number(said[1])), versionIn(said, ownVersion), fromMillis(said[0]), announcement.Via(said[3])}
	}
	if f := strings.Split(v[6], unit); len(f) == 3 && number(f[0]) >= version {
		d.Told, d.ToldBefore = fromMillis(f[1]), f[2] != ""
	}
	if f := counting(strings.Split(v[3], unit), vouchVersion, version); len(f) >= 6 && outweighs(f, own) {
		d.VouchedAt = fromMillis(f[0])
		d.Answer, d.VouchedBy, d.VouchActor = announcement.Answer(number(f[1])), announcement.PersonID(f[2]), announcement.Actor(f[3])
		d.How, d.Note = announcement.How(f[4]), f[5]
	} else if f := own; len(f) >= 7 {
		d.Version = versionIn(f, ownVersion)
		d.Ref, d.Answer, d.Late, d.Via = f[6], announcement.Answer(number(f[1])), f[2] == "1", announcement.Via(f[3])
		d.FromWords, d.Note = f[4] == "1", f[5]
	}
	if f := strings.Split(v[4], unit); len(f) == 4 {
		d.ClaimedBy, d.ClaimActor = announcement.PersonID(f[0]), announcement.Actor(f[1])
		d.ClaimedAt, d.Resolved = fromMillis(f[2]), announcement.Resolution(f[3])
	}
	for i, c := range announcement.Channels {
		if f := strings.Split(v[len(detailFields)+i], unit); len(f) >= 3 && versionIn(f, rungVersion) >= version {
			d.Ladder[c] = Rung{Rank: announcement.Rank(number(f[0])), At: fromMillis(f[1]), Failure: f[2]}
		}
	}
	return d
}

// Deliveries says how far one channel has come; each recipient counts once, at
// the highest rank.
type Deliveries struct {
	Recipients int // whom the announcement calls on this channel
	Ranks      [6]int
	Failures   map[string]int
}

// Deliveries returns the channels of the announcement, and those that steps used.
func (t *Tracker) Deliveries(ctx context.Context, id announcement.ID) (map[announcement.Channel]Deliveries, error) {
	s, err := t.Recent(ctx, id)
	if err != nil {
		return nil, err
	}
	n := s.recipients
	_, v, _, err := t.known(id)
	if err != nil {
		return nil, err
	}
	out := map[announcement.Channel]Deliveries{}
	for _, c := range v.Announcement.Channels {
		out[c] = Deliveries{Recipients: n, Failures: map[string]int{}}
	}
	for _, c := range announcement.Channels {
		d, first := out[c]
		if d.Failures == nil {
			d.Failures = map[string]int{}
		}
		reached := 0
		for rank := range d.Ranks {
			d.Ranks[rank] = s.counters["r:"+string(c)+":"+strconv.Itoa(rank)]
			reached += d.Ranks[rank]
		}
		for name, count := range s.counters {
			if failure, ok := strings.CutPrefix(name, "f:"+string(c)+":"); ok && count > 0 {
				d.Failures[failure] = count
			}
		}
		if first {
			d.Ranks[announcement.Queued] += max(n-reached, 0)
		} else if reached == 0 {
			continue
		} else {
			d.Recipients = reached
		}
		out[c] = d
	}
	return out, nil
}
