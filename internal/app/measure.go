package app

import (
	"context"
	"slices"
	"strings"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/sms"
	"kentongan/internal/web"
)

// blankLine stands in an SMS for a blank that nobody has filled yet: as long as
// the longest assembly point that a text leaves room for.
var blankLine = strings.Repeat("_", 16)

// CountSMS measures the SMS of a draft while it is written. An empty place
// counts as the longest name in the directory: what fits there fits everywhere.
func (d *desk) CountSMS(_ context.Context, draft web.Draft) (map[announcement.Language]web.SMSCount, error) {
	a := &announcement.Announcement{
		Mode: draft.Mode, Severity: draft.Severity, Answers: draft.Answers, Text: draft.Text, Template: draft.Template,
		Zone: d.config.Zone, At: d.now().UTC(),
	}
	written, longest := map[announcement.Language]string{}, ""
	for lang, t := range draft.Text {
		written[lang] = t.SMS
		if t.SMS == "" {
			written[lang] = t.Title + " " + t.Body
		}
	}
	if draft.Template != "" {
		fields := map[string]string{}
		for name, value := range draft.Fields {
			if value = strings.TrimSpace(value); value != "" {
				fields[name] = value
			}
		}
		for _, t := range d.catalogue.Templates() {
			if t.Key != draft.Template {
				continue
			}
			for _, name := range t.Fields {
				if fields[name] != "" {
					continue
				}
				if fields[name] = blankLine; name == "site" {
					longest = d.longestSite()
					fields[name] = longest
				}
			}
		}
		text, severity, answers, err := d.catalogue.Fill(draft.Template, draft.Mode, fields, a.At, a.Zone)
		if err != nil {
			return nil, err
		}
		a.Text, a.Severity, a.Answers = text, severity, answers
		for lang := range text {
			for _, value := range draft.Fields {
				written[lang] += value
			}
		}
	}
	counts := map[announcement.Language]web.SMSCount{}
	for lang := range a.Text {
		text := d.catalogue.Whole(a, announcement.Saying{Kind: announcement.SayAlert, Language: lang, Org: d.config.OrgName,
			Link: d.config.anybodys(), TwoWay: d.twoWay(), Now: a.At})
		m := sms.Measure(text)
		counts[lang] = web.SMSCount{Text: text, Do: strings.ReplaceAll(a.Text[lang].PushBody, "{org}", d.config.OrgName), Units: m.Units, Limit: m.Limit, Segments: m.Segments, Over: announcement.OverOneSMS(text),
			Awkward: announcement.AwkwardIn(written[lang]), Longest: longest}
	}
	return counts, nil
}

// longestSite is the longest name of a site that a text may have to hold.
func (d *desk) longestSite() string {
	longest := blankLine
	if sites := d.Sitelist(); len(sites) > 0 {
		longest = slices.MaxFunc(sites, func(a, b web.Choice) int { return len([]rune(a.Name)) - len([]rune(b.Name)) }).Name
	}
	return longest
}

// shownExcluded is how many names of people left out a page lists.
const shownExcluded = 200

// excluded are the people whom an audience would hold without its exception.
func (d *desk) excluded(a announcement.Audience) []web.Name {
	if a.Except == nil {
		return nil
	}
	without, err := d.directory.Remaining(*a.Except)
	if err != nil {
		return nil
	}
	a.Except = nil
	all, err := d.directory.Remaining(a)
	if err != nil {
		return nil
	}
	chosen := make(map[announcement.PersonID]bool, len(all.Roster.Recipients))
	for _, r := range all.Roster.Recipients {
		chosen[r.Person] = true
	}
	var names []web.Name
	for _, r := range without.Roster.Recipients {
		if chosen[r.Person] && len(names) < shownExcluded {
			names = append(names, d.name(r.Person))
		}
	}
	return names
}
