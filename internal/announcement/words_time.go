package announcement

import (
	"strconv"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // a minimal container has no zone files, and a wrong hour misleads
)

// locations holds the zones in use: time.LoadLocation reads a file, and every
// message and page shows a time.
var locations sync.Map // name → *time.Location

// Location returns a time zone. An empty or unknown one is Asia/Jakarta.
func Location(zone string) *time.Location {
	if l, ok := locations.Load(zone); ok {
		return l.(*time.Location)
	}
	l, err := time.LoadLocation(zone)
	if zone == "" || err != nil {
		if l, err = time.LoadLocation("Asia/Jakarta"); err != nil {
			l = time.FixedZone("WIB", 7*60*60)
		}
		if zone != "" {
			return l // not kept: there is no end of unknown names
		}
	}
	locations.Store(zone, l)
	return l
}

// FormatDay shows a date as people at the site say it: "12 Mei", "12 May".
func FormatDay(t time.Time, lang Language, zone string) string {
	t = t.In(Location(zone))
	return strconv.Itoa(t.Day()) + " " + monthNames[wordsIn(lang)][t.Month()-1]
}

// FormatMonth shows a month without its year.
func FormatMonth(t time.Time, lang Language) string {
	return monthNames[wordsIn(lang)][t.Month()-1]
}

var monthNames = map[Language][12]string{
	English:    {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
	Indonesian: {"Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"},
}

// FormatTime shows a time of day as people at the site write it, with the
// zone: "14.05 WIB" in Indonesian, "14:05 WIB" otherwise. An empty or unknown
// zone is Asia/Jakarta.
func FormatTime(t time.Time, lang Language, zone string) string {
	layout := "15:04"
	if wordsIn(lang) == Indonesian {
		layout = "15.04"
	}
	t = t.In(Location(zone))
	name := t.Format("MST")
	if strings.HasPrefix(name, "+") || strings.HasPrefix(name, "-") {
		name = "UTC" + name // zones without letters of their own
	}
	return t.Format(layout) + " " + name
}
