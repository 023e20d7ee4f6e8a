package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nats-io/nats.go/jetstream"

	"kentongan/internal/announcement"
)

// JetStream reads forwards only. Going back is reading windows forwards, each before
// the last; one that held little is followed by a larger one, so that a trail with
// months of alerts between two entries is read in few steps.
const (
	firstWindow = 256
	fullWindow  = 200 // records in a window above which the next is not larger
	largeWindow = 1 << 20
	heldWindow  = 1_000 // records of one window that are held; the rest is read again
)

func notedSubjects(person announcement.PersonID) []string {
	all := subjectOf(announcement.House, announcement.KindNoted)
	if person != "" {
		return []string{all + "." + string(person)}
	}
	return []string{all, all + ".>"}
}

// Noted implements Ledger.
func (l *JetStream) Noted(ctx context.Context, person announcement.PersonID, before uint64, fn func(Record) bool) error {
	if person != "" && !validToken(string(person)) {
		return nil
	}
	filters := notedSubjects(person)
	last := uint64(0)
	for _, filter := range filters {
		switch newest, err := l.stream.GetLastMsgForSubject(ctx, filter); {
		case err == nil:
			last = max(last, newest.Sequence)
		case !errors.Is(err, jetstream.ErrMsgNotFound):
			return fmt.Errorf("read what was noted: %w", unavailable(err))
		}
	}
	if last == 0 {
		return nil
	}
	end := last + 1
	if before != 0 {
		end = min(end, before)
	}
	for window := uint64(firstWindow); end > 1; {
		begin := max(end, window+1) - window
		records, whole, err := l.window(ctx, filters, begin, end, last)
		if err != nil {
			return err
		}
		for _, r := range slices.Backward(records) {
			if !fn(r) {
				return nil
			}
		}
		switch {
		case !whole:
			begin, window = records[0].Seq, firstWindow
		case len(records) < fullWindow/2:
			window = min(window*4, largeWindow)
		case len(records) > fullWindow:
			window = max(window/2, firstWindow)
		}
		end = begin
	}
	return nil
}

// window reads the records of the filters from begin up to, and without, end; of very
// many only the newest, and then it is not whole. last is the position of the newest
// there is, so that the reading ends.
func (l *JetStream) window(ctx context.Context, filters []string, begin, end, last uint64) (out []Record, whole bool, err error) {
	for ctx.Err() == nil {
		out, whole = nil, true
		ended, err := l.followOnce(ctx, jetstream.OrderedConsumerConfig{
			FilterSubjects: filters, DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: begin,
		}, func(msg jetstream.Msg, seq uint64) error {
			if seq < end {
				if len(out) == 2*heldWindow {
					out, whole = append([]Record(nil), out[heldWindow:]...), false
				}
				out = append(out, l.record(seq, msg.Subject(), msg.Data()))
			}
			if seq+1 >= end || seq >= last {
				return errEnd
			}
			return nil
		})
		switch {
		case ended && errors.Is(err, errEnd):
			return out, whole, nil
		case ended:
			return nil, false, err
		}
		pause(ctx, retryPause)
	}
	return nil, false, fmt.Errorf("read what was noted: %w", unavailable(ctx.Err()))
}

// Noted implements Ledger.
func (m *Memory) Noted(ctx context.Context, person announcement.PersonID, before uint64, fn func(Record) bool) error {
	m.mu.Lock()
	stored := m.stored
	m.mu.Unlock()
	if before != 0 && before <= uint64(len(stored)) {
		stored = stored[:before-1]
	}
	filters := notedSubjects(person)
	for i, p := range slices.Backward(stored) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if p.subject != filters[0] && (person != "" || !strings.HasPrefix(p.subject, filters[0]+".")) {
			continue
		}
		r, err := decode(uint64(i+1), p.subject, p.body)
		if err != nil {
			return err
		}
		if !fn(r) {
			return nil
		}
	}
	return nil
}
