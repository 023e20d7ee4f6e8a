package app

import (
	"hash/maphash"
	"sync"
)

// presses knows what was pressed a moment ago, so that a second click, a reload
// or a phone that was not sure is one line of the story and not two. The state
// needs no such help: there a press counts once in any case. It is of this node
// and forgets.
type presses struct {
	lanes [256]sync.Mutex // one request at a time per press, others beside it
	mu    sync.Mutex
	done  map[string]bool
	older map[string]bool
}

// pressesKept bounds what is remembered; twice as many at most.
const pressesKept = 50_000

var pressSeed = maphash.MakeSeed()

// once runs record unless the same press was recorded before.
func (p *presses) once(key string, record func() error) error {
	lane := &p.lanes[maphash.String(pressSeed, key)%uint64(len(p.lanes))]
	lane.Lock()
	defer lane.Unlock()
	p.mu.Lock()
	known := p.done[key] || p.older[key]
	p.mu.Unlock()
	if known {
		return nil
	}
	if err := record(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.done == nil || len(p.done) >= pressesKept {
		p.done, p.older = map[string]bool{}, p.done
	}
	p.done[key] = true
	return nil
}
