package webpush

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"kentongan/internal/announcement"
)

// maxPayload keeps a push below every service's limit: Mozilla's bridge to FCM
// takes 2,744 encrypted bytes, the standard 3,993 plain ones (RFC 8291 §4).
const maxPayload = 2_000

// recordSize is the size of every encrypted body, so that its length does not
// tell which text was sent. 102 bytes of it are header, tag and delimiter.
const recordSize = 2_200

// smallPayload and smallRecord are for a service that finds that too large.
const (
	smallPayload = 1_000
	smallRecord  = 1_200
)

// payload is what the phone gets: the shape of declarative web push, which
// Safari shows without running our script, with what our service worker needs
// beside it.
type payload struct {
	WebPush      int                      `json:"web_push"` // always 8030
	Notification notification             `json:"notification"`
	Mode         announcement.Mode        `json:"mode"`
	Token        string                   `json:"token,omitempty"`
	Answers      announcement.Answers     `json:"answers"`
	Asks         bool                     `json:"asks"`
	Expires      *time.Time               `json:"expires,omitempty"`
	Kind         announcement.MessageKind `json:"kind"`
	Round        int64                    `json:"round"`
	Version      int                      `json:"version,omitempty"` // of the text; a button answers that one
}

type notification struct {
	Title              string                `json:"title"`
	Body               string                `json:"body"`
	Lang               announcement.Language `json:"lang,omitempty"`
	Dir                string                `json:"dir"`
	Tag                string                `json:"tag"`
	Navigate           string                `json:"navigate"`
	Renotify           bool                  `json:"renotify"`
	RequireInteraction bool                  `json:"requireInteraction"`
	Silent             bool                  `json:"silent,omitempty"`
	Timestamp          int64                 `json:"timestamp"` // milliseconds, as the Notification API has it
}

// thread names what a later push replaces. A reminder, a correction and an all
// clear replace the alert; what a manager or a sender hears about others never
// replaces their own alert, and one call for help never replaces another.
func thread(m announcement.Message) string {
	switch m.Kind {
	case announcement.SayDigest:
		return string(m.Announcement) + "-team"
	case announcement.SaySent:
		return string(m.Announcement) + "-sent"
	case announcement.SayHelp:
		return string(m.Announcement) + "-help-" + strconv.FormatInt(m.Round, 36)
	}
	return string(m.Announcement)
}

// encode writes the payload in at most limit bytes, cutting the body and then
// the title. It returns nil when even that does not fit.
func encode(m announcement.Message, limit int) []byte {
	p := payload{
		WebPush: 8030,
		Notification: notification{
			Title: m.Title, Body: m.Body, Lang: m.Language, Dir: "auto", Tag: thread(m), Navigate: m.Link, Renotify: true,
			RequireInteraction: m.Severity == announcement.Extreme || m.Severity == announcement.Severe, Silent: m.Silent, Timestamp: m.Sent.UnixMilli(),
		},
		Mode: m.Mode, Token: m.Token, Answers: m.Answers, Asks: m.Asks, Kind: m.Kind, Round: m.Round, Version: m.Version,
	}
	if !m.Expires.IsZero() {
		utc := m.Expires.UTC()
		p.Expires = &utc
	}
	if n := len(p.Notification.Body) - limit; n > 0 {
		p.Notification.Body = cut(p.Notification.Body, n)
	}
	for {
		b := marshal(p)
		over := len(b) - limit
		// A byte takes up to six when it is escaped: cut less than what is over
		// and look again, so that not too much is lost.
		step := max(over/6, 1)
		switch {
		case over <= 0:
			return b
		case p.Notification.Body != "":
			p.Notification.Body = cut(p.Notification.Body, step)
		case p.Notification.Title != "":
			p.Notification.Title = cut(p.Notification.Title, step)
		default:
			return nil
		}
	}
}

func marshal(p payload) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(p) // strings, numbers and a time: cannot fail, and cannot fail into a buffer
	return bytes.TrimSpace(out.Bytes())
}

// cut removes at least n bytes from the end of s, on a rune boundary, and shows
// that it did.
func cut(s string, n int) string {
	const more = "…"
	keep := len(s) - n - len(more)
	if keep <= 0 {
		return ""
	}
	for keep > 0 && !utf8.RuneStart(s[keep]) {
		keep--
	}
	return s[:keep] + more
}
