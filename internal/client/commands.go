package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Connection is what every client command needs.
type Connection struct {
	URL   string `name:"url" env:"KENTONGAN_PUBLIC_URL" default:"http://127.0.0.1:8080" help:"Address of the installation."`
	Token string `name:"token" env:"KENTONGAN_TOKEN,KENTONGAN_BOOTSTRAP_TOKEN" help:"Bearer token."`
}

// Client returns the way to the installation.
func (c Connection) Client() *Client { return &Client{URL: c.URL, Token: c.Token} }

// counts are the figures of an announcement, as the API gives them.
type counts struct {
	Recipients  int `json:"recipients"`
	NeedHelp    int `json:"need_help"`
	Confirmed   int `json:"confirmed"`
	NotOnSite   int `json:"not_on_site"`
	Opened      int `json:"opened"`
	NoAnswer    int `json:"no_answer"`
	Unreachable int `json:"unreachable"`
}

func (c counts) String() string {
	return fmt.Sprintf("%d people: %d need help, %d confirmed, %d not on site, %d opened, %d no answer, %d unreachable",
		c.Recipients, c.NeedHelp, c.Confirmed, c.NotOnSite, c.Opened, c.NoAnswer, c.Unreachable)
}

// deliveries say how far the calls of one channel have come.
type deliveries struct {
	Recipients int            `json:"recipients"`
	Queued     int            `json:"queued"`
	Accepted   int            `json:"accepted"`
	Sent       int            `json:"sent"`
	Delivered  int            `json:"delivered"`
	Shown      int            `json:"shown"`
	Failed     int            `json:"failed"`
	Failures   map[string]int `json:"failures"`
}

type summary struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	ClosedAs string `json:"closed_as"`
	Mode     string `json:"mode"`
	Text     map[string]struct {
		Title string `json:"title"`
	} `json:"text"`
	OpenedAt    time.Time             `json:"opened_at"`
	By          string                `json:"by"`
	Reason      string                `json:"reason"`
	Counts      counts                `json:"counts"`
	Channels    []string              `json:"channels"`
	Deliveries  map[string]deliveries `json:"channel_counts"`
	Unreachable []struct {
		Number string `json:"number"`
		Name   string `json:"name"`
		Reason string `json:"reason"`
	} `json:"unreachable"`
	Rebuilding bool `json:"rebuilding"`
}

// standing is the status in the words of a person, such as "closed as accounted".
func (s summary) standing() string {
	if s.ClosedAs == "" {
		return s.Status
	}
	return s.Status + " as " + s.ClosedAs
}

// title returns the English title, else the first of the others.
func (s summary) title() string {
	if t, ok := s.Text["en"]; ok {
		return t.Title
	}
	for _, lang := range slices.Sorted(maps.Keys(s.Text)) {
		return s.Text[lang].Title
	}
	return ""
}

func (s summary) print(w io.Writer) {
	fmt.Fprintf(w, "%s  %s  %s  %s\n  %s\n", s.ID, strings.ToUpper(s.Mode), s.standing(), s.title(), s.Counts)
	if s.Rebuilding {
		fmt.Fprintln(w, "  the counts are being rebuilt from the ledger: they are too low for a moment")
	}
}

// printAll adds what a single announcement has to tell.
func (s summary) printAll(w io.Writer) {
	s.print(w)
	fmt.Fprintf(w, "  opened %s by %s\n", s.OpenedAt.Local().Format("2006-01-02 15:04:05"), s.By)
	if s.Reason != "" {
		fmt.Fprintf(w, "  reason: %s\n", s.Reason)
	}
	for _, name := range s.Channels {
		d, ok := s.Deliveries[name]
		if !ok {
			continue
		}
		fmt.Fprintf(w, "  %s: %d to call, %d queued, %d accepted, %d sent, %d delivered, %d shown, %d failed\n",
			name, d.Recipients, d.Queued, d.Accepted, d.Sent, d.Delivered, d.Shown, d.Failed)
		for _, reason := range slices.Sorted(maps.Keys(d.Failures)) {
			fmt.Fprintf(w, "    %d failed: %s\n", d.Failures[reason], reason)
		}
	}
	for _, who := range s.Unreachable {
		fmt.Fprintf(w, "  unreachable: %s %s: %s\n", who.Number, who.Name, who.Reason)
	}
}

// Report is what an import did, or would do.
type Report struct {
	Rows      int    `json:"rows"`
	Added     int    `json:"added"`
	Changed   int    `json:"changed"`
	Unchanged int    `json:"unchanged"`
	Leaving   int    `json:"leaving"`
	Missing   int    `json:"missing"`
	Warnings  []Cell `json:"warnings"`
	Errors    []Cell `json:"errors"`
}

// Cell is what is to be said about one cell of the file.
type Cell struct {
	Row    int    `json:"row"` // as a spreadsheet numbers it
	Field  string `json:"field"`
	Value  string `json:"value"`
	Reason string `json:"reason"`
}

// Import brings people in from a CSV file.
type Import struct {
	Connection
	File   string `arg:"" help:"CSV file, - for standard input."`
	DryRun bool   `help:"Say what would happen; change nothing."`

	Leaving int `help:"How many people leave by this file, where that has to be confirmed."`
}

// maxFile is the largest file that the server takes: some 50,000 people.
const maxFile = 10 << 20

// Run sends the file and prints the report, every bad row included.
func (i *Import) Run(ctx context.Context) error {
	b, err := readFile(i.File, maxFile)
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return &Failure{fmt.Errorf("%s is empty", i.File), "the first row names the columns: employee_id, display_name, mobile_phone, ..."}
	}
	var report Report
	err = i.Client().Call(ctx, http.MethodPost, fmt.Sprintf("/api/v1/people:import?dry_run=%t&leaving=%d", i.DryRun, i.Leaving), "text/csv", bytes.NewReader(b), &report)
	var p *Problem
	if errors.As(err, &p) && p.Report != nil && len(p.Report.Errors) > 0 {
		return p.Report.refused(os.Stdout)
	}
	if err != nil {
		return err
	}
	report.print(os.Stdout, i.DryRun)
	return nil
}

func (r Report) print(w io.Writer, dryRun bool) {
	r.printWarnings(w)
	verb := "imported"
	if dryRun {
		verb = "nothing was changed; would import"
	}
	fmt.Fprintf(w, "%s %d rows: %d added, %d changed, %d unchanged, %d leaving; %d known people not in this file were left alone\n",
		verb, r.Rows, r.Added, r.Changed, r.Unchanged, r.Leaving, r.Missing)
}

// printWarnings says the same thing about many rows once.
func (r Report) printWarnings(w io.Writer) {
	type kind struct{ field, reason string }
	cells := map[kind][]Cell{}
	var order []kind
	for _, c := range r.Warnings {
		k := kind{c.Field, c.Reason}
		if cells[k] == nil {
			order = append(order, k)
		}
		cells[k] = append(cells[k], c)
	}
	for _, k := range order {
		list := cells[k]
		if len(list) == 1 {
			fmt.Fprintf(w, "warning: row %d, %s %q: %s\n", list[0].Row, k.field, list[0].Value, k.reason)
			continue
		}
		rows := make([]string, len(list))
		for i, c := range list {
			rows[i] = strconv.Itoa(c.Row)
		}
		fmt.Fprintf(w, "warning: %s of %d rows: %s\n  rows %s\n", k.field, len(list), k.reason, strings.Join(rows, ", "))
	}
}

// refused prints every faulty cell and returns what that means.
func (r Report) refused(w io.Writer) error {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(out, "ROW\tFIELD\tVALUE\tWHAT IS WRONG")
	for _, c := range r.Errors {
		fmt.Fprintf(out, "%d\t%s\t%q\t%s\n", c.Row, cmp.Or(c.Field, "-"), c.Value, c.Reason)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("print report: %w", err)
	}
	return &Failure{fmt.Errorf("nothing was imported; faults: %d", len(r.Errors)),
		"mend these cells and import the whole file again; --dry-run only checks"}
}

// Announce sends an announcement.
type Announce struct {
	Connection
	File       string            `help:"JSON file with the announcement, - for standard input." short:"f"`
	Mode       string            `help:"live or drill; there is no default." enum:"live,drill,"  default:""`
	Template   string            `help:"Prepared announcement, such as fire."`
	Field      map[string]string `help:"Blank of the template: --field site=\"Pabrik A\"." mapsep:"none" placeholder:"NAME=VALUE"`
	All        bool              `help:"To everybody."`
	Site       []string          `help:"To a site; may be repeated." sep:"none"`
	Department []string          `help:"To a department; may be repeated." sep:"none"`
	Under      []string          `help:"To a manager's whole tree, by employee number; may be repeated." sep:"none"`
	Person     []string          `help:"To a person, by employee number; may be repeated." sep:"none"`
	Key        string            `help:"Idempotency-Key: the same key sends once."`
}

// maxDraft is the largest announcement that the server takes.
const maxDraft = 64 << 10

// Run posts the announcement and prints its id and figures.
func (a *Announce) Run(ctx context.Context) error {
	draft, err := a.draft()
	if err != nil {
		return err
	}
	// Without a key of the operator's there is one all the same, so that a call
	// whose answer was lost can be repeated.
	key := cmp.Or(a.Key, rand.Text())
	var s summary
	err = a.Client().JSON(ctx, http.MethodPost, "/api/v1/announcements", draft, &s, "Idempotency-Key", key)
	var p *Problem
	switch {
	case errors.As(err, &p) && slices.ContainsFunc(p.Errors, func(f Fault) bool { return strings.HasPrefix(f.Location, "body.fields.") }):
		return &Failure{err, "fill the blanks of the template: --field NAME=VALUE"}
	case errors.As(err, &p) && p.Status == http.StatusUnprocessableEntity && len(p.Errors) == 0:
		return &Failure{err, "for another announcement, choose another --key"}
	case errors.As(err, &p) && p.Status < 500:
		return err
	case err != nil:
		return &Failure{err, "it may have gone out all the same: run this again with --key " + key + ", which never sends twice; see also `kentongan status`"}
	}
	s.print(os.Stdout)
	return nil
}

// draft returns the body of the request.
func (a *Announce) draft() (any, error) {
	audience := map[string]any{}
	if a.All {
		audience["all"] = true
	}
	for name, list := range map[string][]string{"sites": a.Site, "departments": a.Department, "under": a.Under, "people": a.Person} {
		if len(list) > 0 {
			audience[name] = list
		}
	}
	if a.File == "" {
		switch {
		case a.Template == "":
			return nil, &Failure{errors.New("what to announce is not said"), "give --template, such as fire, or --file with the announcement as JSON"}
		case a.Mode == "":
			return nil, &Failure{errors.New("whether it is real is not said"), "give --mode live or --mode drill"}
		case len(audience) == 0:
			return nil, &Failure{errors.New("to whom is not said"), "give --all, --site, --department, --under or --person"}
		}
		return map[string]any{"mode": a.Mode, "template": a.Template, "fields": a.Field, "audience": audience}, nil
	}
	if a.Template != "" || a.Mode != "" || len(a.Field) > 0 || len(audience) > 0 {
		// Neither may win in silence: one is to everybody, the other is not.
		return nil, &Failure{errors.New("--file holds the whole announcement, but other flags say something too"), "keep --file and --key, or leave --file out"}
	}
	b, err := readFile(a.File, maxDraft)
	if err != nil {
		return nil, err
	}
	var probe map[string]any
	if err := json.Unmarshal(b, &probe); err != nil {
		var where string
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			where = fmt.Sprintf(", line %d", 1+bytes.Count(b[:min(int(syntax.Offset), len(b))], []byte("\n")))
		}
		return nil, &Failure{fmt.Errorf("%s%s is not a JSON object: %w", a.File, where, err), "see the example in README.md"}
	}
	return json.RawMessage(b), nil
}

// readFile returns the file, or standard input for "-", unless it is too large.
func readFile(name string, limit int64) ([]byte, error) {
	in := os.Stdin
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, &Failure{err, "check the path of the file"}
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, &Failure{err, "name a file, or - for standard input"}
	}
	if int64(len(b)) > limit {
		return nil, &Failure{fmt.Errorf("%s is larger than %d KB", name, limit>>10), "is this the right file? a larger one has to be split"}
	}
	return b, nil
}

// Status prints where an announcement stands, or all of them.
type Status struct {
	Connection
	ID   string `arg:"" optional:"" help:"Announcement; without it the newest are listed."`
	JSON bool   `help:"As JSON."`
}

// Run reads and prints.
func (s *Status) Run(ctx context.Context) error {
	path := "/api/v1/announcements"
	if s.ID != "" {
		path += "/" + url.PathEscape(s.ID)
	}
	var raw json.RawMessage
	if err := s.Client().Call(ctx, http.MethodGet, path, "", nil, &raw); err != nil {
		return err
	}
	if s.JSON {
		_, err := fmt.Println(string(raw))
		return err
	}
	if s.ID != "" {
		var one summary
		if err := json.Unmarshal(raw, &one); err != nil {
			return fmt.Errorf("read the server's answer: %w", err)
		}
		one.printAll(os.Stdout)
		return nil
	}
	var list struct {
		Announcements []summary `json:"announcements"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return fmt.Errorf("read the server's answer: %w", err)
	}
	if len(list.Announcements) == 0 {
		fmt.Println("nothing has been announced yet")
	}
	for _, one := range list.Announcements {
		one.print(os.Stdout)
	}
	return nil
}

// Watch prints the figures as they change, until the announcement is closed.
type Watch struct {
	Connection
	ID string `arg:"" help:"Announcement."`
}

var errClosed = errors.New("closed")

// retryPause lies between two tries to reach a server that has been lost.
const retryPause = 2 * time.Second

// Run follows the stream, through restarts of the server.
func (w *Watch) Run(ctx context.Context) error { return w.follow(ctx, retryPause) }

func (w *Watch) follow(ctx context.Context, pause time.Duration) error {
	path := "/api/v1/announcements/" + url.PathEscape(w.ID) + "/events"
	last, said, known, lost := "", "", false, false
	for {
		err := w.Client().Watch(ctx, path, last, func(e Event) error {
			s, ok := summaryOf(e)
			if !ok {
				return nil // an event of a newer server
			}
			last, known, lost = e.ID, true, false
			// Receipts change the announcement and not these figures.
			if line := fmt.Sprintf("%s  %s  %s", strings.ToUpper(s.Mode), s.standing(), s.Counts); line != said {
				fmt.Println(time.Now().Format("15:04:05") + "  " + line)
				said = line
			}
			if s.Status == "closed" {
				return errClosed
			}
			return nil
		})
		var p *Problem
		switch {
		case errors.Is(err, errClosed), ctx.Err() != nil:
			return nil //nolint:nilerr // it has ended, or the operator has seen enough
		case err != nil && (!known || errors.As(err, &p) && p.Status < 500):
			return err
		}
		if !lost {
			lost = true
			fmt.Fprintln(os.Stderr, "the server is not there; trying until it is back (Ctrl-C ends this, not the announcement)")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}

func summaryOf(e Event) (s summary, ok bool) {
	err := json.Unmarshal(e.Data, &s)
	return s, err == nil && s.ID != ""
}

// Close ends an announcement.
type Close struct {
	Connection
	ID     string `arg:"" help:"Announcement."`
	As     string `help:"all_clear, corrected (it was sent in error) or cancelled." enum:"all_clear,corrected,cancelled" default:"all_clear"`
	Reason string `help:"Why, in a few words." required:""`
}

// Run closes it.
func (c *Close) Run(ctx context.Context) error {
	var s summary
	err := c.Client().JSON(ctx, http.MethodPost, "/api/v1/announcements/"+url.PathEscape(c.ID)+"/close", map[string]string{"as": c.As, "reason": c.Reason}, &s)
	var p *Problem
	if errors.As(err, &p) && p.Status == http.StatusConflict {
		return &Failure{err, "`kentongan status " + c.ID + "` says as what and why"}
	}
	if err != nil {
		return err
	}
	s.print(os.Stdout)
	return nil
}

// TokenCreate makes an API token.
type TokenCreate struct {
	Connection
	Name string `arg:"" help:"What it is for."`
	Role string `help:"sender, approver, administrator, auditor, operator, viewer, or provisioner for an identity provider." enum:"sender,approver,administrator,auditor,operator,viewer,provisioner" default:"viewer"`
	Calm bool   `name:"notices-only" help:"A sender's token that may send notices only, which wake nobody."`
}

// Run prints the token, alone on standard output so that a script can take it.
func (t *TokenCreate) Run(ctx context.Context) error {
	var out struct {
		Token string `json:"token"`
	}
	if err := t.Client().JSON(ctx, http.MethodPost, "/api/v1/tokens", map[string]any{"name": t.Name, "role": t.Role, "notices_only": t.Calm}, &out); err != nil {
		return err
	}
	fmt.Println(out.Token)
	fmt.Fprintf(os.Stderr, "token of a %s; it is not shown again\n", t.Role)
	return nil
}
