package app

import (
	"context"
	"slices"
	"strings"

	"kentongan/internal/announcement"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// boards is what one principal may see of the house: of whom, and whether with
// numbers and people's own words. An announcement that concerns nobody whom they
// may see is not there for them.
type boards struct {
	*desk
	grant  web.Grant
	reader announcement.Actor                       // who wrote something reads it
	within func(announcement.PersonID, string) bool // by person and site; nil: everybody
}

// Boards is what a principal may see.
func (d *desk) Boards(p web.Principal) web.Boards { return d.boardsOf(p) }

func (d *desk) boardsOf(p web.Principal) boards {
	b := d.boards(p.Grant)
	b.reader = p.Actor
	return b
}

func (d *desk) boards(g web.Grant) boards {
	return boards{desk: d, grant: g, within: d.within(g.Sees)}
}

// whole is for the house itself, and for people who account for their own.
func (d *desk) whole() boards { return d.boards(web.As(web.Sender)) }

// within returns who is in a scope, nil for everybody. A site is the one that
// somebody had when the announcement was sent, by whatever name it went then.
func (d *desk) within(s web.Scope) func(announcement.PersonID, string) bool {
	if s.IsZero() {
		return nil
	}
	members := map[announcement.PersonID]bool{}
	for _, g := range s.Groups {
		for _, p := range d.directory.Members(g) {
			members[p.ID] = true
		}
	}
	sites := d.directory.SiteNames(s.Sites)
	return func(p announcement.PersonID, site string) bool {
		for _, one := range sites {
			if strings.EqualFold(one, site) {
				return true
			}
		}
		return members[p]
	}
}

// sees reports whether somebody is among those whom the principal may see.
func (b boards) sees(r announcement.Recipient) bool {
	return b.within == nil || b.within(r.Person, r.Site)
}

// seesPerson is sees for somebody outside of an announcement.
func (b boards) seesPerson(p announcement.PersonID) bool {
	if b.within == nil {
		return true
	}
	who, ok := b.directory.Person(p)
	return ok && b.within(p, who.Site)
}

// view returns an announcement that concerns somebody whom the principal may see.
func (b boards) view(ctx context.Context, id announcement.ID) (tracker.View, error) {
	v, err := b.desk.view(ctx, id)
	if err == nil && !b.concerned(v.Roster) {
		err = web.ErrNotFound
	}
	return v, err
}

func (b boards) concerned(r *announcement.Roster) bool {
	return b.within == nil || slices.ContainsFunc(r.Recipients, b.sees)
}

// reads reports whether what somebody wrote, and nobody was sent yet, is for the
// principal: it concerns somebody whom they may see, or they wrote it.
func (b boards) reads(by announcement.Actor, to announcement.Audience) bool {
	if b.within == nil || by == b.reader {
		return true
	}
	r, err := b.directory.Remaining(to)
	return err == nil && b.concerned(&r.Roster)
}

// seesAll reports whether an announcement concerns nobody whom the principal may not see.
func (b boards) seesAll(r *announcement.Roster) bool {
	return b.within == nil || !slices.ContainsFunc(r.Recipients, func(one announcement.Recipient) bool { return !b.sees(one) })
}

// standing is where an announcement stands, of those whom the principal may see.
func (b boards) standing(ctx context.Context, v tracker.View) (*tracker.Standing, error) {
	s, err := b.tracker.Recent(ctx, v.Announcement.ID)
	if err != nil || b.within == nil {
		return s, err
	}
	return s.Only(func(n int) bool { return n < len(v.Roster.Recipients) && b.sees(v.Roster.Recipients[n]) }), nil
}

// outOfReach refuses to announce to people outside of somebody's scope.
func (d *desk) outOfReach(g web.Grant, r announcement.Roster) error {
	within := d.within(g.Alarms)
	if within == nil {
		return nil
	}
	n := 0
	for _, one := range r.Recipients {
		if !within(one.Person, one.Site) {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return announcement.FieldErrors{{Field: "audience", Why: "some of these people are outside of whom you may alarm; choose fewer, or ask a sender who may"}}
}
