package app

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"kentongan/internal/announcement"
	"kentongan/internal/app/apptest"
	"kentongan/internal/dispatch"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// multitude is the whole house on its twins in memory with an alert to very many
// people, and a listener for browsers.
type multitude struct {
	house *House
	id    announcement.ID
	url   string
	cut   atomic.Bool // streams are refused
	ends  func()      // every connection, at once
}

// gather opens a house in which n people, in teams of about ten on 40 sites, were
// called by SMS a moment ago. Nobody is called from here: what the providers say
// is written as facts, 500 to a record.
func gather(tb testing.TB, n int) *multitude {
	tb.Helper()
	c := rehearsalConfig(rehearsalURL, outsideURL)
	c.Sandbox, c.SandboxListen = true, "127.0.0.1:8181" // the console needs no sign-in
	if err := c.Complete(); err != nil {
		tb.Fatal(err)
	}
	secret := rehearsalKeys(tb)
	c.vapidKey = secret.Push.Public
	h := &House{config: c, log: slog.New(slog.DiscardHandler), now: time.Now, ledger: ledger.NewMemory(time.Now), vault: ledger.NewMemoryVault(), store: "memory"}
	ctx, stop := context.WithCancel(context.Background())
	if err := h.furnish(ctx, secret, tracker.NewMemoryStore(), dispatch.NewMemoryQueue(time.Now), &http.Client{Transport: wires{}}); err != nil {
		tb.Fatal(err)
	}
	var running errgroup.Group
	running.Go(func() error { return named("tracker", h.tracker.Run(ctx)) })
	m := &multitude{house: h}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.cut.Load() && (strings.HasSuffix(r.URL.Path, "/events") || strings.HasSuffix(r.URL.Path, "/now")) {
			http.Error(w, "gone", http.StatusServiceUnavailable)
			return
		}
		h.server.Handler().ServeHTTP(w, r)
	}))
	m.url, m.ends = server.URL, server.CloseClientConnections
	tb.Cleanup(func() {
		server.CloseClientConnections()
		stop()
		h.hub.Stop()
		server.Close()
		_ = running.Wait()
	})
	boss := web.Principal{Actor: announcement.ByConsole, Name: "bench", Grant: web.As(web.Sender)}
	report, err := (&people{directory: h.directory, links: h.links}).Import(ctx, boss, strings.NewReader(crowd(n)), false, 0)
	if err != nil || len(report.Errors) > 0 {
		tb.Fatalf("import: %v %v", err, report.Errors)
	}
	s, _, err := h.desk.Announce(ctx, boss, web.Draft{Mode: announcement.Drill, Severity: announcement.Extreme, Audience: announcement.Audience{Under: []string{"P000000"}},
		Channels: []announcement.Channel{announcement.SMS},
		Text:     map[announcement.Language]announcement.Text{announcement.English: {Title: "Fire: Cikande plant", Body: "Leave now."}, announcement.Indonesian: {Title: "Kebakaran: Cikande", Body: "Keluar."}}}, "bench")
	if err != nil {
		tb.Fatal(err)
	}
	m.id = s.ID
	m.write(tb, n, func(i int) announcement.Fact {
		f := announcement.Fact{Kind: announcement.KindCalled, Actor: announcement.ByNetwork, Called: &announcement.Called{Channel: announcement.SMS, Number: i, Rank: announcement.Accepted}}
		if i%50 == 49 {
			f.Called.Rank, f.Called.Failure = announcement.Failed, "30003"
		}
		return f
	})
	return m
}

// crowd is a file of n people: every tenth leads the nine after them, and every
// hundredth leads ten of those.
func crowd(n int) string {
	var b strings.Builder
	b.WriteString("employee_id,display_name,mobile_phone,manager_id,site,locale,department,job_title,active\n")
	for i := range n {
		manager := ""
		switch {
		case i%10 != 0:
			manager = fmt.Sprintf("P%06d", i/10*10)
		case i%100 != 0:
			manager = fmt.Sprintf("P%06d", i/100*100)
		case i != 0:
			manager = "P000000"
		}
		fmt.Fprintf(&b, "P%06d,Karyawan Nomor %d Wijaya,+62812%08d,%s,Pabrik %02d,id-ID,Produksi %d,Operator,true\n", i, i, 10_000_000+i, manager, i%40, i%7)
	}
	return b.String()
}

// write appends n facts in records of 500 and waits until they show.
func (m *multitude) write(tb testing.TB, n int, fact func(int) announcement.Fact) {
	tb.Helper()
	var facts []announcement.Fact
	for i := range n {
		f := fact(i)
		f.Announcement, f.At = m.id, time.Now().UTC()
		facts = append(facts, f)
		if len(facts) == ledger.MaxPack || i == n-1 {
			if _, err := m.house.ledger.Append(tb.Context(), facts...); err != nil {
				tb.Fatal(err)
			}
			facts = nil
		}
	}
	if err := m.house.tracker.CatchUp(tb.Context()); err != nil {
		tb.Fatal(err)
	}
}

func (m *multitude) answer(i int) announcement.Fact {
	a := announcement.Safe
	if i%5000 == 11 {
		a = announcement.NeedHelp
	}
	return announcement.Fact{Kind: announcement.KindAnswered, Answered: &announcement.Answered{Number: i, Answer: a, Via: announcement.ViaPage, Said: time.Now().UTC(), Ref: fmt.Sprint("r", i)}}
}

// get opens a page and returns the time to its first byte and its size on the wire.
func (m *multitude) get(tb testing.TB, path string) (time.Duration, int) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, m.url+path, nil)
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "gzip")
	began := time.Now()
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer res.Body.Close()
	first := time.Since(began)
	b, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		tb.Fatalf("%s: %s %v", path, res.Status, err)
	}
	return first, len(b)
}

// TestBoardOf50000People measures a board with 50,000 people on it: the first byte
// and the size of its pages, and what a viewer is sent while about 500 people a
// second answer. Sizes and the rate hold anywhere; the times are printed only, because
// they are those of the machine.
func TestBoardOf50000People(t *testing.T) {
	if testing.Short() {
		t.Skip("50,000 people")
	}
	const people = 50_000
	m := gather(t, people)
	m.write(t, people/2, m.answer)
	var printed bytes.Buffer
	table := tabwriter.NewWriter(&printed, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "page\tfirst byte, p95\tsize\tof")
	base := "/alerts/" + string(m.id)
	for _, page := range []struct{ name, path string }{
		{"board", base}, {"people", base + "/people?state=no_answer&offset=5000"}, {"search", base + "/people?q=49999"},
		{"teams", base + "/teams"}, {"timeline", base + "/timeline"}, {"person", base + "/people/4242"},
	} {
		var firsts []time.Duration
		size := 0
		for range 20 {
			var first time.Duration
			first, size = m.get(t, page.path)
			firsts = append(firsts, first)
		}
		slices.Sort(firsts)
		fmt.Fprintf(table, "%s\t%d ms\t%.1f kB\t40 kB\n", page.name, firsts[len(firsts)*95/100].Milliseconds(), float64(size)/1024)
		if size > 40*1024 {
			t.Errorf("%s: %d bytes, want at most 40 kB", page.name, size)
		}
	}
	m.storm(t, table)
	_ = table.Flush()
	t.Logf("a board with 50,000 people:\n%s", printed.String())
}

// storm watches the board for some seconds while 500 people a second answer, with
// the focus on a row.
func (m *multitude) storm(t *testing.T, table io.Writer) {
	const seconds = 8
	tab := m.watch(t, apptest.StartBrowser(t), 1280, 700)
	m.hold(tab)
	ctx, stop := context.WithTimeout(t.Context(), seconds*time.Second)
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.url+"/alerts/"+string(m.id)+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answered := 0
	answering := make(chan struct{})
	go func() {
		defer close(answering)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for i := 25_000; ctx.Err() == nil; <-tick.C {
			var facts []announcement.Fact
			for range 10 {
				f := m.answer(i % 50_000)
				f.Announcement, f.At = m.id, time.Now().UTC()
				facts = append(facts, f)
				i++
			}
			if _, err := m.house.ledger.Append(ctx, facts...); err == nil {
				answered += len(facts)
			}
		}
	}()
	events, size := 0, 0
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		size += len(lines.Text()) + 1
		if strings.HasPrefix(lines.Text(), "event:") {
			events++
		}
	}
	<-answering
	first, _ := m.get(t, "/alerts/"+string(m.id))
	fmt.Fprintf(table, "board, after %d answers a second\t%d ms\t\t\nevents to a viewer, a second\t\t%.1f\t1\nbytes to a viewer, a second\t\t%d\t2048\n",
		answered/seconds, first.Milliseconds(), float64(events)/seconds, size/seconds)
	if events > seconds+1 || size > 2048*seconds { // the first event comes at once
		t.Errorf("%d events and %d bytes in %d s, want at most one event and 2 kB a second", events, size, seconds)
	}
	held := "yes"
	for _, fault := range m.moved(tab) {
		held = "NO"
		t.Errorf("while %d people a second answered: %s", answered/seconds, fault)
	}
	fmt.Fprintf(table, "focus and rows stay where they are\t\t%s\t\n", held)
	tab.NoFaults()
}
