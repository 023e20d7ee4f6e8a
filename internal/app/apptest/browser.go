package apptest

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// pageLimit is how long a page may take on a machine that is busy with other
// tests. What people may have to wait is asserted where it matters.
const pageLimit = 20 * time.Second

// Browser is a headless Chromium.
type Browser struct {
	t   testing.TB
	ctx context.Context
}

// StartBrowser runs chromium from the PATH. Where there is none the test is not
// silently passed: on CI it fails, elsewhere it is named and left out.
func StartBrowser(t testing.TB) *Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("waits for a browser, which the race detector does not see; make test drives it")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("chromium is not on the PATH; install it")
		}
		t.Skip("NOT TESTED: chromium is not on the PATH (apt-get install chromium)")
	}
	ctx, stop := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true))...)
	t.Cleanup(stop)
	ctx, closeBrowser := chromedp.NewContext(ctx)
	t.Cleanup(closeBrowser)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return &Browser{t: t, ctx: ctx}
}

// Tab opens a tab of somebody with their own cookies, who reads lang and has a
// screen of this size.
func (b *Browser) Tab(lang string, width, height int) *Tab {
	b.t.Helper()
	ctx, closeTab := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	b.t.Cleanup(closeTab)
	tab := &Tab{t: b.t, ctx: ctx}
	if err := chromedp.Listen(ctx, tab.listen); err != nil {
		b.t.Fatalf("open a tab: %v", err)
	}
	tab.Screen(width, height)
	tab.do("prepare a tab", chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, log.Enable, cdp.Empty{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Accept-Language": lang}})
		return err
	}))
	return tab
}

// Tab is what one person has on their screen.
type Tab struct {
	t      testing.TB
	ctx    context.Context
	worker context.Context // of the service worker, once something was asked of it

	mu     sync.Mutex
	faults []string
}

// listen keeps what a page did wrong without anybody seeing it.
func (b *Tab) listen(ev any) {
	fault := ""
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
	}
	if fault != "" {
		b.mu.Lock()
		b.faults = append(b.faults, fault)
		b.mu.Unlock()
	}
}

// NoFaults fails the test if a script failed or the policy forbade something.
func (b *Tab) NoFaults() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, f := range b.faults {
		b.t.Errorf("a page did wrong: %s", f)
	}
	b.faults = nil
}

func (b *Tab) do(what string, steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pageLimit)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%s: %v\non %s", what, err, b.describe())
	}
}

// describe says what is on the screen, for the message of a failed test.
func (b *Tab) describe() string {
	ctx, cancel := context.WithTimeout(b.ctx, 2*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
	if err != nil {
		return err.Error()
	}
	return text[:min(len(text), 1500)]
}

// Open goes to an address.
func (b *Tab) Open(url string) {
	b.t.Helper()
	b.do("open "+url, chromedp.Navigate(url))
}

// Go presses what css chooses and waits for the page that follows.
func (b *Tab) Go(css string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pageLimit)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.Click(chromedp.CSS(css))); err != nil {
		b.t.Fatalf("press %s: %v\non %s", css, err, b.describe())
	}
}

// Press presses what css chooses on a page that stays.
func (b *Tab) Press(css string) {
	b.t.Helper()
	b.do("press "+css, chromedp.Click(chromedp.CSS(css)))
}

// Fill types text into the field that css chooses, in place of what it held.
func (b *Tab) Fill(css, text string) {
	b.t.Helper()
	b.do("fill "+css, chromedp.Clear(chromedp.CSS(css)), chromedp.SendKeys(chromedp.CSS(css), text))
}

// Choose gives a file to the field that css chooses.
func (b *Tab) Choose(css, file string) {
	b.t.Helper()
	b.do("choose "+file, chromedp.SetUploadFiles(chromedp.CSS(css), []string{file}))
}

// Back goes back in the history, as the browser's button does.
func (b *Tab) Back() {
	b.t.Helper()
	b.do("go back", chromedp.NavigateBack())
}

// Reload loads the page again; a browser posts a form again that led to it.
func (b *Tab) Reload() {
	b.t.Helper()
	b.do("reload", chromedp.Reload())
}

// Text returns the words that css chooses on the screen; none if nothing is there.
func (b *Tab) Text(css string) string {
	b.t.Helper()
	return Eval[string](b, `(document.querySelector(`+strconv.Quote(css)+`) || {innerText: ""}).innerText`)
}

// WaitFor waits until the words that css chooses hold part.
func (b *Tab) WaitFor(within time.Duration, css, part string) {
	b.t.Helper()
	Eventually(b.t, within, css+" to say "+part, func() (bool, string) {
		text := b.Text(css)
		return strings.Contains(text, part), text
	})
}

// Eval returns the value of a script in the page.
func Eval[T any](b *Tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pageLimit)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script))
	if err != nil {
		b.t.Fatalf("evaluate %s: %v", script, err)
	}
	return v
}

// Screen sets the size of the screen.
func (b *Tab) Screen(width, height int) {
	b.t.Helper()
	b.command("set the screen", func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: int64(width), Height: int64(height), DeviceScaleFactor: 1, Mobile: width < 700})
		return err
	})
}

// Dark chooses between dark and light, as the phone's settings do.
func (b *Tab) Dark(on bool) {
	b.t.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[on]
	b.command("choose colours", func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
		return err
	})
}

// Scripts allows or forbids the scripts of pages.
func (b *Tab) Scripts(on bool) {
	b.t.Helper()
	b.command("switch scripts", func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	})
}

// Signal gives the phone a network or takes it away.
func (b *Tab) Signal(on bool) {
	b.t.Helper()
	b.command("switch the network", func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Offline: !on, DownloadThroughput: -1, UploadThroughput: -1}}}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: !on, DownloadThroughput: -1, UploadThroughput: -1})
		return err
	})
}

func (b *Tab) command(what string, f func(context.Context, *chromedp.Target) error) {
	b.t.Helper()
	b.do(what, chromedp.Func(f))
}

// Picture returns a PNG of the whole page.
func (b *Tab) Picture() []byte {
	b.t.Helper()
	var png []byte
	yes := true
	b.command("take a picture", func(ctx context.Context, t *chromedp.Target) error {
		r, err := cdp.Call(ctx, t, page.CaptureScreenshot, page.CaptureScreenshotParams{
			Format: page.CaptureScreenshotFormatPng, CaptureBeyondViewport: &yes, OptimizeForSpeed: &yes})
		if err == nil {
			png = r.Data
		}
		return err
	})
	return png
}

// Early runs a script in every page before the page's own.
func (b *Tab) Early(script string) {
	b.t.Helper()
	b.command("prepare pages", func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	})
}
