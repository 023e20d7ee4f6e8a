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
	OpenedAt     time.Time
	Woken        int // recipients whose quiet hours it broke
	Status       announcement.Status
	ClosedAs     announcement.ClosedAs
	ClosedAt     time.Time
	Reason       string // of the close
	Rounds       []announcement.Decided
	RoundsAt     []time.Time // when each was decided
}

// entry is an announcement as this node has followed it.
type entry struct {
	work sync.Mutex // held while its working state is written or rebuilt

	// The rest is guarded by Tracker.mu.
	View
	seq     uint64              // last record of it that was followed
	opened  uint64              // record that committed it
	closed  uint64              // record that closed it; 0 while it is open
	pending announcement.Roster // until committed
	applied uint64              // last record of it that the store took
	dirty   bool                // changed since it was last evaluated
	looked  time.Time           // when it was last asked who has left
	runs    []run               // of the escalation, for this many recipients
	planned int
	index   index
	recent  *Standing // the last that was read
}

func (e *entry) committed() bool { return e.Status != "" }

// fold takes a record into the view. It runs once per record, in order.
func (e *entry) fold(r ledger.Record) {
	for _, f := range r.Facts {
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
				e.Roster, e.OpenedAt, e.Status, e.opened = &roster, f.At, announcement.StatusOpen, r.Seq
				if f.Committed != nil {
					e.Woken = f.Committed.Woken
				}
			}
		case announcement.KindDecided:
			if f.Decided != nil && !slices.ContainsFunc(e.Rounds, func(d announcement.Decided) bool { return d.Round == f.Decided.Round }) {
				e.Rounds = append(e.Rounds, *f.Decided)
				e.RoundsAt = append(e.RoundsAt, f.At)
			}
		case announcement.KindClosed:
			if f.Closed != nil && e.ClosedAs == "" {
				e.Status, e.ClosedAs, e.ClosedAt, e.Reason, e.closed = announcement.StatusClosed, f.Closed.As, f.At, f.Reason, r.Seq
			}
		}
	}
	if e.committed() && (e.runs == nil || e.planned != len(e.Roster.Recipients)) {
		e.runs, e.planned = plan(&e.View), len(e.Roster.Recipients)
	}
	e.note(r)
	e.seq, e.dirty = r.Seq, true
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
			out = append(out, op("call", c.Number, c.Round, c.Channel, own, int(c.Rank), c.Failure, f.At, c.Rank != announcement.Failed || c.Doubt))
		case f.Receipt != nil && known(f.Receipt.Number) && e.ToRecipients(f.Receipt.Round):
			c := f.Receipt
			out = append(out, op("receipt", c.Number, c.Round, c.Channel, int(c.Rank), c.Failure, f.At))
		case f.Opened != nil && known(f.Opened.Number):
			out = append(out, op("opened", f.Opened.Number, f.At))
		case f.Answered != nil && known(f.Answered.Number) && f.Answered.Answer.Valid():
			a := f.Answered
			out = append(out, op("answer", a.Number, int(a.Answer), said(a.Said, f.At), press(a, cause), f.At, cause, a.Via, a.FromWords, a.Note))
		case f.Vouched != nil && known(f.Vouched.Number) && (f.Vouched.Answer.Valid() || f.Vouched.Answer == announcement.TakenBack):
			v := f.Vouched
			out = append(out, op("vouch", v.Number, int(v.Answer), said(v.Said, f.At), ref(v.Ref, cause), f.At, v.By, f.Actor, v.How, v.Note, cause))
		case f.Excused != nil && known(f.Excused.Number):
			out = append(out, op("excuse", f.Excused.Number))
		case f.Claimed != nil && known(f.Claimed.Number):
			c := f.Claimed
			out = append(out, op("claim", c.Number, c.By, f.Actor, f.At, c.Resolved))
		case f.Closed != nil:
			out = append(out, op("close", 0))
		}
	}
	return out
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
	last := e.OpenedAt // or when the last of those who slept hears of it
	for _, r := range e.course() {
		if r.start.After(last) {
			last = r.start
		}
	}
	return last.Add(life)
}
