package app

import (
	"cmp"
	"context"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/web"
)

// Invite sends a person the link by which their phone joins.
func (p *people) Invite(ctx context.Context, who web.Principal, number string) error {
	if !who.May(web.Keep) {
		return web.ErrForbidden
	}
	person, ok := p.directory.ByNumber(number)
	if !ok || !person.Active {
		return web.ErrNotFound
	}
	code, until := p.links.enrolment(person.ID, p.desk.now())
	text := p.desk.catalogue.AnswerBack("enrol", person.Language, map[string]string{"org": p.desk.config.OrgName,
		"link": p.desk.config.PublicURL + "/e/" + code, "until": announcement.FormatDay(until, person.Language, cmp.Or(person.Zone, p.desk.config.Zone))})
	return p.desk.textOne(ctx, person.ID, text)
}

// noteLife is how long a text to one person is of use.
const noteLife = time.Hour

// textOne sends one SMS to one person, outside of any announcement.
func (d *desk) textOne(ctx context.Context, person announcement.PersonID, text string) error {
	to, lang, ok := d.directory.ContactPoints(person)
	if !ok {
		return web.ErrNotFound
	}
	sender := d.senders[announcement.SMS]
	switch {
	case sender == nil:
		return announcement.FieldErrors{{Field: "sms", Why: "SMS is not set up. Ask whoever runs this server to set KENTONGAN_SMS_PROVIDER."}}
	case to.Mobile == "":
		return announcement.FieldErrors{{Field: "sms", Why: "This person has no number that can take an SMS."}}
	}
	now := d.now().UTC()
	if d.replies.again(to.Mobile, text, now) {
		return nil // the same form, sent twice
	}
	_, err := sender.Send(ctx, "", to, announcement.Message{Language: lang, SMS: text, Sent: now, Expires: now.Add(noteLife)})
	if err != nil {
		d.replies.failed(to.Mobile, text)
		d.providers.note(announcement.SMS, announcement.Failed, string(channel.ReasonOf(err)))
		return announcement.FieldErrors{{Field: "sms", Why: "The SMS provider did not take it: " + string(channel.ReasonOf(err))}}
	}
	d.providers.note(announcement.SMS, announcement.Accepted, "")
	return nil
}
