package app

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"testing"
)

// TestBudgetOfWhatAPhoneKeeps weighs what the service worker stores for when there
// is no signal, as it fetches it: the guides, the page that says so, and what they
// load.
func TestBudgetOfWhatAPhoneKeeps(t *testing.T) {
	t.Parallel()
	rehearse(t, crew, func(h *rehearsal) {
		worker, err := os.ReadFile("../../templates/static/sw.js")
		if err != nil {
			t.Fatal(err)
		}
		for _, said := range []string{`["/guides", "/offline", "/me/emergency"].map(add)`, `/"\/(?:guides\/[a-z_]+|static\/[a-z]+\.js\?v=[0-9a-f]+)"/g`} {
			if !bytes.Contains(worker, []byte(said)) {
				t.Fatalf("the service worker no longer says %s; weigh what it keeps now", said)
			}
		}
		links := regexp.MustCompile(`"(/(?:guides/[a-z_]+|static/[a-z]+\.js\?v=[0-9a-f]+))"`)
		kept, bytesKept, pages := map[string]bool{"/static/icon-192.png": true}, 0, 0
		device := h.device("siti") // the emergency page is kept once a phone is connected
		weigh := func(path string) string {
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.Header.Set("Accept-Encoding", "gzip")
			r.Header.Set("Accept-Language", "id")
			r.AddCookie(&http.Cookie{Name: "device", Value: device})
			w := httptest.NewRecorder()
			h.house.server.Handler().ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				t.Fatalf("%s: got %d", path, w.Code)
			}
			bytesKept, pages = bytesKept+w.Body.Len(), pages+1
			if w.Header().Get("Content-Encoding") != "gzip" {
				return w.Body.String()
			}
			z, err := gzip.NewReader(w.Body)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(z)
			return string(text)
		}
		for _, path := range []string{"/guides", "/offline", "/me/emergency"} {
			for _, m := range links.FindAllStringSubmatch(weigh(path), -1) {
				kept[m[1]] = true
			}
		}
		for _, path := range []string{"/guides", "/offline", "/me/emergency"} {
			delete(kept, path)
		}
		for path := range kept {
			weigh(path)
		}
		t.Logf("kept on a phone: %d bytes of %d in %d files", bytesKept, 80<<10, pages)
		if bytesKept > 80<<10 || pages < 10 {
			t.Errorf("%d bytes in %d files are kept, want at most 80 kB, with all guides", bytesKept, pages)
		}
	})
}
