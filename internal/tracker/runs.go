package tracker

import (
	"cmp"
	"context"
	"slices"
	"time"

	"kentongan/internal/announcement"
)

// run is the escalation of some recipients. An emergency has one, of everybody. A
// notice has one for all time zones in which it takes the same course: no step is
// taken in anybody's quiet hours, so that whoever sleeps hears of it first in their
// own morning, and each step keeps its distance from the one before.
//
// Runs follow from what is frozen in the ledger, so that every node finds the same.
type run struct {
	zones []string // nil: everybody
	key   int      // where the first of them stands among the zones of the roster
	start time.Time
}

// turn is a step of a run that has to be taken; 0 is its alert.
type turn struct {
	run  run
	step int
}

const (
	laterRounds = closingRound + 1<<20 // above the closing word, and below every call for help
	stepsOfRun  = 64                   // more than announcement.MaxSteps
	runsAtMost  = 1024                 // there are some 600 time zones
)

// roundOf numbers the step of a run. Those of the first run of the first version are
// the steps themselves.
func roundOf(version, key, step int) int64 {
	if version == 1 && key == 0 && step > 0 {
		return int64(step)
	}
	return laterRounds + (int64(version-1)*runsAtMost+int64(key))*stepsOfRun + int64(step)
}

// isAlert reports whether a round asks everybody of a run for the first time.
func isAlert(d announcement.Decided) bool {
	return d.Step == 0 && (d.Message == announcement.SayAlert && d.Only == announcement.OnlyOutstanding || d.Message == announcement.SayRevised)
}

// ZoneOf returns the time zone by which recipient n lives.
func (v *View) ZoneOf(n int) string {
	return cmp.Or(v.Roster.Recipients[n].Zone, v.Announcement.Zone, "Asia/Jakarta")
}

// plan sorts the time zones of the roster into runs, in the order of their keys.
func plan(v *View) []run {
	a := v.Announcement
	if !a.Waits() {
		return []run{{start: v.Since()}}
	}
	var zones []string // in the order of the roster, which only grows
	known := map[string]bool{}
	for n := range v.Roster.Recipients {
		if z := v.ZoneOf(n); !known[z] {
			known[z] = true
			zones = append(zones, z)
		}
	}
	var runs []run
	var courses [][]time.Time
	for key, z := range zones {
		r := run{zones: []string{z}, key: key, start: a.Quiet.End(v.Since(), z)}
		course := []time.Time{r.start}
		for i := range a.Policy.Steps {
			course = append(course, r.awake(a, course[i].Add(apart(a.Policy.Steps, i))))
		}
		same := slices.IndexFunc(courses, func(c []time.Time) bool { return slices.EqualFunc(c, course, time.Time.Equal) })
		if same < 0 && key >= runsAtMost {
			same = 0 // called at another hour, though never in their night: see Tracker.Quiet
		}
		if same >= 0 {
			runs[same].zones = append(runs[same].zones, z)
			continue
		}
		runs, courses = append(runs, r), append(courses, course)
	}
	return runs
}

// apart is how long after the step before it step i (0-based) comes.
func apart(steps []announcement.Step, i int) time.Duration {
	if i == 0 {
		return time.Duration(steps[0].After)
	}
	return time.Duration(steps[i].After - steps[i-1].After)
}

// awake returns the first moment from at on that is in nobody's quiet hours.
func (r run) awake(a *announcement.Announcement, at time.Time) time.Time {
	if !a.Waits() {
		return at
	}
	for range len(r.zones) + 1 { // the end of one night may be in another
		was := at
		for _, z := range r.zones {
			at = a.Quiet.End(at, z)
		}
		if at.Equal(was) {
			break
		}
	}
	return at
}

// has reports whether somebody who lives by a time zone belongs to the run.
func (r run) has(zone string) bool { return r.zones == nil || slices.Contains(r.zones, zone) }

// course returns the runs of the announcement.
func (e *entry) course() []run {
	if e.runs == nil {
		return plan(&e.View)
	}
	return e.runs
}

// due returns what must be done next and when; ok is false when no step is left.
func (e *entry) due() (at time.Time, next turn, ok bool) {
	for _, r := range e.course() {
		if when, step, left := e.dueIn(r); left && (!ok || when.Before(at)) {
			at, next, ok = when, turn{r, step}, true
		}
	}
	return at, next, ok
}

// dueIn returns when the next step of a run must be taken. Steps keep their
// distances: after a step that came more than slack late the following ones count
// from when it was taken, so that a clock that jumps or a night without power does
// not fire a whole ladder at once. Never early.
func (e *entry) dueIn(r run) (at time.Time, step int, ok bool) {
	const slack = 5 * time.Second
	at = r.start
	if at.After(e.OpenedAt) { // round 0 called those who were awake when it was sent
		fired := e.firedAt(r, 0)
		if fired.IsZero() {
			return at, 0, true
		}
		if fired.Sub(at) > slack {
			at = fired
		}
	}
	steps := e.Announcement.Policy.Steps
	for i := range steps {
		at = r.awake(e.Announcement, at.Add(apart(steps, i)))
		fired := e.firedAt(r, i+1)
		if fired.IsZero() {
			return at, i + 1, true
		}
		if fired.Sub(at) > slack {
			at = fired
		}
	}
	return time.Time{}, 0, false
}

// firedAt returns when a step of a run was taken, by the clock or by hand.
func (e *entry) firedAt(r run, step int) time.Time {
	for i, d := range e.Rounds {
		if d.Step != step || d.Version != max(e.Version, 1) || step == 0 && d.Round != roundOf(d.Version, r.key, 0) {
			continue
		}
		if len(d.Zones) == 0 || len(r.zones) > 0 && slices.Contains(d.Zones, r.zones[0]) {
			return e.RoundsAt[i]
		}
	}
	return time.Time{}
}

// decide returns the round of a step for the recipients of some runs, which are all
// at that step.
func decide(s Situation, v *View, runs []run, step int) announcement.Decided {
	outstanding := s.Outstanding
	s.Outstanding = func(n int) bool {
		return outstanding(n) && slices.ContainsFunc(runs, func(r run) bool { return r.has(v.ZoneOf(n)) })
	}
	d := announcement.Decided{Message: announcement.SayAlert, Channels: s.Announcement.Channels, Only: announcement.OnlyOutstanding}
	switch {
	case step > 0:
		d = Decide(s, step)
	case v.Version > 1 && v.heard(runs[0]):
		d.Message, d.Only, d.Words = announcement.SayRevised, announcement.OnlyAsked, v.Changed()
	}
	if v.Version > 1 {
		d.Version = v.Version
	}
	d.Round = roundOf(max(v.Version, 1), runs[0].key, step)
	for _, r := range runs {
		d.Zones = append(d.Zones, r.zones...)
	}
	return d
}

// heard reports whether those of a run heard of the announcement before its version
// that counts: whoever slept through the first hears the newest as if it were.
func (v *View) heard(r run) bool {
	return r.zones == nil || !v.Announcement.Waits() || !v.Announcement.Quiet.End(v.OpenedAt, r.zones[0]).After(v.RevisedAt)
}

// first is round 0: the announcement, to those whose quiet hours it does not break.
func (e *entry) first() announcement.Decided {
	d := announcement.Decided{Message: announcement.SayAlert, Channels: e.Announcement.Channels, Only: announcement.OnlyOutstanding}
	if !e.Announcement.Waits() {
		return d
	}
	for _, r := range e.course() {
		if !r.start.After(e.OpenedAt) {
			d.Zones = append(d.Zones, r.zones...)
		}
	}
	if d.Zones == nil {
		d.Zones = []string{nowhere}
	}
	return d
}

// nowhere is no time zone: round 0 of a notice at night calls nobody.
const nowhere = "nowhere"

// Quiet returns for how long target n of a round must not be called because it is
// night where they are. A call for help wakes everybody whom it is for.
func (t *Tracker) Quiet(r announcement.Round, n int) time.Duration {
	a := r.Announcement
	if !a.Waits() || r.Decided.Message == announcement.SayHelp || n < 0 || n >= r.Targets() {
		return 0
	}
	var zone string
	if r.Decided.Only != "" {
		zone = r.Roster.Recipients[n].Zone
	} else {
		zone = t.o.Zone(r.Target(n))
	}
	now := t.o.Now()
	return a.Quiet.End(now, cmp.Or(zone, a.Zone)).Sub(now)
}

// asleep reports whether a notice has not been said to recipient n yet because it
// was night for them.
func (v *View) asleep(n int, now time.Time) bool {
	return v.Announcement.Waits() && now.Before(v.Announcement.Quiet.End(v.Since(), v.ZoneOf(n)))
}

// Morning is when some recipients will be called.
type Morning struct {
	At     time.Time
	People int
}

// Mornings returns when those who sleep will hear of a notice, the first first.
func (t *Tracker) Mornings(ctx context.Context, id announcement.ID) ([]Morning, error) {
	v, ok := t.View(id)
	if !ok {
		return nil, errUnknown
	}
	now := t.o.Now()
	if !v.Announcement.Waits() || v.Status != announcement.StatusOpen || now.Sub(v.Since()) > 27*time.Hour {
		return nil, nil
	}
	standing, err := t.Recent(ctx, id)
	if err != nil {
		return nil, err
	}
	starts := map[string]time.Time{}
	people := map[time.Time]int{}
	for n := range v.Roster.Recipients {
		z := v.ZoneOf(n)
		if starts[z].IsZero() {
			starts[z] = v.Announcement.Quiet.End(v.Since(), z)
		}
		if starts[z].After(now) && standing.Outstanding(n) {
			people[starts[z]]++
		}
	}
	var out []Morning
	for at, n := range people {
		out = append(out, Morning{at, n})
	}
	slices.SortFunc(out, func(a, b Morning) int { return a.At.Compare(b.At) })
	return out, nil
}
