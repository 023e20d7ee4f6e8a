package app

import (
	"sync"
	"time"
)

// replyLimit keeps two machines from texting each other for ever: one
// answer-back a minute and six an hour per number, one for the same text within
// ten seconds. A call for help is always answered, up to six an hour.
type replyLimit struct {
	mu    sync.Mutex
	past  map[string][]time.Time
	last  map[string]string
	daily map[string]time.Time // of strangers
	sent  map[string]time.Time // texts to one person, by number and text
}

func newReplyLimit() *replyLimit {
	return &replyLimit{past: map[string][]time.Time{}, last: map[string]string{}, daily: map[string]time.Time{}, sent: map[string]time.Time{}}
}

// firstToday reports whether this kind of answer is the number's first in 24 hours.
func (r *replyLimit) firstToday(from, kind string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.daily) > 100_000 {
		clear(r.daily)
	}
	key := kind + from
	if at, ok := r.daily[key]; ok && now.Sub(at) < 24*time.Hour {
		return false
	}
	r.daily[key] = now
	return true
}

// again reports whether this text went to this number less than a minute ago.
func (r *replyLimit) again(to, text string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.sent) > 10_000 {
		clear(r.sent)
	}
	if at, ok := r.sent[to+text]; ok && now.Sub(at) < time.Minute {
		return true
	}
	r.sent[to+text] = now
	return false
}

// failed lets a text that did not go out be tried again at once.
func (r *replyLimit) failed(to, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.sent, to+text)
}

func (r *replyLimit) allow(from, body string, help bool, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.past) > 100_000 { // bounded memory under a flood of numbers
		clear(r.past)
		clear(r.last)
	}
	var recent []time.Time
	for _, t := range r.past[from] {
		if now.Sub(t) < time.Hour {
			recent = append(recent, t)
		}
	}
	newest := time.Duration(1 << 62)
	if len(recent) > 0 {
		newest = now.Sub(recent[len(recent)-1])
	}
	same := r.last[from] == body && newest < 10*time.Second
	if len(recent) >= 6 || same || !help && newest < time.Minute {
		r.past[from] = recent
		return false
	}
	r.past[from], r.last[from] = append(recent, now), body
	return true
}
