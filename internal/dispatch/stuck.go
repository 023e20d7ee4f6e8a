package dispatch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// What is given up here is given up in sight: a job that nobody can work on leaves its
// line, so that the others go on, and waits in a list until a person has had it tried
// again or has dropped it. Elsewhere that is called a dead-letter list.
//
// The queue itself gives nothing up: no age, no size and no number of deliveries ends a
// job (MaxDeliver is -1), because a provider that is down for a weekend brings a job back
// thousands of times and is no fault of it. So there are no advisories to be listened for,
// and none to be missed. What counts is only an attempt that did not come to its end: the
// worker panicked, or the process was gone.

// ErrNotStuck says that no such job is in the list.
var ErrNotStuck = errors.New("no such stuck job")

// StuckWhy is why nobody works on a job any more.
type StuckWhy string

const (
	Unreadable StuckWhy = "unreadable" // it is no job that this version knows
	Panicked   StuckWhy = "panicked"   // the program failed at it, each time
	Crashed    StuckWhy = "crashed"    // the process ended while it was worked on, each time
	Unknown    StuckWhy = "unknown"    // its round is not known here, and does not become so
)

// Stuck is a job of that list. Like every job it names nobody.
type Stuck struct {
	ID        string    `json:"id"`
	Why       StuckWhy  `json:"why"`
	Place     string    `json:"place,omitempty"` // in our source, where the program failed
	Job       Job       `json:"job"`             // of an unreadable one only what its line says
	Attempts  int       `json:"attempts"`
	Published time.Time `json:"published"`
	At        time.Time `json:"at"`             // when it was set aside
	Data      []byte    `json:"data,omitempty"` // as it was published
}

const (
	// brokenMost is after how many attempts that did not come to their end a job is set
	// aside. Of attempts that a crash ended the first is not counted: it is not written
	// down that a job is begun for the first time, which nearly every job is only once.
	brokenMost = 3
	brokenWait = time.Second

	// roundMost is how often a job comes back because nobody knows its round: an hour,
	// at the pace of backoff.
	roundMost = 60
)

// stuckID names a job in the list: the same job always has the same name.
func stuckID(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:12])
}

// readJob reads a job of a line.
func readJob(at line, data []byte) (Job, error) {
	var j Job
	if err := json.Unmarshal(data, &j); err != nil {
		return Job{}, errors.New("not a job") // the cause may repeat what it read
	}
	if !j.Announcement.Valid() || j.Round < 0 || j.Lo < 0 || j.Hi <= j.Lo || (line{j.Lane, j.Channel}) != at {
		return Job{}, errors.New("a job of no range, or of another line")
	}
	return j, nil
}

// attempt calls fn. One job must not end the process, and with it the work on all others.
func attempt(ctx context.Context, fn func(context.Context, Job, int) Outcome, job Job, n int) (o Outcome) {
	defer func() {
		if v := recover(); v != nil {
			o = Outcome{Again: true, After: brokenWait, Broken: Panicked, Place: placeOf(v)}
		}
	}()
	return fn(ctx, job, n)
}

// placeOf says what a panic was and where. What it says itself may name a person.
func placeOf(v any) string {
	var counters [32]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(2, counters[:])])
	for panicked := false; ; {
		f, more := frames.Next()
		switch {
		case f.Function == "runtime.gopanic":
			panicked = true
		case panicked && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf("%T at %s/%s:%d", v, filepath.Base(filepath.Dir(f.File)), filepath.Base(f.File), f.Line)
		}
		if !more {
			return fmt.Sprintf("%T", v)
		}
	}
}

// alone lets the suspects of a lane run one after the other, so that a job that ends the
// process takes none of its neighbours with it into the list.
type alone map[announcement.Lane]chan struct{}

// aloneFor is how long a suspect has its lane for itself: what ends a process does so at
// once, and a job may wait for hours for its provider.
const aloneFor = 10 * time.Second

func newAlone() alone {
	a := alone{}
	for _, lane := range Lanes {
		a[lane] = make(chan struct{}, 1)
	}
	return a
}

// enter waits for the turn of a suspect; leave is to be called in any case.
func (a alone) enter(ctx context.Context, lane announcement.Lane) (leave func()) {
	select {
	case a[lane] <- struct{}{}:
	case <-ctx.Done():
		return func() {}
	}
	left := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTimer(aloneFor)
		defer t.Stop()
		select {
		case <-t.C:
		case <-left:
		}
		<-a[lane]
	}()
	return func() { close(left); <-done }
}
