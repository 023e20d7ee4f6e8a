package web

import (
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
)

// Before anything goes out, the sender reads whom it wakes, how often they did so this
// month, or who hears of it when; and chooses, where nobody is in danger.
func TestConfirmSaysWhomItWakes(t *testing.T) {
	t.Parallel()
	night := []Morning{{At: noon.Add(16 * time.Hour), Zone: "Asia/Jakarta", People: 12}, {At: noon.Add(21 * time.Hour), Zone: "Europe/Berlin", People: 3}}
	for name, tt := range map[string]struct {
		a     announcement.Announcement
		takes string
		want  []string
	}{
		"danger": {announcement.Announcement{Severity: announcement.Extreme, Class: announcement.ClassEmergency}, "step=preview",
			[]string{"Wakes 15 people: it is night for them.", "You have broken quiet hours 4 times this month; the budget is 3.", `name="typed"`}},
		"notice": {announcement.Announcement{Severity: announcement.Info, Class: announcement.ClassNotice}, "step=preview",
			[]string{"15 people in their quiet hours hear of it in their own morning: ", "(12)", "(3)", `name="typed"`}},
		"a notice that shall wake them": {announcement.Announcement{Severity: announcement.Info, Class: announcement.ClassNotice}, "step=preview&class=emergency",
			[]string{"Look twice before you send", "It is night for 15 people", "Let it wait for their morning"}},
		"… and then waits": {announcement.Announcement{Severity: announcement.Info, Class: announcement.ClassEmergency}, "step=wait",
			[]string{"hear of it in their own morning", `name="typed"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse()
			h.doubts = Preview{Mornings: night, Announcement: tt.a}
			s := compose(t, h)
			s.write("live")
			body := s.take(tt.takes).Body.String()
			for _, want := range tt.want {
				if !strings.Contains(body, want) {
					t.Errorf("the page does not say %q", want)
				}
			}
		})
	}
}
