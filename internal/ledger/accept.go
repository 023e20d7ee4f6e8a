package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/synadia-io/orbit.go/jetstreamext"

	"kentongan/internal/announcement"
)

// maxBatch is the most messages that a server takes in one atomic batch (ADR-50).
const maxBatch = 1000

// The message of the announced fact says how its accept is to end. A sender who
// repeats an accept that was cut off may have resolved the audience anew, and
// gets other recipients; the frozen list must not be a mixture of both.
const (
	contentHeader   = "Kentongan-Content"   // digest of everything before committed
	committedHeader = "Kentongan-Committed" // base64 of the committed record
)

// errOtherContent: half of a very large announcement (over 999 chunks) is there,
// and this accept cannot tell the other half.
var errOtherContent = errors.New("an accept with other content was cut off under this id")

// Accept implements Ledger. Every fact has a subject of its own and is compared
// and set there, so that a repeat fills in what is missing and doubles nothing.
// Where an earlier accept had written all its recipients, that one is completed.
func (l *JetStream) Accept(ctx context.Context, facts []announcement.Fact) (uint64, error) {
	all, err := layout(facts, l.now)
	if err != nil {
		return 0, err
	}
	last := all[len(all)-1]
	there, err := l.stream.GetLastMsgForSubject(ctx, last.subject)
	if err == nil {
		return there.Sequence, nil
	}
	if !errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, fmt.Errorf("accept: %w", unavailable(err))
	}
	if last.body, err = l.fill(ctx, facts[0].Announcement, all); err != nil {
		return 0, fmt.Errorf("accept: %w", err)
	}
	seq, err := l.once(ctx, last)
	if errors.Is(err, ErrAlready) {
		if there, err = l.stream.GetLastMsgForSubject(ctx, last.subject); err == nil {
			return there.Sequence, nil
		}
	}
	if err != nil {
		return 0, fmt.Errorf("accept: %w", unavailable(err))
	}
	return seq, nil
}

// fill stores everything before committed that is not there yet, and returns the
// committed record that belongs to what is there.
func (l *JetStream) fill(ctx context.Context, id announcement.ID, all []placed) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*writeTimeout)
	defer cancel()
	before, committed := all[:len(all)-1], all[len(all)-1].body
	content := digest(before)
	for {
		stored, err := l.subjects(ctx, id)
		if err == nil && stored[before[0].subject] {
			var begun *jetstream.RawStreamMsg
			if begun, err = l.stream.GetLastMsgForSubject(ctx, before[0].subject); err == nil && begun.Header.Get(contentHeader) != content {
				return l.begun(begun, stored)
			}
		}
		if err == nil {
			var missing []*nats.Msg
			for i, p := range before {
				if stored[p.subject] {
					continue
				}
				msg := nats.NewMsg(p.subject)
				msg.Data = p.body
				msg.Header.Set(jetstream.ExpectedLastSubjSeqHeader, "0")
				if i == 0 {
					msg.Header.Set(contentHeader, content)
					msg.Header.Set(committedHeader, base64.StdEncoding.EncodeToString(committed))
				}
				missing = append(missing, msg)
			}
			if len(missing) == 0 {
				return committed, nil
			}
			for len(missing) > 0 && err == nil {
				n := min(len(missing), maxBatch)
				err = l.publishBatch(ctx, missing[:n])
				missing = missing[n:]
			}
			// Look again even after success: only what the server lists counts.
		}
		if err != nil {
			if refused(err) && !taken(err) {
				return nil, unavailable(err)
			}
			if !pause(ctx, retryPause) {
				return nil, unavailable(err)
			}
		}
	}
}

// begun returns the committed record of an earlier accept with other content,
// if all that it announced is there.
func (l *JetStream) begun(msg *jetstream.RawStreamMsg, stored map[string]bool) ([]byte, error) {
	body, err := base64.StdEncoding.DecodeString(msg.Header.Get(committedHeader))
	if err != nil {
		return nil, errOtherContent
	}
	subject := strings.TrimSuffix(msg.Subject, string(announcement.KindAnnounced)+".0")
	r, err := decode(0, subject+string(announcement.KindCommitted), body)
	if err != nil || len(r.Facts) != 1 || r.Facts[0].Committed == nil {
		return nil, errOtherContent
	}
	for n := range r.Facts[0].Committed.Chunks {
		if !stored[fmt.Sprintf("%s%s.%d", subject, announcement.KindRecipients, n)] {
			return nil, errOtherContent
		}
	}
	return body, nil
}

// subjects returns the subjects of an announcement that have a message.
func (l *JetStream) subjects(ctx context.Context, id announcement.ID) (map[string]bool, error) {
	info, err := l.stream.Info(ctx, jetstream.WithSubjectFilter(subjectPrefix+string(id)+".>"))
	if err != nil {
		return nil, err
	}
	stored := make(map[string]bool, len(info.State.Subjects))
	for s, n := range info.State.Subjects {
		stored[s] = n > 0
	}
	return stored, nil
}

func (l *JetStream) publishBatch(ctx context.Context, msgs []*nats.Msg) error {
	ctx, cancel := context.WithTimeout(ctx, 2*ackTimeout)
	defer cancel()
	_, err := jetstreamext.PublishMsgBatch(ctx, l.js, msgs)
	return err
}

func digest(all []placed) string {
	h := sha256.New()
	for _, p := range all {
		_, _ = fmt.Fprintf(h, "%s %d\n", p.subject, len(p.body))
		_, _ = h.Write(p.body)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}
