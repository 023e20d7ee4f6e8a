package app

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"kentongan/internal/announcement"
	"kentongan/internal/channel"
	"kentongan/internal/dispatch"
	"kentongan/internal/web"
)

var updateMetrics = flag.Bool("update-metrics", false, "write deploy/metrics.txt again")

// TestMetricsKeepTheFieldsNames is `promtool check metrics` on a house that runs:
// promtool uses the same linter.
func TestMetricsKeepTheFieldsNames(t *testing.T) {
	t.Parallel()
	page := scrape(t)
	problems, err := promlint.New(bytes.NewReader(page)).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %+v", err, problems)
	}
	// What a board and the alert rules stand on is there from the first moment.
	for _, line := range []string{
		`kentongan_ready{check="ledger"} 1`, `kentongan_ready{check="people"} 0`, `kentongan_redis_away 0`, `kentongan_escalation_overdue_seconds 0`,
		`kentongan_queue_oldest_seconds{channel="sms",lane="emergency"} 0`, `kentongan_queue_jobs{channel="webpush",lane="routine"} 0`,
		`kentongan_outstanding{mode="live"} 0`, `kentongan_ledger_write_failures_total 0`, `kentongan_webhooks_total{hook="status",result="forged"} 0`,
		`kentongan_audit_waiting 0`, `kentongan_rounds_unplanned 0`, `kentongan_clock_drift_seconds 0`, `kentongan_build_info{version="test"} 1`,
	} {
		if !bytes.Contains(page, []byte(line+"\n")) {
			t.Errorf("there is no line %s in\n%s", line, ours(page))
		}
	}
	for _, name := range []string{"kentongan_disk_free_bytes", "kentongan_nats_stored_bytes", "kentongan_ledger_last_sequence", "go_goroutines", "process_open_fds"} {
		if v := value(t, page, name); v < 0 || name == "kentongan_disk_free_bytes" && v == 0 {
			t.Errorf("%s is %v", name, v)
		}
	}
}

// scrape returns the metrics of a house that runs on its own servers.
func scrape(t *testing.T) []byte {
	t.Helper()
	h := openIn(t, t.TempDir())
	defer h.Close()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	if err := h.tracker.CatchUp(ctx); err != nil {
		t.Fatal(err)
	}
	res, err := http.Get("http://" + h.listener.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", page, err)
	}
	return page
}

func ours(page []byte) string {
	var out strings.Builder
	for line := range strings.Lines(string(page)) {
		if strings.HasPrefix(line, "kentongan_") {
			out.WriteString(line)
		}
	}
	return out.String()
}

func value(t *testing.T, page []byte, series string) float64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (\S+)$`).FindSubmatch(page)
	if m == nil {
		t.Fatalf("there is no %s in\n%s", series, ours(page))
	}
	v, err := strconv.ParseFloat(string(m[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// deploy/metrics.txt tells operators, and the check of rules and dashboard, what
// there is.
func TestEveryMetricIsListed(t *testing.T) {
	t.Parallel()
	said := regexp.MustCompile(`fqName: "(\w+)", help: "(.*?)", unit: "\w*", constLabels: \{\}, variableLabels: \{(.*?)\}`)
	var lines []string
	for _, c := range newMetrics(time.Now).collectors(nil, dispatch.NewMemoryQueue(nil)) {
		all := make(chan *prometheus.Desc, 100)
		c.Describe(all)
		close(all)
		for d := range all {
			m := said.FindStringSubmatch(d.String())
			if m == nil {
				t.Fatalf("cannot read %s", d)
			}
			name := m[1]
			if m[3] != "" {
				name += "{" + m[3] + "}"
			}
			lines = append(lines, fmt.Sprintf("%s\n    %s\n", name, m[2]))
		}
	}
	slices.Sort(lines)
	want := "# Every metric of /metrics; those of Go and of the process (go_…, process_…) come beside.\n" + strings.Join(lines, "")
	const path = "../../deploy/metrics.txt"
	if *updateMetrics {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is not up to date (%v): go test ./internal/app -run TestEveryMetricIsListed -update-metrics", path, err)
	}
}

// The numbers follow what happens, and name nobody.
func TestMetricsTellWhatHappensAndNameNobody(t *testing.T) {
	t.Parallel()
	rehearse(t, "canarysiti, canarybudi manager:canarysiti push, canaryagus manager:canarysiti", func(h *rehearsal) {
		read := func() []byte {
			out := httptest.NewRecorder()
			h.house.server.Handler().ServeHTTP(out, httptest.NewRequest(http.MethodGet, "http://kentongan.example/metrics", nil))
			return out.Body.Bytes()
		}
		h.Announce("Canary fire in hall 3")
		h.After(10 * time.Second)
		h.Phone("canarysiti").Reply("1")
		h.After(10 * time.Second)
		page := read()
		for series, want := range map[string]float64{
			`kentongan_announcements_open{mode="live"}`:                                   1,
			`kentongan_recipients{mode="live"}`:                                           3,
			`kentongan_outstanding{mode="live"}`:                                          2,
			`kentongan_outstanding{mode="drill"}`:                                         0,
			`kentongan_facts_total{kind="answered"}`:                                      1,
			`kentongan_webhooks_total{hook="message",result="taken"}`:                     1,
			`kentongan_deliveries_total{channel="sms",rank="accepted",reason="none"}`:     value(t, page, `kentongan_provider_call_duration_seconds_count{channel="sms"}`),
			`kentongan_queue_oldest_seconds{channel="sms",lane="emergency"}`:              0,
			`kentongan_webhook_last_timestamp_seconds{hook="message"}`:                    float64(time.Now().Add(-10 * time.Second).Unix()),
			`kentongan_escalation_overdue_seconds`:                                        0,
			`kentongan_deliveries_total{channel="webpush",rank="accepted",reason="none"}`: 1,
		} {
			if got := value(t, page, series); got != want {
				t.Errorf("%s is %v, want %v", series, got, want)
			}
		}
		if err := h.house.server.Hooks.Status(h.t.Context(), web.HookRequest{Path: "/hooks/twilio/status", Signature: "forged"}); err == nil {
			t.Error("a forged webhook was taken")
		}
		h.house.metrics.sent(announcement.SMS, announcement.Queued, string(channel.Unauthorized))
		page = read()
		for _, series := range []string{`kentongan_webhooks_total{hook="status",result="forged"}`, `kentongan_deliveries_total{channel="sms",rank="queued",reason="unauthorized"}`} {
			if got := value(t, page, series); got != 1 {
				t.Errorf("%s is %v, want 1", series, got)
			}
		}
		for _, person := range h.staff {
			for _, secret := range []string{person.name, person.mobile, "canary", "Canary", outsideURL, "+62"} {
				if bytes.Contains(page, []byte(secret)) {
					t.Errorf("the metrics hold %q", secret)
				}
			}
		}
	})
}
