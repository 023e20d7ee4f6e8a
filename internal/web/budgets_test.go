package web

import (
	"bytes"
	"compress/gzip"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"text/tabwriter"

	"golang.org/x/net/html"

	"kentongan/internal/announcement"
)

var printBudgets = flag.Bool("budgets", false, "print what every page costs (make budgets)")

// budget is what a page may cost a phone in a crowded cell, 400 kbit/s and
// 400 ms away, or a computer of HR.
type budget struct {
	name     string
	page     int // bytes of the first view, compressed
	cached   int // bytes of style, scripts and pictures that the browser keeps for the next page; 0: they count as the page
	requests int // before the page can be used
	script   int // bytes, compressed
	elements int
}

const kB = 1024

var budgets = []budget{
	// One round trip carries about 14 kB: ten packets.
	{name: "answer", page: 8 * kB, requests: 1, script: 3 * kB / 2, elements: 1500},
	{name: "employee", page: 10 * kB, requests: 1, script: 2 * kB, elements: 1500},
	{name: "enrolment", page: 12 * kB, requests: 1, script: 3 * kB, elements: 1500},
	{name: "team", page: 14 * kB, requests: 1, script: 3 * kB, elements: 1500},
	{name: "console", page: 30 * kB, cached: 25 * kB, requests: 3, script: 22 * kB, elements: 1500},
	{name: "board", page: 40 * kB, cached: 45 * kB, requests: 4, script: 25 * kB, elements: 1500},
	{name: "report", page: 60 * kB, cached: 25 * kB, requests: 4, script: 0, elements: 1500},
	// 200 faulty rows of a table are more elements than a page should have; a list
	// that ends sooner would be worse.
	{name: "import", page: 60 * kB, cached: 25 * kB, requests: 3, script: 22 * kB, elements: 2500},
}

// budgetOf chooses by the address, so that a new page has a budget at once.
func budgetOf(s shown) budget {
	path, _, _ := strings.Cut(s.path, "?")
	parts := strings.Split(strings.Trim(path, "/"), "/")
	name := "console"
	switch {
	case parts[0] == "r" && len(parts) == 2:
		name = "answer"
	case parts[0] == "e", parts[0] == "j", path == "/me/allow", path == "/me/install", path == "/me/test":
		name = "enrolment"
	case parts[0] == "t":
		name = "team"
	case s.phone():
		name = "employee"
	case s.file != "", strings.HasPrefix(path, "/people/import/"):
		name = "import"
	case parts[0] == "alerts" && (len(parts) == 2 || len(parts) == 3 && parts[2] == "people"): // both live
		name = "board"
	case strings.Contains(path, "report") && !strings.Contains(path, "/made/"): // those renew themselves
		name = "report"
	}
	for _, b := range budgets {
		if b.name == name {
			return b
		}
	}
	panic("no budget " + name)
}

// cost is what a page costs.
type cost struct {
	page, cached, requests, script, elements int
}

func zipped(data []byte) int {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression)
	_, _ = z.Write(data)
	_ = z.Close()
	return out.Len()
}

// costOf reads a page as a browser does that has nothing in its cache.
func costOf(t testing.TB, g *gallery, s shown) cost {
	t.Helper()
	c := cost{requests: 1}
	sent := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("Accept-Encoding", "gzip")
	writePage(sent, r, s.status, s.html)
	c.page = sent.Body.Len()

	seen := map[string]bool{}
	load := func(address string) int {
		name, ok := strings.CutPrefix(address, "/static/")
		if !ok || seen[address] {
			return 0
		}
		seen[address] = true
		name, _, _ = strings.Cut(name, "?")
		a, ok := g.server.views.assets[name]
		if !ok {
			t.Errorf("%s loads %s, which is not there", s.id(), address)
			return 0
		}
		if len(a.gzipped) > 0 {
			return len(a.gzipped)
		}
		return len(a.data)
	}
	script := false
	for z := html.NewTokenizer(bytes.NewReader(s.html)); ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			return c
		}
		token := z.Token()
		if kind == html.TextToken && script {
			c.script += zipped([]byte(token.Data))
		}
		if kind != html.StartTagToken && kind != html.SelfClosingTagToken {
			script = false
			continue
		}
		c.elements++
		attr := map[string]string{}
		for _, a := range token.Attr {
			attr[a.Key] = a.Val
		}
		script = token.Data == "script"
		switch {
		case script && attr["src"] != "":
			n := load(attr["src"])
			c.script += n
			c.cached += n
			if _, later := attr["defer"]; !later {
				c.requests++
			}
		case token.Data == "link" && attr["rel"] == "stylesheet":
			c.cached += load(attr["href"])
			c.requests++
		case token.Data == "img" && attr["loading"] != "lazy":
			c.cached += load(attr["src"])
		}
	}
}

// TestBudgets weighs every page with its worst data: what a page costs decides
// who gets it in time.
func TestBudgets(t *testing.T) {
	g := sharedGallery(t)
	var table bytes.Buffer
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "page\tbudget\tfirst view\tof\tcached\tof\trequests\tof\tscript\tof\telements\tof\t")
	for _, s := range g.shown {
		b, c := budgetOf(s), costOf(t, g, s)
		if b.cached == 0 {
			c.page, c.cached = c.page+c.cached, 0
		}
		over := ""
		for _, m := range []struct {
			what    string
			got, of int
		}{
			{"bytes of the first view", c.page, b.page}, {"bytes to keep", c.cached, b.cached}, {"requests", c.requests, b.requests},
			{"bytes of script", c.script, b.script}, {"elements", c.elements, b.elements},
		} {
			if m.got > m.of {
				over = "OVER"
				t.Errorf("%s: %d %s, want at most %d (%s)", s.id(), m.got, m.what, m.of, b.name)
			}
		}
		if s.lang == announcement.Indonesian { // the longer language
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%s\n", s.name, b.name, c.page, b.page, c.cached, b.cached, c.requests, b.requests, c.script, b.script, c.elements, b.elements, over)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	if *printBudgets {
		_, _ = table.WriteTo(os.Stdout)
	}
}
