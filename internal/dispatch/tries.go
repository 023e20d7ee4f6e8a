package dispatch

import (
	"math/rand/v2"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
)

const (
	maxTries   = 8 // of a call that keeps failing for a while
	maxDoubts  = 2 // of a call that may have gone through: one retry
	maxBackoff = time.Minute

	// operatorWait is the pace while somebody must mend a key or a setting.
	operatorWait = 30 * time.Second
	// rateWait is the pause when a provider says "too many" but not for how long,
	// and maxPause the longest pause it can ask for: after that it is asked again.
	rateWait = time.Second
	maxPause = 5 * time.Minute

	forgetAfter = time.Hour // a job that this node has not seen for so long is another node's
)

// tries remembers the failed calls of unfinished jobs on this node. It is lost
// in a crash, which costs more tries, never fewer.
type tries struct {
	mu   sync.Mutex
	jobs map[string]*jobTries
}

type jobTries struct {
	touched time.Time
	targets map[int]try
}

// try is what is known about one target's calls so far.
type try struct {
	count     int       // failed tries
	doubts    int       // of these, without knowing whether the provider took it
	doubted   time.Time // when the first of those began
	notBefore time.Time // when to try next
	apart     bool      // it goes on as a job of its own
}

func newTries() *tries { return &tries{jobs: map[string]*jobTries{}} }

// of returns what is known about a target of the job.
func (t *tries) of(job string, n int) try {
	t.mu.Lock()
	defer t.mu.Unlock()
	if j := t.jobs[job]; j != nil {
		return j.targets[n]
	}
	return try{}
}

// note remembers a target's tries.
func (t *tries) note(job string, n int, now time.Time, v try) {
	t.mu.Lock()
	defer t.mu.Unlock()
	j := t.jobs[job]
	if j == nil {
		for id, old := range t.jobs {
			if now.Sub(old.touched) > forgetAfter {
				delete(t.jobs, id)
			}
		}
		j = &jobTries{targets: map[int]try{}}
		t.jobs[job] = j
	}
	j.touched = now
	j.targets[n] = v
}

// forget drops a finished job.
func (t *tries) forget(job string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.jobs, job)
}

// after returns what is known after one more failure, and whether to give up.
//
// Only failures that may be the message's own fault are counted towards giving
// up. A provider that is busy, or that an operator must set right, is asked
// until the message expires. So is one that can be asked what it took, whatever keeps
// it from taking this: it is for its circuit to say that it is down.
func (v try) after(now time.Time, failure *channel.Error, canAsk bool) (next try, giveUp bool) {
	v.count++
	wait := backoff(v.count)
	if canAsk && outage(failure) {
		if failure.Reason == channel.Ambiguous {
			v.doubts++
		}
		v.notBefore = now.Add(wait)
		return v, false
	}
	switch failure.Reason {
	case channel.RateLimited:
		v.count-- // the message was not looked at
		wait = rateLimit(failure)
	case channel.Unauthorized, channel.Misconfigured:
		v.count--
		wait = jitter(operatorWait)
	case channel.Ambiguous:
		v.doubts++
		giveUp = v.doubts >= maxDoubts
	}
	v.notBefore = now.Add(wait)
	return v, giveUp || v.count >= maxTries || !failure.Reason.Retry()
}

// backoff returns how long to wait after the n-th failure: 1 s, doubling, at
// most a minute, and up to a quarter more so that nodes do not march in step.
func backoff(n int) time.Duration {
	d := maxBackoff
	if n < 7 {
		d = min(maxBackoff, time.Second<<max(0, n-1))
	}
	return jitter(d)
}

func jitter(d time.Duration) time.Duration { return d + rand.N(d/4+1) }

// rateLimit returns how long the provider asks us to wait.
func rateLimit(e *channel.Error) time.Duration {
	if e.RetryAfter <= 0 {
		return jitter(rateWait)
	}
	return jitter(min(e.RetryAfter, maxPause))
}

// pauses holds the channels whose provider asked this node to wait.
type pauses struct {
	mu    sync.Mutex
	until map[announcement.Channel]time.Time
}

func newPauses() *pauses { return &pauses{until: map[announcement.Channel]time.Time{}} }

func (p *pauses) pause(c announcement.Channel, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.until[c]) {
		p.until[c] = until
	}
}

// left returns how much longer the channel waits; 0 if it does not.
func (p *pauses) left(c announcement.Channel, now time.Time) time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(0, p.until[c].Sub(now))
}
