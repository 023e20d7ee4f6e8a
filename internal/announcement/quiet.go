package announcement

import (
	"fmt"
	"strings"
	"time"
)

// Class says whether an announcement may wake people. An emergency calls everybody at
// once. A notice waits for each person's own morning, by the clock on their own wall;
// whoever opens their page at night finds it there.
type Class string

const (
	ClassEmergency Class = "emergency"
	ClassNotice    Class = "notice"
)

// ClassOf returns the class that goes with a severity unless somebody chooses: what
// endangers nobody wakes nobody. A drill follows the severity that it practises.
func ClassOf(s Severity) Class {
	if s == Moderate || s == Info {
		return ClassNotice
	}
	return ClassEmergency
}

// QuietHours are the hours of the day in which a notice calls nobody: from From until
// just before To. They may contain midnight. With From equal to To there are none.
type QuietHours struct {
	From, To int // minutes since midnight, by the clock on the wall
}

// DefaultQuietHours are those of people who work by day.
var DefaultQuietHours = QuietHours{From: 21 * 60, To: 6 * 60}

// ParseQuietHours reads "21:00-06:00"; "none" are no quiet hours.
func ParseQuietHours(s string) (QuietHours, error) {
	var q QuietHours
	if strings.TrimSpace(s) == "none" {
		return q, nil
	}
	from, to, _ := strings.Cut(s, "-")
	for _, one := range []struct {
		text string
		into *int
	}{{from, &q.From}, {to, &q.To}} {
		at, err := time.Parse("15:04", strings.TrimSpace(one.text))
		if err != nil {
			return QuietHours{}, fmt.Errorf("%q is not like 21:00-06:00, nor none", s)
		}
		*one.into = at.Hour()*60 + at.Minute()
	}
	if q.From == q.To {
		return QuietHours{}, fmt.Errorf("%q leaves no hour to call anybody, or none that is quiet: write none for no quiet hours", s)
	}
	return q, nil
}

func (q QuietHours) String() string {
	if q.From == q.To {
		return "none"
	}
	return fmt.Sprintf("%02d:%02d-%02d:%02d", q.From/60, q.From%60, q.To/60, q.To%60)
}

// IsZero reports whether there are no quiet hours.
func (q QuietHours) IsZero() bool { return q.From == q.To }

// MarshalText and UnmarshalText carry it as ParseQuietHours reads it.
func (q QuietHours) MarshalText() ([]byte, error) { return []byte(q.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (q *QuietHours) UnmarshalText(b []byte) (err error) {
	*q, err = ParseQuietHours(string(b))
	return err
}

// Contain reports whether t is within the quiet hours of a zone.
func (q QuietHours) Contain(t time.Time, zone string) bool {
	there := t.In(Location(zone))
	at := there.Hour()*60 + there.Minute()
	switch {
	case q.From < q.To:
		return q.From <= at && at < q.To
	case q.From > q.To: // they contain midnight
		return at >= q.From || at < q.To
	}
	return false
}

// End returns t when it is not within the quiet hours of a zone, else the first
// minute after that is not.
//
// It looks at every minute: when the clocks are put forward or back, an hour of the
// wall does not exist or comes twice, and no sum of hours is right on each of these
// nights. Quiet hours are less than a day, and a clock is put back by an hour or two.
func (q QuietHours) End(t time.Time, zone string) time.Time {
	if !q.Contain(t, zone) {
		return t
	}
	at := t.Truncate(time.Minute)
	for range 27 * 60 {
		at = at.Add(time.Minute)
		if !q.Contain(at, zone) {
			break
		}
	}
	return at
}
