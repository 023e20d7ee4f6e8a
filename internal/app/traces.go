package app

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otelcodes "go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"kentongan/internal/announcement"
)

// traces tells a collector how an announcement went, from its acceptance to the last
// answer. One announcement is one trace, whose id follows from the announcement's: any
// node, and the same node after a restart, goes on with it, and no job carries anything.
//
// Attributes are ids of announcements, counts and words known beforehand. Nothing
// stands in them that tells who somebody is, nor what one person answered.
type traces struct {
	tracer   trace.Tracer
	provider *sdktrace.TracerProvider
	now      func() time.Time

	mu   sync.Mutex
	seen map[string]int // how often what happens for each person did, by announcement and name of the span
}

// What happens once for every person is told of for the first ones, for each of a
// hundred after them, and whenever it failed or people waited for it.
const (
	tracedFirst = 20
	tracedEach  = 100
	tracedSlow  = time.Second
	tracedOpen  = 1_000 // announcements and spans that are counted at once; then it begins anew
)

// tracesStop is how long a stop waits for a collector.
const tracesStop = 3 * time.Second

// tracesTo is where the collector takes traces that the operator has set up, by the
// variables that OpenTelemetry defines, and nil without one. It refuses what would be
// silent: settings that the exporter ignores with a word on stderr, or other protocols.
func tracesTo() (*url.URL, error) {
	name, below := "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", ""
	if os.Getenv(name) == "" {
		name, below = "OTEL_EXPORTER_OTLP_ENDPOINT", "v1/traces"
	}
	off, _ := strconv.ParseBool(os.Getenv("OTEL_SDK_DISABLED"))
	exporter := cmp.Or(strings.TrimSpace(os.Getenv("OTEL_TRACES_EXPORTER")), "otlp")
	if os.Getenv(name) == "" || off || exporter == "none" {
		return nil, nil
	}
	if exporter != "otlp" {
		return nil, fmt.Errorf("OTEL_TRACES_EXPORTER: must be otlp or none, not %q", exporter)
	}
	u, err := url.Parse(os.Getenv(name))
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%s: must be an http or https address", name) // which may hold a password: it is not repeated
	}
	protocol := cmp.Or(os.Getenv("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"), os.Getenv("OTEL_EXPORTER_OTLP_PROTOCOL"))
	if protocol == "grpc" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL: must be http/protobuf, not %s; collectors take it at port 4318", protocol)
	}
	return u.JoinPath(below), nil
}

// openTraces returns nil where no collector is set up. The exporter reads the
// address and everything else of it from the environment itself. client is for tests.
func openTraces(ctx context.Context, version string, now func() time.Time, log *slog.Logger, client *http.Client) (*traces, error) {
	if to, err := tracesTo(); to == nil {
		return nil, err
	}
	var options []otlptracehttp.Option
	if client != nil {
		options = append(options, otlptracehttp.WithHTTPClient(client))
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("open traces: %w", err)
	}
	who, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "kentongan"), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("open traces: %w", err)
	}
	t := &traces{now: now, seen: map[string]int{}}
	// The batcher drops what it cannot hold: nobody waits for a collector. Which spans
	// are of use is decided here, so OTEL_TRACES_SAMPLER has no part in it.
	t.provider = sdktrace.NewTracerProvider(sdktrace.WithBatcher(&patientExporter{SpanExporter: exporter, now: now, log: log}),
		sdktrace.WithResource(who), sdktrace.WithSampler(sdktrace.AlwaysSample()), sdktrace.WithIDGenerator(spanIDs{}))
	t.tracer = t.provider.Tracer("kentongan")
	return t, nil
}

// close sends what waits, as far as that comes in tracesStop.
func (t *traces) close() {
	ctx, cancel := context.WithTimeout(context.Background(), tracesStop)
	defer cancel()
	_ = t.provider.Shutdown(ctx) // what is lost then is lost; the exporter has said why
}

// patientExporter says once a minute that a collector takes nothing.
type patientExporter struct {
	sdktrace.SpanExporter
	now  func() time.Time
	log  *slog.Logger
	mu   sync.Mutex
	said time.Time
}

func (e *patientExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := e.now(); now.Sub(e.said) >= time.Minute {
		e.said = now
		why, _, _ := strings.Cut(err.Error(), "body:") // what a collector says is not ours to keep
		e.log.Warn("the collector takes no traces: they are lost, and nothing waits for them", "step", "traces", "reason", why, "spans", len(spans))
	}
	return nil // said already; the library would write it to stderr for every batch
}

// traceOf is the id of an announcement's trace:
//
//	printf 'kentongan/ID' | sha256sum | cut -c1-32
func traceOf(id announcement.ID) (out trace.TraceID) {
	sum := sha256.Sum256([]byte("kentongan/" + string(id)))
	copy(out[:], sum[:])
	return out
}

// Names of the spans whose ids follow from the announcement and the round, because
// others, maybe on another node, are their children.
const (
	spanAccept = "accept" // round 0
	spanDecide = "decide" // every other round
	spanPlan   = "plan"
)

// spanOf is the id of a span that happens once in an announcement.
func spanOf(id announcement.ID, name string, round int64) (out trace.SpanID) {
	sum := sha256.Sum256(fmt.Appendf(nil, "kentongan/%s/%s/%d", id, name, round))
	copy(out[:], sum[:])
	return out
}

// causeOf is the span that caused a round.
func causeOf(id announcement.ID, round int64) trace.SpanID {
	if round == 0 {
		return spanOf(id, spanAccept, 0)
	}
	return spanOf(id, spanDecide, round)
}

type spanKey struct{}

// fixed are the ids of one span.
type fixed struct {
	trace trace.TraceID
	span  trace.SpanID
}

// spanIDs gives a span the ids that its context holds, and else random ones.
type spanIDs struct{}

func (spanIDs) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	f, _ := ctx.Value(spanKey{}).(fixed) // nothing of ours begins a trace without them
	return f.trace, f.span
}

func (spanIDs) NewSpanID(ctx context.Context, _ trace.TraceID) (out trace.SpanID) {
	if f, ok := ctx.Value(spanKey{}).(fixed); ok && f.span.IsValid() {
		return f.span
	}
	for !out.IsValid() {
		_, _ = rand.Read(out[:]) // never fails
	}
	return out
}

// span is one span to be told of. Most are told of when they have ended: only then
// is it known whether another node was first.
type span struct {
	id     announcement.ID
	name   string
	parent trace.SpanID // zero: it begins the trace
	own    trace.SpanID // zero: random
	start  time.Time
	fault  string // a word known beforehand; empty: it went well
}

// begin starts a span.
func (t *traces) begin(s span, attributes ...attribute.KeyValue) trace.Span {
	ctx := context.WithValue(context.Background(), spanKey{}, fixed{traceOf(s.id), s.own})
	if s.parent.IsValid() {
		ctx = trace.ContextWithRemoteSpanContext(ctx, trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceOf(s.id), SpanID: s.parent, TraceFlags: trace.FlagsSampled}))
	}
	_, out := t.tracer.Start(ctx, s.name, trace.WithTimestamp(s.start), trace.WithAttributes(append(attributes, attribute.String("kentongan.announcement", string(s.id)))...))
	return out
}

// end ends it at this moment.
func (t *traces) end(out trace.Span, fault string) {
	if fault != "" {
		out.SetStatus(otelcodes.Error, fault)
	}
	out.End(trace.WithTimestamp(t.now()))
}

// tell tells of a span that has ended.
func (t *traces) tell(s span, attributes ...attribute.KeyValue) {
	t.end(t.begin(s, attributes...), s.fault)
}

// tellOne does so for what happens once for every person, for some of them.
func (t *traces) tellOne(s span, attributes ...attribute.KeyValue) {
	key := string(s.id) + "/" + s.name
	t.mu.Lock()
	if len(t.seen) >= tracedOpen {
		clear(t.seen)
	}
	t.seen[key]++
	nth := t.seen[key]
	t.mu.Unlock()
	if nth <= tracedFirst || nth%tracedEach == 0 || s.fault != "" || t.now().Sub(s.start) >= tracedSlow {
		t.tell(s, append(attributes, attribute.Int("kentongan.nth", nth))...)
	}
}
