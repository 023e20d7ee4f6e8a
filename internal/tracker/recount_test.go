package tracker

import (
	"errors"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/ledger"
)

// Somebody whom the working state wrongly holds for safe would never be looked for.
func TestAWrongCountDoesNotLast(t *testing.T) {
	for name, wrong := range map[string]func(*fold){
		"somebody counts as safe who said nothing": func(f *fold) { f.bits[bitSafe] = f.bits[bitSafe].with(2, true) },
		"a call for help is gone":                  func(f *fold) { f.bits[bitHelp] = f.bits[bitHelp].with(1, false) },
		"a delivery is counted twice":              func(f *fold) { f.counters["r:sms:1"]++ },
		"it is ahead of the ledger":                func(f *fold) { f.applied = 1_000_000 },
	} {
		t.Run(name, func(t *testing.T) {
			at := time.Now()
			l, s := ledger.NewMemory(time.Now), NewMemoryStore()
			open(t, l, at, 20)
			tr := house(t, l, s, time.Now)
			write(t, l, answer(0, announcement.Safe, at, "r0"), answer(1, announcement.NeedHelp, at, "r1"))
			before := counts(t, tr)
			s.mu.Lock()
			wrong(s.folds[fire])
			s.mu.Unlock()
			if err := tr.Recount(t.Context(), fire); !errors.Is(err, ErrMiscounted) {
				t.Errorf("got %v, want ErrMiscounted", err)
			}
			if after := counts(t, tr); after != before {
				t.Errorf("got %+v, want %+v", after, before)
			}
		})
	}
}
