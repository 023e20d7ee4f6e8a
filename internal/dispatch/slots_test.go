package dispatch

import (
	"testing"
	"testing/synctest"

	"kentongan/internal/announcement"
)

// Routine and one slow provider fill all they can; an emergency on another
// channel still finds a slot at once.
func TestReserveIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSlots(32, announcement.Channels)
		held := 0
		take := func(lane announcement.Lane, c announcement.Channel, n int) {
			for range n {
				go func() {
					if _, err := s.acquire(t.Context(), lane, c); err == nil {
						s.mu.Lock()
						held++
						s.mu.Unlock()
					}
				}()
			}
			synctest.Wait()
		}
		take(announcement.Routine, announcement.SMS, 40)
		if held != 20 {
			t.Errorf("routine holds %d, want 20: the emergency reserves are kept", held)
		}
		held = 0
		take(announcement.Emergency, announcement.SMS, 40)
		if held != 4 {
			t.Errorf("emergency SMS holds %d, want its reserve of 4", held)
		}
		held = 0
		take(announcement.Emergency, announcement.WebPush, 1)
		if held != 1 {
			t.Error("web push found no slot")
		}
	})
}
