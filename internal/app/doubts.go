package app

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/directory"
	"kentongan/internal/web"
)

// What makes a person look twice before they send: an audience far larger than
// usual, the same alert a moment ago, the middle of somebody's night, a provider that
// is down, and what it costs.

const (
	repeatWithin = 15 * time.Minute
	repeatShare  = 80 // percent of the people
	usualOf      = 5  // announcements
)

// compare looks at the announcements before this one.
func (d *desk) compare(p *web.Preview, draft web.Draft, resolved *directory.Resolution) {
	chosen := make(map[announcement.PersonID]bool, len(resolved.Roster.Recipients))
	for _, r := range resolved.Roster.Recipients {
		chosen[r.Person] = true
	}
	seen := 0
	for _, id := range d.tracker.IDs() {
		v, ok := d.tracker.View(id)
		if !ok || draft.Template == "" || v.Announcement.Template != draft.Template || v.Announcement.Mode != draft.Mode {
			continue
		}
		if n := len(v.Roster.Recipients); seen < usualOf {
			p.Usual[1] = max(p.Usual[1], n)
			if seen == 0 || n < p.Usual[0] {
				p.Usual[0] = n
			}
			seen++
		}
		if p.Repeats != nil || d.now().Sub(v.OpenedAt) > repeatWithin || v.ClosedAs == announcement.AsCorrected {
			continue
		}
		again := 0
		for _, r := range v.Roster.Recipients {
			if chosen[r.Person] {
				again++
			}
		}
		if share := again * 100 / max(len(chosen), 1); share >= repeatShare {
			p.Repeats = &web.Repeat{ID: id, At: v.OpenedAt, Share: share}
		}
	}
}

// judgeProviders says who would be reached by nothing that works now.
func (d *desk) judgeProviders(p *web.Preview, resolved *directory.Resolution) {
	p.Failing = map[announcement.Channel]string{}
	for c, why := range d.providers.failing() {
		if slices.Contains(p.Announcement.Channels, c) {
			p.Failing[c] = why
		}
	}
	if len(p.Failing) == 0 {
		return
	}
	p.Hit = map[announcement.Channel]web.Hit{}
	for _, r := range resolved.Roster.Recipients {
		works := slices.ContainsFunc(r.Reach, func(c announcement.Channel) bool {
			return c != announcement.InApp && p.Failing[c] == "" && slices.Contains(p.Announcement.Channels, c)
		})
		for _, c := range r.Reach {
			hit := p.Hit[c]
			switch {
			case p.Failing[c] == "":
				continue
			case works:
				hit.Others++
			default:
				hit.Nothing++
			}
			p.Hit[c] = hit
		}
	}
}

// reckonSMS says of the SMS of the first round, each in its person's own language, what
// they cost and how long they take.
func (d *desk) reckonSMS(p *web.Preview, resolved *directory.Resolution) {
	if !slices.Contains(p.Announcement.Channels, announcement.SMS) {
		return
	}
	segments := 0
	for _, r := range resolved.Roster.Recipients {
		if _, lang, _ := p.Announcement.In(r.Language); slices.Contains(r.Reach, announcement.SMS) {
			segments += p.SMS[lang].Segments
		}
	}
	p.SMSTime = smsTime(segments, d.config.SMSRate)
	if d.config.SMSPrice > 0 {
		p.Segments, p.Cost = segments, money(d.config.Currency, segments*d.config.SMSPrice)
	}
}

// soonSent is so short that nobody has to be told how long SMS take.
const soonSent = 2 * time.Minute

// smsTime is how long so many messages take at a rate a second, in full minutes: nobody
// who reads it before an alert needs more. 0: a moment, or as fast as the provider takes them.
func smsTime(segments, rate int) time.Duration {
	if rate <= 0 {
		return 0
	}
	took := time.Duration(segments) * time.Second / time.Duration(rate)
	if took <= soonSent {
		return 0
	}
	return (took + time.Minute - 1).Truncate(time.Minute)
}

// money writes an amount as people in Indonesia do: Rp 416.500.
func money(currency string, amount int) string {
	digits := fmt.Sprint(amount)
	var groups []string
	for len(digits) > 3 {
		groups = append(groups, digits[len(digits)-3:])
		digits = digits[:len(digits)-3]
	}
	groups = append(groups, digits)
	slices.Reverse(groups)
	return currency + " " + strings.Join(groups, ".")
}
