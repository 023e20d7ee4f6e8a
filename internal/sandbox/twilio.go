package sandbox

import (
	"crypto/subtle"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// smsRecord is a message resource of Twilio's API.
type smsRecord struct {
	SID, From, To, Body, Service string
	Direction, Status            string
	Code                         int
	Callback                     string
	Created, Updated             time.Time
	Sent                         time.Time // zero: it waits
}

var e164 = regexp.MustCompile(`^\+[1-9]\d{6,14}$`)

// Twilio's test numbers: what they answer as To and as From
// (twilio.com/docs/iam/test-credentials).
var (
	magicTo   = map[string]int{"+15005550001": 21211, "+15005550002": 21612, "+15005550003": 21408, "+15005550004": 21610, "+15005550009": 21614}
	magicFrom = map[string]int{"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}
)

var twilioText = map[int]string{
	20003: "Authenticate",
	20404: "The requested resource was not found",
	20429: "Too Many Requests",
	20500: "Internal Server Error",
	21211: "Invalid 'To' Phone Number",
	21212: "Invalid 'From' Phone Number",
	21408: "Permission to send an SMS has not been enabled for the region indicated by the 'To' number",
	21602: "Message body is required.",
	21603: "A 'From' phone number is required.",
	21604: "A 'To' phone number is required.",
	21606: "The 'From' phone number provided is not a valid message-capable Twilio phone number for this destination.",
	21609: "The 'StatusCallback' URL is not a valid URL.",
	21610: "Attempt to send to unsubscribed recipient",
	21611: "This 'From' number has exceeded the maximum number of queued messages",
	21612: "Message cannot be sent with the current combination of 'To' and/or 'From' parameters",
	21614: "'To' number is not a valid mobile number",
	21617: "The concatenated message body exceeds the 1600 character limit",
}

func refuse(w http.ResponseWriter, status, code int) {
	text := twilioText[code]
	if text == "" {
		text = "The message was refused"
	}
	writeJSON(w, status, map[string]any{
		"code": code, "message": text, "status": status,
		"more_info": "https://www.twilio.com/docs/errors/" + strconv.Itoa(code),
	})
}

// allowed checks the account and Basic auth, and answers 401 when they are wrong.
func (s *Sandbox) allowed(w http.ResponseWriter, r *http.Request) bool {
	user, pass, ok := r.BasicAuth()
	same := func(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
	if ok && same(user, s.o.AccountSID) && same(pass, s.o.AuthToken) && same(r.PathValue("sid"), s.o.AccountSID) {
		return true
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="Twilio API"`)
	refuse(w, http.StatusUnauthorized, 20003)
	return false
}

func (s *Sandbox) createSMS(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	if err := r.ParseForm(); err != nil {
		refuse(w, http.StatusBadRequest, 21602)
		return
	}
	f := r.PostForm
	b, fail := s.fault("sms")
	if !s.wait(r.Context(), time.Duration(b.Answer)) {
		return
	}
	if fail == "500" || fail == "429" {
		if b.RetryAfter > 0 {
			w.Header().Set("Retry-After", seconds(time.Duration(b.RetryAfter)))
		}
		if fail == "429" {
			refuse(w, http.StatusTooManyRequests, 20429)
		} else {
			refuse(w, http.StatusInternalServerError, 20500)
		}
		return
	}
	if fail == "401" {
		refuse(w, http.StatusUnauthorized, 20003)
		return
	}
	if code := s.checkSMS(f); code != 0 {
		refuse(w, http.StatusBadRequest, code)
		return
	}
	broken := 0 // code of a failure after sending
	if code, err := strconv.Atoi(fail); err == nil {
		if code >= 20000 && code < 30000 {
			refuse(w, http.StatusBadRequest, code)
			return
		}
		if code >= 30000 {
			broken = code
		}
	}
	now := s.o.Now().UTC()
	m := &smsRecord{
		SID: "SM" + newID(), From: f.Get("From"), To: f.Get("To"), Body: f.Get("Body"), Service: f.Get("MessagingServiceSid"),
		Direction: "outbound-api", Status: "queued", Callback: f.Get("StatusCallback"), Created: now, Updated: now,
	}
	if m.From == "" {
		m.From = s.o.From
	}
	answer := s.describe(m)
	s.mu.Lock()
	s.keepSMS(m)
	s.mu.Unlock()
	s.spawn(s.carry(m, b, broken))
	if !s.answerLate(r, b, fail) {
		return
	}
	if fail == "lost" {
		refuse(w, http.StatusInternalServerError, 20500)
		return
	}
	writeJSON(w, http.StatusCreated, answer)
}

// checkSMS returns the Twilio code of the first fault in a request, or 0.
func (s *Sandbox) checkSMS(f url.Values) int {
	to, from := f.Get("To"), f.Get("From")
	switch {
	case to == "":
		return 21604
	case magicTo[to] != 0:
		return magicTo[to]
	case !e164.MatchString(to):
		return 21211
	case from == "" && f.Get("MessagingServiceSid") == "":
		return 21603
	case magicFrom[from] != 0:
		return magicFrom[from]
	case from != "" && !validSender(from):
		return 21212
	case strings.TrimSpace(f.Get("Body")) == "":
		return 21602
	case utf8.RuneCountInString(f.Get("Body")) > 1600:
		return 21617
	}
	if cb := f.Get("StatusCallback"); cb != "" {
		if u, err := url.Parse(cb); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return 21609
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.optedOut[to] {
		return 21610
	}
	return 0
}

var senderName = regexp.MustCompile(`^[A-Za-z0-9 &+_-]{1,11}$`)

// validSender accepts a number, a short code, or an alphanumeric sender.
func validSender(from string) bool { return e164.MatchString(from) || senderName.MatchString(from) }

// keepSMS needs s.mu.
func (s *Sandbox) keepSMS(m *smsRecord) {
	s.bySID[m.SID] = m
	if old, fell := s.sms.push(m); fell {
		delete(s.bySID, old.SID)
	}
}

// describe returns the message as Twilio's JSON. It needs s.mu once m is kept.
func (s *Sandbox) describe(m *smsRecord) map[string]any {
	path := "/2010-04-01/Accounts/" + s.o.AccountSID + "/Messages/" + m.SID
	d := map[string]any{
		"sid": m.SID, "account_sid": s.o.AccountSID, "api_version": "2010-04-01",
		"to": m.To, "from": m.From, "body": m.Body, "status": m.Status, "direction": m.Direction,
		"num_segments": strconv.Itoa(segments(m.Body)), "num_media": "0",
		"date_created": m.Created.Format(time.RFC1123Z), "date_updated": m.Updated.Format(time.RFC1123Z), "date_sent": nil,
		"error_code": nil, "error_message": nil, "price": nil, "price_unit": "USD", "messaging_service_sid": nil,
		"uri": path + ".json", "subresource_uris": map[string]string{"media": path + "/Media.json"},
	}
	if !m.Sent.IsZero() {
		d["date_sent"] = m.Sent.Format(time.RFC1123Z)
	}
	if m.Service != "" {
		d["messaging_service_sid"] = m.Service
	}
	if m.Code != 0 {
		d["error_code"] = m.Code
		d["error_message"] = "The carrier did not deliver the message"
	}
	return d
}

// isUp reports whether the provider is up; one that is down refuses every call.
func (s *Sandbox) isUp(w http.ResponseWriter) bool {
	s.mu.Lock()
	b := s.behave
	s.mu.Unlock()
	if b.Channel == "push" || b.Share != 0 && b.Share != 1 {
		return true
	}
	switch b.Fail {
	case "500":
		refuse(w, http.StatusInternalServerError, 20500)
	case "401":
		refuse(w, http.StatusUnauthorized, 20003)
	default:
		return true
	}
	return false
}

func (s *Sandbox) getSMS(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) {
		return
	}
	s.mu.Lock()
	m := s.bySID[strings.TrimSuffix(r.PathValue("message"), ".json")]
	var d map[string]any
	if m != nil {
		d = s.describe(m)
	}
	s.mu.Unlock()
	if m == nil {
		refuse(w, http.StatusNotFound, 20404)
		return
	}
	writeJSON(w, http.StatusOK, d)
}

// listSMS lists messages, newest first, filtered by To, From and DateSent>, by which
// what waits to be sent is not found. A provider that is down answers no question either.
func (s *Sandbox) listSMS(w http.ResponseWriter, r *http.Request) {
	if !s.allowed(w, r) || !s.isUp(w) {
		return
	}
	q := r.URL.Query()
	size, _ := strconv.Atoi(q.Get("PageSize"))
	if size < 1 || size > 1000 {
		size = 50
	}
	page, _ := strconv.Atoi(q.Get("Page"))
	page = max(page, 0)
	var since time.Time
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, q.Get("DateSent>")); err == nil {
			since = t
		}
	}
	s.mu.Lock()
	all := s.sms.all()
	slices.Reverse(all)
	list, more, skip := []map[string]any{}, false, page*size
	for _, m := range all {
		if to := q.Get("To"); to != "" && to != m.To {
			continue
		}
		if from := q.Get("From"); from != "" && from != m.From {
			continue
		}
		if !since.IsZero() && m.Sent.Before(since) {
			continue
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(list) == size {
			more = true
			break
		}
		list = append(list, s.describe(m))
	}
	s.mu.Unlock()
	at := func(n int) string {
		q.Set("Page", strconv.Itoa(n))
		q.Set("PageSize", strconv.Itoa(size))
		return strings.TrimPrefix(r.URL.Path, "/twilio") + "?" + q.Encode()
	}
	answer := map[string]any{
		"messages": list, "page": page, "page_size": size, "start": page * size, "end": page*size + max(len(list)-1, 0),
		"uri": at(page), "first_page_uri": at(0), "next_page_uri": nil, "previous_page_uri": nil,
	}
	if more {
		answer["next_page_uri"] = at(page + 1)
	}
	writeJSON(w, http.StatusOK, answer)
}

const (
	gsmOne = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
	gsmTwo = "^{}\\[~]|€\f"
)

// segments counts the parts of an SMS (3GPP TS 23.038): 160 or 153 septets in
// the GSM alphabet, otherwise 70 or 67 UTF-16 units.
func segments(text string) int {
	units, part := 0, 0 // part: units of the last part of a long message
	parts := 1
	for _, r := range text {
		n := 1
		switch {
		case strings.ContainsRune(gsmOne, r):
		case strings.ContainsRune(gsmTwo, r):
			n = 2
		default:
			n = len(utf16.Encode([]rune(text)))
			if n <= 70 {
				return 1
			}
			return (n + 66) / 67
		}
		units += n
		if part+n > 153 {
			parts, part = parts+1, 0
		}
		part += n
	}
	if units <= 160 {
		return 1
	}
	return parts
}

// seconds writes d as whole seconds, rounded up, for Retry-After.
func seconds(d time.Duration) string {
	return strconv.Itoa(int((d + time.Second - 1) / time.Second))
}
