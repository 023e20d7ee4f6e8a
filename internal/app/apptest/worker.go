package apptest

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
)

// Before runs a script in every page of the tab before its own scripts.
func (b *Tab) Before(script string) {
	b.t.Helper()
	b.command("add a script", func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: script})
		return err
	})
}

// Permission answers the browser's question for notifications beforehand:
// granted, denied or prompt.
func (b *Tab) Permission(setting string) {
	b.t.Helper()
	id := chromedp.FromContext(b.ctx).BrowserContextID
	ctx, cancel := context.WithTimeout(b.ctx, pageLimit)
	defer cancel()
	if _, err := chromedp.CallBrowser(ctx, browser.SetPermission, browser.SetPermissionParams{
		Permission: &browser.PermissionDescriptor{Name: "notifications"}, Setting: browser.PermissionSetting(setting), BrowserContextID: id}); err != nil {
		b.t.Fatalf("set the permission: %v", err)
	}
}

// Authenticator gives the tab a device that keeps passkeys and knows its owner.
func (b *Tab) Authenticator() {
	b.t.Helper()
	b.command("add an authenticator", func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true,
			HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}})
		return err
	})
}

// Cookie returns what the tab holds under a name, also where no script can see it.
func (b *Tab) Cookie(name string) string {
	b.t.Helper()
	value := ""
	b.command("read a cookie", func(ctx context.Context, t *chromedp.Target) error {
		all, err := cdp.Call(ctx, t, network.GetCookies, network.GetCookiesParams{})
		for _, c := range all.Cookies {
			if c.Name == name {
				value = c.Value
			}
		}
		return err
	})
	return value
}

// Await returns what the promise of a script in the page gives.
func Await[T any](b *Tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, pageLimit)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("await %s: %v", script, err)
	}
	return v
}

// Type types text into an empty field.
func (b *Tab) Type(css, text string) {
	b.t.Helper()
	b.do("type into "+css, chromedp.SendKeys(chromedp.CSS(css), text))
}

// attach attaches to the service worker of the tab's site, which then stays awake.
func (b *Tab) attach() context.Context {
	b.t.Helper()
	if b.worker != nil {
		return b.worker
	}
	Await[bool](b, `navigator.serviceWorker.ready.then(() => fetch("/livez")).catch(() => 1).then(() => true)`) // wakes it
	Eventually(b.t, pageLimit, "a service worker", func() (bool, string) {
		all, err := chromedp.Targets(b.ctx)
		if err != nil {
			return false, err.Error()
		}
		for _, info := range all {
			if info.Type == "service_worker" && strings.HasSuffix(info.URL, "/sw.js") && info.BrowserContextID == chromedp.FromContext(b.ctx).BrowserContextID {
				ctx, detach := chromedp.NewContext(b.ctx, chromedp.WithTargetID(info.TargetID), chromedp.WithDetachOnCancel())
				b.t.Cleanup(detach)
				// What is attached first lives as long as the context it is given.
				if err := chromedp.Do(ctx); err != nil {
					return false, err.Error()
				}
				b.worker = ctx
				return true, ""
			}
		}
		return false, "none is running"
	})
	return b.worker
}

// WorkerSignal gives the service worker a network or takes it away, as Signal
// does for the page.
func (b *Tab) WorkerSignal(on bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.attach(), pageLimit)
	defer cancel()
	err := chromedp.Do(ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		if _, err := cdp.Call(ctx, t, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, t, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
			MatchedNetworkConditions: []*network.Conditions{{Offline: !on, DownloadThroughput: -1, UploadThroughput: -1}}})
		return err
	}))
	if err != nil {
		b.t.Fatalf("switch the network of the service worker: %v", err)
	}
}

// Worker runs a script in the service worker of the tab's site and returns what
// the script's promise gives.
func Worker[T any](b *Tab, script string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.attach(), pageLimit)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("(async () => JSON.stringify((await ("+script+")) ?? null))()", chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("run in the service worker: %v\n%s", err, script)
	}
	var out T
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		b.t.Fatalf("read what the service worker gave: %v: %s", err, text)
	}
	return out
}

// On is the same browser for a part of a test: what fails, fails there.
func (b *Browser) On(t testing.TB) *Browser { return &Browser{t: t, ctx: b.ctx} }
