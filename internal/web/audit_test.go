package web

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"kentongan/internal/announcement"
)

// trail is a Trail that keeps what it is told.
type trail struct {
	mu     sync.Mutex
	before []note
	beside []note
	full   bool // it takes nothing

	entries []TrailEntry
	next    string
	checked Checked
}

type note struct {
	by  announcement.Actor
	act announcement.Act
	on  Noted
}

func (t *trail) Note(_ context.Context, by announcement.Actor, act announcement.Act, on Noted) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.full {
		return ErrNotYet
	}
	t.before = append(t.before, note{by, act, on})
	return nil
}

func (t *trail) Saw(_ context.Context, by announcement.Actor, act announcement.Act, on Noted) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.beside = append(t.beside, note{by, act, on})
}

func (t *trail) Read(context.Context, TrailFilter) (TrailPage, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return TrailPage{Entries: t.entries, Next: t.next}, nil
}

func (t *trail) Actors(context.Context) []Name {
	return []Name{{Number: "account:ac1", Name: "Rina Hartono"}}
}

func (t *trail) Checked(context.Context) Checked { return t.checked }

// TestEveryActHasWords in both languages.
func TestEveryActHasWords(t *testing.T) {
	v, err := loadViews()
	if err != nil {
		t.Fatal(err)
	}
	for _, act := range announcement.Acts {
		if words := actWords[act]; words == "" || v.words.indonesian[words] == "" {
			t.Errorf("%s: %q", act, v.words.indonesian[words])
		}
	}
	for act, words := range lookWords {
		if v.words.indonesian[words] == "" {
			t.Errorf("of one's own data, %s has no Indonesian", act)
		}
	}
	for way, words := range wayWords {
		if v.words.indonesian[words] == "" && words != "API" {
			t.Errorf("%s has no Indonesian", way)
		}
	}
}

// trailOf is the trail of a house that has one of its own, else a new one.
func trailOf(h anyHouse) Trail {
	if own, ok := h.(Trail); ok {
		return own
	}
	return &trail{}
}

// TestEveryRouteIsNotedOrSaysWhyNot walks the table of routes: whoever adds one that
// changes something, or shows somebody, says what the audit trail tells of it.
func TestEveryRouteIsNotedOrSaysWhyNot(t *testing.T) {
	s := serverOf(t, openCompany(t))
	noted, looked := 0, 0
	for _, route := range s.table {
		where := route.Method + " " + route.Path
		if route.Method == http.MethodGet && route.silent == showsCounts && route.gate == gateConsole {
			path := strings.NewReplacer("{$}", "", "{id}", "a1", "{key}", "earthquake", "{done}", "i1").Replace(route.Path)
			w := call(t, s.Handler(), http.MethodGet, path, "", "Accept-Language", "en")
			if w.Code == http.StatusOK {
				looked++
			}
			for _, name := range someNames {
				if strings.Contains(w.Body.String(), ">"+name+"<") || strings.Contains(name, " ") && strings.Contains(w.Body.String(), name) {
					t.Errorf("%s shows %s, and the trail is silent because %q", where, name, route.silent)
					break
				}
			}
		}
		if (route.act == nil) == (route.silent == "") {
			t.Errorf("%s says neither what the audit trail notes, nor why nothing (or both)", where)
		}
		if route.act != nil {
			noted++
		}
		changes := route.Method != http.MethodGet && route.gate != gateNetwork && route.gate != gateDevice
		if changes && slices.Contains([]string{nobodys, showsCounts, partOfPage}, route.silent) && !safeToRepeat(where) {
			t.Errorf("%s changes something, and the trail is silent because %q", where, route.silent)
		}
	}
	if noted < 40 {
		t.Errorf("only %d routes are noted", noted)
	}
	if looked < 12 {
		t.Errorf("only %d pages that show counts were looked at", looked)
	}
}

// safeToRepeat are the routes that take every method, and the one that asks for a code by
// SMS, which is the beginning of somebody's own connecting.
func safeToRepeat(where string) bool {
	return strings.HasPrefix(where, " ") || strings.HasPrefix(where, "POST /j")
}

// TestNoRecordNoAct knocks at every route that changes something or takes data out while
// the trail takes nothing: all of them answer 503, and the house has heard of none.
func TestNoRecordNoAct(t *testing.T) {
	h := newHouse()
	full := &trail{full: true}
	s := serverOf(t, h)
	s.Trail = full
	tried := 0
	for _, route := range s.table {
		if route.act == nil || strings.HasPrefix(route.Path, "/api/") && strings.Contains(route.Path, ":") && route.gate == gateOpen {
			continue
		}
		if route.act(httptest.NewRequest(route.Method, "/", nil)).Looks() { // noted beside: it waits for nothing
			continue
		}
		before := *h
		w := s.knock(t, route.Method, route, func(r *http.Request) {
			r.AddCookie(&http.Cookie{Name: "session", Value: "token:" + string(Administrator)})
			for _, role := range Roles {
				if As(role).May(route.rights...) {
					r.Header.Set("Cookie", "session=token:"+string(role))
					r.Header.Set("Authorization", "Bearer "+string(role))
				}
			}
			if route.Path == "/accounts/{id}/{act}" {
				r.URL.Path = "/accounts/zz/role"
			}
		})
		tried++
		if w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s %s: %d while nothing can be noted, want 503", route.Method, route.Path, w.Code)
		}
		if before.changed != h.changed {
			t.Errorf("%s %s changed something that was not noted", route.Method, route.Path)
		}
	}
	if tried < 30 {
		t.Errorf("only %d routes were tried", tried)
	}
	if len(full.before) != 0 {
		t.Error("a trail that takes nothing holds something")
	}
}

// TestLookingIsNotedBeside: a person's page is, with whom it shows; a page that was not
// found is not, and neither is what was typed into a filter.
func TestLookingIsNotedBeside(t *testing.T) {
	seen := &trail{full: true} // looks do not wait for it
	s := serverOf(t, newHouse())
	s.Trail = seen
	as := []string{"Cookie", "session=token:sender"}
	if w := call(t, s.Handler(), http.MethodGet, "/person/2210", "", as...); w.Code != http.StatusOK {
		t.Fatalf("the page of a person while the trail takes nothing: %d", w.Code)
	}
	call(t, s.Handler(), http.MethodGet, "/people?q=Siti+Aminah&site=", "", as...)
	call(t, s.Handler(), http.MethodGet, "/alerts/a1/people/0", "", as...)
	call(t, s.Handler(), http.MethodGet, "/alerts/unknown/people", "", as...)
	var got []announcement.Act
	for _, n := range seen.beside {
		got = append(got, n.act)
	}
	if want := []announcement.Act{announcement.PersonViewed, announcement.PeopleListed, announcement.PersonViewed}; !slices.Equal(got, want) {
		t.Fatalf("noted %v, want %v", got, want)
	}
	if on := seen.beside[0].on; on.Number != "2210" || on.By != "console" {
		t.Errorf("the page of a person: %+v", on)
	}
	if on := seen.beside[1].on; !slices.Contains(on.Asked, "q") || on.Object != "" {
		t.Errorf("the list: %+v", on)
	}
	if on := seen.beside[2].on; on.Announcement != "a1" || on.Recipient != 0 {
		t.Errorf("a recipient: %+v", on)
	}
	if !errors.Is(seen.Note(t.Context(), "", "", Noted{}), ErrNotYet) {
		t.Error("the trail took something")
	}
}

// TestAFormThatIsRefusedShowsSomebodyToo: the page of a person that answers a faulty mark
// is a look, and the data that answer a faulty erasure are noted before they are shown.
func TestAFormThatIsRefusedShowsSomebodyToo(t *testing.T) {
	seen := &trail{}
	s := serverOf(t, newHouse())
	s.Trail = seen
	by := func(role Role) []string {
		return []string{"Cookie", "session=token:" + string(role), "Content-Type", "application/x-www-form-urlencoded"}
	}
	if w := call(t, s.Handler(), http.MethodPost, "/alerts/a1/people/0/mark", "a=9", by(Sender)...); w.Code != http.StatusUnprocessableEntity {
		t.Fatalf("a mark without an answer: %d", w.Code)
	}
	if len(seen.beside) != 1 || seen.beside[0].act != announcement.PersonViewed || seen.beside[0].on.Announcement != "a1" || seen.beside[0].on.Recipient != 0 {
		t.Errorf("a refused mark: %+v", seen.beside)
	}
	if w := call(t, s.Handler(), http.MethodPost, "/person/2212/erase", "typed=1", by(Administrator)...); w.Code != http.StatusUnprocessableEntity {
		t.Fatalf("a wrong number: %d", w.Code)
	}
	if len(seen.before) != 2 || seen.before[1].act != announcement.PeopleExported || seen.before[1].on.Number != "2212" {
		t.Errorf("a refused erasure: %+v", seen.before)
	}
}

// TestTheTrailsFileSaysWhereItEnds: nobody takes the newest part of a long trail for all
// of it.
func TestTheTrailsFileSaysWhereItEnds(t *testing.T) {
	long := &trail{entries: make([]TrailEntry, 500), next: "812.0"}
	s := serverOf(t, newHouse())
	s.Trail = long
	get := func() string {
		t.Helper()
		w := call(t, s.Handler(), http.MethodGet, "/audit/audit.csv?act=erased", "", "Cookie", "session=token:auditor")
		if w.Code != http.StatusOK {
			t.Fatalf("got %d", w.Code)
		}
		return w.Body.String()
	}
	next := "http://siaga.example/audit/audit.csv?act=erased&before=812.0"
	if file := get(); !strings.Contains(file, next) || strings.Count(file, "\n") < trailInFile {
		t.Errorf("a file of %d lines does not say where to go on", strings.Count(file, "\n"))
	}
	long.next = ""
	if strings.Contains(get(), "audit.csv") {
		t.Error("a whole file says that it is not")
	}
}

// noteworthy fills the trail: every kind of entry once, with long names and none.
func noteworthy(_ testing.TB, c *company) {
	c.checked = Checked{At: noon, Records: 184_211, Whole: noon.AddDate(0, -2, 0)}
	c.next = "812.0"
	siti := &Name{Number: "2211", Name: "Siti Aminah"}
	c.entries = []TrailEntry{
		{At: noon, Actor: "account:ac1", Who: "Rina Hartono", Act: announcement.PersonViewed, Person: siti, About: announcement.About{Person: "psiti", By: "console"}},
		{At: noon, Actor: "account:ac1", Who: "Rina Hartono", Act: announcement.PersonViewed, Person: &Name{}, About: announcement.About{Person: "pgone", By: "console"}},
		{At: noon, Actor: "person:pgone", Act: announcement.TeamViewed, Announcement: c.sum.Text, About: announcement.About{Announcement: "a1", By: "link"}},
		{At: noon, Act: announcement.SignInRefused, Account: "Muhammad Rizky Ramadhan Hidayatullah", About: announcement.About{Account: "ac2", Count: 17, By: "password"}},
		{At: noon.AddDate(0, 0, -1), Actor: "token:abcdefghijkmnpqrs", Who: "API token abcdefghijkmnpqrs", Act: announcement.PeopleImported, About: announcement.About{Count: 1248, By: "api", Refused: true}},
		{At: noon.AddDate(-1, 0, 0), Actor: "console", Who: "HR console", Act: announcement.TemplatePublished, About: announcement.About{Object: "active_threat", By: "console"}},
	}
}
