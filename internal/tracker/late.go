package tracker

import "time"

// Applied returns the position of the ledger up to which this node and its store
// reflect it.
func (t *Tracker) Applied() uint64 {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.seq
}

// Overdue returns for how long the most delayed step of an open announcement ought
// to have been taken; 0 when none is late. A tick is no delay worth a word, so
// whoever raises an alarm waits for more.
func (t *Tracker) Overdue() time.Duration {
	now, late := t.o.Now(), time.Duration(0)
	for _, id := range t.open() {
		t.mu.RLock()
		at, _, left := t.entries[id].due()
		t.mu.RUnlock()
		if left {
			late = max(late, now.Sub(at))
		}
	}
	return late
}
