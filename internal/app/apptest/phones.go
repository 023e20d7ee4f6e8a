package apptest

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"kentongan/internal/sandbox"
)

// Person is one of the people who were imported.
type Person struct {
	Number, Name, Mobile, Language, Manager string
}

// Import brings the people of a CSV file in through the API.
func (w *World) Import(file string) {
	w.t.Helper()
	f, err := os.Open(file)
	if err != nil {
		w.t.Fatal(err)
	}
	defer f.Close()
	var report struct{ Added, Unchanged int }
	if err := w.API.Call(w.t.Context(), http.MethodPost, "/api/v1/people:import", "text/csv", f, &report); err != nil {
		w.t.Fatal(err)
	}
	w.t.Logf("imported: %d added, %d unchanged", report.Added, report.Unchanged)
}

// HandOutPhones gives everybody a phone; those with push enrol as a browser does.
func (w *World) HandOutPhones(people []Person) {
	w.t.Helper()
	phones := make([]sandbox.Person, len(people))
	for i, p := range people {
		var enrol struct{ Path string }
		if err := w.API.Call(w.t.Context(), http.MethodPost, "/api/v1/people/"+p.Number+"/enrol", "", nil, &enrol); err != nil {
			w.t.Fatalf("enrolment code for %s: %v", p.Number, err)
		}
		phones[i] = sandbox.Person{Number: p.Number, Name: p.Name, Mobile: p.Mobile, Language: p.Language, Enrol: enrol.Path}
	}
	w.outside(http.MethodPost, "/sandbox/phones", phones, nil)
	Eventually(w.t, 2*time.Minute, "every phone to enrol", func() (bool, string) {
		var state struct{ Phones, Enrolled int }
		w.outside(http.MethodGet, "/phones/state", nil, &state)
		return state.Enrolled == len(people), http.StatusText(state.Enrolled)
	})
}

// Log returns every message that a phone got so far, oldest first.
func (w *World) Log() []sandbox.Entry {
	var entries []sandbox.Entry
	w.outside(http.MethodGet, "/sandbox/log", nil, &entries)
	return entries
}

// Answers returns every answer that was given and how the product took it.
func (w *World) Answers() []sandbox.Given {
	var given []sandbox.Given
	w.outside(http.MethodGet, "/sandbox/answers", nil, &given)
	return given
}

// Act does something on a person's phone.
func (w *World) Act(a sandbox.Act) { w.outside(http.MethodPost, "/sandbox/act", a, nil) }

// Behave tells the outside world how to misbehave.
func (w *World) Behave(b sandbox.Behaviour) {
	w.outside(http.MethodPost, "/sandbox/behave", b, nil)
}

// Vouch records on a manager's team page that recipient number n is safe, as
// the manager's browser would.
func (w *World) Vouch(link, n string) error {
	form := url.Values{"n": {n}, "a": {"1"}, "how": {"saw"}, "k": {"vouch-" + n}}
	req, err := http.NewRequest(http.MethodPost, strings.TrimSuffix(link, "/")+"/mark", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		return &statusError{res.Status}
	}
	return nil
}

type statusError struct{ status string }

func (e *statusError) Error() string { return "mark: " + e.status }
