package app

import (
	"context"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/channel/sms"
)

// providersOfSMS sends through the first provider, and what a person sends again
// through the second where there is one.
type providersOfSMS struct{ first, second *sms.Twilio }

// Channel returns announcement.SMS.
func (p providersOfSMS) Channel() announcement.Channel { return announcement.SMS }

// Send hands m to the provider that it asks for.
func (p providersOfSMS) Send(ctx context.Context, sendID string, to announcement.ContactPoints, m announcement.Message) (channel.Handed, error) {
	return p.of(m).Send(ctx, sendID, to, m)
}

// Took asks the provider that m asks for.
func (p providersOfSMS) Took(ctx context.Context, to announcement.ContactPoints, m announcement.Message, since time.Time) (channel.Handed, bool, error) {
	return p.of(m).Took(ctx, to, m, since)
}

func (p providersOfSMS) of(m announcement.Message) *sms.Twilio {
	if m.Second && p.second != nil {
		return p.second
	}
	return p.first
}

// providers remembers how the last calls of each channel went, so that HR sees
// before sending that a provider is down, and whom that leaves unreached. Each
// node knows what it saw itself.
type providers struct {
	now func() time.Time

	mu   sync.Mutex
	runs map[announcement.Channel]*run
}

// run is a row of calls that failed for the provider's sake.
type run struct {
	failed int
	reason string
	last   time.Time
}

const (
	// failingAfter so many calls in a row that the provider did not take.
	failingAfter = 5
	// failingFor is how long that is believed without a further call.
	failingFor = 15 * time.Minute
)

func newProviders(now func() time.Time) *providers {
	return &providers{now: now, runs: map[announcement.Channel]*run{}}
}

// note hears of one call. Faults of a single person's number say nothing about
// the provider.
func (p *providers) note(c announcement.Channel, rank announcement.Rank, reason string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch channel.Reason(reason) {
	case channel.Temporary, channel.Ambiguous, channel.Unauthorized, channel.Misconfigured:
		r := p.runs[c]
		if r == nil {
			r = &run{}
			p.runs[c] = r
		}
		r.failed, r.reason, r.last = r.failed+1, reason, p.now()
	default:
		if rank == announcement.Accepted {
			delete(p.runs, c)
		}
	}
}

// failing returns the channels whose provider does not take calls now, and why.
func (p *providers) failing() map[announcement.Channel]string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := map[announcement.Channel]string{}
	for c, r := range p.runs {
		if r.failed >= failingAfter && p.now().Sub(r.last) < failingFor {
			out[c] = r.reason
		}
	}
	return out
}
