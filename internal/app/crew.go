package app

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"kentongan/internal/announcement"
	"kentongan/internal/web"
)

// maxCrew is the most people that a manager's enrolment board lists: more do not
// stand around one person at a meeting.
const maxCrew = 200

// Crew shows a manager how far their people have come with connecting their
// phones, those who have not begun first. ErrNotFound: they lead nobody.
func (d *desk) Crew(_ context.Context, device string) (web.Crew, error) {
	p, _, err := d.deviceOf(device)
	if err != nil {
		return web.Crew{}, err
	}
	who, _ := d.directory.Person(p)
	resolved, err := d.directory.Resolve(announcement.Audience{Under: []string{who.Number}})
	if err != nil {
		return web.Crew{}, web.ErrNotFound
	}
	d.saw(announcement.ByPerson(p), announcement.TeamViewed, announcement.About{By: "phone"})
	crew := web.Crew{Manager: cmp.Or(who.Given, who.Name), Language: who.Language}
	for _, r := range resolved.Roster.Recipients {
		if r.Person == p {
			continue
		}
		m, ok := d.directory.Person(r.Person)
		if !ok {
			continue
		}
		e := d.enrolled(r.Person)
		one := web.CrewMember{Name: m.Name, Number: m.Number, Connected: e.Connected, Push: e.Push, Arrived: e.Arrived}
		crew.People++
		if e.Connected {
			crew.Connected++
		} else {
			one.Code, one.Until = d.approvalCode(r.Person)
		}
		crew.Members = append(crew.Members, one)
	}
	if crew.People == 0 {
		return web.Crew{}, web.ErrNotFound
	}
	slices.SortStableFunc(crew.Members, func(a, b web.CrewMember) int {
		return cmp.Or(cmp.Compare(a.Steps(), b.Steps()), strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)))
	})
	crew.Members = crew.Members[:min(len(crew.Members), maxCrew)]
	return crew, nil
}
