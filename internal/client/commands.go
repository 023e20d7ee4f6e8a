package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// Connection is what every client command needs.
type Connection struct {
	URL   string `name:"url" env:"KENTONGAN_PUBLIC_URL" default:"http://127.0.0.1:8080" help:"Address of the installation."`
	Token string `name:"token" env:"KENTONGAN_TOKEN,KENTONGAN_BOOTSTRAP_TOKEN" help:"Bearer token."`
}

func (c Connection) client() *Client { return &Client{URL: c.URL, Token: c.Token} }

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

type summary struct {
	ID       string `json:"id"`
	Status   string `json:"status"`
	ClosedAs string `json:"closed_as"`
	Mode     string `json:"mode"`
	Counts   counts `json:"counts"`
}

func (s summary) print(w io.Writer) {
	state := s.Status
	if s.ClosedAs != "" {
		state += " as " + s.ClosedAs
	}
	fmt.Fprintf(w, "%s  %s  %s\n  %d people: %d need help, %d confirmed, %d not on site, %d opened, %d no answer, %d unreachable\n",
		s.ID, strings.ToUpper(s.Mode), state, s.Counts.Recipients, s.Counts.NeedHelp, s.Counts.Confirmed, s.Counts.NotOnSite, s.Counts.Opened, s.Counts.NoAnswer, s.Counts.Unreachable)
}

// Import brings people in from a CSV file.
type Import struct {
	Connection
	File   string `arg:"" help:"CSV file."`
	DryRun bool   `help:"Say what would happen; change nothing."`
}

// Run sends the file and prints the report, every bad row included.
func (i *Import) Run(ctx context.Context) error {
	f, err := os.Open(i.File)
	if err != nil {
		return err
	}
	defer f.Close()
	var report struct {
		Rows, Added, Changed, Unchanged, Leaving, Missing int
		Warnings                                          []struct {
			Row                  int
			Field, Value, Reason string
		}
	}
	err = i.client().Call(ctx, http.MethodPost, fmt.Sprintf("/api/v1/people:import?dry_run=%t", i.DryRun), "text/csv", f, &report)
	if err != nil {
		return err
	}
	for _, w := range report.Warnings {
		fmt.Printf("row %d, %s: %s\n", w.Row, w.Field, w.Reason)
	}
	verb := "imported"
	if i.DryRun {
		verb = "would import"
	}
	fmt.Printf("%s %d rows: %d added, %d changed, %d unchanged, %d leaving; %d known people not in this file were left alone\n",
		verb, report.Rows, report.Added, report.Changed, report.Unchanged, report.Leaving, report.Missing)
	return nil
}

// Announce sends an announcement.
type Announce struct {
	Connection
	File       string            `help:"JSON file with the announcement, - for standard input." short:"f" xor:"what"`
	Mode       string            `help:"live or drill; there is no default." enum:"live,drill,"  default:""`
	Template   string            `help:"Prepared announcement, such as fire." xor:"what"`
	Field      map[string]string `help:"Blank of the template: --field site=\"Pabrik A\"."`
	All        bool              `help:"To everybody."`
	Site       []string          `help:"To a site."`
	Department []string          `help:"To a department."`
	Under      []string          `help:"To a manager's whole tree, by employee number."`
	Person     []string          `help:"To a person, by employee number."`
	Key        string            `help:"Idempotency-Key: the same key sends once."`
}

// Run posts the announcement and prints its id and figures.
func (a *Announce) Run(ctx context.Context) error {
	var draft any
	if a.File != "" {
		b, err := readFile(a.File)
		if err != nil {
			return err
		}
		draft = json.RawMessage(b)
	} else {
		if a.Mode == "" || a.Template == "" {
			return errors.New("say --mode live or --mode drill, and --template or --file")
		}
		audience := map[string]any{}
		if a.All {
			audience["all"] = true
		}
		for name, list := range map[string][]string{"sites": a.Site, "departments": a.Department, "under": a.Under, "people": a.Person} {
			if len(list) > 0 {
				audience[name] = list
			}
		}
		draft = map[string]any{"mode": a.Mode, "template": a.Template, "fields": a.Field, "audience": audience}
	}
	var s summary
	var headers []string
	if a.Key != "" {
		headers = []string{"Idempotency-Key", a.Key}
	}
	if err := a.client().JSON(ctx, http.MethodPost, "/api/v1/announcements", draft, &s, headers...); err != nil {
		return err
	}
	s.print(os.Stdout)
	return nil
}

func readFile(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
	}
	return os.ReadFile(name)
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
	if err := s.client().Call(ctx, http.MethodGet, path, "", nil, &raw); err != nil {
		return err
	}
	if s.JSON {
		_, err := fmt.Println(string(raw))
		return err
	}
	if s.ID != "" {
		var one summary
		if err := json.Unmarshal(raw, &one); err != nil {
			return err
		}
		one.print(os.Stdout)
		return nil
	}
	var list struct {
		Announcements []summary `json:"announcements"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
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

// Run follows the stream.
func (w *Watch) Run(ctx context.Context) error {
	err := w.client().Watch(ctx, "/api/v1/announcements/"+url.PathEscape(w.ID)+"/events", func(_ string, data []byte) error {
		var s summary
		if json.Unmarshal(data, &s) != nil || s.ID == "" {
			return nil
		}
		s.print(os.Stdout)
		if s.Status == "closed" {
			return errClosed
		}
		return nil
	})
	if errors.Is(err, errClosed) {
		return nil
	}
	return err
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
	return c.client().JSON(ctx, http.MethodPost, "/api/v1/announcements/"+url.PathEscape(c.ID)+"/close", map[string]string{"as": c.As, "reason": c.Reason}, nil)
}

// TokenCreate makes an API token.
type TokenCreate struct {
	Connection
	Name string `arg:"" help:"What it is for."`
	Role string `help:"sender or viewer." enum:"sender,viewer" default:"viewer"`
}

// Run prints the token; it is shown once.
func (t *TokenCreate) Run(ctx context.Context) error {
	var out struct {
		Token string `json:"token"`
	}
	if err := t.client().JSON(ctx, http.MethodPost, "/api/v1/tokens", map[string]string{"name": t.Name, "role": t.Role}, &out); err != nil {
		return err
	}
	fmt.Println(out.Token)
	return nil
}
