package sandbox

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"kentongan/internal/announcement"
)

// auto lets a share of the phones answer by themselves. Who does is spread
// evenly over the phones in their order, so the share is exact and a person who
// stays silent stays silent on every channel and in every round.
type auto struct {
	Percent int                   `json:"percent"` // of the phones
	Help    int                   `json:"help"`    // percent of those who answer: need help
	Away    int                   `json:"away"`    // percent of those who answer: not on site
	Within  announcement.Duration `json:"within"`  // after the message came
	Via     string                `json:"via"`     // some of push,sms,link; empty is all
}

func (a auto) validate() error {
	for _, p := range []int{a.Percent, a.Help, a.Away} {
		if p < 0 || p > 100 {
			return errors.New("a percentage is 0 to 100")
		}
	}
	if a.Help+a.Away > 100 {
		return errors.New("help and away are more than everybody")
	}
	if a.Within < 0 || time.Duration(a.Within) > time.Hour {
		return errors.New("within is 0 to 1 hour")
	}
	for _, v := range a.ways() {
		if v != "push" && v != "sms" && v != "link" {
			return errors.New("via is some of push,sms,link")
		}
	}
	return nil
}

func (a auto) ways() []string {
	if a.Via == "" {
		return []string{"push", "sms", "link"}
	}
	return strings.Split(a.Via, ",")
}

// chosen reports whether the i-th of many is part of an evenly spread percent,
// and which of the chosen it is.
func chosen(i, percent int) (nth int, ok bool) {
	return i * percent / 100, (i+1)*percent/100 > i*percent/100
}

// decide says whether phone i answers, and what.
func (a auto) decide(i int) (nth int, answer announcement.Answer, ok bool) {
	nth, ok = chosen(i, a.Percent)
	if !ok {
		return 0, 0, false
	}
	answer = announcement.Safe
	if _, help := chosen(nth, a.Help); help {
		answer = announcement.NeedHelp
	} else if _, away := chosen(nth, a.Help+a.Away); away {
		answer = announcement.NotOnSite
	}
	return nth, answer, true
}

// answerByItself lets the phone answer what it was asked, if it is one that
// does, after a random part of the time allowed.
func (s *Sandbox) answerByItself(ph *phone) {
	s.mu.Lock()
	a := s.auto
	nth, answer, ok := a.decide(ph.index)
	if !ok || ph.due || len(ph.open(a.ways())) == 0 {
		s.mu.Unlock()
		return
	}
	ph.due = true
	changed := s.changed
	s.mu.Unlock()
	s.spawn(func(ctx context.Context) {
		d := time.Duration(a.Within)
		if d > 0 {
			d = rand.N(d)
		}
		alive := s.waitUnless(ctx, d, changed)
		s.mu.Lock()
		ph.due = false
		if s.changed != changed { // people do something else now
			s.mu.Unlock()
			s.answerByItself(ph)
			return
		}
		open := ph.open(a.ways())
		s.mu.Unlock()
		if !alive || len(open) == 0 {
			return
		}
		// Prefer a different way for each person, among those that they have.
		way := a.ways()[nth%len(a.ways())]
		for _, token := range open {
			use := way
			if !slices.Contains(token.ways, use) {
				use = token.ways[0]
			}
			if _, err := s.act(ctx, Act{Number: ph.Number, Via: use, Answer: int(answer), Token: token.token}); err != nil {
				s.o.Log.Warn("phone could not answer by itself", "reason", err)
			}
		}
	})
}

// waitUnless waits for d, or until changed is closed; it returns false when the sandbox
// stops before.
func (s *Sandbox) waitUnless(ctx context.Context, d time.Duration, changed <-chan struct{}) bool {
	t := time.NewTimer(max(d, 0))
	defer t.Stop()
	select {
	case <-t.C:
	case <-changed:
	case <-ctx.Done():
	}
	return ctx.Err() == nil
}

// question is an unanswered message and the ways in which it can be answered.
type question struct {
	token string
	ways  []string
}

// open returns what the phone was asked and has not answered, newest last, as
// far as one of the ways can answer it. It needs the lock of the sandbox.
func (ph *phone) open(ways []string) []question {
	var open []question
	for _, b := range ph.bubbles {
		if b.Mine || b.Token == "" || !b.Asks || b.Answered != 0 {
			continue
		}
		i := slices.IndexFunc(open, func(q question) bool { return q.token == b.Token })
		if i < 0 {
			i = len(open)
			open = append(open, question{token: b.Token})
		}
		can := map[string]bool{"link": true, "push": b.Channel == "webpush", "sms": b.Channel == "sms"}
		for _, w := range ways {
			if can[w] && !slices.Contains(open[i].ways, w) {
				open[i].ways = append(open[i].ways, w)
			}
		}
	}
	return slices.DeleteFunc(open, func(q question) bool { return len(q.ways) == 0 })
}

func (s *Sandbox) setAuto(w http.ResponseWriter, r *http.Request) {
	var a auto
	isForm := false
	err := decode(w, r, &a, func(f url.Values) error {
		isForm = true
		var errs [4]error
		a.Percent, errs[0] = whole(f.Get("percent"))
		a.Help, errs[1] = whole(f.Get("help"))
		a.Away, errs[2] = whole(f.Get("away"))
		within := f.Get("within")
		if n, err := whole(within); err == nil { // the page asks for seconds
			a.Within = announcement.Duration(time.Duration(n) * time.Second)
		} else {
			a.Within, errs[3] = duration(within)
		}
		a.Via = strings.Join(f["via"], ",")
		return errors.Join(errs[:]...)
	})
	if err == nil {
		err = a.validate()
	}
	if err != nil {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
		return
	}
	s.mu.Lock()
	s.auto = a
	close(s.changed)
	s.changed = make(chan struct{})
	phones := slices.Clone(s.phones)
	s.version++
	s.mu.Unlock()
	for _, ph := range phones { // also for what is on the screens already
		s.answerByItself(ph)
	}
	if isForm {
		http.Redirect(w, r, "/phones", http.StatusSeeOther)
		return
	}
	writeJSON(w, http.StatusOK, a)
}
