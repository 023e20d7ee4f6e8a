package web

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// stuckJobs are one of each kind.
var stuckJobs = []StuckJob{
	{ID: "0a1b2c3d4e5f", Announcement: "a123456789bcdefg", Round: 0, Lane: "emergency", Channel: "sms", From: 701, To: 702, Why: "panicked", Place: "runtime.boundsError at app/composer.go:87", Tries: 3, Published: noon, At: noon.Add(time.Minute)},
	{ID: "0a1b2c3d4e60", Announcement: "a123456789bcdefg", Round: 1 << 33, Lane: "emergency", Channel: "webpush", From: 0, To: 500, Why: "crashed", Tries: 5, Published: noon, At: noon.Add(time.Minute)},
	{ID: "0a1b2c3d4e61", Lane: "routine", Channel: "sms", Why: "unreadable", Tries: 1, Published: noon, At: noon.Add(2 * time.Minute)},
	{ID: "0a1b2c3d4e62", Announcement: "a123456789bcdefg", Round: 2, Lane: "routine", Channel: "in_app", From: 500, To: 1000, Why: "unknown", Tries: 63, Published: noon, At: noon.Add(3 * time.Minute)},
}

// TestStuckDeliveriesAreDecidedAbout: an operator reads the list, has one tried again,
// drops another with a reason, and the rest together; each is in the trail, before it is
// done, and by both ways in.
func TestStuckDeliveriesAreDecidedAbout(t *testing.T) {
	h, tr := newHouse(), new(trail)
	s := newServerOf(t, struct {
		*house
		*trail
	}{h, tr})
	asOperator := []string{"Cookie", "session=token:operator", "Accept-Language", "en"}
	ask := func(method, path, form string, want int) string {
		t.Helper()
		w := call(t, s, method, path, form, asOperator...)
		if w.Code != want {
			t.Fatalf("%s %s %s: %d, want %d: %s", method, path, form, w.Code, want, w.Body)
		}
		return w.Body.String()
	}
	h.stuck = stuckJobs
	page := ask("GET", "/stuck", "", 200)
	for _, part := range []string{"a123456789bcdefg", "701", "runtime.boundsError at app/composer.go:87", "Nobody can read it.", "Drop it", "Try all 4 again"} {
		if !strings.Contains(page, part) {
			t.Errorf("the page does not say %q", part)
		}
	}
	if strings.Contains(page, `href="/alerts/`) {
		t.Error("an operator is led to an alert, which is not for them")
	}

	// A reason is one of the list; without one nothing is done.
	for _, form := range []string{"act=drop", "act=drop&why=Siti", "act=x", ""} {
		ask("POST", "/stuck/0a1b2c3d4e5f", form, http.StatusUnprocessableEntity)
	}
	if len(h.stuck) != 4 || len(tr.beside) != 4 || !tr.beside[0].on.Refused || len(tr.beside[1].on.Asked) != 0 {
		t.Fatalf("%d are left, noted as refused: %+v; want 4, and 4 without what was typed", len(h.stuck), tr.beside)
	}
	tr.before = nil
	ask("POST", "/stuck/0a1b2c3d4e5f", "act=drop&why=otherwise", 303)
	ask("POST", "/stuck/0a1b2c3d4e60", "act=again", 303)
	ask("POST", "/stuck/0a1b2c3d4e60", "act=again", 404)
	ask("POST", "/stuck", "", 303)
	if len(h.stuck) != 0 {
		t.Errorf("%d are left", len(h.stuck))
	}
	var noted []string
	for _, n := range tr.before {
		noted = append(noted, string(n.act)+" "+n.on.Object+" "+strings.Join(n.on.Asked, ","))
	}
	if got, want := strings.Join(noted, "; "), "job_dropped 0a1b2c3d4e5f otherwise; job_tried_again 0a1b2c3d4e60 ; job_tried_again 0a1b2c3d4e60 ; job_tried_again  "; got != want {
		t.Errorf("noted %q, want %q", got, want)
	}

	h.stuck, tr.before = stuckJobs, nil
	byToken := []string{"Authorization", "Bearer operator", "Content-Type", "application/json"}
	for _, c := range []struct {
		method, path string
		status       int
		says         string
	}{
		{"GET", "/api/v1/stuck", 200, `"why":"panicked"`},
		{"POST", "/api/v1/stuck/0a1b2c3d4e5f/drop", 422, "why"},
		{"POST", "/api/v1/stuck/0a1b2c3d4e5f/drop?why=Siti", 422, "why"},
		{"POST", "/api/v1/stuck/0a1b2c3d4e5f/drop?why=over", 204, ""},
		{"POST", "/api/v1/stuck/0a1b2c3d4e5f/drop?why=over", 404, ""},
		{"POST", "/api/v1/stuck/0a1b2c3d4e60/again", 204, ""},
		{"POST", "/api/v1/stuck:again", 200, `"tried":2`},
		{"GET", "/api/v1/stuck", 200, `"jobs":[]`},
	} {
		w := call(t, s, c.method, c.path, "", byToken...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
			t.Errorf("%s %s: %d %s, want %d and %q", c.method, c.path, w.Code, w.Body, c.status, c.says)
		}
	}
	if last := tr.before[len(tr.before)-1]; last.act != "job_tried_again" || last.on.By != "api" {
		t.Errorf("noted %+v", last)
	}

	// What cannot be noted is not done.
	h.stuck, tr.full = stuckJobs, true
	ask("POST", "/stuck/0a1b2c3d4e5f", "act=again", 503)
	if len(h.stuck) != 4 {
		t.Error("it was done without a record")
	}
}

// TestWhatIsWrongIsOnEveryPage of those who send or look after the service, in their
// language, and on nobody else's.
func TestWhatIsWrongIsOnEveryPage(t *testing.T) {
	h := newHouse()
	s := newServer(t, h)
	says := func(role, path string) string {
		t.Helper()
		w := call(t, s, "GET", path, "", "Cookie", "session=token:"+role, "Accept-Language", "en")
		if w.Code != 200 {
			t.Fatalf("%s as %s: %d", path, role, w.Code)
		}
		return w.Body.String()
	}
	const banner, advice, button = "Something is wrong with the service: some messages could not be sent", "Whoever runs this server decides about them.", "To the stuck deliveries"
	if strings.Contains(says("sender", "/"), "Something is wrong") {
		t.Error("something is wrong though nothing was found")
	}
	h.found = []string{"stuck"}
	for _, c := range []struct {
		role, path     string
		banner, button bool
	}{
		{"sender", "/", true, false}, {"sender", "/new", true, false}, {"sender", "/people", true, false},
		{"administrator", "/", true, true}, {"administrator", "/accounts", true, true}, {"operator", "/readiness", true, true},
		{"viewer", "/", false, false}, {"auditor", "/audit", false, false}, {"approver", "/", false, false},
	} {
		page := says(c.role, c.path)
		if got := strings.Contains(page, banner) && strings.Contains(page, advice); got != c.banner {
			t.Errorf("%s on %s reads what is wrong: %t, want %t", c.role, c.path, got, c.banner)
		}
		if got := strings.Contains(page, button); got != c.button {
			t.Errorf("%s on %s is led to the list: %t, want %t", c.role, c.path, got, c.button)
		}
	}
	w := call(t, s, "GET", "/?lang=id", "", "Cookie", "session=token:sender")
	if !strings.Contains(w.Body.String(), "Ada yang tidak beres dengan layanan: sebagian pesan gagal dikirim") {
		t.Error("it is not said in Indonesian")
	}
	for _, path := range []string{"/signin", "/j"} {
		if w := call(t, s, "GET", path, ""); strings.Contains(w.Body.String(), "urgent") && strings.Contains(w.Body.String(), "wrong with the service") {
			t.Errorf("%s tells everybody", path)
		}
	}
}
