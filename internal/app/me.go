package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/web"
)

// Me shows an employee's own page.
func (d *desk) Me(ctx context.Context, device string) (web.MePage, error) {
	p, _, err := d.deviceOf(device)
	if err != nil {
		return web.MePage{}, err
	}
	who, _ := d.directory.Person(p)
	contact := d.directory.Contact(p)
	code, _ := d.links.enrolment(p, d.now())
	page := web.MePage{Person: cmp.Or(who.Given, who.Name), Number: who.Number, Language: who.Language, Org: d.config.OrgName, Emergency: d.emergencyOf(who.Site),
		Devices: len(contact.Subscriptions), Shown: contact.Shown, Zone: cmp.Or(who.Zone, d.config.Zone),
		EnrolLink: d.config.PublicURL + "/e/" + code, SMS: who.Mobile != "" && !contact.SMSStopped && !contact.WrongNumber}
	page.Leads = d.directory.Leads(who.Number)
	if d.config.PushSubject != "" {
		page.VAPIDKey = d.config.vapidKey
	}
	for _, place := range d.tracker.OpenFor(p) {
		v, ok := d.tracker.View(place.ID)
		if !ok || v.Status != announcement.StatusOpen {
			continue
		}
		mine := web.MyAnnouncement{ID: place.ID, Mode: v.Announcement.Mode, Severity: v.Announcement.Severity,
			Link: "/r/" + d.links.answerToken(place.ID, place.Number), Answers: v.Announcement.Answers, At: v.OpenedAt, Zone: v.Announcement.Zone}
		text, _, _ := v.Announcement.In(who.Language)
		mine.Title, mine.Body = text.Title, text.Body
		if details, err := d.tracker.Details(ctx, place.ID, []int{place.Number}); err == nil {
			mine.Answer = details[0].Answer
		}
		page.Open = append(page.Open, mine)
	}
	return page, nil
}

// Subscribe stores a device's push subscription.
func (d *desk) Subscribe(ctx context.Context, device string, s announcement.Subscription) error {
	p, id, err := d.deviceOf(device)
	if err != nil {
		return err
	}
	if d.config.checkSubscription == nil {
		return announcement.FieldErrors{{Field: "endpoint", Why: "web push is not set up here"}}
	}
	if err := d.config.checkSubscription(s); err != nil {
		return announcement.FieldErrors{{Field: "endpoint", Why: err.Error()}}
	}
	s.ID, s.Seen, s.Device = d.config.subscriptionID(s.Endpoint), d.now().UTC(), id
	if err := d.directory.Subscribe(ctx, p, s); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return nil
}

// Unsubscribe forgets a device's push subscription.
func (d *desk) Unsubscribe(ctx context.Context, device, endpoint string) error {
	p, _, err := d.deviceOf(device)
	if err != nil {
		return err
	}
	return d.directory.Unsubscribe(ctx, p, endpoint)
}

// MyChanges wakes a person's open pages.
func (d *desk) MyChanges(ctx context.Context, device string) (<-chan struct{}, error) {
	p, _, err := d.deviceOf(device)
	if err != nil {
		return nil, err
	}
	return d.hub.Watch(ctx, topicOfPerson(p)), nil
}

// tryLife is how long a test notification may wait for a phone.
const tryLife = 5 * time.Minute

// TryPush sends a notification to this device that asks nothing. Its token
// comes back when the phone has shown it, as that of an alert does.
func (d *desk) TryPush(ctx context.Context, device string) error {
	p, id, err := d.deviceOf(device)
	if err != nil {
		return err
	}
	to, lang, _ := d.directory.ContactPoints(p)
	if mine := slices.DeleteFunc(slices.Clone(to.Subscriptions), func(s announcement.Subscription) bool { return s.Device != id }); len(mine) > 0 {
		to.Subscriptions = mine
	}
	sender := d.senders[announcement.WebPush]
	if sender == nil || len(to.Subscriptions) == 0 {
		return web.ErrNotFound
	}
	text, now := d.catalogue.TryOut(lang), d.now().UTC()
	handed, err := sender.Send(ctx, "", to, announcement.Message{Announcement: "test", Kind: announcement.SayUpdate, Language: lang,
		Title: d.config.OrgName + ": " + text.Title, Body: text.Body, Link: d.config.PublicURL + "/me", Token: d.links.credential("test", pair(p, id)),
		Sent: now, Expires: now.Add(tryLife)})
	retired := handed.Retired
	if failed := (*channel.Error)(nil); errors.As(err, &failed) {
		retired = failed.Retired
	}
	if len(retired) > 0 {
		if err := d.directory.Retire(ctx, p, retired); err != nil {
			d.log.Warn("a device that is gone was not retired", "channel", announcement.WebPush, "reason", err)
		}
	}
	switch {
	case err == nil:
		return nil
	case channel.ReasonOf(err) == channel.Gone:
		return web.ErrNotFound
	}
	d.log.Warn("a test notification was not taken", "channel", announcement.WebPush, "reason", err)
	return fmt.Errorf("%w: %w", web.ErrNotYet, err)
}

// Shown is when a device of the person last showed a notification.
func (d *desk) Shown(_ context.Context, device string) (time.Time, error) {
	p, _, err := d.deviceOf(device)
	if err != nil {
		return time.Time{}, err
	}
	return d.directory.Contact(p).Shown, nil
}

// Arrived takes the person's word that a notification was shown.
func (d *desk) Arrived(ctx context.Context, device string) error {
	p, _, err := d.deviceOf(device)
	if err != nil {
		return err
	}
	if err := d.directory.Shown(ctx, p, d.now().UTC()); err != nil {
		return fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return nil
}

// shownTry records the receipt of a test notification; it reports whether token
// was one.
func (d *desk) shownTry(ctx context.Context, token string) (bool, error) {
	both, ok := d.links.holder("test", token)
	if !ok {
		return false, nil
	}
	p, _ := unpair(both)
	if err := d.directory.Shown(ctx, p, d.now().UTC()); err != nil {
		return true, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return true, nil
}

// shownStale is how old the date may be that a person reads as the last time a
// notification arrived.
const shownStale = 24 * time.Hour

// noteShown keeps the date on which a person's phone last showed an alert. It
// is a comfort, not a fact of the ledger: while many phones report at once all
// but one at a time are passed over, so that no answer waits for it.
func (d *desk) noteShown(ctx context.Context, p announcement.PersonID) {
	if now := d.now().UTC(); now.Sub(d.directory.Contact(p).Shown) > shownStale && d.noting.TryLock() {
		defer d.noting.Unlock()
		if err := d.directory.Shown(ctx, p, now); err != nil {
			d.log.Warn("the date of a shown notification was not kept", "channel", announcement.WebPush, "reason", err)
		}
	}
}

// Guides are what to do, per hazard.
func (d *desk) Guides(_ context.Context, device string, lang announcement.Language) web.GuideBook {
	var b web.GuideBook
	if p, _, err := d.deviceOf(device); err == nil {
		who, _ := d.directory.Person(p)
		b.Site, b.Muster, b.Dial = who.Site, d.musterOf(who.Site), d.emergencyOf(who.Site)
	}
	for _, g := range d.catalogue.Guides(lang, b.Muster) {
		b.Guides = append(b.Guides, web.Guide(g))
	}
	return b
}

// musterOf is where the people of a site meet: its first assembly point, else
// where they were last told to meet; empty where they never were.
func (d *desk) musterOf(site string) string {
	if site == "" {
		return ""
	}
	if place, ok := d.directory.Place(site); ok && len(place.Assembly) > 0 {
		return place.Assembly[0]
	}
	for _, id := range d.tracker.IDs() { // newest first
		if v, ok := d.tracker.View(id); ok && v.Announcement.Fields["site"] == site && v.Announcement.Fields["muster"] != "" {
			return v.Announcement.Fields["muster"]
		}
	}
	return ""
}
