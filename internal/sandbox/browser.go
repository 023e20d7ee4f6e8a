package sandbox

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// deliver shows a push message, unless it is replaced or expires first, and
// then tells the product that it was shown, as the service worker does.
func (s *Sandbox) deliver(d *device, message, topic, urgency string, ttl, delay time.Duration, plain []byte) func(context.Context) {
	return func(ctx context.Context) {
		if delay > 0 && delay > ttl {
			return // too late to be of use
		}
		if !s.wait(ctx, delay) {
			return
		}
		s.mu.Lock()
		replaced := false
		if topic != "" && delay > 0 {
			replaced = d.queued[topic] != message
		}
		if d.queued[topic] == message {
			delete(d.queued, topic)
		}
		s.mu.Unlock()
		if replaced {
			return
		}
		e := readPush(plain)
		e.Topic, e.Urgency = topic, urgency
		s.show(e, d.phone)
		if e.Token != "" {
			resp, err := s.post(ctx, s.o.HTTP, "/r/"+url.PathEscape(e.Token)+"/seen?c=webpush&v="+strconv.Itoa(max(e.Version, 1)), nil)
			if err == nil {
				resp.Body.Close()
			}
		}
	}
}

// enrolAll lets phones open their personal link and subscribe, eight at a time
// so that a large company does not arrive all at once.
func (s *Sandbox) enrolAll(phones []*phone) {
	todo := make(chan *phone, len(phones))
	for _, ph := range phones {
		todo <- ph
	}
	close(todo)
	for range min(32, len(phones)) {
		s.spawn(func(ctx context.Context) {
			for ph := range todo {
				for try := range 8 {
					err := s.enrol(ctx, ph)
					if err == nil || ctx.Err() != nil {
						break
					}
					s.o.Log.Warn("phone could not enrol", "attempt", try+1, "reason", err)
					if !s.wait(ctx, s.o.Pace<<try) {
						return
					}
				}
			}
		})
	}
}

// enrol opens the personal link in a fresh browser, which ends on /me, and
// hands in the subscription of a new device.
func (s *Sandbox) enrol(ctx context.Context, ph *phone) error {
	s.mu.Lock()
	path, done := ph.Enrol, ph.enrolled
	s.mu.Unlock()
	if done {
		return nil
	}
	if i := indexAfterHost(path); i >= 0 && strings.Contains(path, "://") {
		path = path[i:]
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	browser := &http.Client{Jar: jar, Timeout: s.o.HTTP.Timeout, Transport: s.o.HTTP.Transport}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.o.PublicURL+path, nil)
	if err != nil {
		return errors.New("open personal link: not a URL")
	}
	resp, err := s.do(browser, r)
	if err != nil {
		return fmt.Errorf("open personal link: %w", withoutURL(err))
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("open personal link: answered %d", resp.StatusCode)
	}
	// Opening the link changes nothing; the button on the page connects the phone.
	if resp, err = s.post(ctx, browser, path, url.Values{}); err != nil {
		return fmt.Errorf("connect this phone: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("connect this phone: answered %d", resp.StatusCode)
	}
	d, err := newDevice(ph)
	if err != nil {
		return fmt.Errorf("make device: %w", err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	body, err := json.Marshal(map[string]any{
		"endpoint":       s.o.BaseURL + "/push/" + d.id,
		"expirationTime": nil,
		"keys":           map[string]string{"p256dh": b64(d.key.PublicKey().Bytes()), "auth": b64(d.auth)},
	})
	if err != nil {
		return fmt.Errorf("write subscription: %w", err)
	}
	r, err = http.NewRequestWithContext(ctx, http.MethodPost, s.o.PublicURL+"/me/subscribe", bytes.NewReader(body))
	if err != nil {
		return errors.New("subscribe: not a URL")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	s.addDevice(d) // before the product knows it: its first call may come at once
	resp, err = s.do(browser, r)
	if err == nil {
		resp.Body.Close()
		if resp.StatusCode >= 300 {
			err = fmt.Errorf("answered %d", resp.StatusCode)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.removeDevice(d)
		return fmt.Errorf("subscribe: %w", withoutURL(err))
	}
	ph.enrolled = true
	return nil
}

// post sends a form to the product as one of its own pages would.
func (s *Sandbox) post(ctx context.Context, c *http.Client, path string, f url.Values) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.PublicURL+path, strings.NewReader(f.Encode()))
	if err != nil {
		return nil, errors.New("post form: not a URL")
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return s.do(c, r)
}

// openForm opens the page of a token and returns the hidden inputs of the form
// that answers: the one with an input named k.
func (s *Sandbox) openForm(ctx context.Context, token string) (url.Values, int, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.o.PublicURL+"/r/"+url.PathEscape(token), nil)
	if err != nil {
		return nil, 0, errors.New("open page: not a URL")
	}
	resp, err := s.do(s.o.HTTP, r)
	if err != nil {
		return nil, 0, withoutURL(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, resp.StatusCode, fmt.Errorf("open page: answered %d", resp.StatusCode)
	}
	f := readForm(io.LimitReader(resp.Body, 1<<20))
	if f == nil {
		return nil, resp.StatusCode, errors.New("open page: no form to answer with")
	}
	return f, resp.StatusCode, nil
}

// readForm returns the hidden inputs of the first form that has one named k.
func readForm(page io.Reader) url.Values {
	z := html.NewTokenizer(page)
	form := url.Values{}
	for {
		switch z.Next() {
		case html.ErrorToken:
			return nil
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			if t.Data == "form" {
				form = url.Values{}
			}
			if t.Data != "input" {
				continue
			}
			a := map[string]string{}
			for _, attr := range t.Attr {
				a[attr.Key] = attr.Val
			}
			if a["type"] == "hidden" && a["name"] != "" {
				form.Set(a["name"], a["value"])
			}
		case html.EndTagToken:
			if z.Token().Data == "form" && form.Get("k") != "" {
				return form
			}
		}
	}
}
