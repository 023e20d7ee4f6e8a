// Package channel reaches one person one way, and reports honestly what is
// known. webpush, sms and inapp below it each hold one Sender.
package channel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kentongan/internal/announcement"
)

// Sender calls one person on one channel.
type Sender interface {
	// Channel names the channel.
	Channel() announcement.Channel
	// Send hands the message to the provider for every usable contact point of
	// the person and returns what is known at once. sendID names this call in
	// callbacks. It honours ctx, closes every body, and fails with *Error only.
	Send(ctx context.Context, sendID string, to announcement.ContactPoints, m announcement.Message) (Handed, error)
}

// Witness is a Sender whose every call goes to one provider, which remembers what it
// took. When that provider is down the calls wait until it is back: whether it had
// taken one can be asked, so that trying again for hours repeats no message.
type Witness interface {
	Sender
	// Took reports whether the provider took this message for the person at since or
	// later, and what Send would have returned then. It honours ctx and fails with
	// *Error only.
	Took(ctx context.Context, to announcement.ContactPoints, m announcement.Message, since time.Time) (h Handed, took bool, err error)
}

// Handed is what the provider said when it took the message.
type Handed struct {
	Rank    announcement.Rank // accepted
	Points  int               // contact points that took it
	Retired []string          // ids of contact points that are gone for good (404, 410): the caller retires them
	SID     string            // what the provider calls the message; empty if it has no name
}

// Reason says why a call failed and so whether another try is useful. String
// is the metric label and the word in the timeline.
type Reason string

const (
	Temporary      Reason = "temporary"        // try again with backoff
	RateLimited    Reason = "rate_limited"     // try again after RetryAfter; the message was not taken
	Ambiguous      Reason = "ambiguous"        // it may have been taken (timeout after writing, 5xx): try again once
	Rejected       Reason = "rejected"         // this message will never be taken
	Gone           Reason = "gone"             // no contact point is left: all are retired
	InvalidNumber  Reason = "invalid_number"   // the number cannot get this
	OptedOut       Reason = "opted_out"        // the person stopped SMS (Twilio 21610)
	Blocked        Reason = "blocked"          // carrier filtered or blocked; repeating makes it worse
	Unauthorized   Reason = "unauthorized"     // our credentials or keys are wrong: an operator must act; keep trying slowly
	Misconfigured  Reason = "misconfigured"    // route or region not enabled at the provider: an operator must act
	TooLarge       Reason = "too_large"        // and could not be made smaller
	NoContactPoint Reason = "no_contact_point" // the person has nothing for this channel
	Expired        Reason = "expired"          // too late to be of use
	Refused        Reason = "sample_person"    // a sample person and a real provider
)

// Retry reports whether another try can help.
func (r Reason) Retry() bool {
	switch r {
	case Temporary, RateLimited, Ambiguous, Unauthorized, Misconfigured:
		return true
	}
	return false
}

// Error is the only error a Sender returns. Its text never holds a number, an
// endpoint, a token or a message.
type Error struct {
	Reason     Reason
	RetryAfter time.Duration // as the provider asked; 0 if it did not
	Code       string        // the provider's code ("21610", "410"), safe to show
	Retired    []string      // contact points found gone, also when others failed
	Err        error         // the cause, already free of personal data
}

func (e *Error) Error() string {
	s := string(e.Reason)
	if e.Code != "" {
		s += " (code " + e.Code + ")"
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// ReasonOf returns the reason in err, Temporary for an error without one.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return Temporary
}

// Fail returns an *Error with a cause made from format.
func Fail(r Reason, code, format string, args ...any) *Error {
	return &Error{Reason: r, Code: code, Err: fmt.Errorf(format, args...)}
}
