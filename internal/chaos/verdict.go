package chaos

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
	"kentongan/internal/sandbox"
)

// A line of the table: a promise, what was found, and whether it held. A line without a
// bound informs.
type line struct {
	promise, found, bound string
	held                  bool
}

// verdict is what the recorder's notes and the product's own say when held together.
type verdict struct {
	seed  uint64
	plan  string
	lines []line
	words []string // single cases, for whoever looks for the fault
}

func (v *verdict) add(promise string, held bool, bound, format string, args ...any) {
	v.lines = append(v.lines, line{promise, fmt.Sprintf(format, args...), bound, held})
}

func (v *verdict) note(format string, args ...any) {
	if len(v.words) < 60 {
		v.words = append(v.words, fmt.Sprintf(format, args...))
	}
}

func (v *verdict) held() bool {
	return !slices.ContainsFunc(v.lines, func(l line) bool { return !l.held })
}

// print writes the table of the promises with what was found.
func (v *verdict) print(w io.Writer) {
	fmt.Fprintf(w, "\nplan %s, seed %d\n\n", v.plan, v.seed)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, "promise\tfound\tbound\t")
	for _, l := range v.lines {
		word := "held"
		switch {
		case !l.held:
			word = "BROKEN"
		case l.bound == "":
			word = ""
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", l.promise, l.found, l.bound, word)
	}
	_ = t.Flush()
	for _, w2 := range v.words {
		fmt.Fprintln(w, "  "+w2)
	}
}

// answers judges every answer that was given: kept or lost when it was thanked for,
// unknown when nobody said how it went.
func (v *verdict) answers(people []person, given []sandbox.Given, states map[string]recipient) {
	var kept, lost, unknown, unknownKept, invented int
	of := map[string][]sandbox.Given{}
	for _, g := range given {
		of[g.Phone] = append(of[g.Phone], g)
	}
	for _, p := range people {
		stands := states[p.number]
		var last sandbox.Given // that was thanked for
		later := map[string]bool{}
		thanked := 0
		for _, g := range of[p.number] {
			if g.Answer == 0 {
				continue
			}
			if g.OK {
				last, thanked = g, thanked+1
				clear(later)
				continue
			}
			unknown++
			later[stateOf(g.Answer)] = true
		}
		switch {
		case thanked > 0 && (stands.State == stateOf(last.Answer) || later[stands.State]) && stands.VouchedBy == "":
			kept += thanked
		case thanked > 0:
			lost++
			v.note("lost: %s was thanked by %s for %q at %s, and stands as %q (vouched %t)", p.number, last.Via, stateOf(last.Answer), last.Time.Format(time.TimeOnly), stands.State, stands.VouchedBy != "")
		case later[stands.State]:
			unknownKept++
		case len(of[p.number]) == 0 && stands.VouchedBy == "" && stands.State != "no_answer" && stands.State != "opened" && stands.State != "unreachable":
			invented++
			v.note("invented: %s never answered and stands as %+v", p.number, stands)
		}
	}
	v.add("zero lost confirmations", lost == 0, "0", "%d of %d thanked", lost, kept+lost)
	v.add("  unknown: nobody said how it went", true, "", "%d, of %d people they stand", unknown, unknownKept)
	v.add("no machine confirms anyone", invented == 0, "0", "%d", invented)
}

func stateOf(digit int) string { return string(announcement.Answer(digit).State()) }

// counted judges what the boards said every second.
func (v *verdict) counted(r *recorder) {
	v.add("everybody is counted, at every second", len(r.wrong) == 0 && r.sums > 0, "0 wrong", "%d of %d looks wrong", len(r.wrong), r.sums)
	for _, w := range r.wrong[:min(5, len(r.wrong))] {
		v.note("counted: %s", w)
	}
}

// forgotten judges whether everybody was called who had to be: those who had not
// answered before the end also by the reminder, and through their manager.
func (v *verdict) forgotten(owed []string) {
	v.add("zero forgotten recipients", len(owed) == 0, "0", "%d", len(owed))
	for _, o := range owed[:min(10, len(owed))] {
		v.note("forgotten: %s", o)
	}
}

// owes lists what was not sent though it had to be. calm is when the faults began to
// end: whoever had answered by then needed nothing more.
func owes(people []person, messages []sandbox.Entry, given []sandbox.Given) (owed []string) {
	got := map[string]map[string]bool{}
	digest := map[string]bool{}
	for _, e := range messages {
		_, round, ok := identify(e)
		if !ok {
			continue
		}
		if strings.Contains(e.Link, "/t/") {
			digest[e.Phone] = true
			continue
		}
		if got[e.Phone] == nil {
			got[e.Phone] = map[string]bool{}
		}
		got[e.Phone][e.Channel+" "+round] = true
	}
	answered := map[string]bool{}
	for _, g := range given {
		answered[g.Phone] = answered[g.Phone] || g.OK || g.Tries > 0
	}
	for _, p := range people {
		if answered[p.number] {
			continue
		}
		if p.push && !got[p.number]["webpush 0"] {
			owed = append(owed, p.number+" has no notification")
		}
		if !got[p.number]["sms 0"] {
			owed = append(owed, p.number+" has no SMS")
		}
		if !got[p.number]["sms 1"] {
			owed = append(owed, p.number+" has no reminder")
		}
		if p.manager != "" && !digest[p.manager] {
			owed = append(owed, p.number+" is on no list of a manager")
		}
	}
	return owed
}

// repeated judges messages that came twice, too late and in another order.
func (v *verdict) repeated(messages []sandbox.Entry, given []sandbox.Given, did []done, doubts map[[2]string]int) {
	count, last := map[key]int{}, map[string]int64{}
	twice, unexplained, disorder, afterwards := 0, 0, 0, 0
	thanked := map[string]time.Time{}
	for _, g := range given {
		if at, ok := thanked[g.Phone]; g.OK && (!ok || g.Time.Before(at)) {
			thanked[g.Phone] = g.Time
		}
	}
	for _, e := range messages {
		k, _, ok := identify(e)
		if !ok {
			continue
		}
		if strings.Contains(e.Link, "/t/") {
			k.what, _, _ = strings.Cut(k.what, ".")
		} else if at, ok := thanked[e.Phone]; ok && e.Time.After(at.Add(inTheAir)) {
			afterwards++
		}
		if count[k]++; count[k] > 1 {
			twice++
			if way := [2]string{k.phone, k.channel}; doubts[way] > 0 {
				doubts[way]--
			} else {
				unexplained++
			}
			continue
		}
		if e.Channel == "webpush" && e.Round < announcement.FirstExtraRound {
			if e.Round < last[e.Phone] {
				disorder++
			}
			last[e.Phone] = max(last[e.Phone], e.Round)
		}
	}
	hands := 0
	for _, d := range did {
		hands += d.hands
	}
	bound := hands * inFlight
	v.add("bounded duplicates", unexplained <= bound, fmt.Sprintf("%d × %d", hands, inFlight), "%d of %d, and %d of which the provider did not say that it had them", unexplained, len(messages), twice-unexplained)
	v.add("  out of order", true, "", "%d", disorder)
	v.add("  called after an answer was thanked for", true, "", "%d", afterwards)
}

// inTheAir is how long a message may have been on its way when its recipient answered.
const inTheAir = 5 * time.Second

// punctual judges the steps of the escalation: by the messages on phones, and by the
// decisions in the ledger.
func (v *verdict) punctual(messages []sandbox.Entry, facts []announcement.Fact, opened time.Time, did []done) {
	early := 0
	first := map[string]time.Time{}
	for _, e := range messages {
		_, round, ok := identify(e)
		if !ok {
			continue
		}
		for i, s := range steps {
			if round == fmt.Sprint(i+1) {
				if e.Time.Before(opened.Add(s.after)) {
					early++
				}
				if at, ok := first[round]; !ok || e.Time.Before(at) {
					first[round] = e.Time
				}
			}
		}
	}
	taken := stepsTaken(facts)
	worst, afterFault, due := time.Duration(0), time.Duration(0), opened
	for i, at := range taken {
		due = due.Add(steps[i].after)
		if i > 0 {
			due = due.Add(-steps[i-1].after)
		}
		if at.Before(due) {
			early++
			v.note("early: step %d by %s", i+1, due.Sub(at))
		}
		worst = max(worst, at.Sub(due))
		// A step that falls due while something is broken waits for its mending.
		calm := due
		for _, d := range did {
			if d.from.Before(at) && d.to.After(due.Add(-2*time.Second)) && d.to.After(calm) {
				calm = d.to
			}
		}
		afterFault = max(afterFault, at.Sub(calm))
		if at.Sub(due) > slack {
			due = at // the next ones keep their distance: no ladder is fired at once
		}
	}
	v.add("escalation never early", early == 0, "0", "%d", early)
	v.add("escalation late at most 30 s after a fault", afterFault <= 30*time.Second && len(taken) == len(steps), "30 s", "%.1f s; %.1f s after it was due, of %d steps", afterFault.Seconds(), worst.Seconds(), len(taken))
	var words []string
	for i, s := range steps {
		if at, ok := first[fmt.Sprint(i+1)]; ok {
			words = append(words, fmt.Sprintf("%+.1f s", at.Sub(opened.Add(s.after)).Seconds()))
		}
	}
	v.add("  first message of each step at a phone", true, "", "%s", strings.Join(words, ", "))
}

// stepsTaken returns when each step was decided, the first time.
func stepsTaken(facts []announcement.Fact) (taken []time.Time) {
	for _, f := range facts {
		if f.Decided != nil && f.Decided.Step == len(taken)+1 {
			taken = append(taken, f.At)
		}
	}
	return taken
}

// slack is how late a step may be before the following ones keep their distance from it
// (see the tracker: after an outage nobody is called three times at once).
const slack = 5 * time.Second

// gap is the longest time without an answer that was thanked for, after each fault.
func (v *verdict) gap(given []sandbox.Given, did []done) {
	for _, d := range did {
		var next time.Time
		for _, g := range given {
			if g.OK && g.Time.After(d.from.Add(200*time.Millisecond)) && (next.IsZero() || g.Time.Before(next)) {
				next = g.Time
			}
		}
		wait := next.Sub(d.from)
		longest, last := wait, next
		for _, g := range sorted(given) {
			if !g.OK || g.Time.Before(last) || g.Time.After(d.to) {
				continue
			}
			longest, last = max(longest, g.Time.Sub(last)), g.Time
		}
		v.add("answers are recorded again after a failover", !next.IsZero() && longest <= 10*time.Second, "10 s", "first after %.1f s, longest silence %.1f s", wait.Seconds(), longest.Seconds())
	}
}

func sorted(given []sandbox.Given) []sandbox.Given {
	return slices.SortedFunc(slices.Values(given), func(a, b sandbox.Given) int { return a.Time.Compare(b.Time) })
}

// recipient is how the product says that somebody stands.
type recipient struct {
	Number    string
	Index     int
	State     string
	VouchedBy string `json:"vouched_by"`
}

// stand asks a node how everybody stands.
func stand(ctx context.Context, node, id string) (map[string]recipient, error) {
	states := map[string]recipient{}
	for offset := 0; ; {
		var page struct {
			Recipients []recipient
			Next       *int
		}
		if err := call(ctx, http.MethodGet, node, fmt.Sprintf("/api/v1/announcements/%s/recipients?limit=500&offset=%d", id, offset), nil, &page); err != nil {
			return nil, err
		}
		for _, r := range page.Recipients {
			states[r.Number] = r
		}
		if page.Next == nil {
			return states, nil
		}
		offset = *page.Next
	}
}

// facts reads what the ledger holds of the announcement.
func (s *scene) facts(ctx context.Context, id string) (facts []announcement.Fact, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	defer func() {
		if err != nil {
			_ = s.direct.ForceReconnect() // it may hold to a server that has not found the others yet
		}
	}()
	l, err := ledger.ReadJetStream(ctx, s.direct, ledger.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = l.Close() }()
	err = l.Read(ctx, announcement.ID(id), func(r ledger.Record) error {
		facts = append(facts, r.Facts...)
		return nil
	})
	return facts, err
}
