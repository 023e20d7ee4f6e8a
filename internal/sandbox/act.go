package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Act is what a person does with their phone.
type Act struct {
	Number string `json:"number"` // employee number, or mobile number
	Via    string `json:"via"`    // push, sms, link, ignore
	Answer int    `json:"answer"` // 1, 2 or 3
	Text   string `json:"text,omitempty"`
	Token  string `json:"token,omitempty"` // which message; empty is the newest
}

var errNothing = errors.New("this phone has nothing to answer that way")

// act does what the person does, and waits until the product took it or five
// tries have failed. A phone repeats the same press with the same k, as the
// page and the service worker of the product do.
func (s *Sandbox) act(ctx context.Context, a Act) (Given, error) {
	ph := s.find(a.Number)
	if ph == nil {
		return Given{}, errors.New("no such phone")
	}
	if a.Via == "ignore" {
		return Given{Phone: ph.Number, Via: a.Via, OK: true}, nil
	}
	if a.Via != "push" && a.Via != "sms" && a.Via != "link" {
		return Given{}, fmt.Errorf("via must be push, sms, link or ignore")
	}
	if (a.Answer < 1 || a.Answer > 3) && !(a.Via == "sms" && a.Text != "") {
		return Given{}, errors.New("answer must be 1, 2 or 3")
	}
	s.acting.Add(1)
	defer s.acting.Add(-1)
	ph.acting.Lock()
	defer ph.acting.Unlock()

	channel := map[string]string{"push": "webpush", "sms": "sms"}[a.Via] // a link is in both
	s.mu.Lock()
	token, version := a.Token, 1
	for i := len(ph.bubbles) - 1; i >= 0 && token == ""; i-- {
		if b := ph.bubbles[i]; !b.Mine && b.Token != "" && (channel == "" || b.Channel == channel) {
			token = b.Token
		}
	}
	for _, b := range ph.bubbles { // the newest notification took the place of those before
		if b.Channel == "webpush" && b.Token == token && b.Asks {
			version = max(b.Version, 1)
		}
	}
	mobile, code := ph.Mobile, ph.code(token, a.Answer)
	s.mu.Unlock()

	var g Given
	switch {
	case a.Via == "sms" && mobile == "":
		return Given{}, errNothing
	case a.Via == "sms":
		if a.Text == "" {
			a.Text = code
		}
		g = s.reply(ctx, ph, a.Text)
	case token == "":
		return Given{}, errNothing
	default:
		g = s.press(ctx, ph, a, token, version)
	}
	g.Time, g.Answer, g.Token = s.o.Now().UTC(), a.Answer, token
	s.mu.Lock()
	s.answers.push(g)
	for i := range ph.bubbles {
		if b := &ph.bubbles[i]; g.OK && token != "" && b.Token == token && a.Answer != 0 {
			b.Answered = a.Answer
		}
	}
	if !g.OK {
		ph.add(bubble{Entry: Entry{Time: g.Time, Channel: a.Via, Text: "Not sent"}, Mine: true, Failed: true})
	}
	s.touch(ph)
	s.mu.Unlock()
	return g, nil
}

// press answers on the page, or on the buttons of a notification.
func (s *Sandbox) press(ctx context.Context, ph *phone, a Act, token string, version int) Given {
	g := Given{Phone: ph.Number, Via: a.Via, Text: a.Text}
	form := url.Values{"k": {newID()}, "via": {"push"}, "v": {strconv.Itoa(version)}}
	if a.Via == "link" {
		form = nil
	}
	for g.Tries < 5 {
		if g.Tries > 0 && !s.wait(ctx, s.o.Pace<<g.Tries) {
			return g
		}
		g.Tries++
		if form == nil {
			var err error
			if form, g.Status, err = s.openForm(ctx, token); err != nil {
				if permanent(g.Status) {
					return g
				}
				continue
			}
		}
		form.Set("a", strconv.Itoa(a.Answer))
		if a.Text != "" {
			form.Set("note", a.Text)
		}
		resp, err := s.post(ctx, s.o.HTTP, "/r/"+url.PathEscape(token), form)
		if err != nil {
			g.Status = 0
			continue
		}
		resp.Body.Close()
		g.Status = resp.StatusCode
		if g.OK = resp.StatusCode < 300; g.OK || permanent(g.Status) {
			return g
		}
	}
	return g
}

// permanent reports whether asking again cannot help.
func permanent(status int) bool {
	return status == http.StatusOK || status >= 400 && status < 500 && status != http.StatusTooManyRequests && status != http.StatusRequestTimeout
}

func (s *Sandbox) actFromAPI(w http.ResponseWriter, r *http.Request) {
	var a Act
	err := decode(w, r, &a, func(f url.Values) (err error) {
		a, err = actOf(f)
		return err
	})
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	g, err := s.act(ctx, a)
	switch {
	case errors.Is(err, errNothing):
		writeJSON(w, http.StatusConflict, map[string]string{"error": err.Error()})
	case err != nil:
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
	default:
		writeJSON(w, http.StatusOK, g)
	}
}

func actOf(f url.Values) (Act, error) {
	n, err := whole(f.Get("answer"))
	return Act{Number: f.Get("number"), Via: f.Get("via"), Answer: n, Text: f.Get("text"), Token: f.Get("token")}, err
}
