package app

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/directory"
	"kentongan/internal/dispatch"
	"kentongan/internal/ledger"
	"kentongan/internal/tracker"
	"kentongan/internal/web"
)

// metrics is what an operator's board shows. Labels have few values, all of them
// known beforehand: none is a person, an announcement or an address.
type metrics struct {
	now         func() time.Time
	deliveries  *prometheus.CounterVec
	calls       *prometheus.HistogramVec
	retired     prometheus.Counter
	facts       *prometheus.CounterVec
	writes      prometheus.Histogram
	hooks       *prometheus.CounterVec
	hookAt      *prometheus.GaugeVec
	found       prometheus.Counter
	served      *prometheus.CounterVec
	certificate atomic.Int64 // when it ends, in Unix seconds; 0: not known
}

// Every duration that people wait for is counted in these steps: a millisecond to
// half a minute.
var waits = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}

func newMetrics(now func() time.Time) *metrics {
	m := &metrics{
		now: now,
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "kentongan_deliveries_total",
			Help: "Calls handed to a provider, by how it took them; rank queued is one that is tried again."}, []string{"channel", "rank", "reason"}),
		calls: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "kentongan_provider_call_duration_seconds", Buckets: waits,
			Help: "How long a provider took to answer one call."}, []string{"channel"}),
		retired: prometheus.NewCounter(prometheus.CounterOpts{Name: "kentongan_contact_points_retired_total",
			Help: "Push subscriptions that are gone for good (404, 410)."}),
		facts: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "kentongan_facts_total",
			Help: "Facts of the ledger that this node has followed since its start, by kind; every node follows all of them."}, []string{"kind"}),
		writes: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "kentongan_ledger_write_duration_seconds", Buckets: waits,
			Help: "How long it took until a write to the ledger was on disk, or given up."}),
		hooks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "kentongan_webhooks_total",
			Help: "Calls of the SMS provider to us, by what they were about and what became of them."}, []string{"hook", "result"}),
		hookAt: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "kentongan_webhook_last_timestamp_seconds",
			Help: "When the SMS provider last called with a signature that is right."}, []string{"hook"}),
		found: prometheus.NewCounter(prometheus.CounterOpts{Name: "kentongan_replies_found_total",
			Help: "Replies by SMS that no webhook brought: the provider had them when it was asked."}),
		served: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "kentongan_http_requests_total",
			Help: "Requests that were answered, by status."}, []string{"code"}),
	}
	// What never happened is 0, so that a rule can tell it from what is not known.
	for _, hook := range []string{"message", "status"} {
		for _, result := range []string{"taken", "not_recorded", "forged", "refused"} {
			m.hooks.WithLabelValues(hook, result)
		}
	}
	for _, c := range announcement.Channels {
		m.deliveries.WithLabelValues(string(c), announcement.Accepted.String(), "none")
		m.calls.WithLabelValues(string(c))
	}
	for _, kind := range []announcement.Kind{announcement.KindAnswered, announcement.KindDecided, announcement.KindCalled} {
		m.facts.WithLabelValues(string(kind))
	}
	m.served.WithLabelValues("200")
	return m
}

// sent hears from dispatch how a provider took one call.
func (m *metrics) sent(c announcement.Channel, r announcement.Rank, reason string) {
	m.deliveries.WithLabelValues(string(c), r.String(), cmp.Or(reason, "none")).Inc()
}

// followed hears of every record that came after the start.
func (m *metrics) followed(r ledger.Record) {
	for _, f := range r.Facts {
		m.facts.WithLabelValues(string(f.Kind)).Inc()
	}
}

// requests counts the answers of handler.
func (m *metrics) requests(handler http.Handler) http.Handler {
	return promhttp.InstrumentHandlerCounter(m.served, handler)
}

// page is /metrics: what was counted, and the state of the house at that moment.
func (m *metrics) page(h *House, queue dispatch.Queue) http.Handler {
	h.writes.took = func(d time.Duration) { m.writes.Observe(d.Seconds()) }
	registry := prometheus.NewRegistry()
	registry.MustRegister(append(m.collectors(h, queue), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))...)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// collectors are ours, without those of the language and of the process.
func (m *metrics) collectors(h *House, queue dispatch.Queue) []prometheus.Collector {
	return []prometheus.Collector{m.deliveries, m.calls, m.retired, m.facts, m.writes, m.hooks, m.hookAt, m.found, m.served, &state{h, queue}}
}

// timedSender tells how long each call of a channel took.
type timedSender struct {
	channel.Sender
	*metrics
}

// timed returns s, timed; what it can be asked it can be asked still.
func (m *metrics) timed(s channel.Sender) channel.Sender {
	if witness, ok := s.(channel.Witness); ok {
		return struct {
			timedSender
			asked
		}{timedSender{s, m}, asked{witness}}
	}
	return timedSender{s, m}
}

// asked is the half of a channel.Witness that a Sender has not.
type asked struct{ witness channel.Witness }

func (a asked) Took(ctx context.Context, to announcement.ContactPoints, message announcement.Message, since time.Time) (channel.Handed, bool, error) {
	return a.witness.Took(ctx, to, message, since)
}

func (s timedSender) Send(ctx context.Context, sendID string, to announcement.ContactPoints, message announcement.Message) (channel.Handed, error) {
	start := time.Now()
	handed, err := s.Sender.Send(ctx, sendID, to, message)
	s.calls.WithLabelValues(string(s.Channel())).Observe(time.Since(start).Seconds())
	return handed, err
}

// countedPeople counts the subscriptions that a push service says are gone.
type countedPeople struct {
	*directory.Directory
	*metrics
}

func (p countedPeople) Retire(ctx context.Context, who announcement.PersonID, ids []string) error {
	p.retired.Add(float64(len(ids)))
	return p.Directory.Retire(ctx, who, ids)
}

// countedHooks counts what the SMS provider tells us. A provider that has gone
// silent looks like people who do not answer.
type countedHooks struct {
	web.Hooks
	*metrics
}

func (h countedHooks) Message(ctx context.Context, r web.HookRequest) ([]byte, error) {
	answer, err := h.Hooks.Message(ctx, r)
	h.called("message", err)
	return answer, err
}

func (h countedHooks) Status(ctx context.Context, r web.HookRequest) error {
	err := h.Hooks.Status(ctx, r)
	h.called("status", err)
	return err
}

func (m *metrics) called(hook string, err error) {
	result := "taken"
	switch {
	case errors.Is(err, web.ErrSignature):
		result = "forged"
	case errors.Is(err, web.ErrNotYet):
		result = "not_recorded"
	case err != nil:
		result = "refused"
	}
	m.hooks.WithLabelValues(hook, result).Inc()
	if result != "forged" {
		m.hookAt.WithLabelValues(hook).Set(float64(m.now().Unix()))
	}
}

// certificateEvery is how often the own public address is looked at.
const certificateEvery = time.Hour

// watchCertificate notes until when the certificate of the public address is good.
func (m *metrics) watchCertificate(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" {
		return nil //nolint:nilerr // Complete has refused what is no address
	}
	for {
		if ends, err := certificateEnds(ctx, u); err == nil {
			m.certificate.Store(ends.Unix())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(certificateEvery):
		}
	}
}

// certificateEnds returns when the first certificate of the chain at an https
// address ends. One that has ended, or is for another host, is looked at too: that
// is what the operator must see.
func certificateEnds(ctx context.Context, u *url.URL) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	dialer := tls.Dialer{Config: &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: true}} //nolint:gosec // nothing is sent or believed: only the date is read
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")))
	if err != nil {
		return time.Time{}, err
	}
	defer conn.Close()
	var ends time.Time
	for _, c := range conn.(*tls.Conn).ConnectionState().PeerCertificates {
		if ends.IsZero() || c.NotAfter.Before(ends) {
			ends = c.NotAfter
		}
	}
	return ends, nil
}

// state reads the house when Prometheus asks. What cannot be read is left out: an
// old number would look like a good one.
type state struct {
	house *House
	queue dispatch.Queue
}

func described(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("kentongan_"+name, help, labels, nil)
}

var (
	descBuild       = described("build_info", "Always 1; the labels say what runs.", "version")
	descReady       = described("ready", "1 for every part of what an alarm needs that is there; the same as /readyz.", "check")
	descStreams     = described("live_streams", "Open pages that wait for news.")
	descRedisAway   = described("redis_away", "1 while Redis does not answer and this node keeps the working state itself.")
	descAway        = described("provider_away", "1 while the provider of a channel takes nothing and this node keeps its calls until it is back.", "channel")
	descPeople      = described("people", "Active people in the directory.")
	descAudit       = described("audit_waiting", "Looks at people's data that are not in the ledger yet.")
	descSeals       = described("ledger_seal_faults", "What is no longer as it was sealed in the ledger; each is in the log, and in `kentongan ledger verify`.")
	descOpen        = described("announcements_open", "Announcements that are open.", "mode")
	descRecipients  = described("recipients", "Recipients of open announcements.", "mode")
	descOutstanding = described("outstanding", "Recipients of open announcements without an answer.", "mode")
	descNeedHelp    = described("need_help", "Recipients of open announcements who need help.", "mode")
	descWatch       = described("watch_found", "How many things the watch found in its last round that are not as they should be.")
	descUnheard     = described("heartbeat_unheard", "Whether the last heartbeat was not taken.")
	descOverdue     = described("escalation_overdue_seconds", "For how long the most delayed step of an escalation ought to have been taken.")
	descJobs        = described("queue_jobs", "Jobs that wait or run; each is up to 500 calls.", "lane", "channel")
	descOldest      = described("queue_oldest_seconds", "How long the oldest job has been there; 0: there is none.", "lane", "channel")
	descStuck       = described("stuck_jobs", "Jobs that nobody works on any more, until a person has decided about them.")
	descApplied     = described("tracker_applied_sequence", "Position of the ledger that this node reflects.")
	descLast        = described("ledger_last_sequence", "Position of the last record of the ledger.")
	descFailed      = described("ledger_write_failures_total", "Writes to the ledger and the vault that were not acknowledged.")
	descLagging     = described("ledger_replicas_lagging", "Copies of the ledger that do not follow.")
	descPlanning    = described("rounds_unplanned", "Decided rounds whose calls are not in the queue yet.")
	descStored      = described("nats_stored_bytes", "What NATS keeps for this installation.")
	descLimit       = described("nats_limit_bytes", "What NATS may keep; absent without a limit.")
	descDrift       = described("clock_drift_seconds", "Clock of this node less that of NATS.")
	descFree        = described("disk_free_bytes", "Free on the disk of KENTONGAN_DATA.")
	descSize        = described("disk_size_bytes", "Size of the disk of KENTONGAN_DATA.")
	descCertificate = described("certificate_expiry_timestamp_seconds", "When the certificate of the public address ends.")
)

// Describe implements prometheus.Collector.
func (s *state) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descBuild, descReady, descStreams, descRedisAway, descAway, descPeople, descAudit, descSeals, descOpen, descRecipients, descOutstanding, descNeedHelp, descOverdue, descWatch, descUnheard, descJobs, descOldest, descStuck, descApplied, descLast, descFailed, descLagging, descPlanning, descStored, descLimit, descDrift, descFree, descSize, descCertificate} {
		out <- d
	}
}

// readTime is what one reading may take; Prometheus gives up after 10 s.
const readTime = 3 * time.Second

// Collect implements prometheus.Collector.
func (s *state) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	h := s.house
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	gauge(descBuild, 1, cmp.Or(h.Version, "dev"))
	for _, c := range (health{h}).Ready(ctx) {
		if c.Name != "redis" { // it is no part of being ready, and has a metric of its own
			gauge(descReady, one(c.OK), c.Name)
		}
	}
	gauge(descStreams, float64(h.hub.Watching()))
	standby, ok := h.working.(*tracker.Standby)
	gauge(descRedisAway, one(ok && standby.Away()))
	for _, c := range announcement.Channels {
		gauge(descAway, one(h.dispatcher.Away(c)), string(c))
	}
	gauge(descPeople, float64(len(h.directory.Everybody())))
	gauge(descAudit, float64(h.audit.behind()))
	if h.notary != nil {
		gauge(descSeals, float64(len(h.notary.Faults())))
	}
	gauge(descOverdue, h.tracker.Overdue().Seconds())
	found, _, heard := h.watch.Found()
	gauge(descWatch, float64(len(found)))
	gauge(descUnheard, one(!heard))
	gauge(descApplied, float64(h.tracker.Applied()))
	out <- prometheus.MustNewConstMetric(descFailed, prometheus.CounterValue, float64(h.writes.failed.Load()))
	s.collectOpen(ctx, gauge)
	s.collectQueue(ctx, gauge)
	s.collectServers(ctx, gauge)
	if free, size, err := diskOf(h.config.Data); err == nil {
		gauge(descFree, float64(free))
		gauge(descSize, float64(size))
	}
	if ends := h.metrics.certificate.Load(); ends != 0 {
		gauge(descCertificate, float64(ends))
	}
}

func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

type gauges func(d *prometheus.Desc, v float64, labels ...string)

// collectOpen counts the people of open announcements, real ones and drills apart.
func (s *state) collectOpen(ctx context.Context, gauge gauges) {
	for _, mode := range []announcement.Mode{announcement.Live, announcement.Drill} {
		var open, recipients, outstanding, help int
		for _, id := range s.house.tracker.IDs() {
			v, ok := s.house.tracker.View(id)
			if !ok || v.Status != announcement.StatusOpen || v.Announcement.Mode != mode {
				continue
			}
			open++
			if standing, err := s.house.tracker.Recent(ctx, id); err == nil {
				c := standing.Counts()
				recipients, outstanding, help = recipients+c.Recipients, outstanding+c.Outstanding(), help+c.NeedHelp
			}
		}
		gauge(descOpen, float64(open), string(mode))
		gauge(descRecipients, float64(recipients), string(mode))
		gauge(descOutstanding, float64(outstanding), string(mode))
		gauge(descNeedHelp, float64(help), string(mode))
	}
}

func (s *state) collectQueue(ctx context.Context, gauge gauges) {
	depth, err := s.queue.Depth(ctx)
	if err != nil {
		return
	}
	if stuck, err := s.queue.StuckJobs(ctx); err == nil {
		gauge(descStuck, float64(stuck))
	}
	oldest, err := s.queue.Oldest(ctx)
	for lane, channels := range depth {
		for c, n := range channels {
			gauge(descJobs, float64(n), string(lane), string(c))
			if err != nil {
				continue
			}
			age := time.Duration(0)
			if at, waits := oldest[lane][c]; waits {
				age = max(0, s.house.now().Sub(at))
			}
			gauge(descOldest, age.Seconds(), string(lane), string(c))
		}
	}
}

func (s *state) collectServers(ctx context.Context, gauge gauges) {
	h := s.house
	if h.nats == nil {
		return
	}
	before := time.Now()
	server, err := ledger.Inspect(ctx, h.nats)
	if err != nil {
		return
	}
	gauge(descLast, float64(server.Last))
	gauge(descLagging, float64(server.Lagging))
	gauge(descPlanning, float64(server.Pending))
	gauge(descStored, float64(server.Stored))
	if server.Limit > 0 {
		gauge(descLimit, float64(server.Limit))
	}
	if !server.Now.IsZero() {
		gauge(descDrift, drift(before, time.Now(), server.Now).Seconds())
	}
}

// drift is how far our clock is from another that was read between two moments of
// ours; 0 as far as the way there and back explains it.
func drift(before, after, there time.Time) time.Duration {
	switch {
	case there.Before(before):
		return before.Sub(there)
	case there.After(after):
		return after.Sub(there)
	}
	return 0
}

// diskOf returns how much of a folder's disk is free for us, and its size.
func diskOf(folder string) (free, size uint64, err error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(folder, &disk); err != nil {
		return 0, 0, err
	}
	block := uint64(disk.Bsize)
	return disk.Bavail * block, disk.Blocks * block, nil
}
