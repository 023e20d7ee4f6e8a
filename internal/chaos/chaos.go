// Package chaos attacks a whole installation while it alarms a company, and judges from
// outside whether its promises held.
//
// The installation is the real one: two nodes, a NATS cluster of three with three copies
// of everything, Redis with a replica and Sentinels, set up as deploy/ ships them, each
// connection through a toxiproxy. A nemesis draws faults from a seed: it kills, freezes
// and restarts processes, empties Redis, cuts, slows and resets connections, and lets
// providers fail in each way they do. Meanwhile thousands of phones answer. A recorder
// outside the product writes down what phones got and what was thanked for; in the end
// that is held against what the product says.
package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/sandbox"
)

// inFlight is how many calls a node has under way at most.
const inFlight = 32

// Options is one run.
type Options struct {
	Seed   uint64
	Plan   string // mixed, kills, rolling or failover
	People int
	Length time.Duration // of the faults; the rest takes about two minutes
	Short  bool          // what lasts long lasts a third

	Kentongan, NATSServer string // programs
	Deploy                string // folder of the configuration as shipped
	Folder                string // empty: a temporary one
	Say                   io.Writer
}

// steps is the escalation of the announcement: short, so that each falls due meanwhile.
var steps = []struct {
	after time.Duration
	whom  string
}{{25 * time.Second, "recipient"}, {45 * time.Second, "manager"}, {65 * time.Second, "manager+1"}, {85 * time.Second, "duty"}}

// alarm is what is sent.
func alarm() string {
	var policy []string
	for _, s := range steps {
		policy = append(policy, fmt.Sprintf(`{"after": "%s", "whom": "%s", "channels": ["sms"]}`, s.after, s.whom))
	}
	return `{"mode": "live", "severity": "extreme", "answers": "safety",
  "text": {"en": {"title": "Fire in hall 3", "body": "Leave by the east gate."}, "id": {"title": "Kebakaran di hall 3", "body": "Keluar lewat gerbang timur."}},
  "audience": {"all": true}, "channels": ["webpush", "sms", "inapp"], "policy": {"steps": [` + strings.Join(policy, ", ") + `]}}`
}

// run is one run of the main job under attack.
type run struct {
	Options
	*scene
	*recorder
	nemesis *nemesis
	people  []person
	begun   time.Time
	sayMu   sync.Mutex
	doubts  *doubts
	id      string
	opened  time.Time
	canary  canary
}

// Run attacks, judges, prints the table, and reports whether every promise held.
func Run(ctx context.Context, o Options) (held bool, err error) {
	folder := o.Folder
	if folder == "" {
		if folder, err = os.MkdirTemp("", "kentongan-chaos-"); err != nil {
			return false, err
		}
	} else if err := os.MkdirAll(folder, 0o700); err != nil {
		return false, err
	}
	r := &run{Options: o, people: company(o.People), begun: time.Now()}
	r.say("plan %s, seed %d, %d people; logs and records in %s", o.Plan, o.Seed, o.People, folder)
	if r.scene, err = open(ctx, o, folder); err != nil {
		return false, err
	}
	defer r.scene.close()
	if r.recorder, err = newRecorder(folder, r.boxURL); err != nil {
		return false, err
	}
	v, err := r.play(ctx)
	if err != nil {
		return false, fmt.Errorf("%w; logs in %s", err, folder)
	}
	v.print(o.Say)
	if v.held() && o.Folder == "" {
		return true, os.RemoveAll(folder)
	}
	return v.held(), nil
}

func (r *run) say(format string, args ...any) {
	r.sayMu.Lock()
	defer r.sayMu.Unlock()
	fmt.Fprintf(r.Say, "%6.1f s  %s\n", time.Since(r.begun).Seconds(), fmt.Sprintf(format, args...))
}

// play is the whole story.
func (r *run) play(ctx context.Context) (*verdict, error) {
	if err := r.prepare(ctx); err != nil {
		return nil, err
	}
	scale := time.Duration(3)
	if r.Short {
		scale = 1
	}
	r.nemesis = draw(r.scene, r.Seed, scale, r.say)
	r.doubts = watchProviders(r.outside, r.nemesis.unclear)
	watched, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	defer stop()
	wg.Go(func() { r.listen(watched) })
	wg.Go(func() { r.nemesis.watch(watched) })

	if err := r.alarm(ctx); err != nil {
		return nil, err
	}
	wg.Go(func() { r.audit(watched, r.urls, r.id, len(r.people)) })
	attacked, calm := context.WithTimeout(ctx, r.Length)
	defer calm()
	wg.Go(func() { r.restless(attacked) })
	if err := r.nemesis.plan(attacked, r.Plan); err != nil {
		return nil, err
	}
	r.say("the faults are over")
	owed, err := r.settle(ctx)
	if err != nil {
		return nil, err
	}
	before, err := r.rebuilt()
	if err != nil {
		return nil, err
	}
	if err := r.finish(ctx); err != nil {
		return nil, err
	}
	stop()
	wg.Wait()
	v, err := r.judge(ctx, owed)
	if err != nil {
		return nil, err
	}
	after, err := r.rebuilt()
	v.add("the working state is rebuilt, and then stands", after-before <= len(r.nodes), "1 a node", "%d rebuilt since the faults were over", after-before)
	return v, err
}

// rebuilt counts how often a node made the working state of an announcement anew.
func (r *run) rebuilt() (times int, err error) {
	for _, node := range r.nodes {
		log, err := os.ReadFile(node.log.Name())
		if err != nil {
			return 0, err
		}
		times += bytes.Count(log, []byte("rebuilding working state"))
	}
	return times, nil
}

// prepare imports the company and hands out phones.
func (r *run) prepare(ctx context.Context) error {
	var report struct{ Added int }
	if err := r.api.Call(ctx, http.MethodPost, "/api/v1/people:import", "text/csv", strings.NewReader(file(r.people)), &report); err != nil {
		return fmt.Errorf("import: %w", err)
	}
	r.say("%d people imported", report.Added)
	phones := make([]sandbox.Person, len(r.people))
	var wg sync.WaitGroup
	var failed atomic.Value
	todo := make(chan int)
	for range 16 {
		wg.Go(func() {
			for i := range todo {
				p := r.people[i]
				phones[i] = sandbox.Person{Number: p.number, Name: p.name, Mobile: p.mobile}
				if !p.push {
					continue
				}
				var enrol struct{ Path string }
				if err := r.api.Call(ctx, http.MethodPost, "/api/v1/people/"+p.number+"/enrol", "", nil, &enrol); err != nil {
					failed.Store(err)
				}
				phones[i].Enrol = enrol.Path
			}
		})
	}
	pushes := 0
	for i, p := range r.people {
		todo <- i
		if p.push {
			pushes++
		}
	}
	close(todo)
	wg.Wait()
	if err, ok := failed.Load().(error); ok {
		return fmt.Errorf("enrol: %w", err)
	}
	if err := call(ctx, http.MethodPost, r.boxURL, "/sandbox/phones", phones, nil); err != nil {
		return err
	}
	err := r.until(ctx, 3*time.Minute, "every phone to enrol", func(ctx context.Context) error {
		var state struct{ Enrolled int }
		if err := call(ctx, http.MethodGet, r.boxURL, "/phones/state", nil, &state); err != nil {
			return err
		}
		if state.Enrolled < pushes {
			return fmt.Errorf("%d of %d have", state.Enrolled, pushes)
		}
		return nil
	})
	r.say("%d phones, %d with notifications", len(phones), pushes)
	return err
}

// Nine of ten answer by themselves while the faults last, some of them in need of help or
// elsewhere; the others when the faults are over, but for three of a hundred, for whom
// somebody vouches.
const (
	willing = 90
	all     = 97
)

type auto struct {
	Percent int    `json:"percent"`
	Help    int    `json:"help"`
	Away    int    `json:"away"`
	Within  string `json:"within"`
}

func (r *run) alarm(ctx context.Context) error {
	if err := call(ctx, http.MethodPost, r.boxURL, "/phones/auto", auto{willing, 1, 5, r.Length.String()}, nil); err != nil {
		return err
	}
	var s struct {
		summary
		At       time.Time `json:"at"`
		OpenedAt time.Time `json:"opened_at"`
	}
	if err := r.api.Call(ctx, http.MethodPost, "/api/v1/announcements", "application/json", strings.NewReader(alarm()), &s, "Idempotency-Key", fmt.Sprint("chaos-", r.Seed)); err != nil {
		return fmt.Errorf("send the alarm: %w", err)
	}
	if s.Counts.Recipients != len(r.people) {
		return fmt.Errorf("the alarm is for %d people, want %d", s.Counts.Recipients, len(r.people))
	}
	r.id = s.ID
	r.say("alarm to %d people", len(r.people))
	return nil
}

// restless changes the answer of some people after they were thanked: what they said
// last is what must stand.
func (r *run) restless(ctx context.Context) {
	changed := map[string]bool{}
	for ctx.Err() == nil {
		sleep(ctx, 2*time.Second)
		given, err := r.answers(ctx)
		if err != nil {
			continue
		}
		for i, g := range given {
			if i%37 != 0 || !g.OK || changed[g.Phone] || time.Since(g.Time) < 10*time.Second {
				continue
			}
			changed[g.Phone] = true
			_ = call(ctx, http.MethodPost, r.boxURL, "/sandbox/act", sandbox.Act{Number: g.Phone, Via: "link", Answer: 3}, nil) // what came of it is in the answers
			break
		}
	}
}

// settle mends everything, and waits until everybody got what they had to get.
func (r *run) settle(ctx context.Context) (owed []string, err error) {
	if err := r.wires.heal(); err != nil {
		return nil, err
	}
	if err := r.nemesis.behave(ctx, sandbox.Behaviour{}); err != nil {
		return nil, err
	}
	for _, p := range r.processes() {
		if err := p.Start(); err != nil {
			return nil, err
		}
	}
	healed := time.Now()
	for i, u := range r.urls {
		if err := r.until(ctx, 90*time.Second, fmt.Sprintf("node %d to be ready", i+1), func(ctx context.Context) error {
			var said string
			err := get(ctx, u+"/readyz", func(b []byte) { said = string(b) })
			if err != nil {
				return fmt.Errorf("%w: %s", err, said)
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	r.say("both nodes are ready after %.1f s", time.Since(healed).Seconds())
	err = r.until(ctx, 4*time.Minute, "everybody to be called", func(ctx context.Context) error {
		if err := r.read(ctx); err != nil {
			return err
		}
		given, err := r.answers(ctx)
		if err != nil {
			return err
		}
		if owed = owes(r.people, r.all(), given); len(owed) > 0 {
			return fmt.Errorf("%d are owed something: %s", len(owed), owed[0])
		}
		return nil
	})
	if err != nil && len(owed) == 0 {
		return nil, err
	}
	r.say("everybody is called %.1f s after the faults ended; %d are owed something", time.Since(healed).Seconds(), len(owed))
	if err := r.until(ctx, 3*time.Minute, "the last step", func(ctx context.Context) error {
		facts, err := r.facts(ctx, r.id)
		if n := len(stepsTaken(facts)); err == nil && n < len(steps) { // after a late one the next keep their distance
			sleep(ctx, 2*time.Second)
			return fmt.Errorf("%d of %d steps are taken", n, len(steps))
		}
		return err
	}); err != nil {
		return nil, err
	}
	return owed, nil
}

// finish lets everybody answer, vouches for those who do not, and waits for the close.
func (r *run) finish(ctx context.Context) error {
	if err := call(ctx, http.MethodPost, r.boxURL, "/phones/auto", auto{all, 1, 5, "3s"}, nil); err != nil {
		return err
	}
	for _, e := range r.all() {
		if e.Phone == r.people[0].number && e.Asks { // nobody is above them to vouch
			if err := call(ctx, http.MethodPost, r.boxURL, "/sandbox/act", sandbox.Act{Number: e.Phone, Via: "link", Answer: 1, Token: e.Token}, nil); err != nil {
				return err
			}
			break
		}
	}
	var s summary
	vouched := false
	err := r.until(ctx, 2*time.Minute, "the announcement to close", func(ctx context.Context) (err error) {
		if s, err = ask(ctx, r.urls[0], r.id); err != nil {
			return err
		}
		if s.Status == "closed" {
			return nil
		}
		if s.Counts.NoAnswer+s.Counts.Opened <= len(r.people)*(100-all)/100+5 && !vouched {
			vouched = true
			if err := r.vouch(ctx); err != nil {
				r.say("vouching: %v", err)
				vouched = false
			}
		}
		return fmt.Errorf("%+v", s)
	})
	if err == nil {
		r.say("closed as %s: %+v", s.ClosedAs, s.Counts)
		return nil
	}
	r.say("%v", err) // the table says who is lost
	return nil
}

// vouch marks whoever has not answered on their manager's page.
func (r *run) vouch(ctx context.Context) error {
	links, manager := map[string]string{}, map[string]string{}
	for _, p := range r.people {
		manager[p.number] = p.manager
	}
	for _, e := range r.all() {
		if strings.Contains(e.Link, "/t/") {
			links[e.Phone] = e.Link
		}
	}
	states, err := stand(ctx, r.urls[1], r.id)
	if err != nil {
		return err
	}
	for number, s := range states {
		if s.State != "no_answer" && s.State != "opened" && s.State != "unreachable" {
			continue
		}
		link := links[manager[number]]
		if link == "" {
			return fmt.Errorf("the manager of %s has no list", number)
		}
		form := url.Values{"n": {fmt.Sprint(s.Index)}, "a": {"1"}, "how": {"saw"}, "k": {"vouch-" + number}}
		q, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(link, "/")+"/mark", strings.NewReader(form.Encode()))
		if err != nil {
			return err
		}
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("Sec-Fetch-Site", "same-origin")
		res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(q)
		if err != nil {
			return err
		}
		_ = res.Body.Close()
		if res.StatusCode >= 400 {
			return errors.New("mark: " + res.Status)
		}
	}
	return nil
}

// judge holds the recorder's notes against the product.
func (r *run) judge(ctx context.Context, owed []string) (*verdict, error) {
	v := &verdict{seed: r.Seed, plan: r.Plan}
	given, err := r.settled(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.read(ctx); err != nil {
		return nil, err
	}
	var phones []phone
	if err := call(ctx, http.MethodGet, r.boxURL, "/sandbox/phones", nil, &phones); err != nil {
		return nil, err
	}
	messages, did := r.all(), r.nemesis.all()
	var facts []announcement.Fact
	if err := r.until(ctx, time.Minute, "the ledger to be read", func(context.Context) (err error) {
		facts, err = r.facts(ctx, r.id)
		return err
	}); err != nil {
		return nil, err
	}
	if err := errors.Join(keep(r, "answers.jsonl", given), keep(r, "facts.jsonl", facts)); err != nil {
		return nil, err
	}
	states := map[string]recipient{}
	for i, u := range r.urls {
		if states, err = stand(ctx, u, r.id); err != nil {
			return nil, fmt.Errorf("node %d: %w", i+1, err)
		}
	}
	for _, f := range facts {
		if f.Committed != nil {
			r.opened = f.At
		}
	}
	v.answers(r.people, given, states)
	v.forgotten(owed)
	v.counted(r.recorder)
	v.repeated(messages, given, did, r.doubts.of(r.people, phones))
	v.punctual(messages, facts, r.opened, did)
	if r.Plan == "failover" {
		v.gap(given, did)
	}
	s, err := ask(ctx, r.urls[1], r.id)
	if err != nil {
		return nil, err
	}
	v.add("it ends when everyone is accounted for", s.ClosedAs == "accounted", "accounted", "%s", s.ClosedAs)
	r.whole(ctx, v)
	if err := r.leaks(ctx, v, phones); err != nil {
		return nil, err
	}
	failed := 0
	for _, d := range did {
		if d.err != nil {
			failed++
			v.note("the fault %q could not be done: %v", d.name, d.err)
		}
	}
	v.add("no process ended by itself", len(r.nemesis.alone) == 0, "0", "%d", len(r.nemesis.alone))
	v.add("  faults", failed == 0, "", "%d done, %d could not be", len(did), failed)
	return v, nil
}

// settled returns the answers once none is on its way any more: the last ones are counted
// before their phones hear it, and a text is, while its webhook is still being tried.
func (r *run) settled(ctx context.Context) ([]sandbox.Given, error) {
	if err := r.until(ctx, time.Minute, "the last answers to arrive", func(ctx context.Context) error {
		var state struct{ Acting int }
		if err := call(ctx, http.MethodGet, r.boxURL, "/phones/state", nil, &state); err != nil {
			return err
		}
		if state.Acting > 0 {
			return fmt.Errorf("%d are on their way", state.Acting)
		}
		return nil
	}); err != nil {
		return nil, err
	}
	return r.answers(ctx)
}

// keep leaves what the verdict is made from beside the messages, a line each.
func keep[T any](r *run, name string, all []T) error {
	var b strings.Builder
	for _, one := range all {
		line, err := json.Marshal(one)
		if err != nil {
			return err
		}
		b.Write(append(line, '\n'))
	}
	_, err := r.write(name, b.String())
	return err
}

// whole has the ledger verified by the program itself.
func (r *run) whole(ctx context.Context, v *verdict) {
	cmd := exec.CommandContext(ctx, r.Kentongan, "ledger", "verify") //nolint:gosec // our own program
	cmd.Env = r.nodes[0].env
	out, err := cmd.CombinedOutput()
	last := strings.TrimSpace(string(out))
	if i := strings.LastIndexByte(last, '\n'); i >= 0 {
		last = last[i+1:]
	}
	v.add("the ledger is whole", err == nil && strings.Contains(string(out), "the ledger is whole"), "whole", "%.60s", last)
}

// leaks searches for the canary.
func (r *run) leaks(ctx context.Context, v *verdict, phones []phone) error {
	endpoint, answer := "", ""
	last := r.people[len(r.people)-1].number
	for _, p := range phones {
		if p.Number == last && len(p.Devices) > 0 {
			endpoint = p.Devices[0]
		}
	}
	for _, e := range r.all() {
		if e.Phone == last && e.Token != "" {
			answer = e.Token
		}
	}
	if endpoint == "" || answer == "" {
		return errors.New("the canary has no phone")
	}
	r.canary = canary{words: []string{canaryName, canaryMobile, endpoint, answer, token}, looks: map[string]int{}}
	if err := r.canary.search(ctx, r.scene, r.id); err != nil {
		return err
	}
	var where []string
	total := 0
	for w, n := range r.canary.looks {
		where = append(where, w)
		total += n
	}
	v.add("nothing personal leaks", len(r.canary.found) == 0, "0", "%d in %.1f MB of %d kinds", len(r.canary.found), float64(total)/1e6, len(where))
	for _, f := range r.canary.found {
		v.note("leaked: %s", f)
	}
	return nil
}
