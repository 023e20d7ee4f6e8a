package ledger

import (
	"context"
	"errors"
	"fmt"

	"kentongan/internal/announcement"
)

// maxFaults bounds a report: a ledger with more faults needs a backup, not a list.
const maxFaults = 1000

// Report is what Verify found.
type Report struct {
	Records       int
	Facts         int
	Announcements int      // committed ones
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
	rounds               map[int64]int // targets of each decided round
}

// Verify reads the whole ledger, up to its last record at the time of the call,
// and reports whatever breaks a promise: a missing or unreadable record, a
// committed announcement without all its recipients, a number out of range, a
// call that nobody decided.
func Verify(ctx context.Context, l Ledger) (Report, error) {
	var report Report
	last, err := l.Last(ctx)
	if err != nil || last == 0 {
		return report, err
	}
	stories := map[announcement.ID]*story{}
	next := uint64(1)
	err = l.Follow(ctx, 0, func(r Record) error {
		if r.Seq != next {
			report.fault("position %d: expected %d", r.Seq, next)
		}
		next = r.Seq + 1
		report.Records++
		if len(r.Facts) == 0 {
			report.fault("position %d: record cannot be read", r.Seq)
		}
		if len(r.Facts) > MaxPack {
			report.fault("position %d: more than %d facts", r.Seq, MaxPack)
		}
		s := stories[r.Announcement]
		if s == nil {
			s = &story{rounds: map[int64]int{}}
			stories[r.Announcement] = s
		}
		for _, f := range r.Facts {
			report.Facts++
			if why := s.add(f); why != "" {
				report.fault("position %d: %s of %s: %s", r.Seq, f.Kind, r.Announcement, why)
			}
		}
		if r.Seq >= last {
			return errEnd
		}
		return nil
	})
	for _, s := range stories {
		if s.committed {
			report.Announcements++
		}
	}
	if !errors.Is(err, errEnd) {
		return report, fmt.Errorf("verify ledger: %w", err)
	}
	return report, nil
}

// add takes in one fact, and says what is wrong with it.
func (s *story) add(f announcement.Fact) string {
	if f.Announcement == announcement.House || f.Kind == announcement.KindNoted {
		if f.Announcement != announcement.House || f.Noted == nil {
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
		s.rounds[0] = s.recipients
		if !s.announced || s.recipients != f.Committed.Recipients || s.chunks != f.Committed.Chunks {
			return fmt.Sprintf("%d recipients in %d chunks are there, %d in %d were promised", s.recipients, s.chunks, f.Committed.Recipients, f.Committed.Chunks)
		}
		return ""
	case f.Decided != nil:
		s.rounds[f.Decided.Round] = len(f.Decided.To)
		if f.Decided.Only != "" {
			s.rounds[f.Decided.Round] = s.recipients
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
	case f.Closed != nil:
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
	if number < 0 || number >= targets {
		return fmt.Sprintf("target %d of round %d is out of range", number, round)
	}
	return ""
}
