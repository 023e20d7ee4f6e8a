package announcement

import (
	"encoding/json"
	"testing"
	"time"
)

func TestQuietHoursEnd(t *testing.T) {
	night, lunch, early := QuietHours{21 * 60, 6 * 60}, QuietHours{12 * 60, 13 * 60}, QuietHours{22 * 60, 2*60 + 30}
	for name, row := range map[string]struct {
		quiet    QuietHours
		zone     string
		at, want string // UTC
	}{
		"by day nobody waits":                       {night, "Asia/Jakarta", "2026-03-10T05:00:00Z", "2026-03-10T05:00:00Z"},
		"before midnight until the next morning":    {night, "Asia/Jakarta", "2026-03-10T16:30:10Z", "2026-03-10T23:00:00Z"},
		"after midnight until the same morning":     {night, "Asia/Jakarta", "2026-03-10T17:30:00Z", "2026-03-10T23:00:00Z"},
		"midnight itself":                           {night, "Asia/Jakarta", "2026-03-10T17:00:00Z", "2026-03-10T23:00:00Z"},
		"the first minute is quiet":                 {night, "Asia/Jakarta", "2026-03-10T14:00:00Z", "2026-03-10T23:00:00Z"},
		"the minute before is not":                  {night, "Asia/Jakarta", "2026-03-10T13:59:59Z", "2026-03-10T13:59:59Z"},
		"the last second is quiet":                  {night, "Asia/Jakarta", "2026-03-10T22:59:59Z", "2026-03-10T23:00:00Z"},
		"the end is not":                            {night, "Asia/Jakarta", "2026-03-10T23:00:00Z", "2026-03-10T23:00:00Z"},
		"the last night of a year":                  {night, "Asia/Jakarta", "2026-12-31T16:00:00Z", "2026-12-31T23:00:00Z"},
		"hours within a day":                        {lunch, "Asia/Jakarta", "2026-03-10T05:30:00Z", "2026-03-10T06:00:00Z"},
		"the night is none of these":                {lunch, "Asia/Jakarta", "2026-03-10T20:00:00Z", "2026-03-10T20:00:00Z"},
		"no quiet hours":                            {QuietHours{}, "Asia/Jakarta", "2026-03-10T18:00:00Z", "2026-03-10T18:00:00Z"},
		"Kiritimati, UTC+14":                        {night, "Pacific/Kiritimati", "2026-03-10T08:00:00Z", "2026-03-10T16:00:00Z"},
		"UTC-12":                                    {night, "Etc/GMT+12", "2026-03-10T10:00:00Z", "2026-03-10T18:00:00Z"},
		"Kathmandu, three quarters of an hour":      {night, "Asia/Kathmandu", "2026-03-10T20:00:00Z", "2026-03-11T00:15:00Z"},
		"Berlin in winter":                          {night, "Europe/Berlin", "2026-01-10T22:00:00Z", "2026-01-11T05:00:00Z"},
		"Berlin, the night the clocks go forward":   {night, "Europe/Berlin", "2026-03-28T21:00:00Z", "2026-03-29T04:00:00Z"},
		"Berlin, the night the clocks go back":      {night, "Europe/Berlin", "2026-10-24T20:00:00Z", "2026-10-25T05:00:00Z"},
		"New York, the night the clocks go forward": {night, "America/New_York", "2026-03-08T04:00:00Z", "2026-03-08T10:00:00Z"},
		"New York, the night the clocks go back":    {night, "America/New_York", "2026-11-01T03:00:00Z", "2026-11-01T11:00:00Z"},
		"an end that does not exist that night":     {early, "Europe/Berlin", "2026-03-28T22:00:00Z", "2026-03-29T01:00:00Z"}, // 02:30 is skipped: 03:00
		"an end that comes twice counts at once":    {early, "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T00:30:00Z"},
		"… and the hour that comes again is quiet":  {early, "Europe/Berlin", "2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z"},
		"Lord Howe, put forward by half an hour":    {night, "Australia/Lord_Howe", "2026-10-03T14:00:00Z", "2026-10-03T19:00:00Z"},
		"an unknown zone is that of Jakarta":        {night, "Nowhere/Land", "2026-03-10T16:30:00Z", "2026-03-10T23:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			at, _ := time.Parse(time.RFC3339, row.at)
			want, err := time.Parse(time.RFC3339, row.want)
			if err != nil {
				t.Fatal(err)
			}
			got := row.quiet.End(at, row.zone)
			if !got.Equal(want) {
				t.Errorf("got %s, want %s", got.UTC().Format(time.RFC3339), row.want)
			}
			if row.quiet.Contain(got, row.zone) {
				t.Error("the end is quiet itself")
			}
		})
	}
}

// Whatever the night, nobody is called in it, nobody waits longer than it lasts, and
// the minute before the end is quiet.
func TestQuietHoursEndOnEveryNight(t *testing.T) {
	for _, zone := range []string{"Asia/Jakarta", "Europe/Berlin", "America/New_York", "America/Santiago", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"} {
		for _, q := range []QuietHours{{21 * 60, 6 * 60}, {0, 6 * 60}, {23*60 + 30, 2*60 + 15}, {1 * 60, 23 * 60}} {
			for at := time.Date(2026, 1, 1, 0, 7, 30, 0, time.UTC); at.Year() == 2026; at = at.Add(5 * time.Hour) {
				end := q.End(at, zone)
				switch quiet := q.Contain(at, zone); {
				case !quiet && !end.Equal(at):
					t.Fatalf("%s %s: %s is not quiet, and waits until %s", zone, q, at, end)
				case quiet && (!end.After(at) || end.Sub(at) > 24*time.Hour || q.Contain(end, zone) || !q.Contain(end.Add(-time.Minute), zone)):
					t.Fatalf("%s %s: %s waits until %s", zone, q, at, end)
				}
			}
		}
	}
}

func TestParseQuietHours(t *testing.T) {
	for text, want := range map[string]QuietHours{"21:00-06:00": {1260, 360}, " 22:30 - 05:45 ": {1350, 345}, "none": {}} {
		got, err := ParseQuietHours(text)
		if err != nil || got != want {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
		var back QuietHours
		if b, err := json.Marshal(got); err != nil || json.Unmarshal(b, &back) != nil || back != got {
			t.Errorf("%q does not come back from JSON: %s, %v", text, b, err)
		}
	}
	for _, text := range []string{"", "21-6", "21:00", "25:00-06:00", "21:00-21:00", "night"} {
		if got, err := ParseQuietHours(text); err == nil {
			t.Errorf("%q: got %v, want a refusal", text, got)
		}
	}
}
