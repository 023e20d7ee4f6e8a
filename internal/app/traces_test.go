package app

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/trace"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"kentongan/internal/announcement"
	"kentongan/internal/client"
	"kentongan/internal/web"
)

// collector is what an operator's OpenTelemetry collector would be.
type collector struct {
	mu     sync.Mutex
	bodies [][]byte
	status int  // 0: taken
	hangs  bool // it takes the request and says nothing
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if c.hangs {
		<-r.Context().Done()
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.status != 0 {
		http.Error(w, "canary of the collector", c.status)
		return
	}
	c.bodies = append(c.bodies, append([]byte(r.URL.Path+"\n"), body...))
}

// told is a span as a collector gets it.
type told struct {
	name, trace, id, parent string
	about                   map[string]string
	failed                  bool
}

func (c *collector) spans(t *testing.T) (out []told) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, b := range c.bodies {
		path, body, _ := bytes.Cut(b, []byte("\n"))
		var in coltrace.ExportTraceServiceRequest
		if err := proto.Unmarshal(body, &in); err != nil || string(path) != "/v1/traces" {
			t.Fatalf("%s: %v", path, err)
		}
		for _, r := range in.ResourceSpans {
			for _, scope := range r.ScopeSpans {
				for _, s := range scope.Spans {
					one := told{s.Name, fmt.Sprintf("%x", s.TraceId), fmt.Sprintf("%x", s.SpanId), fmt.Sprintf("%x", s.ParentSpanId), map[string]string{}, s.Status != nil && s.Status.Code != 0}
					for _, a := range s.Attributes {
						one.about[strings.TrimPrefix(a.Key, "kentongan.")] = strings.Trim(strings.SplitN(a.Value.String(), ":", 2)[1], `"`)
					}
					out = append(out, one)
				}
			}
		}
	}
	return out
}

// only returns the one span with a name and these attributes ("key=value").
func only(t *testing.T, all []told, name string, about ...string) told {
	t.Helper()
	var found []told
	for _, s := range all {
		if s.name == name && !slices.ContainsFunc(about, func(want string) bool { k, v, _ := strings.Cut(want, "="); return s.about[k] != v }) {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d spans are %s with %q, want one; there are %+v", len(found), name, about, all)
	}
	return found[0]
}

// tracing makes a house tell c.
func tracing(t *testing.T, c *collector, log *slog.Logger) func(*House) {
	t.Helper()
	return func(h *House) {
		var err error
		inside := &http.Client{Transport: wires{"collector.example": c}, Timeout: 10 * time.Second}
		if h.traces, err = openTraces(context.WithoutCancel(t.Context()), "test", time.Now, log, inside); err != nil || h.traces == nil {
			t.Fatalf("%v, %v", h.traces, err)
		}
		t.Cleanup(h.traces.close)
	}
}

// TestTraceFromAcceptToAnswer follows one alert as a collector sees it, and looks for
// whatever tells who somebody is in what went over the wire.
func TestTraceFromAcceptToAnswer(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example")
	synctest.Test(t, func(t *testing.T) {
		c := &collector{}
		h := newRehearsal(t, slog.New(slog.DiscardHandler), tracing(t, c, slog.New(slog.DiscardHandler)))
		h.employ("canarychief, canarysiti manager:canarychief push, canaryagus manager:canarychief, canarydewi manager:canarychief")
		h.After(0)
		id := h.Announce("Canaryfire in hall 3", to("canarysiti", "canaryagus", "canarydewi"), steps(time.Hour, step(5*time.Minute, announcement.CallRecipient)))
		h.After(10 * time.Second)
		h.Phone("canarysiti").Tap(announcement.Safe)
		h.Phone("canaryagus").Tap(announcement.Safe)
		h.After(5 * time.Minute)
		h.Phone("canarydewi").Reply("canarywords")
		h.Phone("canarydewi").Reply("1")
		h.After(time.Minute)
		h.ExpectClosed(id, announcement.AsAccounted)
		h.house.traces.close()
		all := c.spans(t)

		for _, s := range all {
			if s.trace != traceOf(id).String() || s.about["announcement"] != string(id) || s.failed {
				t.Errorf("%s is of the trace %s, want %s: %+v", s.name, s.trace, traceOf(id), s)
			}
		}
		derived := func(name string, round int64) string { return spanOf(id, name, round).String() }
		accept := only(t, all, "accept", "recipients=3", "mode=live", "lane=emergency")
		plan := only(t, all, "plan", "round=0", "lo=0", "hi=3")
		push := only(t, all, "job", "round=0", "channel=webpush", "outcome=done", "calls=1", "called.accepted=1")
		text := only(t, all, "job", "round=0", "channel=sms", "outcome=done", "calls=3", "called.accepted=3", "calls_failed=0")
		decide := only(t, all, "decide", "round=1", "step=1", "message=reminder", "by=policy")
		again := only(t, all, "plan", "round=1")
		for _, one := range []struct {
			told
			id, parent string
		}{
			{accept, derived("accept", 0), ""},
			{plan, derived("plan", 0), accept.id},
			{push, push.id, plan.id},
			{text, text.id, plan.id},
			{decide, derived("decide", 1), accept.id},
			{again, derived("plan", 1), decide.id},
			{only(t, all, "job", "round=1", "channel=sms", "called.accepted=1"), "", again.id},
			{only(t, all, "answer", "way=push", "http.route=POST /r/{token}"), "", accept.id},
			{only(t, all, "answer", "way=page", "http.route=POST /r/{token}"), "", accept.id},
			{only(t, all, "answer", "way=sms", "http.route=POST /hooks/twilio/message"), "", accept.id},
			{only(t, all, "receipt", "channel=webpush", "rank=shown"), "", accept.id},
			{only(t, all, "close", "as=accounted", "by=policy"), "", accept.id},
		} {
			if one.parent != one.told.parent || one.id != "" && one.id != one.told.id {
				t.Errorf("%s is %s below %q, want %s below %q", one.name, one.told.id, one.told.parent, one.id, one.parent)
			}
		}
		sends := 0
		for _, s := range all {
			if s.name == "send" && s.parent == text.id {
				sends++ // the first of three
			}
		}
		if sends != 1 {
			t.Errorf("%d calls of the job are told of, want 1", sends)
		}
		c.holdsNothingOf(t, h, id)
	})
}

// holdsNothingOf looks for everything that tells who somebody is.
func (c *collector) holdsNothingOf(t *testing.T, h *rehearsal, id announcement.ID) {
	t.Helper()
	raw := bytes.ToLower(bytes.Join(c.bodies, nil))
	if !bytes.Contains(raw, []byte(id)) {
		t.Fatal("the raw bytes do not hold even the announcement")
	}
	secrets := []string{"canary", "hall 3", "+62", "192.0.2.1", "go-http-client", "outside.example", h.house.config.BootstrapToken}
	for _, e := range h.staff {
		who, _ := h.house.directory.ByNumber(e.name)
		secrets = append(secrets, e.name, strings.TrimPrefix(e.mobile, "+62"), string(who.ID))
		for _, s := range h.house.directory.Contact(who.ID).Subscriptions {
			secrets = append(secrets, s.Endpoint, s.Endpoint[strings.LastIndex(s.Endpoint, "/")+1:], s.P256dh, s.Auth)
		}
	}
	v, _ := h.house.tracker.View(id)
	for n := range v.Roster.Recipients {
		secrets = append(secrets, h.house.links.answerToken(id, n))
	}
	for _, secret := range secrets {
		if secret == "" || bytes.Contains(raw, bytes.ToLower([]byte(secret))) {
			t.Errorf("the traces hold %q", secret)
		}
	}
}

// A collector that hangs, or takes nothing, costs neither a call nor an answer a
// moment, and a stop no more than tracesStop. The clock of the bubble would show it.
func TestCollectorHoldsNobodyUp(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example")
	for name, c := range map[string]*collector{"hangs": {hangs: true}, "refuses": {status: http.StatusForbidden}, "is overloaded": {status: http.StatusServiceUnavailable}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var said bytes.Buffer
				h := newRehearsal(t, slog.New(slog.DiscardHandler), tracing(t, c, slog.New(slog.NewTextHandler(&said, nil))))
				h.employ("siti push, agus")
				h.After(0)
				began := time.Now()
				id := h.Announce("Fire in hall 3")
				for n := range 10_000 { // more than are ever kept
					h.house.traces.tell(span{id: id, name: "more", start: time.Now()})
					h.house.traces.tellOne(span{id: id, name: "each", start: time.Now(), fault: fmt.Sprint(n)})
					if time.Since(began) > settled {
						t.Fatalf("span %d waits for the collector", n)
					}
				}
				if took := time.Since(began); took != settled {
					t.Errorf("it took %s, want none but the %s of the story", took, settled)
				}
				h.Phone("siti").ExpectPush("Fire in hall 3")
				h.Phone("agus").ExpectSMS("Fire in hall 3")
				h.Phone("siti").Tap(announcement.Safe)
				h.ExpectState(id, "siti", announcement.Confirmed)
				time.Sleep(5 * time.Minute)
				began = time.Now()
				h.house.traces.close()
				if took := time.Since(began); took > tracesStop {
					t.Errorf("the stop took %s", took)
				}
				time.Sleep(10 * time.Minute) // what still asks the collector gives up
				if lines := strings.Count(said.String(), "takes no traces"); lines < 1 || lines > 16 || strings.Contains(said.String(), "canary") {
					t.Errorf("in a quarter of an hour it was said %d times: %s", lines, said.String())
				}
			})
		})
	}
}

// What happens once for every person is told of for some; what failed or was slow always.
func TestTracesTellOfSome(t *testing.T) {
	t.Setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector.example/v1/traces")
	synctest.Test(t, func(t *testing.T) {
		c := &collector{}
		h := &House{}
		tracing(t, c, slog.New(slog.DiscardHandler))(h)
		for n := range 5_000 {
			s := span{id: "a1", name: "answer", parent: causeOf("a1", 0), start: time.Now()}
			switch n {
			case 150:
				s.fault = "not_recorded"
			case 250:
				s.start = s.start.Add(-tracedSlow)
			}
			h.traces.tellOne(s)
		}
		h.traces.close()
		if got, want := len(c.spans(t)), tracedFirst+5_000/tracedEach+2; got != want {
			t.Errorf("%d spans, want %d", got, want)
		}
	})
}

// Any node, any version and an operator at a shell find the same trace.
func TestTraceIDIsTheDocumentedOne(t *testing.T) {
	t.Parallel()
	// printf 'kentongan/a23456789abcdefg' | sha256sum | cut -c1-32
	if got := traceOf("a23456789abcdefg").String(); got != "3bfa5f65f36fee26ebeb8ea6f9072b41" {
		t.Errorf("the trace is %s", got)
	}
	for _, id := range []trace.SpanID{spanOf("a1", spanPlan, 0), causeOf("a1", 0), causeOf("a1", 1), spanOf("a1", spanPlan, 1), causeOf("a2", 0)} {
		if !id.IsValid() {
			t.Error("a span has no id")
		}
	}
	if causeOf("a1", 0) == causeOf("a1", 1) || causeOf("a1", 0) == spanOf("a1", spanPlan, 0) || causeOf("a1", 0) == causeOf("a2", 0) {
		t.Error("two spans have one id")
	}
}

func TestWhereTracesGo(t *testing.T) {
	const endpoint, exporter, protocol = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL"
	for name, one := range map[string]struct {
		set   map[string]string
		to    string
		fault string
	}{
		"nothing is set":      {nil, "", ""},
		"the exporter alone":  {map[string]string{exporter: "otlp"}, "", ""},
		"an endpoint":         {map[string]string{endpoint: "http://127.0.0.1:4318"}, "http://127.0.0.1:4318/v1/traces", ""},
		"one for traces":      {map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://c.example/v1/traces"}, "https://c.example/v1/traces", ""},
		"switched off":        {map[string]string{endpoint: "http://127.0.0.1:4318", exporter: "none"}, "", ""},
		"the SDK is off":      {map[string]string{endpoint: "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, "", ""},
		"another exporter":    {map[string]string{endpoint: "http://127.0.0.1:4318", exporter: "zipkin"}, "", exporter},
		"another protocol":    {map[string]string{endpoint: "http://127.0.0.1:4317", protocol: "grpc"}, "", protocol},
		"no address":          {map[string]string{endpoint: "canary:4318"}, "", endpoint},
		"a password in it":    {map[string]string{endpoint: "ftp://me:canary@c.example"}, "", endpoint},
		"the right protocol":  {map[string]string{endpoint: "http://127.0.0.1:4318", protocol: "http/protobuf"}, "http://127.0.0.1:4318/v1/traces", ""},
		"everything is empty": {map[string]string{endpoint: "", exporter: "", protocol: ""}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, k := range []string{endpoint, exporter, protocol, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_SDK_DISABLED"} {
				t.Setenv(k, one.set[k])
			}
			got := ""
			to, err := tracesTo()
			if to != nil {
				got = to.String()
			}
			if got != one.to || (err != nil) != (one.fault != "") {
				t.Fatalf("%q, %v, want %q", got, err, one.to)
			}
			if err != nil && (!strings.Contains(err.Error(), one.fault) || strings.Contains(err.Error(), "canary")) {
				t.Errorf("it says %q, want the name %s and no value", err, one.fault)
			}
		})
	}
}

// TestTracesOfARealServer lets the program itself read the variables and reach a
// collector by a socket, and stop in time while one hangs.
func TestTracesOfARealServer(t *testing.T) {
	for _, hangs := range []bool{false, true} {
		t.Run(fmt.Sprint("hangs=", hangs), func(t *testing.T) {
			c := &collector{hangs: hangs}
			at := httptest.NewServer(c)
			defer at.Close()
			defer at.CloseClientConnections()
			t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", at.URL)
			t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
			config := *fine()
			config.Data = t.TempDir()
			config.BootstrapToken = "bootstrap-token-0001"
			h, err := Open(t.Context(), config, "test", slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error, 1)
			go func() { ended <- h.Run(ctx) }()
			api := &client.Client{URL: "http://" + h.listener.Addr().String(), Token: config.BootstrapToken}
			if err := api.Call(ctx, http.MethodPost, "/api/v1/people:import", "text/csv", strings.NewReader("employee_id,display_name,mobile_phone,site\nE1,Canary,+6281200000001,Harbour\n"), nil); err != nil {
				t.Fatal(err)
			}
			var s web.Summary
			draft := web.Draft{Mode: announcement.Live, Severity: announcement.Extreme, Answers: announcement.Safety, Audience: announcement.Audience{All: true},
				Text: map[announcement.Language]announcement.Text{announcement.English: {Title: "Fire", Body: "Leave."}}}
			if err := api.JSON(ctx, http.MethodPost, "/api/v1/announcements", draft, &s); err != nil {
				t.Fatal(err)
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			began := time.Now()
			h.traces.close()
			if took := time.Since(began); took > tracesStop+time.Second {
				t.Errorf("the stop took %s", took)
			}
			if !hangs {
				only(t, c.spans(t), "accept", "recipients=1", "announcement="+string(s.ID))
			}
		})
	}
}
