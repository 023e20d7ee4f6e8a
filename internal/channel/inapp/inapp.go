// Package inapp tells the pages that are open right now that something
// changed. A page that hears it asks for the state again: the hub carries
// topics, never content, so that nothing is lost when a page was not listening.
package inapp

import (
	"context"
	"sync"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
)

// Hub wakes the watchers of topics on this node. It is safe for concurrent use.
type Hub struct {
	mu       sync.Mutex
	watchers map[string]map[chan struct{}]struct{}
	count    int
	stopped  chan struct{}
	stop     sync.Once
}

// New returns a hub without watchers.
func New() *Hub {
	return &Hub{watchers: map[string]map[chan struct{}]struct{}{}, stopped: make(chan struct{})}
}

// PersonTopic is the topic of a person's own pages.
func PersonTopic(p announcement.PersonID) string { return "person:" + string(p) }

// Channel returns announcement.InApp.
func (*Hub) Channel() announcement.Channel { return announcement.InApp }

// Send wakes the open pages of the person. It is accepted also when none is
// open, if they have a device of their own: the inbox is read from the ledger
// whenever a page opens. Somebody without a device is not reached this way, and
// must not look as if they were.
func (h *Hub) Send(ctx context.Context, _ string, to announcement.ContactPoints, _ announcement.Message) (channel.Handed, error) {
	if err := ctx.Err(); err != nil {
		return channel.Handed{}, channel.Fail(channel.Temporary, "", "place in the inbox: %w", err)
	}
	if !h.wake(PersonTopic(to.Person)) && len(to.Subscriptions) == 0 {
		return channel.Handed{}, channel.Fail(channel.NoContactPoint, "", "no page is open and no device is known")
	}
	return channel.Handed{Rank: announcement.Accepted, Points: 1}, nil
}

// Watch returns a channel that gets a value after the topic was woken, at most
// one waiting: a slow reader never holds anybody up. It is closed when ctx ends
// or the hub stops.
func (h *Hub) Watch(ctx context.Context, topic string) <-chan struct{} {
	w := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	select {
	case <-h.stopped:
		close(w)
		return w
	default:
	}
	if h.watchers[topic] == nil {
		h.watchers[topic] = map[chan struct{}]struct{}{}
	}
	h.watchers[topic][w] = struct{}{}
	h.count++
	go func() {
		select {
		case <-ctx.Done():
		case <-h.stopped:
		}
		h.leave(topic, w)
	}()
	return w
}

func (h *Hub) leave(topic string, w chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers[topic], w)
	if len(h.watchers[topic]) == 0 {
		delete(h.watchers, topic)
	}
	h.count--
	close(w) // under the lock: Wake never sends on a closed channel
}

// Wake tells the watchers of the topics, without waiting for any.
func (h *Hub) Wake(topics ...string) {
	for _, topic := range topics {
		h.wake(topic)
	}
}

// wake reports whether anybody watches the topic.
func (h *Hub) wake(topic string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for w := range h.watchers[topic] {
		select {
		case w <- struct{}{}:
		default: // one is waiting already and says the same
		}
	}
	return len(h.watchers[topic]) > 0
}

// Stop closes every watch, now and later. Sending still works.
func (h *Hub) Stop() {
	h.stop.Do(func() {
		h.mu.Lock() // a Watch that has begun is either refused or sees the stop
		defer h.mu.Unlock()
		close(h.stopped)
	})
}

// Watching returns how many watches are open.
func (h *Hub) Watching() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.count
}
