package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func formRequest(v url.Values) *http.Request {
	r := httptest.NewRequest("POST", "/", strings.NewReader(v.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

const draftJSON = `{"mode":"live","template":"fire","fields":{"site":"A"},"audience":{"all":true},"policy":{"steps":[{"after":"90s","whom":"recipient"}]}}`

func TestAPI(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, path, token, body string
		status                          int
		has                             string
	}{
		{"no token", "GET", "/api/v1/announcements", "", "", 401, "bearer token"},
		{"wrong token", "GET", "/api/v1/announcements", "x", "", 401, "not known"},
		{"viewer looks", "GET", "/api/v1/announcements", "v", "", 200, `"id":"a1"`},
		{"viewer writes", "POST", "/api/v1/announcements", "v", draftJSON, 403, "does not allow this call"},
		{"announce", "POST", "/api/v1/announcements", "s", draftJSON, 201, `"counts":{"recipients":1248`},
		{"unknown field", "POST", "/api/v1/announcements", "s", `{"mode":"live","audience":{"all":true},"urgent":true}`, 422, "urgent"},
		{"unknown nested field", "POST", "/api/v1/announcements", "s", `{"mode":"live","audience":{"al":true}}`, 422, "audience"},
		{"a name twice", "POST", "/api/v1/announcements", "s", `{"mode":"live","mode":"drill","audience":{"all":true}}`, 400, "stands twice"},
		{"a name twice, once with a capital", "POST", "/api/v1/announcements", "s", `{"mode":"drill","Mode":"live","audience":{"all":true}}`, 400, "stands twice"},
		{"a name in capitals", "POST", "/api/v1/announcements", "s", `{"MODE":"live","audience":{"all":true}}`, 422, "MODE"},
		{"more than one value", "POST", "/api/v1/announcements", "s", draftJSON + draftJSON, 400, ""},
		{"wrong method", "PUT", "/api/v1/announcements", "s", "", 405, "GET"},
		{"no such call", "GET", "/api/v1/nothing", "s", "", 404, "openapi"},
		{"faulty field", "POST", "/api/v1/announcements", "s", `{"mode":"live","audience":{}}`, 422, `"location":"body.audience"`},
		{"too large", "POST", "/api/v1/announcements", "s", `{"mode":"` + strings.Repeat("x", maxBody) + `"}`, 413, ""},
		{"one", "GET", "/api/v1/announcements/a1", "v", "", 200, `"as_of":7`},
		{"unknown one", "GET", "/api/v1/announcements/zz", "v", "", 404, "application"},
		{"recipients", "GET", "/api/v1/announcements/a1/recipients?state=need_help&limit=5", "v", "", 200, "Agus"},
		{"wrong state", "GET", "/api/v1/announcements/a1/recipients?state=dead", "v", "", 422, "query.state"},
		{"timeline", "GET", "/api/v1/announcements/a1/timeline", "v", "", 200, "Announced"},
		{"close needs a reason", "POST", "/api/v1/announcements/a1/close", "s", `{}`, 422, "reason"},
		{"close", "POST", "/api/v1/announcements/a1/close", "s", `{"reason":"searched"}`, 200, `"id":"a1"`},
		{"remind", "POST", "/api/v1/announcements/a1/remind", "s", `{"reason":"again"}`, 200, `"called":12`},
		{"token", "POST", "/api/v1/tokens", "a", `{"name":"n","role":"viewer"}`, 201, "secret"},
		{"token by viewer", "POST", "/api/v1/tokens", "v", `{"name":"n","role":"sender"}`, 403, ""},
		{"token by sender", "POST", "/api/v1/tokens", "s", `{"name":"n","role":"sender"}`, 403, ""},
		{"tokens", "GET", "/api/v1/tokens", "a", "", 200, `{"id":"t1","name":"payroll","role":"viewer"}`},
		{"tokens by viewer", "GET", "/api/v1/tokens", "v", "", 403, ""},
		{"end a token", "DELETE", "/api/v1/tokens/t1", "a", "", 204, ""},
		{"end no token", "DELETE", "/api/v1/tokens/zz", "a", "", 404, ""},
		{"end a token by sender", "DELETE", "/api/v1/tokens/t1", "s", "", 403, ""},
		{"enrol", "POST", "/api/v1/people/17/enrol", "s", "", 200, `"path":"/e/code1"`},
		{"enrol nobody", "POST", "/api/v1/people/0/enrol", "s", "", 404, ""},
		{"description", "GET", "/api/openapi.json", "", "", 200, `"openapi":"3.1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := []string{"Content-Type", "application/json"}
			if c.token != "" {
				args = append(args, "Authorization", "Bearer "+c.token)
			}
			w := call(t, newServer(t, newHouse()), c.method, c.path, c.body, args...)
			text := w.Body.String() + w.Header().Get("Content-Type")
			if w.Code != c.status || !strings.Contains(text, c.has) {
				t.Errorf("got %d %s, want %d with %q", w.Code, text, c.status, c.has)
			}
			if w.Code >= 400 && w.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("got %q, want a problem", w.Header().Get("Content-Type"))
			}
		})
	}
}

func TestAPIImport(t *testing.T) {
	t.Parallel()
	srv := newServer(t, newHouse())
	for body, want := range map[string]int{"number,name\n1,Siti\n": 200, "bad": 422, strings.Repeat("x", 1<<20): 200} {
		w := call(t, srv, "POST", "/api/v1/people:import?dry_run=true", body, "Content-Type", "text/csv", "Authorization", "Bearer s")
		if w.Code != want {
			t.Errorf("got %d %s, want %d", w.Code, w.Body, want)
		}
		if want == 422 && !strings.Contains(w.Body.String(), `"location":"body.rows[2].mobile"`) {
			t.Errorf("got %s, want the faulty cell", w.Body)
		}
	}
}

func TestEventsSendProgressAndEnd(t *testing.T) {
	t.Parallel()
	h := newHouse()
	close(h.changes) // the node stops
	w := call(t, newServer(t, h), "GET", "/api/v1/announcements/a1/events", "", "Authorization", "Bearer v")
	if got := w.Body.String(); !strings.Contains(got, `event: progress
id: 7
data: {"id":"a1","status":"open","mode":"live","as_of":7,"counts":{"recipients":1248,`) {
		t.Errorf("got %q, want where the announcement stands", got)
	}
	w = call(t, newServer(t, h), "GET", "/api/v1/announcements/a1/events", "", "Authorization", "Bearer v", "Last-Event-ID", "7")
	if got := w.Body.String(); strings.Contains(got, "event:") {
		t.Errorf("got %q, want nothing that was seen before", got)
	}
}

func TestHooksAndHealth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, path string
		hookErr            error
		ready              bool
		status             int
	}{
		{"message", "POST", "/hooks/twilio/message", nil, true, 200},
		{"wrong method", "GET", "/hooks/twilio/message", nil, true, 405},
		{"status", "POST", "/hooks/twilio/status", nil, true, 204},
		{"forged", "POST", "/hooks/twilio/message", ErrSignature, true, 403},
		{"not yet", "POST", "/hooks/twilio/message", ErrNotYet, true, 503},
		{"live", "GET", "/livez", nil, false, 200},
		{"ready", "GET", "/readyz", nil, true, 200},
		{"not ready", "GET", "/readyz", nil, false, 503},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse()
			h.hookErr, h.ready = c.hookErr, c.ready
			if w := call(t, newServer(t, h), c.method, c.path, "Body=1", "X-Twilio-Signature", "signed"); w.Code != c.status {
				t.Errorf("got %d, want %d", w.Code, c.status)
			}
		})
	}
}

func TestForeignFormsAreRefused(t *testing.T) {
	t.Parallel()
	h := newHouse()
	w := call(t, newServer(t, h), "POST", "/r/"+goodToken, "a=1", "Sec-Fetch-Site", "cross-site")
	if w.Code != 403 || len(h.presses) != 0 {
		t.Errorf("got %d and %d answers, want 403 and none", w.Code, len(h.presses))
	}
}
