// Package dispatch turns an announcement into deliveries, queues them by
// urgency and channel, and sees each one through.
//
// # Guarantees
//
// A round that was decided is called until every target is settled, over any
// number of crashes. A crash repeats at most the calls whose receipt was not
// yet durable: no more than Options.InFlight of them, and PushInFlight web pushes
// where those have a bound of their own. Right before each call the worker asks
// whether the announcement is open and the person still outstanding; nobody who
// answered is called again, except for the one message that was already on its way.
package dispatch

import (
	"context"
	"fmt"
	"time"

	"kentongan/internal/announcement"
)

// Job is a contiguous range of a round's targets on one channel. Publishing the
// same job twice is harmless: its ID is made from its fields, and a worker asks
// first which targets are settled.
type Job struct {
	Announcement announcement.ID      `json:"announcement"`
	Round        int64                `json:"round"`
	Channel      announcement.Channel `json:"channel"`
	Lane         announcement.Lane    `json:"lane"`
	Lo           int                  `json:"lo"` // targets [Lo, Hi)
	Hi           int                  `json:"hi"`
}

// ID names the job: the same work always has the same name.
func (j Job) ID() string {
	return fmt.Sprintf("%s/%d/%s/%d-%d", j.Announcement, j.Round, j.Channel, j.Lo, j.Hi)
}

// JobSize is the most targets in one job. One message per recipient costs 16
// times the wall time and 30 times the CPU (measured with 100,000 recipients).
const JobSize = 500

// Queue is a work queue of jobs, emergency before routine, implemented on a
// JetStream work-queue stream and in memory; one suite judges both.
type Queue interface {
	// Publish stores jobs durably, all or nothing per 1,000; a job that was
	// published within the last DuplicateWindow is not stored again.
	Publish(ctx context.Context, jobs []Job) error
	// Work calls fn for jobs of the channel, at most parallel at once in each
	// lane, until ctx ends and every call of fn has returned. A routine job is
	// taken only when no emergency job waits, and never holds one up. While fn
	// runs the job is kept from other workers. fn's result says what becomes of
	// it: see Outcome. attempt counts from 1.
	Work(ctx context.Context, c announcement.Channel, parallel int, fn func(ctx context.Context, job Job, attempt int) Outcome) error
	// Depth returns how many jobs wait or run, per lane and channel.
	Depth(ctx context.Context) (map[announcement.Lane]map[announcement.Channel]int, error)
	// Oldest returns when the oldest of those jobs was published, per lane and
	// channel; there is no entry where none waits or runs.
	Oldest(ctx context.Context) (map[announcement.Lane]map[announcement.Channel]time.Time, error)

	// Stuck returns the jobs that nobody works on any more, the oldest first. They are
	// neither in Depth nor in Oldest.
	Stuck(ctx context.Context) ([]Stuck, error)
	// StuckJobs returns how many there are.
	StuckJobs(ctx context.Context) (int, error)
	// TryAgain gives a stuck job back to its line, as if it were new. It may be asked
	// twice: a worker asks what is settled. ErrNotStuck: there is none of this id.
	TryAgain(ctx context.Context, id string) error
	// Drop takes a stuck job out of the list, for good.
	Drop(ctx context.Context, id string) error
}

// DuplicateWindow is how long a queue remembers that a job was published. A
// repeat after that costs one look at the tracker, no call.
const DuplicateWindow = time.Hour

// Lanes lists the lanes in the order in which they are served.
var Lanes = []announcement.Lane{announcement.Emergency, announcement.Routine}

// Outcome says what becomes of a job: done, or again after a while. One that is broken
// comes again too, but not for ever: then it is stuck.
type Outcome struct {
	Again  bool
	After  time.Duration
	Broken StuckWhy // the attempt did not come to its end, because of the job
	Place  string   // where in our source; see Stuck
}

// Tracker is what dispatch asks of the tracker. Answers reflect everything in
// the ledger at the time of the call to Settled.
type Tracker interface {
	// Round returns a round that was decided, or an error if it is not known.
	Round(ctx context.Context, id announcement.ID, round int64) (announcement.Round, error)
	// Settled returns, for targets [lo, hi), which were already called on this
	// channel in this round (fact Called). It first catches up with the ledger.
	Settled(ctx context.Context, id announcement.ID, round int64, c announcement.Channel, lo, hi int) (settled []bool, err error)
	// MayCall reports whether target n of the round may be called on the channel now: it
	// was not already, since Settled was asked, the
	// announcement is open (or the round is a closing word), and a recipient of an
	// OnlyOutstanding round is still outstanding, one of an OnlyCalled round was
	// called. why names the reason when not.
	MayCall(ctx context.Context, r announcement.Round, c announcement.Channel, n int) (ok bool, why string, err error)
	// Joined returns the recipients [lo, hi) whom a fact of the kind joined added, the
	// i-th of the record at seq; ok is false while that is not known yet.
	Joined(id announcement.ID, seq uint64, i int) (lo, hi int, ok bool)
	// Quiet returns for how long target n of the round must not be called because it
	// is night where they are; 0: not at all.
	Quiet(r announcement.Round, n int) time.Duration
}

// People looks up contact points right before a call.
type People interface {
	// ContactPoints returns them, or ok false for somebody unknown or inactive.
	ContactPoints(p announcement.PersonID) (to announcement.ContactPoints, lang announcement.Language, ok bool)
	// Retire marks contact points that are gone for good.
	Retire(ctx context.Context, p announcement.PersonID, ids []string) error
	// StopSMS marks a person's number as one that wants no SMS, as the provider
	// says of it.
	StopSMS(ctx context.Context, p announcement.PersonID, stopped bool) error
}

// Composer writes the message for one target.
type Composer interface {
	Compose(r announcement.Round, n int, lang announcement.Language) announcement.Message
}
