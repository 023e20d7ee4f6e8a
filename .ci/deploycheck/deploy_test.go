// Package deploycheck judges what an operator copies from deploy/ with the code of
// those who will read it: Compose, Prometheus and Kubernetes. It is a module of its
// own, so that none of that becomes part of the service.
package deploycheck

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/kube-openapi/pkg/validation/spec"
	"k8s.io/kube-openapi/pkg/validation/strfmt"
	"k8s.io/kube-openapi/pkg/validation/validate"
	"sigs.k8s.io/kustomize/kyaml/openapi"
	kyaml "sigs.k8s.io/kustomize/kyaml/yaml"
	"sigs.k8s.io/yaml"
)

const deploy = "../../deploy/"

func read(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(deploy + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestComposeFiles reads them as `docker compose config` does: the schema, the
// references between services, volumes, networks and secrets, and the files that
// are mounted.
func TestComposeFiles(t *testing.T) {
	for name, want := range map[string][]string{
		"compose.yaml":         {"kentongan", "nats", "redis"},
		"compose.cluster.yaml": {"kentongan-1", "kentongan-2", "nats-1", "nats-2", "nats-3", "redis-1", "redis-2", "sentinel-1", "sentinel-2", "sentinel-3"},
	} {
		t.Run(name, func(t *testing.T) {
			options, err := cli.NewProjectOptions([]string{deploy + name}, cli.WithoutEnvironmentResolution, cli.WithName("kentongan"),
				cli.WithEnv([]string{"NATS_PASSWORD=p", "NATS_ROUTE_PASSWORD=p", "REDIS_PASSWORD=p"}))
			if err != nil {
				t.Fatal(err)
			}
			project, err := options.LoadProject(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, service := range want {
				if _, err := project.GetService(service); err != nil {
					t.Error(err)
				}
			}
			for _, s := range project.Services {
				if s.Build == nil && (s.Image == "" || !strings.Contains(s.Image, ":") || strings.HasSuffix(s.Image, ":latest")) {
					t.Errorf("%s: image %q has no version", s.Name, s.Image)
				}
				if s.HealthCheck == nil && s.Build == nil {
					t.Errorf("%s: nobody looks after its health", s.Name)
				}
				if s.Restart != types.RestartPolicyUnlessStopped {
					t.Errorf("%s: is not started again: %q", s.Name, s.Restart)
				}
				for _, p := range s.Ports {
					if p.HostIP != "127.0.0.1" {
						t.Errorf("%s: port %s is open to everybody", s.Name, p.Published)
					}
				}
				for _, v := range s.Volumes {
					if v.Type != types.VolumeTypeBind || strings.HasSuffix(v.Source, "/tls") || strings.HasSuffix(v.Source, "/secrets") {
						continue // made by whoever installs it
					}
					if _, err := os.Stat(v.Source); err != nil {
						t.Errorf("%s: %v", s.Name, err)
					}
				}
			}
		})
	}
}

// metrics returns the names that the service exports, as deploy/metrics.txt lists
// them (a test of the service keeps that true).
func metrics(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{"up": true, "process_start_time_seconds": true, "process_resident_memory_bytes": true, "process_cpu_seconds_total": true, "go_goroutines": true}
	for _, m := range regexp.MustCompile(`(?m)^(kentongan_\w+)`).FindAllSubmatch(read(t, "metrics.txt"), -1) {
		name := string(m[1])
		known[name] = true
		if strings.HasSuffix(name, "_duration_seconds") {
			known[name+"_bucket"], known[name+"_count"], known[name+"_sum"] = true, true, true
		}
	}
	if len(known) < 20 {
		t.Fatalf("metrics.txt names %d metrics", len(known))
	}
	return known
}

// check parses a query and returns the names of metrics in it that are none.
func check(query string, known map[string]bool) error {
	expr, err := parser.NewParser(parser.Options{}).ParseExpr(query)
	if err != nil {
		return fmt.Errorf("%s: %w", query, err)
	}
	var bad []string
	parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
		if v, ok := n.(*parser.VectorSelector); ok {
			name := v.Name
			for _, m := range v.LabelMatchers {
				if m.Name == labels.MetricName {
					name = m.Value
				}
			}
			if !known[name] {
				bad = append(bad, name)
			}
		}
		return nil
	})
	if len(bad) > 0 {
		return fmt.Errorf("%s: no such metric: %q", query, bad)
	}
	return nil
}

// TestAlertRules is `promtool check rules`, with its linter on: and every alert has
// a severity, a summary and a page in the runbook, every page of an alert an alert.
func TestAlertRules(t *testing.T) {
	groups, errs := rulefmt.Parse(read(t, "prometheus/alerts.yaml"), false, model.UTF8Validation, parser.NewParser(parser.Options{}), slog.New(slog.DiscardHandler))
	for _, err := range errs {
		t.Error(err)
	}
	if groups == nil {
		t.FailNow()
	}
	known, alerts := metrics(t), map[string]bool{}
	for _, g := range groups.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" {
				t.Errorf("rule %s raises no alert", r.Record)
				continue
			}
			if alerts[r.Alert] {
				t.Errorf("there are two alerts %s", r.Alert)
			}
			alerts[r.Alert] = true
			if err := check(r.Expr, known); err != nil {
				t.Errorf("%s: %v", r.Alert, err)
			}
			if !slices.Contains([]string{"page", "ticket"}, r.Labels["severity"]) {
				t.Errorf("%s: severity is %q, want page or ticket", r.Alert, r.Labels["severity"])
			}
			if r.Annotations["summary"] == "" || !strings.HasSuffix(r.Annotations["runbook_url"], "/deploy/runbook/"+r.Alert+".md") {
				t.Errorf("%s: summary %q, runbook %q", r.Alert, r.Annotations["summary"], r.Annotations["runbook_url"])
			}
			page, err := os.ReadFile(deploy + "runbook/" + r.Alert + ".md")
			if err != nil {
				t.Error(err)
				continue
			}
			for _, part := range []string{"# " + r.Alert + "\n", "**What it means for people who wait.**", "**What to do first.**", "**How to know that it is over.**"} {
				if !bytes.Contains(page, []byte(part)) {
					t.Errorf("runbook/%s.md does not say %q", r.Alert, part)
				}
			}
		}
	}
	index := string(read(t, "runbook/README.md"))
	pages, err := filepath.Glob(deploy + "runbook/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		name := strings.TrimSuffix(filepath.Base(page), ".md")
		if strings.HasPrefix(name, "Kentongan") && !alerts[name] {
			t.Errorf("runbook/%s.md belongs to no alert", name)
		}
		if name != "README" && !strings.Contains(index, "("+name+".md)") {
			t.Errorf("runbook/README.md does not lead to %s.md", name)
		}
	}
}

// TestDashboard reads every query of every panel.
func TestDashboard(t *testing.T) {
	type panel struct {
		ID         int             `json:"id"`
		Title      string          `json:"title"`
		Type       string          `json:"type"`
		Datasource json.RawMessage `json:"datasource"`
		GridPos    struct{ H, W, X, Y int }
		Targets    []struct {
			RefID string `json:"refId"`
			Expr  string `json:"expr"`
		} `json:"targets"`
	}
	var board struct {
		UID           string  `json:"uid"`
		Title         string  `json:"title"`
		SchemaVersion int     `json:"schemaVersion"`
		Panels        []panel `json:"panels"`
		Templating    struct {
			List []struct{ Name, Type string }
		} `json:"templating"`
	}
	if err := json.Unmarshal(read(t, "grafana/kentongan.json"), &board); err != nil {
		t.Fatal(err)
	}
	if board.UID == "" || board.Title == "" || board.SchemaVersion < 36 || len(board.Templating.List) == 0 {
		t.Errorf("Grafana would not take it: %+v", board)
	}
	known, ids, shown := metrics(t), map[int]bool{}, map[string]bool{}
	for _, p := range board.Panels {
		if p.ID == 0 || ids[p.ID] || p.Title == "" || p.GridPos.W == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("panel %d %q: its id, title or place is wrong", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Type == "row" {
			continue
		}
		if len(p.Targets) == 0 || !bytes.Contains(p.Datasource, []byte("${datasource}")) {
			t.Errorf("panel %q asks nothing, or nobody", p.Title)
		}
		for _, target := range p.Targets {
			query := strings.NewReplacer("$__rate_interval", "5m", "$job", "kentongan").Replace(target.Expr)
			if err := check(query, known); err != nil {
				t.Errorf("panel %q: %v", p.Title, err)
			}
			for name := range known {
				if strings.Contains(query, name) {
					shown[name] = true
				}
			}
		}
	}
	// What stands in an alert must be on the board, too.
	for _, m := range regexp.MustCompile(`kentongan_\w+`).FindAll(read(t, "prometheus/alerts.yaml"), -1) {
		if !shown[string(m)] {
			t.Errorf("an alert looks at %s, and the board does not show it", m)
		}
	}
}

// TestKubernetesManifests reads each document twice: strictly into the types of the
// API, which finds a field that does not exist, and against the OpenAPI schema of
// Kubernetes, which finds one that is missing.
func TestKubernetesManifests(t *testing.T) {
	files, err := fs.Glob(os.DirFS(deploy), "kubernetes/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("there are no manifests: %v", err)
	}
	kinds := map[string]func() any{
		"Deployment": func() any { return new(appsv1.Deployment) }, "StatefulSet": func() any { return new(appsv1.StatefulSet) },
		"Service": func() any { return new(corev1.Service) }, "ConfigMap": func() any { return new(corev1.ConfigMap) }, "Secret": func() any { return new(corev1.Secret) },
		"Ingress": func() any { return new(networkingv1.Ingress) }, "NetworkPolicy": func() any { return new(networkingv1.NetworkPolicy) },
		"PodDisruptionBudget": func() any { return new(policyv1.PodDisruptionBudget) }, "Namespace": func() any { return new(corev1.Namespace) },
		"ServiceAccount": func() any { return new(corev1.ServiceAccount) }, "PersistentVolumeClaim": func() any { return new(corev1.PersistentVolumeClaim) },
	}
	seen := map[string]int{}
	for _, file := range files {
		for _, doc := range bytes.Split(read(t, file), []byte("\n---\n")) {
			var head struct {
				APIVersion string `json:"apiVersion"`
				Kind       string `json:"kind"`
				Metadata   struct {
					Name string `json:"name"`
				} `json:"metadata"`
			}
			if err := yaml.Unmarshal(doc, &head); err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			where := fmt.Sprintf("%s: %s %s", file, head.Kind, head.Metadata.Name)
			if faults := judge(doc, head.APIVersion, head.Kind, kinds[head.Kind]); len(faults) > 0 {
				t.Errorf("%s: %q", where, faults)
			}
			seen[head.Kind]++
		}
	}
	for _, kind := range []string{"Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget", "Ingress"} {
		if seen[kind] == 0 {
			t.Errorf("there is no %s", kind)
		}
	}
	// The check itself: each of these faults must be found.
	good := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec:\n  selector: {matchLabels: {a: b}}\n  template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}\n"
	for name, edit := range map[string][2]string{
		"sound":             {"", ""},
		"unknown field":     {"image: i", "image: i, imgePullPolicy: Always"},
		"missing selector":  {"  selector: {matchLabels: {a: b}}\n", ""},
		"name of container": {"name: c, ", ""},
		"wrong type":        {"  selector", "  replicas: many\n  selector"},
	} {
		faults := judge([]byte(strings.Replace(good, edit[0], edit[1], 1)), "apps/v1", "Deployment", kinds["Deployment"])
		if (len(faults) == 0) != (name == "sound") {
			t.Errorf("%s: found %q", name, faults)
		}
	}
}

func judge(doc []byte, apiVersion, kind string, empty func() any) (faults []string) {
	if empty == nil {
		return []string{"no kind that we know"}
	}
	if err := yaml.UnmarshalStrict(doc, empty()); err != nil {
		faults = append(faults, err.Error())
	}
	schema := openapi.SchemaForResourceType(kyaml.TypeMeta{APIVersion: apiVersion, Kind: kind})
	if schema == nil {
		return append(faults, "no schema for "+apiVersion)
	}
	var content any
	if err := yaml.Unmarshal(doc, &content); err != nil {
		return append(faults, err.Error())
	}
	root := openapi.Schema()
	whole, err := resolved(schema.Schema, root, 0)
	if err != nil {
		return append(faults, err.Error())
	}
	for _, err := range validate.NewSchemaValidator(whole, nil, "", strfmt.Default).Validate(content).Errors {
		faults = append(faults, err.Error())
	}
	return faults
}

// resolved puts what a schema refers to into it: the validator follows no references.
func resolved(s *spec.Schema, root *spec.Schema, depth int) (*spec.Schema, error) {
	if depth > 40 {
		return &spec.Schema{}, nil
	}
	if s.Ref.String() != "" {
		name := strings.TrimPrefix(s.Ref.String(), "#/definitions/")
		target, ok := root.Definitions[name]
		if !ok {
			return nil, fmt.Errorf("the schema has no %s", name)
		}
		if name == "io.k8s.apimachinery.pkg.util.intstr.IntOrString" || strings.HasSuffix(name, "resource.Quantity") {
			return &spec.Schema{}, nil // a number or a text
		}
		return resolved(&target, root, depth+1)
	}
	out := *s
	out.Properties = map[string]spec.Schema{}
	for name, p := range s.Properties {
		r, err := resolved(&p, root, depth+1)
		if err != nil {
			return nil, err
		}
		out.Properties[name] = *r
	}
	if s.Items != nil && s.Items.Schema != nil {
		r, err := resolved(s.Items.Schema, root, depth+1)
		if err != nil {
			return nil, err
		}
		out.Items = &spec.SchemaOrArray{Schema: r}
	}
	if s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil {
		r, err := resolved(s.AdditionalProperties.Schema, root, depth+1)
		if err != nil {
			return nil, err
		}
		out.AdditionalProperties = &spec.SchemaOrBool{Allows: true, Schema: r}
	}
	return &out, nil
}
