package dispatch

import (
	"context"
	"slices"
	"sync"

	"kentongan/internal/announcement"
)

// slots bounds calls that are on their way on this node: sent, or about to
// be, and not yet durable in the ledger. That number is what a crash repeats.
//
// Every emergency channel has a small reserve that nobody else can hold, so a
// provider that answers slowly cannot keep the others waiting, and routine
// traffic cannot keep an emergency waiting. Beyond the reserves, emergency goes
// first.
type slots struct {
	mu      sync.Mutex
	free    int
	classes []*class // emergency before routine
}

// class is the traffic of one channel in one lane.
type class struct {
	lane    announcement.Lane
	channel announcement.Channel
	reserve int
	held    int
	waiting []chan struct{} // closed when the slot is theirs, first come first served
}

func newSlots(n int, channels []announcement.Channel) *slots {
	s := &slots{free: n}
	for _, lane := range Lanes {
		for _, c := range channels {
			k := &class{lane: lane, channel: c}
			if lane == announcement.Emergency {
				k.reserve = n / 8
			}
			s.classes = append(s.classes, k)
		}
	}
	return s
}

// acquire waits for a slot and returns what gives it back, or ctx's error.
func (s *slots) acquire(ctx context.Context, lane announcement.Lane, c announcement.Channel) (release func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	i := slices.IndexFunc(s.classes, func(k *class) bool { return k.lane == lane && k.channel == c })
	k := s.classes[i]
	granted := make(chan struct{})
	k.waiting = append(k.waiting, granted)
	s.admit()
	s.mu.Unlock()

	release = sync.OnceFunc(func() { s.release(k) })
	select {
	case <-granted:
		return release, nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	at := slices.Index(k.waiting, granted)
	if at >= 0 {
		k.waiting = slices.Delete(k.waiting, at, at+1)
	}
	s.mu.Unlock()
	if at < 0 { // granted at the same moment
		release()
	}
	return nil, ctx.Err()
}

func (s *slots) release(k *class) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.held--
	s.free++
	s.admit()
}

// admit gives free slots to those who wait. The caller holds mu.
func (s *slots) admit() {
	for _, k := range s.classes {
		for len(k.waiting) > 0 && s.free > s.keptFrom(k) {
			close(k.waiting[0])
			k.waiting = k.waiting[1:]
			k.held++
			s.free--
		}
	}
}

// keptFrom returns how many free slots the others' reserves keep from k.
func (s *slots) keptFrom(k *class) int {
	n := 0
	for _, other := range s.classes {
		if other != k {
			n += max(0, other.reserve-other.held)
		}
	}
	return n
}
