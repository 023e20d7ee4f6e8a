package app_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kentongan/internal/app/apptest"
)

// slowClient is a connection that sends a byte now and then.
type slowClient struct {
	net.Conn
	what  string
	most  time.Duration // by when it must have been closed
	lived time.Duration // until it was
}

// TestSlowClientsHoldNobodyUp: two thousand connections send a byte of their headers a
// second, others a byte of what they post. Whoever answers meanwhile is thanked within two
// seconds, the slow ones are closed, and memory does not grow with them. Then come bodies
// that are far too large, and such as unpack to what is.
func TestSlowClientsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	w := apptest.New(t, 1)
	staff := filepath.Join(t.TempDir(), "staff.csv")
	if err := os.WriteFile(staff, []byte("employee_id,display_name,mobile_phone,manager_id,site,locale,active\nE1,Chief,+6281200000001,,Harbour,en,true\nE2,Budi,+6281200000002,E1,Harbour,en,true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Import(staff)
	w.HandOutPhones([]apptest.Person{{Number: "E1", Name: "Chief", Mobile: "+6281200000001", Language: "en"}, {Number: "E2", Name: "Budi", Mobile: "+6281200000002", Language: "en"}})
	var s summary
	draft := `{"mode":"live","severity":"extreme","answers":"safety","channels":["sms"],"text":{"en":{"title":"Fire in hall 3","body":"Leave."}},"audience":{"all":true},"policy":{"steps":[{"after":"1h","whom":"manager"}]}}`
	if err := w.API.Call(t.Context(), http.MethodPost, "/api/v1/announcements", "application/json", strings.NewReader(draft), &s); err != nil {
		t.Fatal(err)
	}
	page := ""
	apptest.Eventually(t, 20*time.Second, "a link", func() (bool, string) {
		for _, e := range w.Log() {
			if e.Phone == "E2" && e.Token != "" {
				page = "/r/" + e.Token
			}
		}
		return page != "", ""
	})
	before := resident(t, w)

	var clients []*slowClient
	address := strings.TrimPrefix(w.API.URL, "http://")
	dial := func(what, first string, most time.Duration) {
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(c, first); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, &slowClient{Conn: c, what: what, most: most})
	}
	form := "HTTP/1.1\r\nHost: " + address + "\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 300\r\n\r\na=1&k="
	began := time.Now()
	for i := range 2_000 {
		dial("headers", "GET / HTTP/1.1\r\nHost: "+address+"\r\nX-Slow: ", 10*time.Second)
		if i%100 == 0 {
			dial("a webhook", "POST /hooks/twilio/message "+form, 15*time.Second)
			dial("an answer", "POST "+page+" "+form, 15*time.Second)
		}
	}
	t.Logf("%d connections after %s", len(clients), time.Since(began).Round(time.Millisecond))
	dialled := time.Now()
	var open sync.WaitGroup
	for _, c := range clients {
		open.Go(func() {
			defer c.Close()
			_ = c.SetReadDeadline(dialled.Add(20 * time.Second))
			_, _ = io.Copy(io.Discard, bufio.NewReaderSize(c, 16))
			c.lived = time.Since(dialled)
		})
	}
	gone := make(chan struct{})
	go func() { open.Wait(); close(gone) }()
	go func() {
		for {
			select {
			case <-gone:
				return
			case <-time.After(time.Second):
			}
			for _, c := range clients {
				_ = c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
				_, _ = c.Write([]byte("x"))
			}
		}
	}()
	most, slowest, answers := before, time.Duration(0), 0
	fresh := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for waiting := true; waiting; answers++ {
		at := time.Now()
		res, err := fresh.PostForm(w.API.URL+page, url.Values{"a": {"1"}, "k": {fmt.Sprint("press", answers)}})
		if err != nil {
			t.Fatalf("an answer beside slow clients: %v", err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if slowest = max(slowest, time.Since(at)); res.StatusCode != http.StatusOK {
			t.Errorf("an answer beside slow clients: got %d", res.StatusCode)
		}
		most = max(most, resident(t, w))
		select {
		case <-gone:
			waiting = false
		case <-time.After(250 * time.Millisecond):
		}
	}
	t.Logf("%d answers meanwhile, the slowest took %s; memory went from %d to at most %d MB", answers, slowest.Round(time.Millisecond), before>>20, most>>20)
	if slowest > 2*time.Second {
		t.Errorf("an answer took %s beside slow clients, want at most 2 s", slowest)
	}
	if grown := most - before; grown > 128<<20 {
		t.Errorf("memory grew by %d MB, want at most 128", grown>>20)
	}
	longest := map[string]time.Duration{}
	for _, c := range clients {
		if longest[c.what] = max(longest[c.what], c.lived); c.lived > c.most {
			t.Errorf("slow with %s: closed after %s, want at most %s", c.what, c.lived.Round(time.Millisecond), c.most)
			break
		}
	}
	t.Logf("the last were closed after %v", longest)

	var bomb bytes.Buffer
	packed := gzip.NewWriter(&bomb)
	_, _ = packed.Write(make([]byte, 50<<20))
	_ = packed.Close()
	for _, path := range []string{"/hooks/twilio/message", page, "/api/v1/announcements", "/signin"} {
		for _, tc := range []struct {
			what, coding string
			body         []byte
			want         int
		}{
			{"ten megabytes", "", bytes.Repeat([]byte("a=1&"), 10<<18), http.StatusRequestEntityTooLarge},
			{"what unpacks to fifty", "gzip", bomb.Bytes(), http.StatusUnsupportedMediaType},
		} {
			status, err := refused(address, path, tc.coding, tc.body)
			if err != nil || status != tc.want {
				t.Errorf("%s to %.20s: got %d, %v, want %d", tc.what, path, status, err, tc.want)
			}
		}
	}
	if now := resident(t, w); now-before > 128<<20 {
		t.Errorf("memory grew by %d MB in the end", (now-before)>>20)
	}
}

// refused sends a body and returns the answer, which comes before the body is through.
func refused(address, path, coding string, body []byte) (status int, err error) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	kind := "application/x-www-form-urlencoded"
	if strings.HasPrefix(path, "/api/") {
		kind = "application/json"
	}
	head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n", path, address, apptest.Token, kind, len(body))
	if coding != "" {
		head += "Content-Encoding: " + coding + "\r\n"
	}
	if _, err := io.WriteString(c, head+"\r\n"); err != nil {
		return 0, err
	}
	go func() { _, _ = c.Write(body) }()
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// resident is how much memory the process holds.
func resident(t *testing.T, w *apptest.World) int64 {
	t.Helper()
	_, text := get(t, w.API.URL+"/metrics", "Authorization", "Bearer "+apptest.Token)
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, "process_resident_memory_bytes "); ok {
			n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			if err != nil {
				t.Fatal(err)
			}
			return int64(n)
		}
	}
	t.Fatal("the metrics do not tell how much memory there is")
	return 0
}
