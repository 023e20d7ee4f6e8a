package chaos

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"kentongan/internal/announcement"
	"kentongan/internal/sandbox"
)

var begun = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func at(seconds int) time.Time { return begun.Add(time.Duration(seconds) * time.Second) }

// broken returns the promises of a verdict that did not hold.
func broken(v *verdict) string {
	var out []string
	for _, l := range v.lines {
		if !l.held {
			out = append(out, l.promise)
		}
	}
	return strings.Join(out, "; ")
}

func TestAnswersAreJudged(t *testing.T) {
	people := []person{{number: "E1"}}
	thanked := func(answer, second int) sandbox.Given {
		return sandbox.Given{Phone: "E1", Answer: answer, OK: true, Time: at(second)}
	}
	unsaid := func(answer int) sandbox.Given { return sandbox.Given{Phone: "E1", Answer: answer} }
	const lost, invented = "zero lost confirmations", "no machine confirms anyone"
	for _, c := range []struct {
		name  string
		given []sandbox.Given
		state string
		want  string
	}{
		{"kept", []sandbox.Given{thanked(1, 1)}, "confirmed", ""},
		{"lost", []sandbox.Given{thanked(1, 1)}, "no_answer", lost},
		{"the first of two stands", []sandbox.Given{thanked(1, 1), thanked(2, 2)}, "confirmed", lost},
		{"the last of two stands", []sandbox.Given{thanked(1, 1), thanked(2, 2)}, "need_help", ""},
		{"nobody was thanked, and it is not there", []sandbox.Given{unsaid(1)}, "no_answer", ""},
		{"nobody was thanked, and it is there", []sandbox.Given{unsaid(1)}, "confirmed", ""},
		{"a later one without thanks stands", []sandbox.Given{thanked(1, 1), unsaid(3)}, "not_on_site", ""},
		{"an earlier one without thanks stands", []sandbox.Given{unsaid(3), thanked(1, 1)}, "not_on_site", lost},
		{"nobody answered, and it is there", nil, "confirmed", invented},
	} {
		v := &verdict{}
		v.answers(people, c.given, map[string]recipient{"E1": {State: c.state}})
		if got := broken(v); got != c.want {
			t.Errorf("%s: broken %q, want %q", c.name, got, c.want)
		}
	}
}

func sms(phone string, second int, round, number int) sandbox.Entry {
	return sandbox.Entry{Phone: phone, Channel: "sms", Time: at(second), Back: fmt.Sprintf("http://x/hooks?d=a.%d.%d", round, number)}
}

func TestForgottenAreFound(t *testing.T) {
	people := []person{{number: "E1"}, {number: "E2", manager: "E1", push: true}}
	list := sms("E1", 45, 2, 0)
	list.Link = "http://x/t/abc"
	all := []sandbox.Entry{
		sms("E1", 1, 0, 0), sms("E1", 26, 1, 0), {Phone: "E2", Channel: "webpush", Time: at(1)}, sms("E2", 1, 0, 1), sms("E2", 26, 1, 1), list,
	}
	if owed := owes(people, all, nil); len(owed) != 0 {
		t.Errorf("owed %q, want nothing", owed)
	}
	for i := range all {
		without := append(append([]sandbox.Entry{}, all[:i]...), all[i+1:]...)
		if owed := owes(people, without, nil); len(owed) != 1 {
			t.Errorf("without message %d: owed %q, want one", i, owed)
		}
	}
	if owed := owes(people, nil, []sandbox.Given{{Phone: "E1", OK: true}, {Phone: "E2", OK: true}}); len(owed) != 0 {
		t.Errorf("owed %q to those who have answered", owed)
	}
}

func TestRepetitionsAreCounted(t *testing.T) {
	var all []sandbox.Entry
	for range inFlight + 2 { // one, and one more than a crash may repeat
		all = append(all, sms("E1", 1, 0, 0))
	}
	crash := []done{{fault: fault{hands: 1}}}
	for _, c := range []struct {
		messages, blurred int
		did               []done
		want              string
	}{{1, 0, nil, ""}, {2, 0, nil, "bounded duplicates"}, {2, 1, nil, ""}, {inFlight + 1, 0, crash, ""}, {inFlight + 2, 0, crash, "bounded duplicates"}} {
		v := &verdict{}
		v.repeated(all[:c.messages], nil, c.did, map[[2]string]int{{"E1", "sms"}: c.blurred})
		if got := broken(v); got != c.want {
			t.Errorf("%d times, %d crashes: broken %q, want %q", c.messages, len(c.did), got, c.want)
		}
	}
}

func TestEarlyAndLateAreFound(t *testing.T) {
	decided := func(first int, more ...int) (facts []announcement.Fact) {
		for i := range steps { // the others on time
			second := first
			if i > 0 {
				second = int(steps[i].after / time.Second)
			}
			if i > 0 && len(more) >= i {
				second = more[i-1]
			}
			facts = append(facts, announcement.Fact{At: at(second), Decided: &announcement.Decided{Round: int64(i + 1), Step: i + 1}})
		}
		return facts
	}
	due := int(steps[0].after / time.Second)
	outage := []done{{from: at(due - 5), to: at(due + 60)}}
	const early, late = "escalation never early", "escalation late at most 30 s after a fault"
	for _, c := range []struct {
		name     string
		messages []sandbox.Entry
		facts    []announcement.Fact
		did      []done
		want     string
	}{
		{"on time", []sandbox.Entry{sms("E1", due, 1, 0)}, decided(due), nil, ""},
		{"a message too soon", []sandbox.Entry{sms("E1", due-1, 1, 0)}, decided(due), nil, early},
		{"a decision too soon", nil, decided(due - 1), nil, early},
		{"late without a fault", nil, decided(due+31, due+51, due+71, due+91), nil, late},
		{"late in a fault, and the others at their distance", nil, decided(due+59, due+79, due+99, due+119), outage, ""},
		{"too soon after one that was late", nil, decided(due+59, due+61, due+81, due+101), outage, early},
		{"late after a fault", nil, decided(due+91, due+111, due+131, due+151), outage, late},
		{"a step is missing", nil, decided(due)[:3], nil, late},
		{"no step at all", nil, nil, nil, late},
	} {
		v := &verdict{}
		v.punctual(c.messages, c.facts, begun, c.did)
		if got := broken(v); got != c.want {
			t.Errorf("%s: broken %q, want %q", c.name, got, c.want)
		}
	}
}

func TestCanaryIsFound(t *testing.T) {
	for i, body := range []string{"of KANARI ZQXJV, who", "to 6289955501234 by", "/push/e0123456789", "/r/t0ken", "Bearer bootstrap"} {
		c := canary{words: []string{canaryName, canaryMobile, "e0123456789", "t0ken", "bootstrap"}, looks: map[string]int{}}
		c.look("a log", []byte(body))
		if len(c.found) != 1 {
			t.Errorf("%d: found %q, want one", i, c.found)
		}
		c.look("a log", []byte("nothing of it"))
		if len(c.found) != 1 {
			t.Errorf("%d: found %q in nothing", i, c.found)
		}
	}
}

func TestSameSeedSameFaults(t *testing.T) {
	names := func(seed uint64) string {
		n := draw(&scene{nodes: []*process{{name: "app-1"}, {name: "app-2"}}, nats: []*process{{name: "nats-1"}, {name: "nats-2"}, {name: "nats-3"}}, redis: []*process{{name: "redis-1"}, {name: "redis-2"}}}, seed, 3, nil)
		short, long := n.processFaults()
		s, l := n.natsFaults()
		var out []string
		for _, f := range append(append(append(short, long...), s...), l...) {
			out = append(out, fmt.Sprint(f.name, f.lasts))
		}
		return strings.Join(out, "\n")
	}
	seven := names(7)
	if names(7) != seven {
		t.Error("one seed draws two runs")
	}
	if names(8) == seven {
		t.Error("two seeds draw the same")
	}
}
