package tracker

import (
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// View is what every node knows of an announcement from the ledger alone. Its
// pointers and slices are shared and must not be changed.
type View struct {
	Announcement *announcement.Announcement
	By           announcement.Actor
	Roster       *announcement.Roster
	Asked        int // recipients when it was sent; those after them joined
	OpenedAt     time.Time
	Woken        int                                         // recipients whose quiet hours it broke
	Version      int                                         // of its text that counts: 1, and one more with each material revision
	RevisedAt    time.Time                                   // when that version came; zero for the first
	Before       map[announcement.Language]announcement.Text // what the version before said
	Revisions    []announcement.Revised                      // typos too, oldest first
	RevisionsAt  []time.Time
	Status       announcement.Status
	ClosedAs     announcement.ClosedAs
	ClosedAt     time.Time
	Reason       string // of the close
	Rounds       []announcement.Decided
	RoundsAt     []time.Time // when each was decided
	Unread       int         // facts of which this version does not know all that they say
}

// entry is an announcement as this node has followed it.
type entry struct {
	work sync.Mutex // held while its working state is written or rebuilt

	// The rest is guarded by Tracker.mu.
	View
	seq     uint64                        // last record of it that was followed
	opened  uint64                        // record that committed it
	closed  uint64                        // record that closed it; 0 while it is open
	pending announcement.Roster           // until committed
	applied uint64                        // last record of it that the store took
	dirty   bool                          // changed since it was last evaluated
	looked  time.Time                     // when it was last asked of everybody who has left, joined or moved
	toLook  people                        // who else is to be looked at, because it did not work
	numbers map[announcement.PersonID]int // of recipients; made when first needed
	gone    map[int]int                   // how often recipients were excused; negative: and came back since
	changes int                           // facts that said who left, joined or moved
	joins   map[string]join               // what such a fact did, by its cause
	runs    []run                         // of the escalation,
	planned [2]int                        // for this version and so many recipients
	index   index
	recent  *Standing // the last that was read
}

func (e *entry) committed() bool { return e.Status != "" }

// fold takes a record into the view. It runs once per record, in order.
func (e *entry) fold(r ledger.Record) {
	for i, f := range r.Facts {
		switch f.Kind {
		case announcement.KindAnnounced:
			if e.Announcement == nil {
				e.Announcement, e.By = f.Announced, f.Actor
			}
		case announcement.KindRecipients:
			if c := f.Recipients; !e.committed() && c != nil {
				e.pending.Recipients = place(e.pending.Recipients, c.First, c.Recipients)
				e.pending.Lines = place(e.pending.Lines, c.LinesFirst, c.Lines)
				if len(c.Duty) > 0 {
					e.pending.Duty = c.Duty
				}
			}
		case announcement.KindCommitted:
			if !e.committed() && e.Announcement != nil {
				roster := e.pending
				e.Roster, e.OpenedAt, e.Status, e.opened, e.Asked = &roster, f.At, announcement.StatusOpen, r.Seq, len(roster.Recipients)
				e.Version = 1
				if f.Committed != nil {
					e.Woken = f.Committed.Woken
				}
			}
		case announcement.KindDecided:
			if f.Decided != nil && !slices.ContainsFunc(e.Rounds, func(d announcement.Decided) bool { return d.Round == f.Decided.Round }) {
				d := *f.Decided
				d.Version = e.versionOf(d)
				e.Rounds = append(e.Rounds, d)
				e.RoundsAt = append(e.RoundsAt, f.At)
			}
		case announcement.KindRevised:
			if f.Revised != nil && e.committed() {
				e.revise(*f.Revised, f.At)
			}
		case announcement.KindExcused, announcement.KindJoined, announcement.KindMoved:
			if e.committed() {
				e.live(cause(r.Seq, i), f)
			}
		case announcement.KindClosed:
			if f.Closed != nil && e.ClosedAs == "" {
				e.Status, e.ClosedAs, e.ClosedAt, e.Reason, e.closed = announcement.StatusClosed, f.Closed.As, f.At, f.Reason, r.Seq
			}
		}
	}
	if e.committed() && (e.runs == nil || e.planned != [2]int{e.Version, len(e.Roster.Recipients)}) {
		e.runs, e.planned = plan(&e.View), [2]int{e.Version, len(e.Roster.Recipients)}
	}
	e.Unread += r.Unread
	e.note(r)
	e.seq, e.dirty = r.Seq, true
}

// revise takes another text. Whoever holds the announcement as it was keeps that.
func (e *entry) revise(r announcement.Revised, at time.Time) {
	a := *e.Announcement
	if r.Material {
		e.Before = a.Text
	}
	a.Text = r.Text
	if r.Fields != nil {
		a.Fields = r.Fields
	}
	e.Announcement = &a
	e.Revisions, e.RevisionsAt = append(e.Revisions, r), append(e.RevisionsAt, at)
	if r.Material {
		e.Version, e.RevisedAt = r.Version, at
		e.Woken += r.Woken
	}
}

// Changed is what the version that counts has changed, in the sender's words.
func (v *View) Changed() map[announcement.Language]string {
	for _, r := range slices.Backward(v.Revisions) {
		if r.Material {
			return r.Changed
		}
	}
	return nil
}

// VersionAt returns the version that counted at a time.
func (v *View) VersionAt(t time.Time) int {
	version := 1
	for i, r := range v.Revisions {
		if r.Material && !v.RevisionsAt[i].After(t) {
			version = r.Version
		}
	}
	return version
}

// Since is when the version that counts was announced.
func (v *View) Since() time.Time {
	if v.RevisedAt.IsZero() {
		return v.OpenedAt
	}
	return v.RevisedAt
}

// versionOf returns the version of the announcement that a round belongs to. The
// steps of the first are numbered as the policy has them.
func (e *entry) versionOf(d announcement.Decided) int {
	switch {
	case d.Version > 0:
		return d.Version
	case d.Step > 0:
		return 1
	}
	return max(e.Version, 1)
}

// place puts part into all from index first on: an accept that was repeated
// writes the same chunk twice.
func place[T any](all []T, first int, part []T) []T {
	if grow := first + len(part) - len(all); grow > 0 {
		all = append(all, make([]T, grow)...)
	}
	copy(all[first:], part)
	return all
}

// ops translates a record into changes of the working state. The view must have
// folded the record.
func (e *entry) ops(r ledger.Record) []Op {
	if !e.committed() {
		return nil
	}
	known := func(n int) bool { return n >= 0 && n < len(e.Roster.Recipients) }
	var out []Op
	for i, f := range r.Facts {
		cause := cause(r.Seq, i)
		switch {
		case f.Kind == announcement.KindCommitted:
			out = append(out, e.open())
		case f.Called != nil && f.Called.Number >= 0:
			c := f.Called
			own := e.ToRecipients(c.Round)
			if own && !known(c.Number) {
				continue
			}
			version, alert := e.roundIs(c.Round)
			out = append(out, op("call", c.Number, c.Round, c.Channel, own, int(c.Rank), c.Failure, f.At, c.Rank != announcement.Failed || c.Doubt,
				max(version, c.Version), alert, max(c.Version, 1))) // whoever joined later was handed the newest text in round 0
		case f.Receipt != nil && known(f.Receipt.Number) && e.ToRecipients(f.Receipt.Round):
			c := f.Receipt
			version, alert := e.roundIs(c.Round)
			out = append(out, op("receipt", c.Number, c.Round, c.Channel, int(c.Rank), c.Failure, f.At, max(version, c.Version), alert))
		case f.Opened != nil && known(f.Opened.Number):
			out = append(out, op("opened", f.Opened.Number, f.At))
		case f.Answered != nil && known(f.Answered.Number) && f.Answered.Answer.Valid():
			a := f.Answered
			out = append(out, op("answer", a.Number, int(a.Answer), said(a.Said, f.At), press(a, cause), f.At, cause, a.Via, a.FromWords, a.Note, max(a.Version, 1)))
		case f.Vouched != nil && known(f.Vouched.Number) && (f.Vouched.Answer.Valid() || f.Vouched.Answer == announcement.TakenBack):
			v := f.Vouched
			out = append(out, op("vouch", v.Number, int(v.Answer), said(v.Said, f.At), ref(v.Ref, cause), f.At, v.By, f.Actor, v.How, v.Note, cause, max(v.Version, 1)))
		case f.Excused != nil && known(f.Excused.Number):
			out = append(out, op("excuse", f.Excused.Number))
		case f.Joined != nil:
			j := e.joins[cause]
			for n := j.lo; n < j.hi; n++ {
				out = append(out, op("join", n, e.Roster.Recipients[n].Unreachable != ""))
			}
			for _, n := range j.back {
				out = append(out, op("join", n, e.Roster.Recipients[n].Unreachable != ""))
			}
		case f.Claimed != nil && known(f.Claimed.Number):
			c := f.Claimed
			out = append(out, op("claim", c.Number, c.By, f.Actor, f.At, c.Resolved))
		case f.Closed != nil:
			out = append(out, op("close", 0))
		case f.Revised != nil && f.Revised.Material:
			out = append(out, op("revise", f.Revised.Version))
		}
	}
	return out
}

// roundIs returns to which version a round of calls belongs, and whether it is the
// alert of that version.
func (e *entry) roundIs(round int64) (version int, alert bool) {
	if round == 0 {
		return 1, true
	}
	for _, d := range e.Rounds {
		if d.Round == round {
			return d.Version, isAlert(d)
		}
	}
	return 1, false
}

func (e *entry) open() Op {
	none := make(Bitmap, (len(e.Roster.Recipients)+7)/8)
	for n, r := range e.Roster.Recipients {
		none = none.with(n, r.Unreachable != "")
	}
	channels := make([]string, len(e.Announcement.Channels))
	for i, c := range e.Announcement.Channels {
		channels[i] = string(c)
	}
	return op("open", strings.Join(channels, ","), hex.EncodeToString(none))
}

// said is when a person pressed; a fact without it happened when it was written.
func said(said, at time.Time) time.Time {
	if said.IsZero() {
		return at
	}
	return said
}

// press names the press of an acknowledgment. One SMS from a shared phone is a
// press of each of its owners, so the name holds the recipient.
func press(a *announcement.Answered, cause string) string {
	if a.Ref == "" {
		return cause
	}
	return PressOf(a.Number, a.Ref)
}

// PressOf is what Detail.Ref says of an answer of recipient n that was recorded
// with ref.
func PressOf(n int, ref string) string { return fmt.Sprint(n, ":", ref) }

// ref names a press; a fact without a ref is its own press.
func ref(given, cause string) string {
	if given == "" {
		return cause
	}
	return given
}

// cause names the i-th fact of the record at seq.
func cause(seq uint64, i int) string { return fmt.Sprintf("%d.%d", seq, i) }

// expires returns when the announcement closes by itself.
func (e *entry) expires() time.Time {
	life := time.Duration(e.Announcement.Policy.ExpireAfter)
	if life <= 0 {
		life = announcement.DefaultLife
	}
	last := e.Since() // or when the last of those who slept hears of it
	for _, r := range e.course() {
		if r.start.After(last) {
			last = r.start
		}
	}
	return last.Add(life)
}
