package app

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/sync/errgroup"

	"kentongan/internal/announcement"
	"kentongan/internal/app/apptest"
	"kentongan/internal/client"
	"kentongan/internal/dispatch"
	"kentongan/internal/sandbox"
	"kentongan/internal/tracker"
)

// released makes the data folder that is kept of a version, once, right before it is
// released: go test ./internal/app -run TestReleasedDataFoldersAreRead -released 0.2.0
var released = flag.String("released", "", "keep the data folder of this version in testdata/released")

// keptFolder is what the program of a version said of its own data folder.
type keptFolder struct {
	At       time.Time         // when it was stopped
	People   []string          // their numbers
	Closed   keptBoard         // a drill
	Open     keptBoard         // a live alert, of its second version
	Sent     map[string]string // what opens a link that was sent, by the path: words of its page
	Silent   map[string]string // who has not answered the open alert, by number: their link
	Token    string            // an API token that was made then
	Login    string            // of the account
	Template string            // which text of its own was published
	Words    string            // and words of it
}

// keptBoard is an announcement as its board shows it.
type keptBoard struct {
	ID     string
	Counts json.RawMessage
	States map[string]keptState // by employee number
}

type keptState struct {
	State     string
	VouchedBy string `json:",omitempty"`
}

// console is somebody who runs an installation, in a browser and by the API.
type console struct {
	t       *testing.T
	browser *http.Client
	api     *client.Client
}

func (c console) call(method, path, body string, out any) {
	c.t.Helper()
	if err := c.api.Call(c.t.Context(), method, path, "application/json", strings.NewReader(body), out); err != nil {
		c.t.Fatalf("%s %s: %v", method, path, err)
	}
}

// page returns a page of the console.
func (c console) page(path string) string {
	c.t.Helper()
	res, err := c.browser.Get(c.api.URL + path)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.read(res)
}

func (c console) send(path string, values url.Values) string {
	c.t.Helper()
	res, err := c.browser.PostForm(c.api.URL+path, values)
	if err != nil {
		c.t.Fatal(err)
	}
	return c.read(res)
}

func (c console) read(res *http.Response) string {
	c.t.Helper()
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		c.t.Fatalf("%s %s: %s %v: %.300s", res.Request.Method, res.Request.URL.Path, res.Status, err, b)
	}
	return html.UnescapeString(string(b))
}

// signIn opens the console by a token.
func (c *console) signIn(token string) {
	c.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.browser.Jar = jar
	c.send("/signin", url.Values{"token": {token}})
}

func (c console) board(id string) (b keptBoard) {
	c.t.Helper()
	var s struct {
		Counts json.RawMessage
	}
	c.call(http.MethodGet, "/api/v1/announcements/"+id, "", &s)
	var page struct {
		Recipients []struct {
			Number, State string
			VouchedBy     string `json:"vouched_by"`
		}
	}
	c.call(http.MethodGet, "/api/v1/announcements/"+id+"/recipients?limit=500", "", &page)
	b = keptBoard{ID: id, Counts: s.Counts, States: map[string]keptState{}}
	for _, r := range page.Recipients {
		b.States[r.Number] = keptState{r.State, r.VouchedBy}
	}
	return b
}

func (c console) status(id string) (status, as string) {
	c.t.Helper()
	var s struct {
		Status string
		As     string `json:"closed_as"`
	}
	c.call(http.MethodGet, "/api/v1/announcements/"+id, "", &s)
	return s.Status, s.As
}

// waitState waits until somebody is in a state.
func (c console) waitState(id, number, want string) {
	c.t.Helper()
	apptest.Eventually(c.t, 30*time.Second, number+" to be "+want, func() (bool, string) {
		got := c.board(id).States[number].State
		return got == want, got
	})
}

const keptStaff = `employee_id,display_name,mobile_phone,manager_id,site,locale,department,active
E1,Chief,+6281200000001,,Harbour,en-GB,Office,true
E2,Budi,+6281200000002,E1,Harbour,id-ID,Gudang,true
E3,Siti,+6281200000003,E2,Harbour,id-ID,Gudang,true
E4,Agus,+6281200000004,E2,Harbour,id-ID,Gudang,true
E5,Dewi,+6281200000005,E2,Harbour,en-GB,Gudang,true
E6,Joko,+6281200000006,E2,Harbour,id-ID,Gudang,true
E7,Nur,+6281200000007,E2,Harbour,id-ID,Gudang,true
E8,Rina,+6281200000008,E1,Harbour,id-ID,Office,true
E9,Tono,,E1,Harbour,id-ID,Office,true
E10,Wati,+6281200000010,E1,Harbour,en-GB,Office,true
`

// makeReleased lets the present program do something of everything, through its API and
// its pages, stops it and keeps its data folder.
func makeReleased(t *testing.T, version string) {
	t.Helper()
	data := t.TempDir()
	w := apptest.New(t, 1, "KENTONGAN_DATA="+data)
	staff := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(staff, []byte(keptStaff), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Import(staff)
	kept := keptFolder{Sent: map[string]string{}, Silent: map[string]string{}, Login: "rina@contoh.example", Template: "fire", Words: "Walk to the blue gate."}
	var people []apptest.Person
	for line := range strings.Lines(keptStaff) {
		if f := strings.Split(line, ","); f[0] != "employee_id" {
			kept.People = append(kept.People, f[0])
			if f[2] != "" {
				people = append(people, apptest.Person{Number: f[0], Name: f[1], Mobile: f[2], Language: f[5][:2]})
			}
		}
	}
	w.HandOutPhones(people)
	c := console{t: t, browser: &http.Client{}, api: w.API}

	c.signIn(apptest.Token)
	if got := c.send("/accounts?lang=en", url.Values{"name": {"Rina Wati"}, "login": {kept.Login}, "role": {"sender"}}); !strings.Contains(got, "/welcome/") {
		t.Fatal("nobody was invited")
	}
	doc, err := html.Parse(strings.NewReader(c.page("/templates/" + kept.Template)))
	if err != nil {
		t.Fatal(err)
	}
	published := false
	for _, f := range formsOf(doc, "/templates/"+kept.Template) {
		if f.values.Get("act") == "publish" {
			f.values.Set("en.push_body", kept.Words)
			c.send(f.action, f.values)
			published = true
		}
	}
	if !published {
		t.Fatal("there is no form to publish a text")
	}
	var made struct{ Token string }
	c.call(http.MethodPost, "/api/v1/tokens", `{"name":"kept","role":"viewer"}`, &made)
	kept.Token = made.Token

	var drill, fire struct{ ID string }
	c.call(http.MethodPost, "/api/v1/announcements", `{"mode":"drill","severity":"severe","answers":"safety","audience":{"all":true},"channels":["webpush","sms","inapp"],
		"text":{"en":{"title":"Evacuation of hall 3","body":"Leave by the east gate."},"id":{"title":"Evakuasi hall 3","body":"Keluar lewat gerbang timur."}}}`, &drill)
	about := regexp.MustCompile
	link := func(number, kind string, words *regexp.Regexp) string {
		found := ""
		apptest.Eventually(t, 30*time.Second, "a link "+kind+" for "+number, func() (bool, string) {
			for _, e := range w.Log() {
				if _, path, ok := strings.Cut(e.Link, kind); e.Phone == number && ok && words.MatchString(e.Title+" "+e.Text) {
					found = kind + path
				}
			}
			return found != "", ""
		})
		return found
	}
	first := link("E3", "/r/", about("hall 3"))
	kept.Sent[first] = "hall 3"
	w.Act(sandbox.Act{Number: "E3", Via: "link", Answer: 1})
	w.Act(sandbox.Act{Number: "E4", Via: "push", Answer: 3})
	c.waitState(drill.ID, "E4", "not_on_site")
	c.call(http.MethodPost, "/api/v1/announcements/"+drill.ID+"/close", `{"as":"all_clear","reason":"The drill is over"}`, nil)

	c.call(http.MethodPost, "/api/v1/announcements", `{"mode":"live","severity":"extreme","answers":"safety","audience":{"all":true},"channels":["webpush","sms","inapp"],
		"text":{"en":{"title":"Fire in the harbour","body":"Leave by the east gate."},"id":{"title":"Kebakaran di pelabuhan","body":"Keluar lewat gerbang timur."}},
		"policy":{"expire_after":"720h","steps":[{"after":"40m","whom":"recipient"},{"after":"1h","whom":"manager"}]}}`, &fire)
	c.send(link("E8", "/r/", about("pelabuhan")), url.Values{"a": {"1"}, "k": {"kept-first"}, "v": {"1"}}) // no answer to the second version
	c.waitState(fire.ID, "E8", "confirmed")
	c.call(http.MethodPost, "/api/v1/announcements/"+fire.ID+"/revise", `{"material":true,"changed":{"en":"The west gate, not the east","id":"Gerbang barat, bukan timur"},
		"text":{"en":{"title":"Fire in the harbour","body":"Leave by the west gate."},"id":{"title":"Kebakaran di pelabuhan","body":"Keluar lewat gerbang barat."}}}`, nil)
	c.waitState(fire.ID, "E8", "no_answer")
	answers := map[string]string{}
	for _, number := range []string{"E1", "E2", "E3", "E4", "E5", "E7", "E8", "E10"} {
		answers[number] = link(number, "/r/", about("harbour|pelabuhan"))
	}
	for number, a := range map[string]string{"E3": "1", "E4": "2", "E5": "3", "E1": "1"} {
		c.send(answers[number], url.Values{"a": {a}, "k": {"kept-" + number}, "v": {"2"}})
	}
	c.waitState(fire.ID, "E4", "need_help")
	team := link("E2", "/t/", about("")) // he is told that Agus needs help
	var joko struct{ Recipients []struct{ Index int } }
	c.call(http.MethodGet, "/api/v1/announcements/"+fire.ID+"/recipients?q=E6", "", &joko)
	if err := w.Vouch(c.api.URL+team, fmt.Sprint(joko.Recipients[0].Index)); err != nil {
		t.Fatal(err)
	}
	c.waitState(fire.ID, "E6", "confirmed")
	kept.Sent[team] = "Agus"
	kept.Sent[answers["E3"]] = "pelabuhan"
	for _, number := range []string{"E2", "E7", "E8", "E10"} {
		kept.Silent[number] = answers[number]
	}
	kept.Closed, kept.Open = c.board(drill.ID), c.board(fire.ID)
	if err := w.Nodes[0].Stop(); err != nil {
		t.Fatal(err)
	}
	kept.At = time.Now().UTC().Truncate(time.Second)

	folder := filepath.Join("testdata", "released", version)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	b, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	packed := packFolder(t, data)
	if len(packed) > 200<<10 {
		t.Errorf("the folder has %d kB packed, want at most 200", len(packed)>>10)
	}
	for name, content := range map[string][]byte{"said.json": append(b, '\n'), "data.tar.gz": packed} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func packFolder(t *testing.T, folder string) []byte {
	t.Helper()
	var out bytes.Buffer
	squeezed, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	files := tar.NewWriter(squeezed)
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		if err := files.WriteHeader(&tar.Header{Name: filepath.ToSlash(name), Mode: 0o600, Size: int64(len(b))}); err != nil {
			return err
		}
		_, err = files.Write(b)
		return err
	})
	for _, err := range []error{err, files.Close(), squeezed.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return out.Bytes()
}

func unpackFolder(t *testing.T, archive string) (folder string) {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	plain, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	for files := tar.NewReader(plain); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return folder
		}
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A record that was written by a released version is read by each later one. What is below
// testdata/released is not made anew once its version is out: it is what people have on
// their disks.
func TestReleasedDataFoldersAreRead(t *testing.T) {
	t.Parallel()
	if *released != "" {
		makeReleased(t, *released)
	}
	folders, err := filepath.Glob("testdata/released/*")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no data folder is kept: %v", err)
	}
	for _, folder := range folders {
		b, err := os.ReadFile(filepath.Join(folder, "said.json"))
		if err != nil {
			t.Fatal(err)
		}
		var kept keptFolder
		if err := json.Unmarshal(b, &kept); err != nil {
			t.Fatal(err)
		}
		archive := filepath.Join(folder, "data.tar.gz")
		t.Run(filepath.Base(folder), func(t *testing.T) {
			t.Run("ByTheProgram", func(t *testing.T) { readReleased(t, kept, archive) })
			t.Run("TheOpenAlertGoesOn", func(t *testing.T) { goOnFromReleased(t, kept, archive) })
		})
	}
}

// readReleased starts the program of today, as a process of its own, on a folder of then.
func readReleased(t *testing.T, kept keptFolder, archive string) {
	w := apptest.New(t, 1, "KENTONGAN_DATA="+unpackFolder(t, archive))
	c := console{t: t, browser: &http.Client{}, api: w.API}
	if out, err := w.Command("ledger", "verify"); err != nil || !strings.Contains(out, "the ledger is whole") {
		t.Errorf("verify: %v %s", err, out)
	}
	c.sameBoard(kept.Closed)
	c.signIn(apptest.Token)
	list := c.page("/people")
	for _, number := range kept.People {
		if !strings.Contains(list, "/person/"+number+`"`) {
			t.Errorf("%s is not among the people", number)
		}
	}
	if !strings.Contains(c.page("/accounts"), kept.Login) {
		t.Errorf("the account %s is gone", kept.Login)
	}
	if !strings.Contains(c.page("/templates/"+kept.Template), kept.Words) {
		t.Errorf("the text %s is not the one that was published", kept.Template)
	}
	viewer := console{t: t, api: &client.Client{URL: w.API.URL, Token: kept.Token}}
	viewer.board(kept.Closed.ID)
	if err := w.Nodes[0].Stop(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	if out, err := w.Command("ledger", "verify"); err != nil || !strings.Contains(out, "the ledger is whole") {
		t.Errorf("verify after what was written since: %v %s", err, out)
	}
}

func (c console) sameBoard(want keptBoard) {
	c.t.Helper()
	got := c.board(want.ID)
	if !sameJSON(got.Counts, want.Counts) {
		c.t.Errorf("%s: the counts are %s, want %s", want.ID, got.Counts, want.Counts)
	}
	for number, state := range want.States {
		if got.States[number] != state {
			c.t.Errorf("%s: %s is %+v, want %+v", want.ID, number, got.States[number], state)
		}
	}
}

// sameJSON reports whether everything that was said then is said now; more may be.
func sameJSON(got, want json.RawMessage) bool {
	var g, w map[string]any
	if json.Unmarshal(got, &g) != nil || json.Unmarshal(want, &w) != nil {
		return false
	}
	for name, value := range w {
		if fmt.Sprint(g[name]) != fmt.Sprint(value) {
			return false
		}
	}
	return true
}

// goOnFromReleased opens the folder in this process, on the clock of then: years later
// the alert that was open would have expired.
func goOnFromReleased(t *testing.T, kept keptFolder, archive string) {
	if testing.Short() {
		t.Skip("runs a server of its own: nothing that a race detector sees")
	}
	since := time.Since(kept.At)
	conf := rehearsalConfig(rehearsalURL, outsideURL)
	conf.Data = unpackFolder(t, archive)
	if err := conf.Complete(); err != nil {
		t.Fatal(err)
	}
	keysAt := keysPath("", conf.Data)
	secret, made, err := loadKeys(keysAt, conf.Data)
	if err != nil || made {
		t.Fatalf("the keys of then: %v, made anew: %t", err, made)
	}
	conf.vapidKey = secret.Push.Public
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	h := &House{config: conf, log: slog.New(slog.DiscardHandler), now: func() time.Time { return time.Now().Add(-since) }}
	nc, err := h.openLedger(ctx, secret)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkKeys(ctx, h.vault, keysAt, secret, conf.NewKeys); err != nil {
		t.Fatal(err)
	}
	queue, err := dispatch.OpenQueue(ctx, nc, dispatch.QueueOptions{Replicas: 1, Now: h.now})
	if err != nil {
		t.Fatal(err)
	}
	wires := wires{}
	inside := &http.Client{Transport: wires}
	box := sandbox.New(sandbox.Options{PublicURL: rehearsalURL, BaseURL: outsideURL, AccountSID: conf.TwilioAccountSID, AuthToken: conf.TwilioAuthToken, HTTP: inside})
	if err := h.furnish(ctx, secret, tracker.NewMemoryStore(), queue, inside); err != nil {
		t.Fatal(err)
	}
	wires["kentongan.example"], wires["outside.example"] = h.handler(), box
	running, ctx := errgroup.WithContext(ctx)
	running.Go(func() error { return named("tracker", h.tracker.Run(ctx)) })
	running.Go(func() error { return named("dispatch", h.dispatcher.Run(ctx)) })
	t.Cleanup(func() {
		stop()
		if err := running.Wait(); err != nil {
			t.Errorf("the house: %v", err)
		}
		h.Close()
	})
	apptest.Eventually(t, 20*time.Second, "the ledger to be read", func() (bool, string) { return h.tracker.Ready() })

	c := console{t: t, api: &client.Client{URL: rehearsalURL, Token: conf.BootstrapToken, HTTP: inside}}
	c.sameBoard(kept.Open)
	ask := func(method, path string, values url.Values) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, path, strings.NewReader(values.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		rec := httptest.NewRecorder()
		h.handler().ServeHTTP(rec, r)
		return rec
	}
	for path, words := range kept.Sent {
		if got := ask(http.MethodGet, path, nil); got.Code != http.StatusOK || !strings.Contains(got.Body.String(), words) {
			t.Errorf("a link %.3s… that was sent then: got %d, want a page about %q", path, got.Code, words)
		}
	}
	for number, path := range kept.Silent {
		if got := ask(http.MethodPost, path, url.Values{"a": {"1"}, "k": {"now-" + number}, "v": {"2"}}); got.Code != http.StatusOK {
			t.Errorf("the answer of %s: got %d", number, got.Code)
		}
		c.waitState(kept.Open.ID, number, "confirmed")
	}
	if status, _ := c.status(kept.Open.ID); status != "open" {
		t.Fatalf("it is %s though some have not answered", status)
	}
	for number, was := range kept.Open.States {
		if now := c.board(kept.Open.ID).States[number]; kept.Silent[number] == "" && now != was {
			t.Errorf("%s was %+v and is %+v, though nobody said anything about them", number, was, now)
		}
	}
	c.call(http.MethodPost, "/api/v1/announcements/"+kept.Open.ID+"/close", `{"as":"all_clear","reason":"The fire is out"}`, nil)
	apptest.Eventually(t, 20*time.Second, "it to close", func() (bool, string) {
		status, as := c.status(kept.Open.ID)
		return status == string(announcement.StatusClosed) && as == string(announcement.AsAllClear), status + " " + as
	})
}
