package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kentongan/internal/announcement"
)

// maxFaults bounds a report: a ledger with more faults needs a backup, not a list.
const maxFaults = 1000

// Report is what Verify found.
type Report struct {
	Records       int
	Facts         int
	Announcements int    // committed ones
	Last          uint64 // the last record
	Sealed        uint64 // the last record that a checkpoint covers
	Checkpoints   int
	Witnessed     int      // of the checkpoints, those that are in the file outside too
	Key           string   // short name of the key that signed the last one
	Faults        []string // positions and ids, never a word of anybody
}

func (r *Report) fault(format string, args ...any) {
	if len(r.Faults) < maxFaults {
		r.Faults = append(r.Faults, fmt.Sprintf(format, args...))
	}
}

// story is what Verify keeps of one announcement.
type story struct {
	announced, committed bool
	recipients, lines    int
	chunks               int
	rounds               map[int64]int // targets of each decided list
	people               map[announcement.PersonID]bool
}

// toRecipients is what rounds says of a round to the recipients, however many they are
// by the time somebody is called.
const toRecipients = -1

// Verify is VerifyAgainst nothing outside of the ledger.
func Verify(ctx context.Context, l Ledger) (Report, error) { return VerifyAgainst(ctx, l, Trust{}) }

// VerifyAgainst reads the whole ledger, up to its last record at the time of the call,
// and reports whatever breaks a promise: a missing, changed or unreadable record, an
// end that was cut off, a chain that was written anew, a committed announcement without
// all its recipients, a number out of range, a call that nobody decided.
//
// The witness must have been read before: a checkpoint is in the ledger first.
func VerifyAgainst(ctx context.Context, l Ledger, t Trust) (Report, error) {
	var report Report
	last, err := l.Last(ctx)
	if err != nil {
		return report, fmt.Errorf("verify ledger: %w", err)
	}
	stories := map[announcement.ID]*story{}
	w := newWalk(t, func(fault string) { report.fault("%s", fault) })
	for w.at() < last {
		if err := readTo(ctx, l, last, w, func(s Stored) { report.add(stories, s) }); err != nil {
			return report, fmt.Errorf("verify ledger: %w", err)
		}
	}
	w.end()
	for _, s := range stories {
		if s.committed {
			report.Announcements++
		}
	}
	report.Last, report.Sealed, report.Checkpoints, report.Witnessed = last, w.base, w.sealed, w.both
	if len(w.keys) > 0 {
		report.Key = KeyName(w.keys[w.key])
	}
	return report, nil
}

// silence is how long the server may say nothing before it is asked for the next
// record by its position. A record that it cannot read it leaves out, and where that
// is the last, nothing comes any more.
const silence = 5 * time.Second

// readTo takes the records up to last, or up to where nothing came any more and one
// was left out.
func readTo(ctx context.Context, l Ledger, last uint64, w *walk, fn func(Stored)) error {
	reading, stop := context.WithCancel(ctx)
	defer stop()
	quiet := time.AfterFunc(silence, stop)
	defer quiet.Stop()
	err := l.Scan(reading, w.at(), func(s Stored) error {
		quiet.Reset(silence)
		if s.Seq > last {
			w.skip(last)
			return errEnd
		}
		w.take(s)
		fn(s)
		if s.Seq == last {
			return errEnd
		}
		return nil
	})
	switch {
	case errors.Is(err, errEnd):
		return nil
	case ctx.Err() != nil || reading.Err() == nil:
		return err
	}
	next, err := readable(ctx, l, w.at()+1, last) // slow, or left out?
	w.skip(next - 1)
	return err
}

// readable returns the first position of a range at which there is a record that the
// server can read, or the one behind the range.
func readable(ctx context.Context, l Ledger, from, to uint64) (uint64, error) {
	for seq := from; seq <= to; seq++ {
		if _, err := l.At(ctx, seq); err == nil || errors.Is(err, errNoFacts) {
			return seq, nil
		}
		if _, err := l.Last(ctx); err != nil { // nobody answers at all
			return seq, err
		}
	}
	return to + 1, nil
}

// add takes in what one record says.
func (r *Report) add(stories map[announcement.ID]*story, stored Stored) {
	r.Records++
	record, err := decode(stored.Seq, stored.Subject, stored.Body)
	if err != nil || len(record.Facts) == 0 {
		r.fault("record %d: cannot be read", stored.Seq)
	}
	if len(record.Facts) > MaxPack {
		r.fault("record %d: more than %d facts", stored.Seq, MaxPack)
	}
	s := stories[record.Announcement]
	if s == nil {
		s = &story{rounds: map[int64]int{}, people: map[announcement.PersonID]bool{}}
		stories[record.Announcement] = s
	}
	for _, f := range record.Facts {
		r.Facts++
		if why := s.add(f); why != "" {
			r.fault("record %d: %s of %s: %s", stored.Seq, f.Kind, record.Announcement, why)
		}
	}
}

// add takes in one fact, and says what is wrong with it.
func (s *story) add(f announcement.Fact) string {
	if f.Announcement == announcement.House || f.Kind == announcement.KindNoted || f.Kind == announcement.KindCheckpoint {
		if f.Announcement != announcement.House || f.Noted == nil && f.Checkpoint == nil {
			return "is not of the house"
		}
		return ""
	}
	before := f.Kind == announcement.KindAnnounced || f.Kind == announcement.KindRecipients || f.Kind == announcement.KindCommitted
	if !before && f.Kind != announcement.KindHeard && !s.committed {
		return "comes before committed"
	}
	var number int
	switch {
	case f.Announced != nil:
		s.announced = true
		return ""
	case f.Recipients != nil:
		return s.addChunk(f.Recipients)
	case f.Committed != nil:
		s.committed = true
		s.rounds[0] = toRecipients
		if !s.announced || s.recipients != f.Committed.Recipients || s.chunks != f.Committed.Chunks {
			return fmt.Sprintf("%d recipients in %d chunks are there, %d in %d were promised", s.recipients, s.chunks, f.Committed.Recipients, f.Committed.Chunks)
		}
		return ""
	case f.Decided != nil:
		s.rounds[f.Decided.Round] = len(f.Decided.To)
		if f.Decided.Only != "" {
			s.rounds[f.Decided.Round] = toRecipients
		}
		return ""
	case f.Called != nil:
		return s.checkTarget(f.Called.Round, f.Called.Number)
	case f.Receipt != nil:
		return s.checkTarget(f.Receipt.Round, f.Receipt.Number)
	case f.Heard != nil:
		if f.Heard.Number == -1 {
			return ""
		}
		number = f.Heard.Number
	case f.Opened != nil:
		number = f.Opened.Number
	case f.Answered != nil:
		number = f.Answered.Number
	case f.Vouched != nil:
		number = f.Vouched.Number
	case f.Excused != nil:
		number = f.Excused.Number
	case f.Claimed != nil:
		number = f.Claimed.Number
	case f.Joined != nil:
		for _, j := range f.Joined.People {
			if !s.people[j.Person] { // whoever is one already, and came back, keeps their number
				s.people[j.Person] = true
				s.recipients++
			}
		}
		return ""
	case f.Moved != nil, f.Revised != nil:
		return ""
	case f.Closed != nil: // nobody joins any more, or they are counted too often: it is a bound
		s.people = map[announcement.PersonID]bool{}
		return ""
	default:
		return "has no payload"
	}
	if number < 0 || number >= s.recipients {
		return fmt.Sprintf("recipient %d is out of range", number)
	}
	return ""
}

func (s *story) addChunk(c *announcement.Chunk) string {
	first, linesFirst := s.recipients, s.lines
	s.chunks++
	s.recipients += len(c.Recipients)
	for _, r := range c.Recipients {
		s.people[r.Person] = true
	}
	s.lines += len(c.Lines)
	if len(c.Recipients) > 0 && c.First != first || len(c.Lines) > 0 && c.LinesFirst != linesFirst {
		return "does not follow the chunk before it"
	}
	return ""
}

func (s *story) checkTarget(round int64, number int) string {
	targets, ok := s.rounds[round]
	if !ok {
		return fmt.Sprintf("round %d was never decided", round)
	}
	if targets == toRecipients {
		targets = s.recipients
	}
	if number < 0 || number >= targets {
		return fmt.Sprintf("target %d of round %d is out of range", number, round)
	}
	return ""
}
