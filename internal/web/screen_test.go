package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdpage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// screenLimit is how long one page may take to be looked at on a busy machine.
const screenLimit = 60 * time.Second

// findChromium returns the browser. Without one the test is named and left out;
// on CI it fails, because a check that does not run finds nothing.
func findChromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("no Chromium on the PATH; install it")
	}
	t.Skip("NOT TESTED: no Chromium on the PATH (apt-get install chromium)")
	return ""
}

// screen is a tab of a headless Chromium that looks at the gallery.
type screen struct {
	t    testing.TB
	ctx  context.Context
	site string

	mu     sync.Mutex
	faults []string // what the browser complained about on this page
	hosts  []string // other hosts that were asked
}

// openScreens starts n browsers with a tab each, which see a site. Tabs of one browser
// wait for each other.
func openScreens(t testing.TB, n int, site string) []*screen {
	t.Helper()
	var all []*screen
	for range n {
		ctx, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
			chromedp.ExecPath(findChromium(t)), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
			chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true),
			chromedp.Flag("disable-background-timer-throttling", true), chromedp.Flag("disable-features", "BackForwardCache,Translate"), chromedp.Flag("disable-renderer-backgrounding", true))...)
		t.Cleanup(stop)
		ctx, closeBrowser := chromedp.NewContext(ctx)
		t.Cleanup(closeBrowser)
		if err := chromedp.Do(ctx); err != nil {
			t.Fatalf("start chromium: %v", err)
		}
		s := &screen{t: t, ctx: ctx, site: site}
		if err := chromedp.Listen(ctx, s.listen); err != nil {
			t.Fatalf("open a tab: %v", err)
		}
		must(t, "prepare a tab", s.do(func(ctx context.Context, c *chromedp.Target) error {
			if _, err := cdp.Call(ctx, c, log.Enable, cdp.Empty{}); err != nil {
				return err
			}
			if _, err := cdp.Call(ctx, c, network.Enable, network.EnableParams{}); err != nil {
				return err
			}
			_, err := cdp.Call(ctx, c, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
			return err
		}))
		all = append(all, s)
	}
	return all
}

func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func (s *screen) listen(ev any) {
	fault, host := "", ""
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		fault = e.ExceptionDetails.Text
		if x := e.ExceptionDetails.Exception; x != nil {
			fault += " " + x.Description
		}
	case *log.EventEntryAdded:
		if e.Entry.Source == log.EntrySourceSecurity || strings.Contains(e.Entry.Text, "Content Security Policy") {
			fault = e.Entry.Text
		}
	case *network.EventRequestWillBeSent:
		if u, err := url.Parse(e.Request.URL); err == nil && u.Scheme != "data" && u.Scheme != "about" && !strings.HasPrefix(s.site, u.Scheme+"://"+u.Host) {
			host = e.Request.URL
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if fault != "" {
		s.faults = append(s.faults, fault)
	}
	if host != "" {
		s.hosts = append(s.hosts, host)
	}
}

// complaints returns what the browser complained about since it was asked last.
func (s *screen) complaints() (faults []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	faults = s.faults
	for _, h := range s.hosts {
		faults = append(faults, "asks another host: "+h)
	}
	s.faults, s.hosts = nil, nil
	return faults
}

func (s *screen) do(f func(context.Context, *chromedp.Target) error) error {
	return s.within(screenLimit, f)
}

func (s *screen) within(limit time.Duration, f func(context.Context, *chromedp.Target) error) error {
	ctx, cancel := context.WithTimeout(s.ctx, limit)
	defer cancel()
	return chromedp.Do(ctx, chromedp.Func(f))
}

// A picture takes a tenth of a second.
const (
	pictureLimit = 15 * time.Second
	pictureTries = 4
)

// always runs a script at the beginning of every page from now on.
func (s *screen) always(script string) error {
	return s.do(func(ctx context.Context, c *chromedp.Target) error {
		_, err := cdp.Call(ctx, c, cdpage.AddScriptToEvaluateOnNewDocument, cdpage.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	})
}

// open goes to a path of the site.
func (s *screen) open(path string) error {
	ctx, cancel := context.WithTimeout(s.ctx, screenLimit)
	defer cancel()
	if err := chromedp.Do(ctx, chromedp.Navigate(s.site+path)); err != nil {
		return fmt.Errorf("open %s: %w", path, err)
	}
	return nil
}

// eval decodes what a script in the page gives, also when it is a promise.
func eval[T any](s *screen, script string) (T, error) {
	ctx, cancel := context.WithTimeout(s.ctx, screenLimit)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, func(p *runtime.EvaluateParams) { yes := true; p.AwaitPromise = &yes }))
	if err != nil {
		return v, fmt.Errorf("run %.60s: %w", script, err)
	}
	return v, nil
}

// lines are faults that a script found. Some pages load themselves again: until that
// is done there is nothing to look at.
func (s *screen) lines(script string) []string {
	if _, err := eval[bool](s, `document.readyState === "complete" || new Promise((ok) => addEventListener("load", () => ok(true), {once: true}))`); err != nil {
		return []string{err.Error()}
	}
	found, err := eval[[]string](s, script)
	if err != nil {
		return []string{err.Error()}
	}
	return found
}

func (s *screen) size(width, height int) error {
	return s.do(func(ctx context.Context, c *chromedp.Target) error {
		_, err := cdp.Call(ctx, c, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: int64(width), Height: int64(height), DeviceScaleFactor: 1})
		return err
	})
}

// media sets how the page is shown: "print" or "", and pairs of features.
func (s *screen) media(kind string, features ...string) error {
	p := emulation.SetEmulatedMediaParams{Media: kind}
	for i := 0; i+1 < len(features); i += 2 {
		p.Features = append(p.Features, &emulation.MediaFeature{Name: features[i], Value: features[i+1]})
	}
	return s.do(func(ctx context.Context, c *chromedp.Target) error {
		_, err := cdp.Call(ctx, c, emulation.SetEmulatedMedia, p)
		return err
	})
}

// eyes sets what the reader cannot see.
func (s *screen) eyes(lack emulation.SetEmulatedVisionDeficiencyType) error {
	return s.do(func(ctx context.Context, c *chromedp.Target) error {
		_, err := cdp.Call(ctx, c, emulation.SetEmulatedVisionDeficiency, emulation.SetEmulatedVisionDeficiencyParams{Type: lack})
		return err
	})
}

// box is a part of a page.
type box struct {
	X, Y, Width, Height float64
}

// picture takes a part of the page, or all of it.
func (s *screen) picture(part *box) (image.Image, error) {
	p := cdpage.CaptureScreenshotParams{Format: cdpage.CaptureScreenshotFormatPng}
	beyond := true
	p.CaptureBeyondViewport = &beyond
	if part != nil {
		p.Clip = &cdpage.Viewport{X: part.X, Y: part.Y, Width: part.Width, Height: part.Height, Scale: 1}
	}
	var data []byte
	var err error
	// A browser without a screen now and then never draws a tab that stands behind
	// another, so the tab is brought to the front, and asked again.
	for range pictureTries {
		err = s.within(pictureLimit, func(ctx context.Context, c *chromedp.Target) error {
			if _, err := cdp.Call(ctx, c, cdpage.BringToFront, cdp.Empty{}); err != nil {
				return err
			}
			r, err := cdp.Call(ctx, c, cdpage.CaptureScreenshot, p)
			if err == nil {
				data = r.Data
			}
			return err
		})
		if err == nil {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("take a picture: %w", err)
	}
	return png.Decode(bytes.NewReader(data))
}

// site serves the gallery as people would get it, headers included.
func (g *gallery) site(t testing.TB) string {
	t.Helper()
	pages := map[string]shown{}
	for _, s := range g.shown {
		pages[s.id()] = s
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /gallery/{id}", func(w http.ResponseWriter, r *http.Request) {
		s, ok := pages[r.PathValue("id")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		for key, values := range s.header {
			if key != "Set-Cookie" {
				w.Header()[key] = values
			}
		}
		w.WriteHeader(s.status)
		_, _ = w.Write(s.html)
	})
	mux.Handle("GET /static/", g.server.Handler())
	mux.Handle("GET /app.webmanifest", g.server.Handler())
	// A page may open its stream and register its service worker; both stay silent.
	mux.HandleFunc("GET /sw.js", func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Content-Type", "text/javascript") })
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/events") {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	srv := httptest.NewServer(mux)
	t.Cleanup(func() { srv.CloseClientConnections(); srv.Close() })
	return srv.URL
}

func quote(text string) string {
	b, _ := json.Marshal(text)
	return string(b)
}
