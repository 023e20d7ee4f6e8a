package announcement

import (
	"log/slog"
	"time"
)

// ContactPoints are one person's ways to be reached, looked up right before the
// call so that a corrected number is used at once. Its String and LogValue are
// redacted.
type ContactPoints struct {
	Person        PersonID
	Mobile        string // E.164; empty if none may be used
	Sample        bool   // a made-up person: never reaches a real provider
	Subscriptions []Subscription
}

func (ContactPoints) String() string       { return "(contact points)" }
func (ContactPoints) GoString() string     { return "(contact points)" }
func (ContactPoints) LogValue() slog.Value { return slog.StringValue("(contact points)") }

// Subscription is a browser's PushSubscription (W3C Push API).
type Subscription struct {
	ID       string    `json:"id"` // ours, opaque: a hash of the endpoint
	Endpoint string    `json:"endpoint"`
	P256dh   string    `json:"p256dh"`           // base64url, uncompressed P-256 point, 65 bytes
	Auth     string    `json:"auth"`             // base64url, 16 bytes
	Seen     time.Time `json:"seen"`             // last time this device opened a page of ours
	Device   string    `json:"device,omitempty"` // which of the person's devices it is on
}

func (Subscription) String() string       { return "(subscription)" }
func (Subscription) GoString() string     { return "(subscription)" }
func (Subscription) LogValue() slog.Value { return slog.StringValue("(subscription)") }
