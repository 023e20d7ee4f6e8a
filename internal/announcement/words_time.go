package announcement

import (
	"strings"
	"time"
	_ "time/tzdata" // a minimal container has no zone files, and a wrong hour misleads
)

// FormatTime shows a time of day as people at the site write it, with the
// zone: "14.05 WIB" in Indonesian, "14:05 WIB" otherwise. An empty or unknown
// zone is Asia/Jakarta.
func FormatTime(t time.Time, lang Language, zone string) string {
	place, err := time.LoadLocation(zone)
	if zone == "" || err != nil {
		if place, err = time.LoadLocation("Asia/Jakarta"); err != nil {
			place = time.FixedZone("WIB", 7*60*60)
		}
	}
	layout := "15:04"
	if wordsIn(lang) == Indonesian {
		layout = "15.04"
	}
	t = t.In(place)
	name := t.Format("MST")
	if strings.HasPrefix(name, "+") || strings.HasPrefix(name, "-") {
		name = "UTC" + name // zones without letters of their own
	}
	return t.Format(layout) + " " + name
}
