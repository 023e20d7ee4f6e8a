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
	take := func(s Stored) error {
		w.take(s)
		report.add(stories, s)
		return nil
	}
	if err := readTo(ctx, l, 0, last, take, w.skip); err != nil {
		return report, fmt.Errorf("verify ledger: %w", err)
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

// readTo gives take the records behind a position, up to last, and skip the last
// position of those that are missing or cannot be read, also where they are the end.
func readTo(ctx context.Context, l Ledger, after, last uint64, take func(Stored) error, skip func(uint64)) error {
	for after < last {
		reading, stop := context.WithCancel(ctx)
		quiet := time.AfterFunc(silence, stop)
		err := l.Scan(reading, after, func(s Stored) error {
			quiet.Reset(silence)
			if to := min(s.Seq-1, last); to > after {
				skip(to)
				after = to
			}
			if s.Seq > last {
				return errEnd
			}
			if err := take(s); err != nil {
				return err
			}
			if after = s.Seq; after == last {
				return errEnd
			}
			return nil
		})
		silent := reading.Err() != nil
		quiet.Stop()
		stop()
		switch {
		case errors.Is(err, errEnd):
			return nil
		case ctx.Err() != nil || !silent || !errors.Is(err, context.Canceled):
			return err
		}
		next, err := readable(ctx, l, after+1, last) // slow, or left out?
		if next-1 > after {
			skip(next - 1)
			after = next - 1
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readable returns the first position of a range at which there is a record that the
// server can read, or the one behind the range. The server says "not found" of what it
// cannot read; any other error says nothing about the record.
func readable(ctx context.Context, l Ledger, from, to uint64) (uint64, error) {
	for seq := from; seq <= to; seq++ {
		switch _, err := l.At(ctx, seq); {
		case err == nil || errors.Is(err, errNoFacts):
			return seq, nil
		case !errors.Is(err, ErrNotFound):
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
