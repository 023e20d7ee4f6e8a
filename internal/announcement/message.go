package announcement

import "time"

// Message is what one person gets in one round, in every channel's form. Each
// channel takes the parts it shows.
type Message struct {
	Announcement ID
	Round        int64
	Kind         MessageKind
	Version      int // of the announcement's text; 0 and 1 are the first
	Mode         Mode
	Severity     Severity
	Answers      Answers
	Lane         Lane
	Language     Language
	Title        string // push and in-app title
	Body         string // push and in-app body
	SMS          string // complete text, one GSM-7 segment where the words allow it
	Link         string // absolute URL of the personal page
	Token        string // the personal token in Link, for the buttons of a notification; empty for messages without buttons
	Asks         bool   // whether the notification carries answer buttons
	Silent       bool   // a notification makes no sound and does not shake the phone
	Second       bool   // goes through the second SMS provider
	Sent         time.Time
	Expires      time.Time // after this a channel must not deliver it any more
}
