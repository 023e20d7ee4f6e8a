package sandbox

import (
	"cmp"
	"crypto/ecdh"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// device is a browser with one push subscription.
type device struct {
	id     string
	phone  *phone
	key    *ecdh.PrivateKey
	auth   []byte            // 16 bytes
	vapid  string            // the application server key it is bound to: the first that called
	queued map[string]string // topic to id of the message that waits for the phone
}

func newDevice(ph *phone) (*device, error) {
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	d := &device{id: newID(), phone: ph, key: key, auth: make([]byte, 16), queued: map[string]string{}}
	rand.Read(d.auth)
	return d, nil
}

// addDevice gives the device to its phone; the oldest goes when there are too
// many.
func (s *Sandbox) addDevice(d *device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices[d.id] = d
	d.phone.devices = append(d.phone.devices, d)
	for len(d.phone.devices) > maxDevices {
		s.removeDevice(d.phone.devices[0])
	}
	s.touch(d.phone)
}

// removeDevice needs s.mu.
func (s *Sandbox) removeDevice(d *device) {
	delete(s.devices, d.id)
	d.phone.devices = slices.DeleteFunc(d.phone.devices, func(o *device) bool { return o == d })
	s.gone[d.id] = true
	if old, fell := s.goneIDs.push(d.id); fell {
		delete(s.gone, old)
	}
	s.touch(d.phone)
}

var (
	topicForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`) // RFC 8030 §5.4
	urgencies = []string{"very-low", "low", "normal", "high"}
)

// receivePush is a push resource (RFC 8030 §5).
func (s *Sandbox) receivePush(w http.ResponseWriter, r *http.Request) {
	problem := func(status int, text string) {
		writeJSON(w, status, map[string]any{"code": status, "message": text})
	}
	id := r.PathValue("device")
	s.mu.Lock()
	d, known := s.devices[id]
	removed := s.gone[id]
	s.mu.Unlock()
	switch {
	case removed:
		problem(http.StatusGone, "the subscription has ended")
		return
	case !known:
		problem(http.StatusNotFound, "no such subscription")
		return
	}
	b, fail := s.fault("push")
	if !s.wait(r.Context(), time.Duration(b.Answer)) {
		return
	}
	if status, err := strconv.Atoi(fail); err == nil && status < 600 {
		if b.RetryAfter > 0 {
			w.Header().Set("Retry-After", seconds(time.Duration(b.RetryAfter)))
		}
		if status == http.StatusGone || status == http.StatusNotFound {
			s.mu.Lock()
			s.removeDevice(d)
			s.mu.Unlock()
		}
		problem(status, "told to fail")
		return
	}
	if r.Header.Get("Authorization") == "" {
		problem(http.StatusUnauthorized, "authorization is missing")
		return
	}
	key, err := checkVAPID(r.Header.Get("Authorization"), originOf(s.o.BaseURL), s.o.Now())
	if err != nil {
		problem(http.StatusForbidden, err.Error())
		return
	}
	ttl, err := strconv.Atoi(r.Header.Get("TTL"))
	if err != nil || ttl < 0 {
		problem(http.StatusBadRequest, "TTL is missing or not a number of seconds")
		return
	}
	topic := r.Header.Get("Topic")
	if topic != "" && !topicForm.MatchString(topic) {
		problem(http.StatusBadRequest, "Topic is not 1 to 32 characters of base64url")
		return
	}
	urgency := r.Header.Get("Urgency")
	if values := r.Header.Values("Urgency"); len(values) > 1 || urgency != "" && !slices.Contains(urgencies, urgency) {
		problem(http.StatusBadRequest, "Urgency is not one of the four words")
		return
	}
	if r.Header.Get("Content-Encoding") != "aes128gcm" {
		problem(http.StatusBadRequest, "Content-Encoding must be aes128gcm")
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4096))
	if err != nil {
		if _, big := errors.AsType[*http.MaxBytesError](err); big {
			problem(http.StatusRequestEntityTooLarge, "more than 4096 bytes")
		}
		return
	}
	plain, err := decrypt(d.key, d.auth, body)
	if err != nil {
		problem(http.StatusBadRequest, err.Error())
		return
	}
	message := newID()
	s.mu.Lock()
	if d.vapid == "" {
		d.vapid = key
	}
	bound := d.vapid == key
	if bound && topic != "" {
		d.queued[topic] = message // replaces one that still waits
	}
	s.mu.Unlock()
	if !bound {
		problem(http.StatusForbidden, "the subscription belongs to another key")
		return
	}
	s.spawn(s.deliver(d, message, topic, urgency, time.Duration(ttl)*time.Second, time.Duration(b.Delay), plain))
	if !s.answerLate(r, b, fail) {
		return
	}
	if fail == "lost" {
		problem(http.StatusInternalServerError, "taken, but told to answer with a failure")
		return
	}
	w.Header().Set("Location", s.o.BaseURL+"/push/"+d.id+"/"+message)
	w.Header().Set("TTL", strconv.Itoa(ttl))
	w.WriteHeader(http.StatusCreated)
}

// readPush reads what a browser and the service worker of the product would: a
// declarative push message (W3C Push API, "web_push": 8030), or its fields at the
// top level. What cannot be read is shown as it came.
func readPush(plain []byte) Entry {
	var p struct {
		Notification struct {
			Title, Body, Navigate string
			Silent                bool
		}
		Title, Body string
		Kind, Token string
		Answers     string
		Link        string
		Round       int64
		Version     int
		Asks        *bool
	}
	if json.Unmarshal(plain, &p) != nil {
		return Entry{Channel: "webpush", Text: string(plain)}
	}
	n := p.Notification
	e := Entry{
		Channel: "webpush", Kind: p.Kind, Token: p.Token, Round: p.Round, Version: p.Version,
		Title: cmp.Or(n.Title, p.Title), Text: cmp.Or(n.Body, p.Body), Link: cmp.Or(n.Navigate, p.Link), Silent: n.Silent,
	}
	e.readLink(e.Link)
	e.Asks = e.Token != ""
	if p.Asks != nil {
		e.Asks = *p.Asks && e.Token != ""
	}
	e.Read = p.Answers == "read"
	return e
}

func originOf(base string) string {
	if i := indexAfterHost(base); i >= 0 {
		return base[:i]
	}
	return base
}

// indexAfterHost returns where the path of an absolute URL begins, or -1.
func indexAfterHost(base string) int {
	slashes := 0
	for i, c := range base {
		if c == '/' {
			if slashes++; slashes == 3 {
				return i
			}
		}
	}
	return -1
}
