package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve stands in for an installation.
func serve(t *testing.T, h http.HandlerFunc) Connection {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return Connection{URL: s.URL, Token: "kt_a_b"}
}

func refuse(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	fmt.Fprint(w, body)
}

func TestFailuresHaveACauseAndAHint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		status      int
		contentType string
		location    string
		body        string
		cause, hint string
	}{
		{"no token", 401, "application/problem+json", "", `{"title":"Unauthorized","detail":"A bearer token is needed."}`, "the server says no (401): A bearer token is needed.", "KENTONGAN_TOKEN"},
		{"a viewer", 403, "application/problem+json", "", `{"detail":"This token may only look."}`, "may only look", "--role sender"},
		{"unknown id", 404, "application/problem+json", "", `{"detail":"There is nothing here."}`, "nothing here", "kentongan status"},
		{"not ready", 503, "application/problem+json", "", `{"detail":"Not recorded yet."}`, "Not recorded yet.", "/readyz"},
		{"no detail", 500, "application/problem+json", "", `{"title":"Internal Server Error"}`, "Internal Server Error", "log of the server"},
		{"faulty fields", 422, "application/problem+json", "", `{"detail":"Some fields need to be mended.","errors":[{"location":"body.audience.sites[0]","message":"no active person has this site","value":"Nowhere"}]}`,
			"\n  audience.sites[0] \"Nowhere\": no active person has this site", "nothing was sent"},
		{"another program", 404, "text/html", "", "<h1>nginx</h1>", "not the API of Kentongan", "--url"},
		{"a proxy in between", 502, "text/html", "", "bad gateway", "answers 502", "proxy"},
		{"moved", 301, "text/html", "https://siaga.example/api/v1/announcements", "", "sends us on to https://siaga.example", "KENTONGAN_PUBLIC_URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			to := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if got := r.Header.Get("Authorization"); got != "Bearer kt_a_b" {
					t.Errorf("got %q, want the token", got)
				}
				w.Header().Set("Content-Type", c.contentType)
				if c.location != "" {
					w.Header().Set("Location", c.location)
				}
				w.WriteHeader(c.status)
				fmt.Fprint(w, c.body)
			})
			err := to.Client().Call(t.Context(), http.MethodPost, "/api/v1/announcements", "", nil, nil)
			if err == nil || !strings.Contains(err.Error(), c.cause) {
				t.Errorf("got %v, want %q", err, c.cause)
			}
			if hint := HintOf(err); !strings.Contains(hint, c.hint) {
				t.Errorf("got the hint %q, want %q", hint, c.hint)
			}
			var p *Problem
			if !errors.As(err, &p) || p.Status != c.status {
				t.Errorf("got %v, want a problem with status %d", err, c.status)
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for _, address := range []string{gone.URL, "siaga.example", "ftp://siaga.example", ""} {
		err := (&Client{URL: address, Token: "secret"}).Call(t.Context(), http.MethodGet, "/api/v1/announcements", "", nil, nil)
		if err == nil || HintOf(err) == "" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v with the hint %q, want a cause, a hint and no token", address, err, HintOf(err))
		}
	}
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestImportSaysEveryFaultyCell(t *testing.T) {
	t.Parallel()
	to := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("dry_run") != "true" || r.Header.Get("Content-Type") != "text/csv" {
			t.Errorf("got %s, %s", r.URL, r.Header)
		}
		refuse(w, 422, `{"detail":"Nothing was imported.","report":{"errors":[{"row":2,"field":"mobile","value":"08123","reason":"is too short"},{"row":7,"field":"","value":"","reason":"has 3 cells"}]}}`)
	})
	err := (&Import{Connection: to, File: write(t, "people.csv", "number,name\n1,Siti\n"), DryRun: true}).Run(t.Context())
	if err == nil || err.Error() != "nothing was imported; faults: 2" || HintOf(err) == "" {
		t.Errorf("got %v with the hint %q", err, HintOf(err))
	}
	var out strings.Builder
	_ = Report{Errors: []Cell{{2, "mobile", "08123", "is too short"}, {7, "", "", "has 3 cells"}}}.refused(&out)
	want := "ROW  FIELD   VALUE    WHAT IS WRONG\n2    mobile  \"08123\"  is too short\n7    -       \"\"       has 3 cells\n"
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestImportRefusesWhatCannotBeAFileOfPeople(t *testing.T) {
	t.Parallel()
	to := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("the server was asked") })
	large := filepath.Join(t.TempDir(), "large.csv")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxFile+1); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"/no/such/file.csv", t.TempDir(), write(t, "empty.csv", " \n"), large} {
		if err := (&Import{Connection: to, File: file}).Run(t.Context()); err == nil || HintOf(err) == "" {
			t.Errorf("%s: got %v with the hint %q", file, err, HintOf(err))
		}
	}
}

func TestWarningsAreSaidOnce(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	Report{Rows: 3, Added: 3, Warnings: []Cell{{2, "mobile", "", "has no number"}, {3, "mobile", "+622150", "is a landline"}, {4, "mobile", "", "has no number"}}}.print(&out, true)
	want := `warning: mobile of 2 rows: has no number
  rows 2, 4
warning: row 3, mobile "+622150": is a landline
nothing was changed; would import 3 rows: 3 added, 0 changed, 0 unchanged, 0 leaving; 0 known people not in this file were left alone
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func TestAnnounceRefusesHalfAnAnnouncement(t *testing.T) {
	t.Parallel()
	good := write(t, "fire.json", `{"mode":"live"}`)
	for _, c := range []struct {
		name string
		a    Announce
		want string
	}{
		{"nothing", Announce{}, "what to announce"},
		{"no mode", Announce{Template: "fire", All: true}, "whether it is real"},
		{"nobody", Announce{Template: "fire", Mode: "drill"}, "to whom"},
		{"a file and an audience", Announce{File: good, All: true}, "--file holds the whole"},
		{"a file and a mode", Announce{File: good, Mode: "drill"}, "--file holds the whole"},
		{"a file and a template", Announce{File: good, Template: "fire"}, "--file holds the whole"},
		{"no file", Announce{File: "/no/such/file"}, "no such file"},
		{"broken JSON", Announce{File: write(t, "b.json", "{\n\"mode\": live\n}")}, "line 2"},
		{"a list", Announce{File: write(t, "l.json", "[]")}, "not a JSON object"},
		{"large", Announce{File: write(t, "x.json", strings.Repeat(" ", maxDraft+1))}, "larger than 64 KB"},
	} {
		c.a.Connection = serve(t, func(http.ResponseWriter, *http.Request) { t.Errorf("%s: the server was asked", c.name) })
		err := c.a.Run(t.Context())
		if err == nil || !strings.Contains(err.Error(), c.want) || HintOf(err) == "" {
			t.Errorf("%s: got %v with the hint %q, want %q", c.name, err, HintOf(err), c.want)
		}
	}
}

// A call whose answer was lost may have sent an alarm. The hint makes a repeat safe.
func TestAnnounceNamesTheKeyThatMakesARepeatSafe(t *testing.T) {
	t.Parallel()
	var keys []string
	to := serve(t, func(w http.ResponseWriter, r *http.Request) {
		keys = append(keys, r.Header.Get("Idempotency-Key"))
		refuse(w, 503, `{"detail":"Not recorded yet."}`)
	})
	a := Announce{Connection: to, Template: "fire", Mode: "drill", All: true}
	err := a.Run(t.Context())
	if len(keys) != 1 || len(keys[0]) < 16 || !strings.Contains(HintOf(err), "--key "+keys[0]) {
		t.Fatalf("got the keys %q and the hint %q, want the hint to name the key", keys, HintOf(err))
	}
	a.Key = "drill-2026-11"
	_ = a.Run(t.Context())
	_ = (&Announce{Connection: to, Template: "fire", Mode: "drill", All: true}).Run(t.Context())
	if keys[1] != a.Key || keys[2] == keys[0] {
		t.Errorf("got the keys %q, want the operator's, then a fresh one", keys)
	}
}

func TestAnnounceHints(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"detail":"Some fields need to be mended.","errors":[{"location":"body.fields.site","message":"is missing"}]}`: "--field NAME=VALUE",
		`{"detail":"This Idempotency-Key was used for other text."}`:                                                    "another --key",
	} {
		to := serve(t, func(w http.ResponseWriter, _ *http.Request) { refuse(w, 422, body) })
		if err := (&Announce{Connection: to, Template: "fire", Mode: "drill", All: true, Key: "k"}).Run(t.Context()); !strings.Contains(HintOf(err), want) {
			t.Errorf("got the hint %q, want %q", HintOf(err), want)
		}
	}
}

const openEvent = "event: progress\nid: 7\ndata: {\"id\":\"a1\",\"status\":\"open\",\"mode\":\"live\",\"as_of\":7,\"counts\":{\"recipients\":2}}\n\n"

func TestWatchFollowsThroughARestart(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	var lasts []string
	to := serve(t, func(w http.ResponseWriter, r *http.Request) {
		lasts = append(lasts, r.Header.Get("Last-Event-ID"))
		switch calls.Add(1) {
		case 1: // the server stops in the middle
			fmt.Fprint(w, "retry: 2000\n\n: still here\n\n"+openEvent+"event: progress\nid: 8\ndata: {\"id\"")
		case 2: // a proxy says that nobody is behind it
			refuse(w, 503, `{}`)
		default:
			fmt.Fprint(w, "event: of a newer server\nid: 9\ndata: [1]\n\nevent: progress\nid: 12\ndata: {\"id\":\"a1\",\ndata: \"status\":\"closed\",\"closed_as\":\"accounted\"}\n\n")
		}
	})
	if err := (&Watch{Connection: to, ID: "a1"}).follow(t.Context(), time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if want := []string{"", "7", "7"}; !slices.Equal(lasts, want) {
		t.Errorf("went on from %q, want %q", lasts, want)
	}
}

func TestWatchEnds(t *testing.T) {
	t.Parallel()
	to := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, 404, `{"detail":"There is nothing here."}`)
	})
	if err := (&Watch{Connection: to, ID: "a1"}).Run(t.Context()); err == nil {
		t.Error("an unknown announcement was watched")
	}
	ctx, cancel := context.WithCancel(t.Context())
	to = serve(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, openEvent)
		_ = http.NewResponseController(w).Flush()
		cancel()
		<-r.Context().Done()
	})
	if err := (&Watch{Connection: to, ID: "a1"}).Run(ctx); err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
}

func TestStatusPrints(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	s := summary{ID: "a1", Mode: "drill", Status: "closed", ClosedAs: "accounted", By: "API token ops", Reason: "all there", Channels: []string{"sms", "voice"},
		Counts: counts{Recipients: 3, Confirmed: 2, Unreachable: 1}, Deliveries: map[string]deliveries{"sms": {Recipients: 2, Delivered: 1, Failed: 1, Failures: map[string]int{"gone": 1}}}}
	s.Text = map[string]struct {
		Title string `json:"title"`
	}{"id": {"Kebakaran"}}
	s.printAll(&out)
	for _, want := range []string{"a1  DRILL  closed as accounted  Kebakaran\n  3 people: 0 need help, 2 confirmed,", "reason: all there", "sms: 2 to call", "1 failed: gone"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("got\n%s\nwant %q", out.String(), want)
		}
	}
}
