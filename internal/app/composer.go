package app

import (
	"slices"
	"time"

	"kentongan/internal/announcement"
)

// composer writes the message for one target of a round.
type composer struct{ *desk }

func (c composer) Compose(r announcement.Round, n int, lang announcement.Language) announcement.Message {
	a := r.Announcement
	s := announcement.Saying{Round: r.Decided.Round, Kind: r.Decided.Message, Language: lang, Org: c.config.OrgName,
		TwoWay: c.twoWay() && !r.Decided.Second, Now: c.now(), Expires: a.At.Add(orDefault(a))}
	if a.Waits() { // somebody hears of it long after others
		s.Expires = r.At.Add(orDefault(a))
	}
	s.Words = r.Decided.Say(lang)
	person := r.Target(n)
	number, asked := c.numberOf(r, n, person)
	switch {
	case asked:
		s.Token = c.links.answerToken(a.ID, number)
		s.Link = c.config.PublicURL + "/r/" + s.Token
		s.Letter, s.Owner = c.replyName(a.ID, person)
	case r.Decided.Message == announcement.SaySent:
		s.Link, s.Count = c.config.PublicURL+"/alerts/"+string(a.ID), len(r.Roster.Recipients)
		if v, ok := c.tracker.View(a.ID); ok {
			s.Name = c.senderName(v.By)
		}
	default:
		s.Token = c.links.teamToken(a.ID, person)
		s.Link = c.config.PublicURL + "/t/" + s.Token
		s.Count = r.Decided.To[n].Count
		if r.Decided.Message == announcement.SayHelp && r.Decided.About < len(r.Roster.Recipients) {
			s.Name = c.name(r.Roster.Recipients[r.Decided.About].Person).Name
		}
	}
	// Each of those who are asked is in danger; of the few who are called about others
	// it has to be looked up.
	s.Hiding = a.Hushed() && (asked || slices.ContainsFunc(r.Roster.Recipients, func(r announcement.Recipient) bool { return r.Person == person }))
	m := c.catalogue.Compose(a, s)
	m.Second, m.Version = r.Decided.Second, r.Version
	return m
}

// senderName is who sent an alert, in words that do for every language.
func (c composer) senderName(by announcement.Actor) string {
	if by == announcement.ByConsole {
		return "HR"
	}
	return c.actorName(by)
}

// replyName returns the letter by which somebody's reply names this announcement
// and them, if a digit alone could be mistaken, and their name where they share
// their number.
func (c composer) replyName(id announcement.ID, person announcement.PersonID) (letter, owner string) {
	who, _ := c.directory.Person(person)
	people := []announcement.PersonID{person}
	for _, other := range c.directory.ByMobile(who.Mobile) {
		if other.Active && other.ID != person && who.Mobile != "" {
			people = append(people, other.ID)
			owner = firstName(who)
		}
	}
	open := 0
	for _, s := range c.tracker.Seats(people...) {
		if s.Open {
			open++
		}
		if s.ID == id && s.Person == person {
			letter = s.Letter
		}
	}
	if open < 2 && owner == "" {
		letter = ""
	}
	return letter, owner
}

// numberOf returns the recipient number of a target, if the message is to them
// as a recipient.
func (c composer) numberOf(r announcement.Round, n int, person announcement.PersonID) (int, bool) {
	if r.Decided.Only != "" {
		return n, true
	}
	if r.Decided.Message == announcement.SayReminder { // one person, reminded by their manager
		return r.Decided.To[n].Lo, r.Roster.Recipients[r.Decided.To[n].Lo].Person == person
	}
	return 0, false
}

// orDefault returns how long a message of an announcement is of use.
func orDefault(a *announcement.Announcement) time.Duration {
	if a.Policy.ExpireAfter > 0 {
		return time.Duration(a.Policy.ExpireAfter)
	}
	return announcement.DefaultLife
}
