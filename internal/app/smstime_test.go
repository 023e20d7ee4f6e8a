package app

import (
	"testing"
	"time"
)

// Fifty thousand people and a sender of twelve messages a second: the last SMS goes out an
// hour later, and whoever sends reads that before.
func TestHowLongSMSTake(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		segments, rate int
		want           time.Duration
	}{
		{50_000, 12, 70 * time.Minute},
		{100_000, 12, 139 * time.Minute}, // two messages each
		{50_000, 0, 0},                   // as fast as the provider takes them
		{1_440, 12, 0},                   // two minutes: nobody has to be told
		{1_441, 12, 3 * time.Minute},
		{0, 12, 0},
	} {
		if got := smsTime(tc.segments, tc.rate); got != tc.want {
			t.Errorf("%d messages at %d a second: got %s, want %s", tc.segments, tc.rate, got, tc.want)
		}
	}
}
