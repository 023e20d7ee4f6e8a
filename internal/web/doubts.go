package web

import (
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// unusual is how many times the largest audience so far makes a person look twice.
const unusual = 10

// doubtsAbout are the reasons to look twice before sending. There are few, since
// a page that interrupts often is no longer read.
func doubtsAbout(p Preview) []string {
	var doubts []string
	if p.Usual[1] > 0 && p.Recipients >= unusual*p.Usual[1] {
		doubts = append(doubts, "usual")
	}
	if p.Repeats != nil {
		doubts = append(doubts, "repeat "+string(p.Repeats.ID))
	}
	if p.Wakes() && announcement.ClassOf(p.Announcement.Severity) == announcement.ClassNotice {
		doubts = append(doubts, "night")
	}
	return doubts
}

// unasked reports whether there is a doubt that the sender has not seen.
func unasked(c composing, p Preview) bool {
	return slices.ContainsFunc(doubtsAbout(p), func(d string) bool { return !slices.Contains(c.Asked, d) })
}

// Unusual reports whether far more people are about to be called than ever
// before with this template.
func (v composeView) Unusual() bool { return slices.Contains(doubtsAbout(v.Preview), "usual") }

// UsualSize is how many people the last announcements with this template went to:
// "40-120".
func (v composeView) UsualSize() string {
	least, most := v.Preview.Usual[0], v.Preview.Usual[1]
	if least == most {
		return v.N(most)
	}
	return v.N(least) + "-" + v.N(most)
}

// MinutesAgo is how long ago the alert went out that this one repeats.
func (v composeView) MinutesAgo() int { return int(v.Now.Sub(v.Preview.Repeats.At) / time.Minute) }

// AtNight reports whether people who are in no danger would be woken.
func (v composeView) AtNight() bool { return slices.Contains(doubtsAbout(v.Preview), "night") }

// MayWait reports whether the sender chooses between at once and everybody's own
// morning: where nobody is in danger.
func (v composeView) MayWait() bool {
	return announcement.ClassOf(v.Preview.Announcement.Severity) == announcement.ClassNotice
}

// Waits reports whether people hear of it in their own morning.
func (v composeView) Waits() bool { return v.Preview.Announcement.Class == announcement.ClassNotice }

// OverBudget says that the sender has broken quiet hours as often as the company
// thinks right; "" when not.
func (v composeView) OverBudget() string {
	if b := v.Budget; b.Allowed > 0 && b.Used >= b.Allowed {
		return v.T("You have broken quiet hours %s {time|times} this month; the budget is %s.", v.N(b.Used), v.N(b.Allowed))
	}
	return ""
}

// MorningList says when those who sleep hear of it: "06:00 WIB (12)".
func (v composeView) MorningList() string {
	var out []string
	for _, m := range v.Preview.Mornings {
		out = append(out, v.ClockIn(m.At, m.Zone)+" ("+v.N(m.People)+")")
	}
	return strings.Join(out, ", ")
}
