package sandbox

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// carry walks a message through its statuses: queued, sent, delivered (or
// undelivered with a code), and posts a callback for each one after queued.
func (s *Sandbox) carry(m *smsRecord, b Behaviour, code int) func(context.Context) {
	return func(ctx context.Context) {
		last := "delivered"
		if code != 0 {
			last = "undelivered"
		}
		steps := []string{"sent", last}
		if b.Reorder {
			slices.Reverse(steps)
		}
		for _, status := range steps {
			if !s.wait(ctx, s.o.Pace+time.Duration(b.Delay)) {
				return
			}
			s.mu.Lock()
			m.Updated = s.o.Now().UTC()
			if m.Sent.IsZero() {
				m.Sent = m.Updated
			}
			if m.Status != last { // a later status is never taken back
				m.Status = status
			}
			if status == last {
				m.Code = code
			}
			s.mu.Unlock()
			if status == "delivered" {
				s.arrive(m)
			}
			for range max(b.Repeat, 1) {
				s.callBack(ctx, m, status, code)
			}
		}
	}
}

// arrive shows the SMS on every phone with its number. Any number that nobody
// registered gets a phone: in the real world it has one too.
func (s *Sandbox) arrive(m *smsRecord) {
	s.mu.Lock()
	phones := slices.Clone(s.byMobile[m.To])
	if len(phones) == 0 {
		if ph := s.addPhone(Person{Number: m.To, Name: "Somebody", Mobile: m.To}); ph != nil {
			phones = append(phones, ph)
		}
	}
	s.mu.Unlock()
	e := Entry{Channel: "sms", Text: m.Body, From: m.From, Back: m.Callback}
	e.readLink(m.Body)
	e.Asks = e.Token != ""
	s.show(e, phones...)
}

func (s *Sandbox) callBack(ctx context.Context, m *smsRecord, status string, code int) {
	if m.Callback == "" {
		return
	}
	f := url.Values{
		"MessageSid": {m.SID}, "SmsSid": {m.SID}, "MessageStatus": {status}, "SmsStatus": {status},
		"To": {m.To}, "From": {m.From}, "AccountSid": {s.o.AccountSID}, "ApiVersion": {"2010-04-01"},
	}
	if m.Service != "" {
		f.Set("MessagingServiceSid", m.Service)
	}
	if code != 0 && status == "undelivered" {
		f.Set("ErrorCode", strconv.Itoa(code))
	}
	if _, err := s.hook(ctx, m.Callback, f); err != nil {
		s.o.Log.Warn("sms status callback failed", "reason", err)
	}
}

// hook posts a signed form to a webhook and returns the body of the answer. As
// Twilio does it retries once, only when the connection fails, unless the
// fragment of the URL (#rc=5&rp=all) overrides it.
func (s *Sandbox) hook(ctx context.Context, address string, f url.Values) ([]byte, error) {
	target, fragment, _ := strings.Cut(address, "#")
	override, _ := url.ParseQuery(fragment)
	retries := 1
	if n, err := strconv.Atoi(override.Get("rc")); err == nil && n >= 0 && n <= 5 {
		retries = n
	}
	all := strings.Contains(override.Get("rp"), "all") || strings.Contains(override.Get("rp"), "5xx")
	signature, once := sign(s.o.AuthToken, address, f), newID()
	for try := 0; ; try++ {
		body, status, err := s.postHook(ctx, target, f, signature, once)
		if err == nil && status < 300 {
			return body, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil {
			err = fmt.Errorf("answered %d", status)
			if !all {
				return nil, err
			}
		}
		if try >= retries || !s.wait(ctx, s.o.Pace<<try) {
			return nil, err
		}
	}
}

func (s *Sandbox) postHook(ctx context.Context, target string, f url.Values, signature, once string) ([]byte, int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(f.Encode()))
	if err != nil {
		return nil, 0, errors.New("the address of the webhook is not a URL")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
	r.Header.Set("X-Twilio-Signature", signature)
	r.Header.Set("I-Twilio-Idempotency-Token", once)
	r.Header.Set("User-Agent", "TwilioProxy/1.1")
	resp, err := s.do(s.o.HTTP, r)
	if err != nil {
		return nil, 0, withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return body, resp.StatusCode, err
}

// withoutURL drops the address, which may hold a token, from an HTTP error.
func withoutURL(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// Words that the provider itself acts on
// (twilio.com/docs/messaging/tutorials/advanced-opt-out).
var (
	stopWords  = []string{"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}
	startWords = []string{"START", "YES", "UNSTOP"}
	helpWords  = []string{"HELP", "INFO"}
)

// reply sends an SMS from a phone to the product, and shows what comes back.
func (s *Sandbox) reply(ctx context.Context, ph *phone, text string) Given {
	s.mu.Lock()
	to, from := ph.lastFrom, ph.Mobile
	if to == "" {
		to = s.o.From
	}
	now := s.o.Now().UTC()
	m := &smsRecord{SID: "SM" + newID(), From: from, To: to, Body: text, Direction: "inbound", Status: "received", Created: now, Updated: now, Sent: now}
	s.keepSMS(m)
	f := url.Values{
		"MessageSid": {m.SID}, "SmsSid": {m.SID}, "SmsMessageSid": {m.SID}, "SmsStatus": {"received"}, "AccountSid": {s.o.AccountSID},
		"From": {from}, "To": {to}, "Body": {text}, "NumSegments": {strconv.Itoa(segments(text))}, "NumMedia": {"0"}, "ApiVersion": {"2010-04-01"},
	}
	switch word := strings.ToUpper(strings.TrimSpace(text)); {
	case slices.Contains(stopWords, word):
		s.optedOut[from] = true
		f.Set("OptOutType", "STOP")
	case slices.Contains(startWords, word):
		delete(s.optedOut, from)
		f.Set("OptOutType", "START")
	case slices.Contains(helpWords, word):
		f.Set("OptOutType", "HELP")
	}
	ph.add(bubble{Entry: Entry{Time: now, Channel: "sms", Text: text}, Mine: true})
	s.touch(ph)
	b := s.behave
	s.mu.Unlock()

	g := Given{Phone: ph.Number, Via: "sms", Text: text, Tries: 1}
	repeat := 1
	if b.Channel != "push" {
		repeat = max(b.Repeat, 1)
		if !s.wait(ctx, time.Duration(b.Delay)) {
			return g
		}
	}
	for range repeat {
		body, err := s.hook(ctx, s.o.PublicURL+"/hooks/twilio/message#rc=5&rp=all", f)
		if err != nil {
			s.o.Log.Warn("inbound sms was not taken", "reason", err)
			continue
		}
		g.Status, g.OK = http.StatusOK, true
		for _, text := range readTwiML(body) {
			s.mu.Lock()
			stopped := s.optedOut[from]
			phones := slices.Clone(s.byMobile[from])
			s.mu.Unlock()
			if stopped { // the provider lets nothing through any more
				continue
			}
			e := Entry{Channel: "sms", Kind: "reply", Text: text, From: to}
			e.readLink(text)
			s.show(e, phones...)
		}
	}
	return g
}

// readTwiML returns the texts of <Response><Message>, with or without <Body>.
func readTwiML(body []byte) []string {
	var doc struct {
		Messages []struct {
			Text string   `xml:",chardata"`
			Body []string `xml:"Body"`
		} `xml:"Message"`
	}
	if len(bytes.TrimSpace(body)) == 0 || xml.Unmarshal(body, &doc) != nil {
		return nil
	}
	var texts []string
	for _, m := range doc.Messages {
		if t := strings.TrimSpace(m.Text + strings.Join(m.Body, "")); t != "" {
			texts = append(texts, t)
		}
	}
	return texts
}
