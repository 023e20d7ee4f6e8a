package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/redis/go-redis/v9"

	"kentongan/internal/announcement"
	"kentongan/internal/client"
	"kentongan/internal/dispatch"
	"kentongan/internal/ledger"
	"kentongan/internal/sandbox"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

const (
	benchPeople  = 20_000
	benchCallers = 256 // who answer at the same moment
)

// BenchmarkBroadcast calls 20,000 people by push and by SMS, and takes an answer
// from each, on the house as it is served: a real nats-server that syncs every
// write, a real redis-server, the sandbox as provider reached without a network.
// Beside it stands what NATS and Redis do raw, measured in the same run.
func BenchmarkBroadcast(b *testing.B) {
	for range b.N {
		f := newMeasurement(b)
		f.broadcast()
		f.receipts()
		f.senders()
		f.answers()
		f.slowProviders()
		f.rawNATS()
		f.rawRedis()
		f.check()
		f.print()
	}
}

// measurement is the house under measurement, and what was measured.
type measurement struct {
	b       *testing.B
	house   *House
	inside  *http.Client
	outside http.Handler
	redis   *redis.Client // nil without a redis-server
	secret  *keys
	id      announcement.ID
	begun   time.Time
	used    int64 // memory of Redis before the announcement
	fact    []byte

	rows []row
	raw  map[string]float64 // a second
}

// row is one line of the table.
type row struct {
	what   string
	value  float64
	unit   string
	metric string // its name in the benchmark's own line; empty for none
	note   string
	limits []string // the raw limits that it is compared with
}

func (f *measurement) row(what string, value float64, unit, metric, note string, limits ...string) {
	f.rows = append(f.rows, row{what, value, unit, metric, note, limits})
}

func newMeasurement(b *testing.B) *measurement {
	b.Helper()
	f := &measurement{b: b, secret: rehearsalKeys(b), raw: map[string]float64{}}
	c := rehearsalConfig(rehearsalURL, outsideURL)
	c.Data = b.TempDir()
	if err := c.Complete(); err != nil {
		b.Fatal(err)
	}
	c.vapidKey = f.secret.Push.Public
	ctx, stop := context.WithCancel(context.Background())
	f.house = &House{config: c, log: slog.New(slog.DiscardHandler), now: time.Now}
	b.Cleanup(f.house.Close)
	nc, err := f.house.openLedger(ctx, f.secret)
	if err != nil {
		b.Fatal(err)
	}
	queue, err := dispatch.OpenQueue(ctx, nc, dispatch.QueueOptions{Replicas: 1})
	if err != nil {
		b.Fatal(err)
	}
	wires := wires{}
	f.inside = &http.Client{Transport: wires}
	box := sandbox.New(sandbox.Options{PublicURL: rehearsalURL, BaseURL: outsideURL, AccountSID: c.TwilioAccountSID, AuthToken: c.TwilioAuthToken, HTTP: f.inside})
	f.outside = box
	if err := f.house.furnish(ctx, f.secret, f.store(ctx), queue, f.inside); err != nil {
		b.Fatal(err)
	}
	wires["kentongan.example"], wires["outside.example"] = f.house.server.Handler(), box
	var running sync.WaitGroup
	for _, run := range []func(context.Context) error{f.house.tracker.Run, f.house.dispatcher.Run, box.Run} {
		running.Go(func() { _ = run(ctx) })
	}
	b.Cleanup(func() { stop(); running.Wait() })
	f.employ()
	return f
}

// store opens the working state: a redis-server of our own where there is one.
func (f *measurement) store(ctx context.Context) tracker.Store {
	path, err := exec.LookPath("redis-server")
	if err != nil {
		fmt.Println("NOT MEASURED: redis-server is not on the PATH; the working state is in memory")
		return tracker.NewMemoryStore()
	}
	var stop func()
	if f.redis, stop, err = startRedis(ctx, path, slog.New(slog.DiscardHandler)); err != nil {
		f.b.Fatal(err)
	}
	f.b.Cleanup(stop)
	return tracker.NewRedisStore(f.redis)
}

// employ imports 20,000 people in a tree in which everybody leads eight others,
// and gives each a phone with a number and a browser.
func (f *measurement) employ() {
	f.b.Helper()
	begun := time.Now()
	var file bytes.Buffer
	file.WriteString("employee_id,display_name,mobile_phone,manager_id,site,locale\n")
	phones := make([]sandbox.Person, benchPeople)
	for i := range phones {
		manager := ""
		if i > 0 {
			manager = fmt.Sprintf("B%05d", (i-1)/8)
		}
		p := sandbox.Person{Number: fmt.Sprintf("B%05d", i), Name: fmt.Sprint("Person ", i), Mobile: fmt.Sprintf("+62812%07d", i), Language: []string{"id", "en"}[i%2]}
		fmt.Fprintf(&file, "%s,%s,%s,%s,Harbour,%s\n", p.Number, p.Name, p.Mobile, manager, p.Language)
		phones[i] = p
	}
	api := &client.Client{URL: rehearsalURL, Token: f.house.config.BootstrapToken, HTTP: f.inside}
	if err := api.Call(f.b.Context(), http.MethodPost, "/api/v1/people:import", "text/csv", &file, nil); err != nil {
		f.b.Fatal(err)
	}
	imported := time.Since(begun)
	for i, p := range phones {
		who, _ := f.house.directory.ByNumber(p.Number)
		code, _ := f.house.links.enrolment(who.ID, time.Now())
		phones[i].Enrol = "/e/" + code
	}
	body, err := json.Marshal(phones)
	if err != nil {
		f.b.Fatal(err)
	}
	f.outside.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/sandbox/phones", bytes.NewReader(body)))
	f.until("every phone to enrol", func() bool {
		last, _ := f.house.directory.ByNumber(phones[benchPeople-1].Number)
		if len(f.house.directory.Contact(last.ID).Subscriptions) == 0 {
			return false
		}
		for _, p := range phones {
			who, _ := f.house.directory.ByNumber(p.Number)
			if len(f.house.directory.Contact(who.ID).Subscriptions) == 0 {
				return false
			}
		}
		return true
	})
	fmt.Printf("prepared: %d people imported in %s, and as many phones enrolled, in %s\n", benchPeople, imported.Round(time.Millisecond), time.Since(begun).Round(time.Millisecond))
}

func (f *measurement) until(what string, ok func() bool) {
	f.b.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.b.Fatalf("waited too long for %s", what)
		}
	}
}

// announce sends an announcement and returns it when it is accepted.
func (f *measurement) announce(to announcement.Audience) announcement.ID {
	f.b.Helper()
	draft := web.Draft{Mode: announcement.Live, Severity: announcement.Extreme, Answers: announcement.Safety, Audience: to,
		Channels: []announcement.Channel{announcement.WebPush, announcement.SMS},
		Text: map[announcement.Language]announcement.Text{announcement.English: {Title: "Fire in hall 3", Body: "Leave by the east gate."},
			announcement.Indonesian: {Title: "Kebakaran di hall 3", Body: "Keluar lewat gerbang timur."}},
		Policy: &announcement.Policy{Steps: []announcement.Step{}, ExpireAfter: announcement.Duration(time.Hour)}}
	api := &client.Client{URL: rehearsalURL, Token: f.house.config.BootstrapToken, HTTP: f.inside}
	var s web.Summary
	if err := api.JSON(f.b.Context(), http.MethodPost, "/api/v1/announcements", draft, &s); err != nil {
		f.b.Fatal(err)
	}
	return s.ID
}

// broadcast announces, and measures until every call is handed over and its
// receipt durable.
func (f *measurement) broadcast() {
	f.b.Helper()
	f.used = f.memory()
	begun, before := time.Now(), processorTime()
	f.id, f.begun = f.announce(announcement.Audience{All: true}), begun
	accepted := time.Since(begun)
	calls := 2 * benchPeople
	f.until("every call", func() bool { return f.reached(f.id, announcement.Accepted) == calls })
	took := time.Since(begun)
	spent := processorTime() - before
	f.row("accepted and durable", accepted.Seconds()*1000, "ms", "accept-ms", "the audience frozen, 20,000 recipients on disk")
	f.row("deliveries", float64(calls)/took.Seconds(), "/s", "deliveries/s", fmt.Sprintf("%d in %s, each with its receipt on disk, %d in flight; receipts of providers come in meanwhile",
		calls, took.Round(10*time.Millisecond), f.house.config.InFlight), handing, oneByOne)
	f.row("processor per delivery", float64(spent.Microseconds())/float64(calls), "us", "cpu-us/delivery", "the sandbox that encrypts, checks and answers included")
}

// slowProviders calls 1,000 people while providers take 50 ms to answer, as they
// do over the internet: then the number of calls in flight is the limit.
func (f *measurement) slowProviders() {
	f.b.Helper()
	const people, latency = 1_000, 50 * time.Millisecond
	behave := func(b sandbox.Behaviour) {
		body, err := json.Marshal(b)
		if err != nil {
			f.b.Fatal(err)
		}
		f.outside.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, "/sandbox/behave", bytes.NewReader(body)))
	}
	behave(sandbox.Behaviour{Answer: announcement.Duration(latency)})
	var to announcement.Audience
	for n := range people {
		to.People = append(to.People, fmt.Sprintf("B%05d", n))
	}
	begun := time.Now()
	id := f.announce(to)
	f.until("every slow call", func() bool { return f.reached(id, announcement.Accepted) == 2*people })
	took := time.Since(begun)
	behave(sandbox.Behaviour{})
	f.until("the last receipts", func() bool { return f.reached(id, announcement.Delivered) == 2*people })
	f.raw[inFlight] = float64(f.house.config.InFlight) / latency.Seconds()
	f.row("deliveries at 50 ms", 2*people/took.Seconds(), "/s", "slow-deliveries/s", fmt.Sprintf("%d in %s", 2*people, took.Round(10*time.Millisecond)), inFlight)
}

// reached returns how many deliveries have come at least as far as rank.
func (f *measurement) reached(id announcement.ID, rank announcement.Rank) int {
	f.b.Helper()
	all, err := f.house.tracker.Deliveries(f.b.Context(), id)
	if err != nil {
		f.b.Fatal(err)
	}
	n := 0
	for _, c := range []announcement.Channel{announcement.WebPush, announcement.SMS} {
		for r, count := range all[c].Ranks {
			if announcement.Rank(r) >= rank {
				n += count
			}
		}
	}
	return n
}

// receipts waits until the phones have told of everything they showed.
func (f *measurement) receipts() {
	f.b.Helper()
	f.until("the receipts of the providers", func() bool { return f.reached(f.id, announcement.Delivered) == 2*benchPeople })
	took := time.Since(f.begun)
	f.row("receipts of providers", 3*benchPeople/took.Seconds(), "/s", "receipts/s", fmt.Sprintf("%d: sent and delivered of each SMS, shown of each push; all on disk after %s",
		3*benchPeople, took.Round(10*time.Millisecond)), oneByOne)
	if f.redis != nil {
		f.row("Redis per recipient", float64(f.memory()-f.used)/benchPeople, "B", "redis-B/called", "called on two channels, not answered")
	}
}

// senders hands the same messages over with nothing around: no queue, no ledger,
// no tracker. That is the limit that the providers and the processor set here.
func (f *measurement) senders() {
	f.b.Helper()
	const some = benchPeople / 5
	channels, err := f.house.openChannels(f.secret, f.inside)
	if err != nil {
		f.b.Fatal(err)
	}
	round, err := f.house.tracker.Round(f.b.Context(), f.id, 0)
	if err != nil {
		f.b.Fatal(err)
	}
	var next atomic.Int64
	var flying sync.WaitGroup
	begun, sent := time.Now(), 0
	for _, s := range channels {
		if s.Channel() != announcement.InApp {
			sent += some
		}
	}
	for range f.house.config.InFlight {
		flying.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(channels)*some; i = int(next.Add(1)) - 1 {
				s, n := channels[i%len(channels)], i/len(channels)
				if s.Channel() == announcement.InApp {
					continue
				}
				to, lang, _ := f.house.directory.ContactPoints(round.Target(n))
				m := composer{f.house.desk}.Compose(round, n, lang)
				m.Token, m.Asks = "", false // the phone has nothing to tell of
				if _, err := s.Send(f.b.Context(), "raw", to, m); err != nil {
					f.b.Errorf("recipient %d by %s: %v", n, s.Channel(), err)
					return
				}
			}
		})
	}
	flying.Wait()
	f.raw[handing] = float64(sent) / time.Since(begun).Seconds()
}

// answers lets everybody answer on their page, 256 at the same moment, each
// thanked after their own PubAck.
func (f *measurement) answers() {
	f.b.Helper()
	took := f.storm(func(n int) error {
		now := time.Now().UnixMilli()
		body := strings.NewReader(fmt.Sprintf("a=1&k=k%d&said=%d&sent=%d", n, now, now))
		r, err := http.NewRequestWithContext(f.b.Context(), http.MethodPost, rehearsalURL+"/r/"+f.house.links.answerToken(f.id, n), body)
		if err != nil {
			return err
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("X-Fragment", "1") // as the page's script and the notification's buttons do
		res, err := f.inside.Do(r)
		if err == nil && res.StatusCode != http.StatusOK {
			err = fmt.Errorf("answered %s", res.Status)
		}
		return err
	})
	f.row("answers on the page", benchPeople/took.Seconds(), "/s", "answers/s", fmt.Sprintf("%d in %s by %d at once; POST, PubAck, the page that thanks",
		benchPeople, took.Round(10*time.Millisecond), benchCallers), oneByOne, packed)
	if c := f.counts(); c.Confirmed != benchPeople {
		f.b.Errorf("%d are confirmed, want all %d", c.Confirmed, benchPeople)
	}
	if f.redis != nil {
		f.row("Redis per recipient", float64(f.memory()-f.used)/benchPeople, "B", "redis-B/answered", "and answered")
	}
	v, _ := f.house.tracker.View(f.id)
	took = f.storm(func(n int) error {
		fact := f.house.desk.answered(v, n, announcement.Answered{Answer: announcement.Safe, Via: announcement.ViaPage, Said: time.Now(), Ref: fmt.Sprint("again", n)})
		return f.house.desk.write(f.b.Context(), fact)
	})
	f.row("answers, the ledger alone", benchPeople/took.Seconds(), "/s", "ledger-answers/s", "the same facts, without page and read-back", oneByOne, packed)
}

// storm calls answer for everybody, benchCallers at once.
func (f *measurement) storm(answer func(n int) error) time.Duration {
	f.b.Helper()
	var next atomic.Int64
	var callers sync.WaitGroup
	begun := time.Now()
	for range benchCallers {
		callers.Go(func() {
			for n := int(next.Add(1)) - 1; n < benchPeople; n = int(next.Add(1)) - 1 {
				if err := answer(n); err != nil {
					f.b.Errorf("recipient %d: %v", n, err)
					return
				}
			}
		})
	}
	callers.Wait()
	return time.Since(begun)
}

func (f *measurement) counts() announcement.Counts {
	f.b.Helper()
	if err := f.house.tracker.CatchUp(f.b.Context()); err != nil {
		f.b.Fatal(err)
	}
	s, err := f.house.tracker.Standing(f.b.Context(), f.id)
	if err != nil {
		f.b.Fatal(err)
	}
	return s.Counts()
}

// The raw limits.
const (
	handing  = "senders alone"
	inFlight = "calls in flight / 50 ms"
	waiting  = "NATS, one waiting publisher"
	oneByOne = "NATS, one fact a record"
	packed   = "NATS, 500 facts a record"
	setBit   = "Redis SETBIT"
	evalSHA  = "Redis EVALSHA"
)

// rawNATS publishes facts of the same size on a server set up the same way.
func (f *measurement) rawNATS() {
	f.b.Helper()
	ctx := f.b.Context()
	nc, stop, err := openNATS(ctx, &Config{Data: f.b.TempDir()}, f.house.log)
	if err != nil {
		f.b.Fatal(err)
	}
	defer stop()
	js, err := jetstream.New(nc)
	if err != nil {
		f.b.Fatal(err)
	}
	if _, err := js.CreateStream(ctx, jetstream.StreamConfig{Name: "raw", Subjects: []string{"raw"}, Storage: jetstream.FileStorage}); err != nil {
		f.b.Fatal(err)
	}
	fact, err := json.Marshal(announcement.Fact{Announcement: f.id, Kind: announcement.KindCalled, At: time.Now().UTC(), Actor: announcement.ByNetwork,
		Called: &announcement.Called{Channel: announcement.WebPush, Number: 12_345, Rank: announcement.Accepted, Points: 1}})
	if err != nil {
		f.b.Fatal(err)
	}
	publish := func(name string, records, facts, flying int) {
		body := append(append([]byte("["), bytes.Repeat(append(fact, ','), facts-1)...), append(fact, ']')...)
		var acks []jetstream.PubAckFuture
		begun := time.Now()
		for sent := 0; sent < records || len(acks) > 0; {
			for ; sent < records && len(acks) < flying; sent++ {
				ack, err := js.PublishMsgAsync(&nats.Msg{Subject: "raw", Data: body})
				if err != nil {
					f.b.Fatal(err)
				}
				acks = append(acks, ack)
			}
			select {
			case <-acks[0].Ok():
			case err := <-acks[0].Err():
				f.b.Fatal(err)
			}
			acks = acks[1:]
		}
		f.raw[name] = float64(records*facts) / time.Since(begun).Seconds()
	}
	publish(waiting, 2_000, 1, 1)
	publish(oneByOne, 10_000, 1, f.house.config.InFlight)
	publish(packed, 400, ledger.MaxPack, 4)
	f.fact = fact
}

// rawRedis sets one bit a recipient, a hundred commands a round trip, and
// measures what a bitmap and a hash alone would take.
func (f *measurement) rawRedis() {
	if f.redis == nil {
		return
	}
	f.b.Helper()
	ctx := f.b.Context()
	const rounds, each = 2_000, 100
	measure := func(name string, command func(redis.Pipeliner, int)) {
		begun := time.Now()
		for r := range rounds {
			pipe := f.redis.Pipeline()
			for i := range each {
				command(pipe, (r*each+i)%benchPeople)
			}
			if _, err := pipe.Exec(ctx); err != nil {
				f.b.Fatal(err)
			}
		}
		f.raw[name] = rounds * each / time.Since(begun).Seconds()
	}
	measure(setBit, func(p redis.Pipeliner, n int) { p.SetBit(ctx, "raw", int64(n), 1) })
	script := redis.NewScript("return redis.call('SETBIT', KEYS[1], ARGV[1], 1)")
	if err := script.Load(ctx, f.redis).Err(); err != nil {
		f.b.Fatal(err)
	}
	measure(evalSHA, func(p redis.Pipeliner, n int) { p.EvalSha(ctx, script.Hash(), []string{"raw"}, n) })

	var bits []string
	pipe := f.redis.Pipeline()
	for i := range 10 { // as many states as the tracker keeps
		bits = append(bits, fmt.Sprint("raw:bits:", i))
		pipe.SetBit(ctx, bits[i], benchPeople-1, 1)
	}
	for n := range benchPeople {
		pipe.HSet(ctx, "raw:hash", n, "12345678")
	}
	f.exec(pipe)
	f.row("raw: ten bitmaps", f.size(bits...), "B", "", "per recipient; counts and states, no times, no names of channels")
	f.row("raw: a hash", f.size("raw:hash"), "B", "", "per recipient; one field of 8 bytes")
}

// size returns what keys take in Redis per recipient, every field counted.
func (f *measurement) size(keys ...string) float64 {
	f.b.Helper()
	var all int64
	for _, k := range keys {
		n, err := f.redis.MemoryUsage(f.b.Context(), k, 0).Result()
		if err != nil {
			f.b.Fatal(err)
		}
		all += n
	}
	return float64(all) / benchPeople
}

func (f *measurement) exec(pipe redis.Pipeliner) {
	f.b.Helper()
	if _, err := pipe.Exec(f.b.Context()); err != nil {
		f.b.Fatal(err)
	}
}

var usedMemory = regexp.MustCompile(`(?m)^used_memory_dataset:(\d+)`)

// memory returns what the data in Redis takes; 0 without one.
func (f *measurement) memory() int64 {
	if f.redis == nil {
		return 0
	}
	f.b.Helper()
	info, err := f.redis.Info(f.b.Context(), "memory").Result()
	m := usedMemory.FindStringSubmatch(info)
	if err != nil || m == nil {
		f.b.Fatalf("INFO memory: %v", err)
	}
	n, _ := strconv.ParseInt(m[1], 10, 64)
	return n
}

// check: nobody was called twice, and the ledger is whole.
func (f *measurement) check() {
	f.b.Helper()
	report, err := ledger.Verify(f.b.Context(), f.house.ledger)
	if err != nil || len(report.Faults) > 0 {
		f.b.Errorf("verify: %v, %q", err, report.Faults)
	}
	type call struct {
		number  int
		channel announcement.Channel
	}
	calls := map[call]int{}
	err = f.house.ledger.Read(f.b.Context(), f.id, func(r ledger.Record) error {
		for _, fact := range r.Facts {
			if fact.Called != nil && fact.Called.Round == 0 {
				calls[call{fact.Called.Number, fact.Called.Channel}]++
			}
		}
		return nil
	})
	for c, n := range calls {
		if n > 1 {
			f.b.Errorf("recipient %d was called %d times by %s", c.number, n, c.channel)
		}
	}
	if err != nil || len(calls) != 2*benchPeople {
		f.b.Errorf("%d calls, %v; want %d", len(calls), err, 2*benchPeople)
	}
	f.row("facts a record", float64(report.Facts)/float64(report.Records), "", "", fmt.Sprintf("%d facts in %d records: so many share one fsync", report.Facts, report.Records))
}

// print writes the table, and hands the figures to the benchmark.
func (f *measurement) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "\nmeasured\t\t\tof the raw limit\t")
	for _, r := range f.rows {
		var ratios []string
		for _, limit := range r.limits {
			ratios = append(ratios, fmt.Sprintf("%.2g of %s", r.value/f.raw[limit], limit))
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.what, figure(r.value), r.unit, strings.Join(ratios, ", "), r.note)
		if r.metric != "" {
			f.b.ReportMetric(r.value, r.metric)
		}
	}
	fmt.Fprintf(w, "\nraw limits in the same run; facts of %d B\n", len(f.fact))
	for _, limit := range []struct{ name, note string }{
		{handing, "the same messages and the sandbox, without queue, ledger and tracker"},
		{inFlight, fmt.Sprintf("%d, so that a crash repeats no more", f.house.config.InFlight)},
		{waiting, "sync always, each PubAck awaited"},
		{oneByOne, fmt.Sprintf("sync always, %d in flight", f.house.config.InFlight)},
		{packed, "sync always; what group commit can reach"},
		{setBit, "100 a round trip"},
		{evalSHA, "100 a round trip, a script of one SETBIT"},
	} {
		if f.raw[limit.name] > 0 {
			fmt.Fprintf(w, "%s\t%s\t/s\t\t%s\n", limit.name, figure(f.raw[limit.name]), limit.note)
		}
	}
	_ = w.Flush()
}

// figure writes a number as a person reads it.
func figure(v float64) string {
	if v < 100 {
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	s := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
