package web

import (
	"slices"
	"time"
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
	if p.Quiet != nil {
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

// There is a time of day at the place of the alert.
func (v composeView) There(t time.Time) string { return v.ClockIn(t, v.Preview.Announcement.Zone) }
