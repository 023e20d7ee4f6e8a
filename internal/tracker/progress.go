package tracker

import (
	"fmt"
	"sync"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// progressEvery is how often it is said how far a long reading of the ledger is: long
// after a silence people begin to mend what works.
const progressEvery = time.Second

// progress knows how far the readings of the ledger are that this node is at: the one
// of a start, and of announcements whose working state was lost.
type progress struct {
	mu      sync.Mutex
	reading []*reading // the oldest first
}

// reading is one of them.
type reading struct {
	announcement announcement.ID // empty: all of them
	last, at     uint64          // positions: where it ends, and where it is
	facts        int
	begun, said  time.Time
	now          time.Time // when it came to at
}

// beginReading notes that the ledger is read up to last.
func (t *Tracker) beginReading(id announcement.ID, last uint64) *reading {
	now := t.o.Now()
	r := &reading{announcement: id, last: last, begun: now, said: now, now: now}
	t.progress.mu.Lock()
	defer t.progress.mu.Unlock()
	t.progress.reading = append(t.progress.reading, r)
	return r
}

// hasRead notes that a record was applied, and says once a second how far it is.
func (t *Tracker) hasRead(r *reading, rec ledger.Record) {
	t.progress.mu.Lock()
	defer t.progress.mu.Unlock()
	if r.at >= r.last {
		return // what comes now is new
	}
	r.at, r.now = rec.Seq, t.o.Now()
	r.facts += len(rec.Facts)
	ends := r.at >= r.last
	if ends {
		t.drop(r)
	}
	if r.now.Sub(r.said) < progressEvery && (!ends || r.said.Equal(r.begun)) {
		return // one that took less than a second is not worth a line
	}
	r.said = r.now
	t.o.Log.Info("reading the ledger", "step", "rebuild", "announcement", r.announcement, "applied", r.at, "last", r.last,
		"facts", r.facts, "facts_per_s", r.rate(), "took", r.now.Sub(r.begun).Round(time.Millisecond))
}

// endReading notes that it has ended, or was given up.
func (t *Tracker) endReading(r *reading) {
	t.progress.mu.Lock()
	defer t.progress.mu.Unlock()
	t.drop(r)
}

// drop takes r out. t.progress.mu is held.
func (t *Tracker) drop(r *reading) {
	for i, one := range t.progress.reading {
		if one == r {
			t.progress.reading = append(t.progress.reading[:i], t.progress.reading[i+1:]...)
			return
		}
	}
}

func (r *reading) rate() int {
	if took := r.now.Sub(r.begun).Seconds(); took > 0 {
		return int(float64(r.facts) / took)
	}
	return 0
}

// Rebuilding says how far the oldest reading of the ledger is; empty: there is none,
// and everything that is counted is counted.
func (t *Tracker) Rebuilding() string {
	t.progress.mu.Lock()
	defer t.progress.mu.Unlock()
	if len(t.progress.reading) == 0 {
		return ""
	}
	r := t.progress.reading[0]
	return fmt.Sprintf("%d of %d records, %d facts a second; nothing escalates from what is not whole", r.at, r.last, r.rate())
}
