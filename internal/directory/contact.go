package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"kentongan/internal/announcement"
)

// ErrUnknown is returned for a person id that nobody has.
var ErrUnknown = errors.New("unknown person")

// errUnusable is returned for a subscription that could never be called.
var errUnusable = errors.New("subscription without id or endpoint")

// MaxDevices is how many push subscriptions one person keeps. Nobody carries
// more; browsers leave dead ones behind, and each costs a request per call.
const MaxDevices = 10

// Contact is what people and networks told us about a person's contact points.
type Contact struct {
	SMSStopped    bool // they answered STOP from the number they have now
	WrongNumber   bool // somebody else answered from it
	Subscriptions []announcement.Subscription
	Devices       []Device  // connected phones and browsers, the latest seen first
	Shown         time.Time // when one of them last showed a notification; zero: never
}

// Device is a phone or browser that its owner has connected.
type Device struct {
	ID   string    `json:"id"`
	Name string    `json:"name"` // as its owner knows it: "Chrome, Android"
	Seen time.Time `json:"seen"`
}

// contact is a Contact as stored. Stopped and Wrong hold the number they were
// said about, so that a corrected number starts clean.
type contact struct {
	Stopped       string                      `json:"stopped,omitempty"`
	Wrong         string                      `json:"wrong,omitempty"`
	Subscriptions []announcement.Subscription `json:"subscriptions,omitempty"`
	Devices       []Device                    `json:"devices,omitempty"`
	Removed       []string                    `json:"removed,omitempty"` // devices that may no longer come in
	Listed        bool                        `json:"listed,omitempty"`  // only Devices may: all that were connected before were shut out
	Shown         time.Time                   `json:"shown,omitzero"`
	Version       int64                       `json:"version"` // see Directory.apply
}

func (d *Directory) applyContact(id announcement.PersonID, value []byte) error {
	old, known := d.contacts[id]
	var c contact
	if value != nil {
		if err := json.Unmarshal(value, &c); err != nil {
			return err
		}
		if known && c.Version < old.Version {
			return nil
		}
	}
	for _, s := range old.Subscriptions {
		d.endpoints.remove(s.Endpoint, id)
	}
	for _, s := range c.Subscriptions {
		d.endpoints.add(s.Endpoint, id)
	}
	d.contacts[id] = c
	if value == nil {
		delete(d.contacts, id)
	}
	return nil
}

// usable returns the number that an SMS may go to, or why there is none:
// no_contact_point, wrong_number, sms_stopped or landline.
func usable(r record, c contact) (mobile, why string) {
	switch {
	case r.Mobile == "":
		return "", "no_contact_point"
	case r.Landline:
		return "", "landline"
	case c.Wrong == r.Mobile:
		return "", "wrong_number"
	case c.Stopped == r.Mobile:
		return "", "sms_stopped"
	}
	return r.Mobile, ""
}

// reach returns the channels with a usable contact point, or why there is none.
func reach(r record, c contact) (channels []announcement.Channel, why string) {
	mobile, why := usable(r, c)
	if len(c.Subscriptions) > 0 {
		channels, why = append(channels, announcement.WebPush), ""
	}
	if mobile != "" {
		channels = append(channels, announcement.SMS)
	}
	if len(c.Subscriptions) > 0 {
		channels = append(channels, announcement.InApp)
	}
	return channels, why
}

// ContactPoints returns how to reach somebody now, and in which language; ok is
// false for somebody unknown or no longer active.
func (d *Directory) ContactPoints(p announcement.PersonID) (to announcement.ContactPoints, lang announcement.Language, ok bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r, known := d.people[p]
	if !known || !r.Active {
		return announcement.ContactPoints{}, "", false
	}
	c := d.contacts[p]
	mobile, _ := usable(r, c)
	return announcement.ContactPoints{
		Person:        p,
		Mobile:        mobile,
		Sample:        r.Sample,
		Subscriptions: slices.Clone(c.Subscriptions),
	}, r.Language, true
}

// Contact returns the contact state of a person; it is empty for somebody unknown.
func (d *Directory) Contact(p announcement.PersonID) Contact {
	d.mu.RLock()
	defer d.mu.RUnlock()
	r, c := d.people[p], d.contacts[p]
	return Contact{
		SMSStopped:    r.Mobile != "" && c.Stopped == r.Mobile,
		WrongNumber:   r.Mobile != "" && c.Wrong == r.Mobile,
		Subscriptions: slices.Clone(c.Subscriptions),
		Devices:       slices.Clone(c.Devices),
		Shown:         c.Shown,
	}
}

// Connect adds a device of a person. Of more than MaxDevices those unseen for
// longest leave the list; they are not shut out.
func (d *Directory) Connect(ctx context.Context, p announcement.PersonID, dev Device) error {
	err := d.change(ctx, p, func(_ record, c *contact) {
		c.Devices = slices.DeleteFunc(c.Devices, func(o Device) bool { return o.ID == dev.ID })
		c.Devices = append(c.Devices, dev)
		slices.SortStableFunc(c.Devices, func(a, b Device) int { return b.Seen.Compare(a.Seen) })
		c.Devices = c.Devices[:min(len(c.Devices), MaxDevices)]
	})
	if err != nil {
		return fmt.Errorf("connect device: %w", err)
	}
	return nil
}

// maxRemoved bounds how many shut-out devices of one person are remembered.
const maxRemoved = 200

// Disconnect shuts a device out and forgets its push subscriptions.
func (d *Directory) Disconnect(ctx context.Context, p announcement.PersonID, device string) error {
	err := d.change(ctx, p, func(_ record, c *contact) {
		c.Devices = slices.DeleteFunc(c.Devices, func(o Device) bool { return o.ID == device })
		c.drop(func(s announcement.Subscription) bool { return s.Device == device })
		if !slices.Contains(c.Removed, device) {
			c.Removed = append(c.Removed, device)
			c.Removed = c.Removed[max(0, len(c.Removed)-maxRemoved):]
		}
	})
	if err != nil {
		return fmt.Errorf("disconnect device: %w", err)
	}
	return nil
}

// DisconnectAll shuts out every device that somebody has connected, those that left
// the list of the latest too, and forgets their push subscriptions. Devices that are
// connected from now on come in.
func (d *Directory) DisconnectAll(ctx context.Context, p announcement.PersonID) error {
	err := d.change(ctx, p, func(_ record, c *contact) {
		c.Devices, c.Subscriptions, c.Listed = nil, nil, true
	})
	if err != nil {
		return fmt.Errorf("disconnect devices: %w", err)
	}
	return nil
}

// Removed reports whether a device was shut out.
func (d *Directory) Removed(p announcement.PersonID, device string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	c := d.contacts[p]
	return slices.Contains(c.Removed, device) || c.Listed && !slices.ContainsFunc(c.Devices, func(o Device) bool { return o.ID == device })
}

// Shown records that a device of the person showed a notification.
func (d *Directory) Shown(ctx context.Context, p announcement.PersonID, at time.Time) error {
	err := d.change(ctx, p, func(_ record, c *contact) {
		if at.After(c.Shown) {
			c.Shown = at
		}
	})
	if err != nil {
		return fmt.Errorf("record notification shown: %w", err)
	}
	return nil
}

// Subscribe stores a device's push subscription for a person, and takes it from
// whoever had the device before: an alert must not reach somebody else's hands.
// Of more than MaxDevices those unseen for longest are dropped.
func (d *Directory) Subscribe(ctx context.Context, p announcement.PersonID, s announcement.Subscription) error {
	if s.ID == "" || s.Endpoint == "" {
		return fmt.Errorf("subscribe: %w", errUnusable)
	}
	if s.Seen.IsZero() {
		s.Seen = d.Now().UTC()
	}
	err := d.change(ctx, p, func(_ record, c *contact) {
		c.drop(func(o announcement.Subscription) bool { return o.Endpoint == s.Endpoint || o.ID == s.ID })
		c.Subscriptions = append(c.Subscriptions, s)
		slices.SortStableFunc(c.Subscriptions, func(a, b announcement.Subscription) int { return b.Seen.Compare(a.Seen) })
		c.Subscriptions = c.Subscriptions[:min(len(c.Subscriptions), MaxDevices)]
		for i := range c.Devices {
			if c.Devices[i].ID == s.Device && s.Seen.After(c.Devices[i].Seen) {
				c.Devices[i].Seen = s.Seen
			}
		}
	})
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	for _, former := range d.holders(s.Endpoint, p) {
		if err := d.Unsubscribe(ctx, former, s.Endpoint); err != nil {
			return err
		}
	}
	return nil
}

// holders returns everybody but one who holds this endpoint.
func (d *Directory) holders(endpoint string, except announcement.PersonID) []announcement.PersonID {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.DeleteFunc(slices.Clone(d.endpoints[endpoint]), func(p announcement.PersonID) bool { return p == except })
}

// Unsubscribe forgets a device's push subscription. Forgetting nothing is no error.
func (d *Directory) Unsubscribe(ctx context.Context, p announcement.PersonID, endpoint string) error {
	err := d.change(ctx, p, func(_ record, c *contact) {
		c.drop(func(s announcement.Subscription) bool { return s.Endpoint == endpoint })
	})
	if err != nil {
		return fmt.Errorf("unsubscribe: %w", err)
	}
	return nil
}

// Retire forgets subscriptions, by id, that a push service said are gone.
func (d *Directory) Retire(ctx context.Context, p announcement.PersonID, ids []string) error {
	err := d.change(ctx, p, func(_ record, c *contact) {
		c.drop(func(s announcement.Subscription) bool { return slices.Contains(ids, s.ID) })
	})
	if err != nil {
		return fmt.Errorf("retire contact points: %w", err)
	}
	return nil
}

// StopSMS records that a person's present number asked for no SMS, or took it back.
func (d *Directory) StopSMS(ctx context.Context, p announcement.PersonID, stopped bool) error {
	err := d.change(ctx, p, func(r record, c *contact) {
		c.Stopped = ""
		if stopped {
			c.Stopped = r.Mobile
		}
	})
	if err != nil {
		return fmt.Errorf("stop sms: %w", err)
	}
	return nil
}

// WrongNumber records that a person's present number belongs to somebody else,
// or that it does not after all.
func (d *Directory) WrongNumber(ctx context.Context, p announcement.PersonID, wrong bool) error {
	err := d.change(ctx, p, func(r record, c *contact) {
		c.Wrong = ""
		if wrong {
			c.Wrong = r.Mobile
		}
	})
	if err != nil {
		return fmt.Errorf("record wrong number: %w", err)
	}
	return nil
}

func (c *contact) drop(which func(announcement.Subscription) bool) {
	c.Subscriptions = slices.DeleteFunc(c.Subscriptions, which)
}

// change stores what edit makes of a person's contact state, unless that is
// nothing new. edit may write into its copy freely.
func (d *Directory) change(ctx context.Context, p announcement.PersonID, edit func(record, *contact)) error {
	d.writing.Lock()
	defer d.writing.Unlock()

	d.mu.RLock()
	r, known := d.people[p]
	old := d.contacts[p]
	d.mu.RUnlock()
	if !known {
		return ErrUnknown
	}
	c := old
	c.Subscriptions, c.Devices, c.Removed = slices.Clone(old.Subscriptions), slices.Clone(old.Devices), slices.Clone(old.Removed)
	edit(r, &c)
	if c.Stopped == old.Stopped && c.Wrong == old.Wrong && c.Shown.Equal(old.Shown) && slices.Equal(c.Subscriptions, old.Subscriptions) &&
		slices.Equal(c.Devices, old.Devices) && slices.Equal(c.Removed, old.Removed) && c.Listed == old.Listed {
		return nil
	}
	c.Version++
	value, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode contact state: %w", err)
	}
	key := contactKey + string(p)
	if err := d.store.Put(ctx, key, value); err != nil {
		return fmt.Errorf("store contact state: %w", err)
	}
	d.apply(key, value)
	return nil
}
