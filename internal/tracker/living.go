package tracker

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// The people of an open announcement change while it is open: somebody leaves the
// company, comes to belong to the audience, or has another manager. Whoever keeps the
// people says so (Changed), and the next look, within a tick, is at these people only.
// A slow look at everybody is the net beneath: a change that came while nobody ran, or
// was lost in between, is found there.
//
// What a look finds is a fact. Two nodes that find the same at once write it under the
// same key, and folding it twice changes nothing.

// lookEvery is how often everybody is looked at.
const lookEvery = 30 * time.Second

// liveAtOnce bounds how many people one fact names.
const liveAtOnce = 500

// Rounds that a change of people causes, by the position of its fact.
const (
	backRounds = int64(1) << 50 // who came back is asked again
	newsRounds = int64(1) << 51 // their managers are told
)

// people are those to look at.
type people struct {
	all bool
	ids map[announcement.PersonID]bool
}

var everybody = people{all: true}

func (p people) has(id announcement.PersonID) bool { return p.all || p.ids[id] }
func (p people) nobody() bool                      { return !p.all && len(p.ids) == 0 }

// and returns both together.
func (p people) and(o people) people {
	if p.all || o.all {
		return everybody
	}
	if len(p.ids) == 0 {
		return o
	}
	ids := maps.Clone(p.ids)
	maps.Copy(ids, o.ids)
	return people{ids: ids}
}

// Changed says that something about somebody changed: whether they work here, where,
// or for whom.
func (t *Tracker) Changed(p announcement.PersonID) {
	t.telling.Lock()
	defer t.telling.Unlock()
	t.changed[p] = true
}

// AudiencesChanged says that something else changed that decides who belongs to an
// audience: a group, say.
func (t *Tracker) AudiencesChanged() {
	t.telling.Lock()
	defer t.telling.Unlock()
	t.resolve = true
}

// takeChanged returns about whom something changed since it was last called.
func (t *Tracker) takeChanged() people {
	t.telling.Lock()
	defer t.telling.Unlock()
	who := people{all: t.resolve, ids: t.changed}
	t.resolve = false
	if len(t.changed) > 0 {
		t.changed = map[announcement.PersonID]bool{}
	}
	return who
}

// join is what a fact that people joined did.
type join struct {
	lo, hi int   // the recipients whom it added
	back   []int // those who were excused, and are asked again
}

// live takes a fact about a change of people into the view.
func (e *entry) live(cause string, f announcement.Fact) {
	e.changes++
	switch {
	case f.Excused != nil && f.Reason == whyLeft: // who was excused for another reason stays so
		if e.gone == nil {
			e.gone = map[int]int{}
		}
		e.gone[f.Excused.Number] = max(e.gone[f.Excused.Number], -e.gone[f.Excused.Number]) + 1
	case f.Joined != nil:
		j := join{lo: len(e.Roster.Recipients)}
		for _, p := range f.Joined.People {
			n, known := e.numberOf(p.Person)
			switch {
			case !known:
				e.numbers[p.Person] = len(e.Roster.Recipients)
				e.Roster = e.Roster.Join(p)
			case e.gone[n] > 0:
				e.gone[n] = -e.gone[n]
				j.back = append(j.back, n)
			}
		}
		j.hi = len(e.Roster.Recipients)
		if e.joins == nil {
			e.joins = map[string]join{}
		}
		e.joins[cause] = j
	case f.Moved != nil:
		e.Roster = e.Roster.Move(f.Moved.People)
	}
}

// numberOf returns somebody's recipient number.
func (e *entry) numberOf(p announcement.PersonID) (int, bool) {
	if e.numbers == nil { // most announcements never need it
		e.numbers = make(map[announcement.PersonID]int, len(e.Roster.Recipients))
		for n, r := range e.Roster.Recipients {
			e.numbers[r.Person] = n
		}
	}
	n, known := e.numbers[p]
	return n, known
}

// concerned are the recipients whom a fact about several names.
func (e *entry) concerned(f announcement.Fact) (numbers []int) {
	if !e.committed() {
		return nil
	}
	var ids []announcement.PersonID
	switch {
	case f.Joined != nil:
		for _, p := range f.Joined.People {
			ids = append(ids, p.Person)
		}
	case f.Moved != nil:
		for _, p := range f.Moved.People {
			ids = append(ids, p.Person)
		}
	}
	for _, p := range ids {
		if n, known := e.numberOf(p); known {
			numbers = append(numbers, n)
		}
	}
	return numbers
}

// TeamOf is for whom somebody is called who is called about others.
func (v *View) TeamOf(c announcement.Call) announcement.Team {
	if c.Line < 0 {
		return v.Roster.Everybody()
	}
	return v.Roster.Team(append(v.Roster.LinesOf(func(p announcement.PersonID) bool { return p == c.Person }), append(slices.Clone(c.Lines), c.Line)...)...)
}

// accompany writes down who of these people left, joined or moved.
func (t *Tracker) accompany(ctx context.Context, id announcement.ID, e *entry, who people) (err error) {
	now := t.o.Now()
	t.mu.Lock()
	if now.Sub(e.looked) >= lookEvery {
		who = everybody
	}
	who = who.and(e.toLook)
	e.toLook = people{}
	if who.all {
		e.looked = now
	}
	t.mu.Unlock()
	if who.nobody() {
		return nil
	}
	defer func() {
		if err != nil {
			t.mu.Lock()
			e.toLook = e.toLook.and(who)
			t.mu.Unlock()
		}
	}()
	standing, err := t.Standing(ctx, id)
	if err == nil && standing.Rebuilding {
		err = ErrLost
	}
	if err != nil {
		return err
	}
	t.mu.RLock()
	v, changes, gone, seats := e.View, e.changes, maps.Clone(e.gone), t.seatsOf(id, who)
	t.mu.RUnlock()
	var back []announcement.Joiner
	for _, n := range seats {
		if n >= len(v.Roster.Recipients) {
			continue
		}
		r := v.Roster.Recipients[n]
		switch {
		case standing.Outstanding(n) && t.o.Left(r.Person):
			key := strconv.Itoa(n)
			if g := gone[n]; g != 0 { // they left before, and came back
				key = fmt.Sprintf("%d-%d", n, -g)
			}
			err := t.once(ctx, key, announcement.Fact{Announcement: id, Kind: announcement.KindExcused, Reason: whyLeft,
				Excused: &announcement.Excused{Number: n}})
			if err != nil {
				return err
			}
		case gone[n] > 0 && t.o.Active(r.Person):
			back = append(back, announcement.Joiner{Recipient: r})
		}
	}
	if err := t.join(ctx, v, fmt.Sprint("b", changes), whyBack, back); err != nil {
		return err
	}
	if v.Announcement.AudienceMode == announcement.LiveAudience && t.o.Joining != nil {
		t.mu.RLock()
		known := make(map[announcement.PersonID]bool, len(v.Roster.Recipients))
		for _, r := range v.Roster.Recipients {
			known[r.Person] = true
		}
		t.mu.RUnlock()
		fresh := t.o.Joining(v.Announcement, func(p announcement.PersonID) bool { return known[p] || !who.has(p) })
		if err := t.join(ctx, v, fmt.Sprint("j", changes), whyJoined, fresh); err != nil {
			return err
		}
	}
	return t.move(ctx, v, fmt.Sprint("m", changes), who, seats)
}

// seatsOf returns the recipient numbers of people in an announcement. t.mu is held.
func (t *Tracker) seatsOf(id announcement.ID, who people) (numbers []int) {
	if who.all {
		for n := range t.entries[id].Roster.Recipients {
			numbers = append(numbers, n)
		}
		return numbers
	}
	for p := range who.ids {
		for _, place := range t.places[p] {
			if place.ID == id {
				numbers = append(numbers, place.Number)
			}
		}
	}
	slices.Sort(numbers)
	return numbers
}

// join writes down that people joined.
func (t *Tracker) join(ctx context.Context, v View, key, why string, all []announcement.Joiner) error {
	for some := range slices.Chunk(all, liveAtOnce) {
		h := sha256.New()
		for _, j := range some {
			_, _ = fmt.Fprintln(h, j.Person)
		}
		err := t.once(ctx, fmt.Sprintf("%s-%x", key, h.Sum(nil)[:8]), announcement.Fact{Announcement: v.Announcement.ID, Kind: announcement.KindJoined, Reason: why,
			Joined: &announcement.Joined{People: some}})
		if err != nil {
			return err
		}
	}
	return nil
}

// move writes down who is led by somebody else than the roster says. Whoever is led
// by the next one up because their manager left has not moved: escalation passes
// those by.
func (t *Tracker) move(ctx context.Context, v View, key string, who people, seats []int) error {
	if t.o.Above == nil {
		return nil
	}
	leads := func(line int) announcement.PersonID {
		for range len(v.Roster.Lines) {
			if line < 0 || line >= len(v.Roster.Lines) {
				return ""
			}
			if l := v.Roster.Lines[line]; t.o.Active(l.Person) {
				return l.Person
			}
			line = v.Roster.Lines[line].Up
		}
		return ""
	}
	var moves []announcement.Move
	moved := map[announcement.PersonID]bool{}
	look := func(p announcement.PersonID, line int) {
		if moved[p] || !t.o.Active(p) {
			return
		}
		above := t.o.Above(p)
		var now announcement.PersonID
		if len(above) > 0 {
			now = above[0]
		}
		if now != leads(line) {
			moved[p] = true
			moves = append(moves, announcement.Move{Person: p, Above: above})
		}
	}
	for _, n := range seats {
		if n < len(v.Roster.Recipients) {
			look(v.Roster.Recipients[n].Person, v.Roster.Recipients[n].Line)
		}
	}
	for _, l := range v.Roster.Lines {
		if who.has(l.Person) {
			look(l.Person, l.Up)
		}
	}
	slices.SortFunc(moves, func(a, b announcement.Move) int { return cmp.Compare(a.Person, b.Person) })
	for some := range slices.Chunk(moves, liveAtOnce) {
		h := sha256.New()
		for _, m := range some {
			_, _ = fmt.Fprintln(h, m.Person, m.Above)
		}
		err := t.once(ctx, fmt.Sprintf("%s-%x", key, h.Sum(nil)[:8]), announcement.Fact{Announcement: v.Announcement.ID, Kind: announcement.KindMoved, Reason: whyMoved,
			Moved: &announcement.Moved{People: some}})
		if err != nil {
			return err
		}
	}
	return nil
}

// Joined returns the recipients [lo, hi) whom a fact added: the i-th of the record at
// seq. ok is false while this node has not followed so far.
func (t *Tracker) Joined(id announcement.ID, seq uint64, i int) (lo, hi int, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.entries[id]
	if e == nil || e.seq < seq {
		return 0, 0, false
	}
	j := e.joins[cause(seq, i)]
	return j.lo, j.hi, true
}

// tellOfChange asks those again who came back, and tells managers of people who joined
// or moved after managers were told of everybody else.
func (t *Tracker) tellOfChange(ctx context.Context, r ledger.Record, i int, f announcement.Fact) error {
	if err := t.CatchUp(ctx); err != nil {
		return err
	}
	e, v, _, err := t.known(r.Announcement)
	if err != nil || v.Status != announcement.StatusOpen {
		return nil //nolint:nilerr // not committed: nobody was called
	}
	s, err := t.situation(ctx, r.Announcement)
	if err != nil {
		return err
	}
	standing, err := t.Standing(ctx, r.Announcement)
	if err != nil {
		return err
	}
	t.mu.RLock()
	concerned, back := e.concerned(f), e.joins[cause(r.Seq, i)].back
	t.mu.RUnlock()
	round := int64(r.Seq)*1_024 + int64(i)
	again := announcement.Decided{Round: backRounds + round, Message: announcement.SayReminder, Channels: v.Announcement.Channels}
	for _, n := range back {
		if standing.Called(n) && s.Outstanding(n) { // else they get the alert itself
			again.To = append(again.To, announcement.Call{Person: v.Roster.Recipients[n].Person, Line: -1, Count: 1, Why: []string{whyBack}, Lo: n, Hi: n + 1})
		}
	}
	if len(again.To) > 0 {
		err := t.once(ctx, strconv.FormatInt(again.Round, 10), announcement.Fact{Announcement: r.Announcement, Kind: announcement.KindDecided, Reason: whyBack, Decided: &again})
		if err != nil {
			return err
		}
	}
	if !toldManagers(v) {
		return nil
	}
	outstanding := s.Outstanding
	s.Outstanding = func(n int) bool { return slices.Contains(concerned, n) && outstanding(n) }
	d := decideNews(s, f.Reason)
	d.Round = newsRounds + round
	if len(d.To) == 0 {
		return nil
	}
	return t.once(ctx, strconv.FormatInt(d.Round, 10), announcement.Fact{Announcement: r.Announcement, Kind: announcement.KindDecided, Reason: f.Reason, Decided: &d})
}

// toldManagers reports whether a step that tells managers was taken: before it, the
// step itself finds whoever joined.
func toldManagers(v View) bool {
	return slices.ContainsFunc(v.Rounds, func(d announcement.Decided) bool {
		return d.Step > 0 && d.Step <= len(v.Announcement.Policy.Steps) && v.Announcement.Policy.Steps[d.Step-1].Whom != announcement.CallRecipient
	})
}
