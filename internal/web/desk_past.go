package web

import (
	"time"

	"kentongan/internal/announcement"
)

// Outcome is what a report says beyond the counts.
type Outcome struct {
	Summary
	Called   int             // people called on any channel
	After    []time.Duration // from opening to the first own answer of each who answered, shortest first
	Via      map[announcement.Via]int
	Helps    int             // people who have called for help, resolved ones too
	Claimed  []time.Duration // from each call for help to somebody who handles it, shortest first
	Resolved int
	Until    time.Time // closed, or now
}

// PastFilter chooses announcements.
type PastFilter struct {
	Mode     announcement.Mode
	Site     string
	Template string
	From, To time.Time // opened in [From, To)
	Offset   int
	Limit    int
}

// PastPage is part of the history.
type PastPage struct {
	Total     int
	Summaries []Summary
}

// StoryFilter chooses lines of the timeline.
type StoryFilter struct {
	Kinds        []announcement.Kind // empty: all
	CallsForHelp bool                // and answers that call for help
	Offset       int
	Limit        int // 1..500
}

// StoryPage is part of the timeline, newest first.
type StoryPage struct {
	Total   int
	Entries []Entry
	Next    *int // offset of the next page
}

// Entry is one line of the timeline.
type Entry struct {
	Seq    uint64            `json:"seq"`
	At     time.Time         `json:"at"`
	Kind   announcement.Kind `json:"kind"`
	Actor  string            `json:"actor"`
	Person string            `json:"person,omitempty"` // employee number, where the fact is about one person
	Name   string            `json:"name,omitempty"`
	What   string            `json:"what"` // one plain sentence in English
	Reason string            `json:"reason,omitempty"`
	Count  int               `json:"count,omitempty"` // facts folded into this line

	ApprovedBy string `json:"approved_by,omitempty"` // of an announcement that needed a second person
	Alone      bool   `json:"sent_alone,omitempty"`  // … whom nobody was, so that its author sent it, for Reason
}
