package sms

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
)

// reasons reads Twilio's error codes (twilio.com/docs/api/errors/<code>), from
// the answer to a call and from later status callbacks alike.
var reasons = map[int]channel.Reason{
	20003: channel.Unauthorized,  // authentication failed
	20429: channel.RateLimited,   // never processed and always safe to repeat
	21211: channel.InvalidNumber, // invalid To
	21217: channel.InvalidNumber, // does not look valid
	21222: channel.Unauthorized,  // the account SID is malformed
	21224: channel.Unauthorized,  // the auth token is malformed
	21408: channel.Misconfigured, // region not enabled for the account
	21606: channel.Misconfigured, // From cannot send SMS
	21610: channel.OptedOut,      // the person sent STOP
	21611: channel.RateLimited,   // the sender's queue is full
	21612: channel.Misconfigured, // no route from this sender to this number
	21614: channel.InvalidNumber, // not a mobile number
	21617: channel.TooLarge,      // more than 1,600 characters
	21635: channel.InvalidNumber, // landline
	30001: channel.RateLimited,   // queue overflow
	30002: channel.Unauthorized,  // account suspended
	30003: channel.Temporary,     // handset off or out of reach
	30004: channel.Blocked,
	30005: channel.InvalidNumber, // unknown handset
	30006: channel.InvalidNumber, // landline or unreachable carrier
	30007: channel.Blocked,       // filtered by the carrier; repeating makes it worse
	30008: channel.Temporary,     // unknown
	30036: channel.Expired,       // validity period over before it was sent
}

// reasonFor reads a refused call: Twilio's own code first, since it is the more
// exact, then the HTTP status.
func reasonFor(status, code int) channel.Reason {
	if r, ok := reasons[code]; ok {
		return r
	}
	switch {
	case status == http.StatusTooManyRequests:
		return channel.RateLimited
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		return channel.Unauthorized
	case status == http.StatusRequestTimeout:
		return channel.Ambiguous
	case status >= 400 && status < 500:
		return channel.Rejected
	}
	return channel.Ambiguous // 5xx, or a 2xx or 3xx that names no message: it may have been taken
}

// Inbound is a text that somebody sent to one of our numbers. Every field is
// data from outside: From is no proof of who wrote, only of a number claimed.
type Inbound struct {
	SID    string // the same text always has the same SID, also when Twilio posts it twice
	From   string
	To     string
	Body   string
	OptOut string // STOP, START or HELP when Twilio took it as a keyword, else empty

	// At is when it reached Twilio; zero: just now.
	At time.Time
}

// ParseMessage reads Twilio's webhook for an inbound text.
func ParseMessage(form url.Values) Inbound {
	sid := form.Get("MessageSid")
	if sid == "" {
		sid = form.Get("SmsSid")
	}
	return Inbound{
		SID:    sid,
		From:   form.Get("From"),
		To:     form.Get("To"),
		Body:   form.Get("Body"),
		OptOut: form.Get("OptOutType"),
	}
}

// ParseStatus reads Twilio's status callback: how far a text has come, and why
// not further. ok is false for a status this program does not know, which then
// changes nothing.
//
// "read" ranks as delivered: no network's word is an acknowledgment.
func ParseStatus(form url.Values) (rank announcement.Rank, failure string, ok bool) {
	status := form.Get("MessageStatus")
	if status == "" {
		status = form.Get("SmsStatus")
	}
	code, _ := strconv.Atoi(form.Get("ErrorCode"))
	return standing(status, code)
}

func standing(status string, code int) (rank announcement.Rank, failure string, ok bool) {
	switch status {
	case "accepted", "scheduled", "queued", "sending":
		return announcement.Accepted, "", true
	case "sent":
		return announcement.Sent, "", true
	case "delivered", "read":
		return announcement.Delivered, "", true
	case "undelivered", "failed", "canceled":
		reason, known := reasons[code]
		if !known {
			reason = channel.Rejected
		}
		return announcement.Failed, string(reason), true
	}
	return announcement.Queued, "", false
}
