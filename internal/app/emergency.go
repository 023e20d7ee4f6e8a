package app

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel/sms"
	"kentongan/internal/ledger"
	"kentongan/internal/web"
)

// photoKey is where the picture of a report is kept, sealed like everything there.
const photoKey = "photo."

// ReportEmergency calls the duty list and files what an employee saw. Filing comes
// last and marks it as done: a phone sends a report again until it is taken.
func (d *desk) ReportEmergency(ctx context.Context, device string, e web.Emergency) (string, error) {
	p, _, err := d.deviceOf(device)
	if err != nil {
		return "", err
	}
	who, _ := d.directory.Person(p)
	now := d.now().UTC()
	t := text{At: now, From: who.Mobile, Body: cut(e.What, sms.MaxNote), Class: sms.ClassHelp, Person: p, Kind: e.Kind, Where: cut(e.Where, 200)}
	if !e.Said.IsZero() && e.Said.Before(now) {
		t.At = e.Said.UTC()
	}
	id := shorten(string(p) + e.Ref)
	if d.inbox.holds(id) {
		return id, nil
	}
	if len(e.Photo) > 0 {
		if err := d.vault.Put(ctx, photoKey+id, e.Photo); err != nil {
			return "", fmt.Errorf("%w: keep a photo: %w", web.ErrNotYet, err)
		}
		t.Photo = true
	}
	if t.Call, err = d.callDuty(ctx, "person", string(p), d.catalogue.EmergencyReport()); err != nil {
		return "", err
	}
	if err := d.inbox.create(ctx, id, t); err != nil && !errors.Is(err, ledger.ErrAlready) {
		return "", err
	}
	return id, nil
}

// EmergencyStatus says what became of a report, to the one who made it.
func (d *desk) EmergencyStatus(ctx context.Context, device, id string) (web.EmergencyStatus, error) {
	p, _, err := d.deviceOf(device)
	if err != nil {
		return web.EmergencyStatus{}, err
	}
	t, ok := d.inbox.get(id)
	if !ok || t.Kind == "" || t.Person != p {
		return web.EmergencyStatus{}, web.ErrNotFound
	}
	who, _ := d.directory.Person(p)
	s := web.EmergencyStatus{Kind: t.Kind, Where: t.Where, What: t.Body, Photo: t.Photo, At: t.At, Called: t.Call != "", Emergency: d.emergencyOf(who.Site), Zone: who.Zone, Language: who.Language}
	if t.Handled {
		s.ClosedBy, s.ClosedAt = d.actorName(announcement.Actor(t.By)), t.HandledAt
	}
	v, ok := d.tracker.View(t.Call)
	if !ok {
		return s, nil
	}
	numbers := make([]int, len(v.Roster.Recipients))
	for n := range numbers {
		numbers[n] = n
	}
	details, err := d.tracker.Details(ctx, t.Call, numbers)
	if err != nil { // the report is there even when the working state is not
		d.log.Warn("a report is shown without who has seen it", "announcement", t.Call, "reason", err)
		return s, nil
	}
	for _, seen := range details {
		if seen.AnsweredAt.IsZero() || !s.SeenAt.IsZero() && seen.AnsweredAt.After(s.SeenAt) {
			continue
		}
		s.SeenBy, s.SeenAt = d.name(v.Roster.Recipients[seen.Number].Person).Name, seen.AnsweredAt
	}
	return s, nil
}

// EmergencyPhoto is the picture of a report that waits in the inbox.
func (b boards) EmergencyPhoto(ctx context.Context, id string) ([]byte, error) {
	if _, err := b.WaitingText(ctx, id); err != nil {
		return nil, err
	}
	photo, err := b.vault.Get(ctx, photoKey+id)
	if errors.Is(err, ledger.ErrNotFound) {
		return nil, web.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return photo, nil
}

// callDuty calls the duty list about something that belongs to no announcement. It
// is an announcement of its own, so that it is durable, goes out on every channel,
// and is repeated until somebody on duty has answered. It names nobody: the ledger
// cannot be erased. It returns no id where nobody is on duty.
func (d *desk) callDuty(ctx context.Context, kind, from string, words map[announcement.Language]announcement.Text) (announcement.ID, error) {
	now := d.now().UTC().Truncate(time.Millisecond)
	window := fmt.Sprint(now.Truncate(reportEvery).Unix())
	a := &announcement.Announcement{
		ID:   idForKey(d.links.key, web.Principal{Actor: announcement.ByNetwork}, "help-"+mac(d.links.key, 22, kind, from, window)),
		Mode: announcement.Live, Severity: announcement.Extreme, Class: announcement.ClassEmergency, Answers: announcement.Read, Text: words,
		Channels: announcement.Channels, Zone: d.config.Zone, At: now,
		Policy: announcement.Policy{Steps: repeatedCalls(), ExpireAfter: announcement.Duration(24 * time.Hour)},
	}
	if _, ok := d.tracker.View(a.ID); ok {
		return a.ID, nil
	}
	for _, p := range d.directory.Duty() {
		if who, ok := d.directory.Person(p); ok {
			a.Audience.People = append(a.Audience.People, who.Number)
		}
	}
	resolved, err := d.directory.Resolve(a.Audience)
	if err != nil {
		d.log.Error("a call for help reaches nobody: nobody is on the duty list", "announcement", a.ID, "reason", err)
		return "", nil // it is in the inbox; trying again would not help
	}
	a.Audience = resolved.Audience
	if _, err := d.ledger.Accept(ctx, acceptance(a, &resolved.Roster, announcement.ByNetwork, "help_report", 0)); err != nil {
		return "", fmt.Errorf("%w: %w", web.ErrNotYet, err)
	}
	return a.ID, nil
}
