package chaos

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"kentongan/internal/announcement"
	"kentongan/internal/sandbox"
)

// fault is one thing that the nemesis does, and takes back.
type fault struct {
	name  string
	lasts time.Duration
	do    func(context.Context) error
	undo  func(context.Context) error // nil: it passes by itself

	// What may come twice through it: everything that a node had in its hands when it
	// could no longer write down what it had done, and each message of which the
	// provider did not say whether it took it.
	hands int
	blurs bool
	lies  bool // the provider says 500 of what it took
}

// done is a fault that was, with its times.
type done struct {
	fault
	from, to time.Time
	err      error
}

// nemesis does what a plan says.
type nemesis struct {
	*scene
	seed   uint64
	random *rand.Rand
	scale  time.Duration // of what lasts long: in thirds: 3 of them, or 1
	say    func(format string, args ...any)

	mu    sync.Mutex
	did   []done
	blurs int // faults under way that blur
	lies  int // and those in which a provider says 500 of what it took
	alone []string
}

// unclear reports whether a provider's answers may be lost now, and whether it says 500 of
// what it took.
func (n *nemesis) unclear() (lost, lied bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.blurs > 0, n.lies > 0
}

// draw returns a nemesis that draws from a seed.
func draw(s *scene, seed uint64, scale time.Duration, say func(string, ...any)) *nemesis {
	return &nemesis{scene: s, seed: seed, random: rand.New(rand.NewPCG(seed, 1)), scale: scale, say: say} //nolint:gosec // to be repeated, not secret
}

// lane does one fault after the other from a deck until ctx ends, shuffled again when it
// is through. It draws by itself: what the other lanes do at the same time changes nothing.
func (n *nemesis) lane(ctx context.Context, number uint64, deck []fault, least, most time.Duration) {
	own := draw(n.scene, n.seed+number<<32, n.scale, n.say)
	for i := 0; ctx.Err() == nil; i++ {
		if i%len(deck) == 0 {
			own.random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
		}
		n.inflict(ctx, deck[i%len(deck)])
		sleep(ctx, own.between(least, most))
	}
}

// inflict does one fault, and takes it back also when ctx has ended meanwhile.
func (n *nemesis) inflict(ctx context.Context, f fault) {
	d := done{fault: f, from: time.Now()}
	n.mu.Lock()
	if f.blurs {
		n.blurs++
	}
	if f.lies {
		n.lies++
	}
	n.mu.Unlock()
	n.say("%s (%s)", f.name, f.lasts.Round(100*time.Millisecond))
	d.err = f.do(context.WithoutCancel(ctx))
	sleep(ctx, f.lasts)
	if f.undo != nil {
		d.err = errors.Join(d.err, f.undo(context.WithoutCancel(ctx)))
	}
	d.to = time.Now()
	n.mu.Lock()
	if f.blurs {
		n.blurs--
	}
	if f.lies {
		n.lies--
	}
	n.did = append(n.did, d)
	n.mu.Unlock()
}

func (n *nemesis) all() []done {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.did[:len(n.did):len(n.did)]
}

// between draws a duration.
func (n *nemesis) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(n.random.Int64N(int64(hi-lo)+1))
}

func (n *nemesis) long(d time.Duration) time.Duration { return d * n.scale / 3 }

// watch starts what ended by itself again after a second, as systemd does, and notes it.
func (n *nemesis) watch(ctx context.Context) {
	for ctx.Err() == nil {
		for _, p := range n.processes() {
			if err, died := p.Died(); died {
				n.mu.Lock()
				n.alone = append(n.alone, fmt.Sprintf("%s: %v", p.name, err))
				n.mu.Unlock()
				n.say("%s ended by itself: %v", p.name, err)
				sleep(ctx, time.Second)
				_ = p.Start()
			}
		}
		sleep(ctx, 200*time.Millisecond)
	}
}

// kill is kill -9, and a start some seconds later.
func (n *nemesis) kill(p *process) fault {
	hands := 0
	if strings.HasPrefix(p.name, "app") {
		hands = 1
	}
	return fault{name: "kill -9 " + p.name, hands: hands, lasts: n.between(time.Second, 5*time.Second),
		do:   func(context.Context) error { p.Kill(); return nil },
		undo: func(context.Context) error { return p.Start() }}
}

func (n *nemesis) terminate(p *process) fault {
	return fault{name: "SIGTERM " + p.name, lasts: n.between(time.Second, 3*time.Second),
		do:   func(context.Context) error { return p.Terminate(40 * time.Second) },
		undo: func(context.Context) error { return p.Start() }}
}

// freeze is SIGSTOP: a process that still holds its connections and its beliefs.
func (n *nemesis) freeze(p *process) fault {
	hands := 0
	if strings.HasPrefix(p.name, "app") {
		hands = 1
	}
	return fault{name: "SIGSTOP " + p.name, hands: hands, blurs: hands > 0, lasts: n.long(30 * time.Second),
		do:   func(context.Context) error { p.Signal(syscall.SIGSTOP); return nil },
		undo: func(context.Context) error { p.Signal(syscall.SIGCONT); return nil }}
}

// processFaults are those of each program of the installation.
func (n *nemesis) processFaults() (short, long []fault) {
	for _, some := range [][]*process{n.nodes, n.nats, n.redis} {
		for _, p := range some {
			short = append(short, n.kill(p))
		}
		one := some[n.random.IntN(len(some))]
		short = append(short, n.terminate(one))
		long = append(long, n.freeze(one))
	}
	return short, long
}

// flush is what an operator's mistake does to Redis: to whichever leads.
func (n *nemesis) flush(command ...any) fault {
	return fault{name: fmt.Sprint(command...), do: func(ctx context.Context) error {
		for _, c := range n.admins {
			if err := c.Do(ctx, command...).Err(); err != nil && !strings.Contains(err.Error(), "READONLY") && len(n.admins) == 1 {
				return err
			}
		}
		return nil
	}}
}

func (n *nemesis) redisFaults() (short, long []fault) {
	short = []fault{n.flush("FLUSHALL"), n.flush("SCRIPT", "FLUSH")}
	long = []fault{{name: "Redis gone", lasts: n.long(60 * time.Second),
		do:   func(context.Context) error { n.wires.cut("redis/*"); return nil },
		undo: func(context.Context) error { return n.wires.mend("redis/*") }}}
	return short, long
}

// leader returns which of the NATS servers leads the ledger: "nats-2".
func (s *scene) leader(ctx context.Context) (string, error) {
	js, err := jetstream.New(s.direct)
	if err != nil {
		return "", err
	}
	stream, err := js.Stream(ctx, "kentongan-ledger")
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		return "", nil // there is a cluster, and nothing in it yet
	}
	if err != nil {
		return "", err
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return "", err
	}
	if info.Cluster == nil || info.Cluster.Leader == "" {
		return "", errors.New("nobody leads")
	}
	return info.Cluster.Leader, nil
}

// leading returns the process that leads the ledger now, or any.
func (n *nemesis) leading(ctx context.Context) *process {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	name, _ := n.leader(ctx)
	for _, p := range n.nats {
		if p.name == name {
			return p
		}
	}
	return n.nats[0]
}

func (n *nemesis) natsFaults() (short, long []fault) {
	var led *process
	short = []fault{{name: "kill -9 the NATS leader", lasts: n.between(2*time.Second, 6*time.Second), hands: 2,
		do:   func(ctx context.Context) error { led = n.leading(ctx); led.Kill(); return nil },
		undo: func(context.Context) error { return led.Start() }}}
	var cut string
	long = []fault{
		{name: "NATS leader partitioned", hands: 2, lasts: n.long(20 * time.Second),
			do: func(ctx context.Context) error {
				cut = strings.TrimPrefix(n.leading(ctx).name, "nats-")
				n.wires.cut("route/" + cut + "/*")
				n.wires.cut("route/*/" + cut)
				return nil
			},
			undo: func(context.Context) error {
				return errors.Join(n.wires.mend("route/"+cut+"/*"), n.wires.mend("route/*/"+cut))
			}},
		{name: "NATS gone", hands: 2, lasts: n.long(60 * time.Second),
			do:   func(context.Context) error { n.wires.cut("nats/*/*"); return nil },
			undo: func(context.Context) error { return n.wires.mend("nats/*/*") }},
		{name: "every NATS server killed", hands: 2, lasts: n.long(20 * time.Second),
			do: func(context.Context) error {
				for _, p := range n.nats {
					p.Kill()
				}
				return nil
			},
			undo: func(context.Context) error {
				var errs []error
				for _, p := range n.nats {
					errs = append(errs, p.Start())
				}
				return errors.Join(errs...)
			}},
	}
	return short, long
}

// wireFaults are slow, reset and hanging connections of each kind.
func (n *nemesis) wireFaults() (faults []fault) {
	for _, w := range []struct {
		name, pattern string
		hands         int
		blurs         bool
	}{{"NATS", "nats/*/*", 2, false}, {"the routes of NATS", "route/*/*", 2, false}, {"Redis", "redis/*", 0, false}, {"the SMS provider", "sms", 0, true},
		{"the push service", "push", 0, true}, {"people", "public", 0, false}} {
		for _, t := range []struct {
			name   string
			toxics []toxic
		}{{"slow", latency(int(n.between(300*time.Millisecond, 3*time.Second).Milliseconds()), 200)}, {"resets", resets(100)}, {"half-open", halfOpen()}} {
			faults = append(faults, fault{name: t.name + " connections to " + w.name, hands: w.hands, blurs: w.blurs, lasts: n.between(5*time.Second, 15*time.Second) * n.scale / 3,
				do:   func(context.Context) error { return n.wires.poison(w.pattern, t.toxics) },
				undo: func(context.Context) error { return n.wires.cure(w.pattern) }})
		}
	}
	return faults
}

// providerFaults are what a provider answers, and how its callbacks come.
func (n *nemesis) providerFaults() (faults []fault) {
	second := func(n int) announcement.Duration { return announcement.Duration(time.Duration(n) * time.Second) }
	for _, b := range []struct {
		name  string
		how   sandbox.Behaviour
		blurs bool
	}{
		{"providers answer 500", sandbox.Behaviour{Fail: "500"}, false},
		{"half of the providers' answers are 500", sandbox.Behaviour{Fail: "500", Share: .5}, false},
		{"providers answer 429", sandbox.Behaviour{Fail: "429", Share: .7}, false},
		{"providers answer 429 with Retry-After", sandbox.Behaviour{Fail: "429", Share: .7, RetryAfter: second(3)}, false},
		{"providers hang", sandbox.Behaviour{Answer: second(30)}, true},
		{"providers take it and answer 500", sandbox.Behaviour{Fail: "lost", Share: .3}, true},
		{"providers take it and reset", sandbox.Behaviour{Fail: "reset", Share: .3}, true},
		{"providers call back before they answer", sandbox.Behaviour{Late: second(3)}, false},
		{"providers repeat and reorder callbacks", sandbox.Behaviour{Repeat: 5, Reorder: true}, false},
		{"the SMS account is refused", sandbox.Behaviour{Channel: "sms", Fail: "401"}, false},
	} {
		faults = append(faults, fault{name: b.name, blurs: b.blurs, lies: b.how.Fail == "lost", lasts: n.between(8*time.Second, 20*time.Second) * n.scale / 3,
			do: func(ctx context.Context) error { return n.behave(ctx, b.how) },
			undo: func(ctx context.Context) error {
				return n.behave(ctx, sandbox.Behaviour{})
			}})
	}
	return faults
}

func (n *nemesis) behave(ctx context.Context, b sandbox.Behaviour) error {
	return call(ctx, http.MethodPost, n.boxURL, "/sandbox/behave", b, nil)
}

// plan is what is done, from the moment of the alarm until ctx ends.
func (n *nemesis) plan(ctx context.Context, name string) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	switch name {
	case "mixed":
		short, long := n.processFaults()
		for _, more := range []func() ([]fault, []fault){n.redisFaults, n.natsFaults} {
			s, l := more()
			short, long = append(short, s...), append(long, l...)
		}
		wires, providers := n.wireFaults(), n.providerFaults()
		wg.Go(func() { n.lane(ctx, 1, long, 5*time.Second, 12*time.Second) })
		wg.Go(func() { n.lane(ctx, 2, providers, 3*time.Second, 8*time.Second) })
		wg.Go(func() { n.lane(ctx, 3, append(short, wires...), 2*time.Second, 6*time.Second) })
	case "kills":
		wg.Go(func() { n.kills(ctx, 50, 10) })
	case "rolling":
		wg.Go(func() { n.roll(ctx, 3) })
	case "failover":
		wg.Go(func() { n.failover(ctx) })
	case "none":
		<-ctx.Done()
	default:
		return fmt.Errorf("no plan is called %q: mixed, kills, rolling, failover or none", name)
	}
	return nil
}

// kills is so many kill -9 of whichever process, and FLUSHALL in between, over the time
// that is given.
func (n *nemesis) kills(ctx context.Context, kills, flushes int) {
	var victims []*process
	for _, some := range [][]*process{n.nodes, n.nats, n.redis} {
		victims = append(victims, some...)
	}
	var wg sync.WaitGroup
	busy := make([]sync.Mutex, len(victims))
	deck := make([]int, 0, kills+flushes)
	for i := range kills {
		deck = append(deck, i%len(victims))
	}
	for range flushes {
		deck = append(deck, -1)
	}
	n.random.Shuffle(len(deck), func(i, j int) { deck[i], deck[j] = deck[j], deck[i] })
	for _, v := range deck {
		// Each is inflicted, also when the time is over: they are counted.
		if v < 0 {
			n.inflict(context.WithoutCancel(ctx), n.flush("FLUSHALL"))
		} else {
			f := n.kill(victims[v])
			wg.Go(func() {
				busy[v].Lock() // who is dead cannot be killed
				defer busy[v].Unlock()
				n.inflict(context.WithoutCancel(ctx), f)
			})
		}
		sleep(context.WithoutCancel(ctx), n.between(time.Second, 5*time.Second))
	}
	wg.Wait()
	<-ctx.Done()
}

// roll restarts one node after the other, as an upgrade does: the next when the one
// before is ready.
func (n *nemesis) roll(ctx context.Context, times int) {
	for range times {
		for i, p := range n.nodes {
			f := n.terminate(p)
			f.name = "rolling restart of " + p.name
			start := f.undo
			f.undo = func(ctx context.Context) error {
				if err := start(ctx); err != nil {
					return err
				}
				return n.until(ctx, time.Minute, p.name, func(ctx context.Context) error { return get(ctx, n.urls[i]+"/readyz", nil) })
			}
			n.inflict(ctx, f)
			sleep(ctx, n.between(3*time.Second, 10*time.Second))
		}
	}
	<-ctx.Done()
}

// failover kills the leader of the ledger and the Redis that leads at once, three times.
// They come back before the next.
func (n *nemesis) failover(ctx context.Context) {
	for range 3 {
		sleep(ctx, 10*time.Second)
		var led, master *process
		n.inflict(ctx, fault{name: "kill -9 the NATS leader and the Redis master", hands: 2, lasts: 25 * time.Second,
			do: func(ctx context.Context) error {
				led, master = n.leading(ctx), n.master(ctx)
				n.say("these are %s and %s", led.name, master.name)
				led.Kill()
				master.Kill()
				return nil
			},
			undo: func(context.Context) error { return errors.Join(led.Start(), master.Start()) }})
	}
	<-ctx.Done()
}

// master returns the Redis that leads, as the Sentinels say, or the first.
func (n *nemesis) master(ctx context.Context) *process {
	if at, err := n.lookout.GetMasterAddrByName(ctx, "kentongan").Result(); err == nil {
		for i, p := range n.redis {
			if n.address(fmt.Sprintf("redis/%d", i+1)) == net.JoinHostPort(at[0], at[1]) {
				return p
			}
		}
	}
	return n.redis[0]
}
