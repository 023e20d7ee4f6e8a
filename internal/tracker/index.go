package tracker

import (
	"slices"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// index finds the few facts that a page shows among the million that a large
// announcement has. It is made while the ledger is followed and holds positions,
// never words: what a fact says is read from the ledger. An alert to fifty
// thousand people costs some 5 MB. All slices only grow, so that a reader may keep one
// while it goes on.
type index struct {
	lines   []Line
	folds   map[foldKey]int // → place in lines
	counts  []int           // facts folded into lines[i]
	seqs    []uint64        // records of the announcement
	touched []touch
	first   []First // by recipient; nil until somebody answered
}

// Line is one line of the story: where its (first) fact is in the ledger.
type Line struct {
	Seq   uint64
	Fact  int // which fact of that record
	Kind  announcement.Kind
	Help  bool // it says that somebody needs help
	Count int  // facts folded into it; 0 for a line of its own
}

// First is a recipient's first own answer to the version that counts, or their call
// for help.
type First struct {
	At  int64 // Unix milliseconds when it was pressed; 0 when they have not answered
	Via announcement.Via
}

// touch says that a record, by its place in seqs, holds something about a
// recipient.
type touch struct{ number, record uint32 }

// foldKey names what is told as one line with a count: one kind of news of one
// round and channel.
type foldKey struct {
	kind    announcement.Kind
	round   int64
	channel announcement.Channel
	rank    announcement.Rank
	failure string
}

// foldOf returns under which name a fact is folded, and whether it is.
func foldOf(f announcement.Fact) (foldKey, bool) {
	switch {
	case f.Called != nil:
		return foldKey{f.Kind, f.Called.Round, f.Called.Channel, f.Called.Rank, f.Called.Failure}, true
	case f.Receipt != nil:
		return foldKey{f.Kind, f.Receipt.Round, f.Receipt.Channel, f.Receipt.Rank, f.Receipt.Failure}, true
	case f.Recipients != nil, f.Opened != nil:
		return foldKey{kind: f.Kind}, true
	}
	return foldKey{}, false
}

// note takes a record into the index. The view must have folded the record.
func (e *entry) note(r ledger.Record) {
	x := &e.index
	x.seqs = append(x.seqs, r.Seq)
	for i, f := range r.Facts {
		if key, ok := foldOf(f); !ok {
			help := f.Answered != nil && f.Answered.Answer == announcement.NeedHelp || f.Vouched != nil && f.Vouched.Answer == announcement.NeedHelp
			x.lines, x.counts = append(x.lines, Line{Seq: r.Seq, Fact: i, Kind: f.Kind, Help: help}), append(x.counts, 0)
		} else if at, found := x.folds[key]; found {
			x.counts[at]++
		} else {
			if x.folds == nil {
				x.folds = map[foldKey]int{}
			}
			x.folds[key] = len(x.lines)
			x.lines, x.counts = append(x.lines, Line{Seq: r.Seq, Fact: i, Kind: f.Kind}), append(x.counts, 1)
		}
		if n, ok := e.About(f); ok && n >= 0 {
			x.touched = append(x.touched, touch{uint32(n), uint32(len(x.seqs) - 1)})
		}
		for _, n := range e.concerned(f) {
			x.touched = append(x.touched, touch{uint32(n), uint32(len(x.seqs) - 1)})
		}
		if f.Revised != nil && f.Revised.Material {
			x.first = nil // answers to the version before
		}
		if a := f.Answered; a != nil && e.committed() && a.Number >= 0 && a.Number < len(e.Roster.Recipients) && a.Answer.Valid() &&
			(max(a.Version, 1) == e.Version || a.Answer == announcement.NeedHelp) {
			if x.first == nil {
				x.first = make([]First, len(e.Roster.Recipients))
			}
			if missing := len(e.Roster.Recipients) - len(x.first); missing > 0 { // somebody joined
				x.first = append(x.first, make([]First, missing)...)
			}
			if x.first[a.Number].At == 0 {
				x.first[a.Number] = First{At: said(a.Said, f.At).UnixMilli(), Via: a.Via}
			}
		}
	}
}

// About returns the number of the recipient that a fact is about.
func (v *View) About(f announcement.Fact) (int, bool) {
	switch {
	case f.Called != nil:
		return f.Called.Number, v.ToRecipients(f.Called.Round)
	case f.Receipt != nil:
		return f.Receipt.Number, v.ToRecipients(f.Receipt.Round)
	case f.Opened != nil:
		return f.Opened.Number, true
	case f.Answered != nil:
		return f.Answered.Number, true
	case f.Vouched != nil:
		return f.Vouched.Number, true
	case f.Excused != nil:
		return f.Excused.Number, true
	case f.Claimed != nil:
		return f.Claimed.Number, true
	case f.Heard != nil:
		return f.Heard.Number, f.Heard.Number >= 0
	}
	return 0, false
}

// ToRecipients reports whether a round's numbers are recipient numbers.
func (v *View) ToRecipients(round int64) bool {
	if round == 0 {
		return true
	}
	for _, d := range v.Rounds {
		if d.Round == round {
			return d.Only != ""
		}
	}
	return false
}

// Calls reports whether a number is a target of a round that was decided, by the rule
// by which the ledger is verified.
func (v *View) Calls(round int64, number int) bool {
	if number < 0 || v.Roster == nil {
		return false
	}
	if v.ToRecipients(round) {
		return number < len(v.Roster.Recipients)
	}
	return slices.ContainsFunc(v.Rounds, func(d announcement.Decided) bool { return d.Round == round && number < len(d.To) })
}

// Lines returns part of the story of an announcement, newest first, of what
// want accepts, and how many such lines there are.
func (t *Tracker) Lines(id announcement.ID, want func(Line) bool, offset, limit int) (out []Line, total int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.entries[id]
	if e == nil {
		return nil, 0
	}
	for i := len(e.index.lines) - 1; i >= 0; i-- {
		l := e.index.lines[i]
		if !want(l) {
			continue
		}
		if total >= offset && len(out) < limit {
			l.Count = e.index.counts[i]
			out = append(out, l)
		}
		total++
	}
	return out, total
}

// Records returns where the ledger says something about recipient n, in order.
func (t *Tracker) Records(id announcement.ID, n int) []uint64 {
	t.mu.RLock()
	e := t.entries[id]
	if e == nil {
		t.mu.RUnlock()
		return nil
	}
	touched, seqs := e.index.touched, e.index.seqs
	t.mu.RUnlock()
	var out []uint64
	for _, at := range touched {
		if seq := seqs[at.record]; int(at.number) == n && (len(out) == 0 || out[len(out)-1] != seq) {
			out = append(out, seq)
		}
	}
	return out
}

// Touched returns the recipients about whom something was written since an
// earlier call returned after, and what to give the next call. Somebody may be
// named twice.
func (t *Tracker) Touched(id announcement.ID, after int) (numbers []int, now int) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.entries[id]
	if e == nil {
		return nil, 0
	}
	now = len(e.index.touched)
	for _, at := range e.index.touched[min(max(after, 0), now):] {
		numbers = append(numbers, int(at.number))
	}
	return numbers, now
}

// Firsts returns the first own answer of every recipient.
func (t *Tracker) Firsts(id announcement.ID) []First {
	t.mu.RLock()
	defer t.mu.RUnlock()
	e := t.entries[id]
	if e == nil {
		return nil
	}
	return append([]First(nil), e.index.first...)
}
