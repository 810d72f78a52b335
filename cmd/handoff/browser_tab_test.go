package main_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

const (
	chromium = "/usr/bin/chromium"
	patience = 20 * time.Second // until a condition that must come counts as missing
)

// newBrowser starts one Chromium that can reach nothing but loopback. A machine
// without it fails the test: a guard that is skipped guards nothing.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	if _, err := os.Stat(chromium); err != nil {
		t.Fatalf("the browser tests need Chromium (make deps installs it): %v", err)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.UserDataDir(t.TempDir()), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE 127.0.0.2, EXCLUDE 127.0.0.3, EXCLUDE localhost"),
		chromedp.Flag("lang", "en-GB"), chromedp.Env("TZ=Europe/London", "LANGUAGE=en_GB"))
	ctx, cancel := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), opts...)
	t.Cleanup(cancel)
	ctx, _ = chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {}), chromedp.WithLogf(func(string, ...any) {}))
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	t.Cleanup(func() { // waits until it is gone, so that its profile can be removed
		end, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := chromedp.Cancel(end); err != nil {
			t.Logf("ending Chromium: %v", err)
		}
	})
	return ctx
}

// A screen is what a tab is shown on.
type screen struct {
	width, height int64
	phone         bool // with touch, as mobile browsers lay pages out
}

var (
	desktop = screen{1280, 800, false}
	phone   = screen{390, 844, true}
	narrow  = screen{320, 640, true}
)

// A tab is one page in a browser profile of its own. It keeps what went wrong in
// it, and the test fails at its end if anything did that was not expected.
type tab struct {
	testing.TB
	ctx context.Context

	mu       sync.Mutex
	requests []request
	faults   []string // CSP violations, errors on the console, issues
	expected []string // parts of faults that the test causes on purpose
}

// A request is one that the page made, its frames' documents included.
type request struct {
	URL, Referrer string
	Type          network.ResourceType
}

// onEveryDocument reports what the protocol has no event for.
const onEveryDocument = `
addEventListener("securitypolicyviolation", (e) => console.error("violates CSP: " + e.effectiveDirective + " " + e.blockedURI + " in " + e.sourceFile));
window.shifted = 0;
new PerformanceObserver((list) => {
  for (const e of list.getEntries()) if (!e.hadRecentInput) window.shifted += e.value;
}).observe({ type: "layout-shift", buffered: true });
`

func newTab(t testing.TB, browser context.Context, on screen) *tab {
	t.Helper()
	b := &tab{TB: t}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.hear))
	b.ctx = ctx
	t.Cleanup(func() {
		if t.Failed() {
			b.shoot(filepath.Join(t.ArtifactDir(), "failed.png"), false)
		}
		cancel()
		for _, f := range b.unexpected() {
			t.Error(f)
		}
	})
	b.do(chromedp.Steps(
		command(audits.Enable, cdp.Empty{}),
		command(cdplog.Enable, cdp.Empty{}),
		command(network.Enable, network.EnableParams{}),
		command(emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}),
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: onEveryDocument})
			return err
		}),
	))
	b.show(on)
	return b
}

// command makes an action of a protocol command without a result.
func command[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

// show changes the screen.
func (b *tab) show(on screen) {
	b.Helper()
	if on.phone {
		b.do(chromedp.EmulateViewport(on.width, on.height, chromedp.EmulateMobile, chromedp.EmulateTouch, chromedp.EmulatePortrait))
		return
	}
	b.do(chromedp.EmulateViewport(on.width, on.height))
}

// media sets media features, such as prefers-color-scheme: dark.
func (b *tab) media(features ...string) {
	b.Helper()
	p := emulation.SetEmulatedMediaParams{}
	for _, f := range features {
		name, value, _ := strings.Cut(f, ": ")
		p.Features = append(p.Features, &emulation.MediaFeature{Name: name, Value: value})
	}
	b.do(command(emulation.SetEmulatedMedia, p))
}

// hear is called for each event of the page, in order.
func (b *tab) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		from, _ := e.Request.Headers["Referer"].(string)
		b.requests = append(b.requests, request{e.Request.URL, from, e.Type})
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			b.faults = append(b.faults, "console: "+arguments(e.Args))
		}
	case *runtime.EventExceptionThrown:
		b.faults = append(b.faults, "exception: "+e.ExceptionDetails.Text+" "+description(e.ExceptionDetails.Exception))
	case *cdplog.EventEntryAdded:
		if e.Entry.Level == cdplog.EntryLevelError || e.Entry.Level == cdplog.EntryLevelWarning {
			b.faults = append(b.faults, fmt.Sprintf("log: %s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL))
		}
	case *audits.EventIssueAdded:
		details, _ := json.Marshal(e.Issue.Details)
		b.faults = append(b.faults, fmt.Sprintf("issue: %s %s", e.Issue.Code, details))
	}
}

func arguments(args []*runtime.RemoteObject) string {
	var out []string
	for _, a := range args {
		out = append(out, description(a))
	}
	return strings.Join(out, " ")
}

func description(o *runtime.RemoteObject) string {
	switch {
	case o == nil:
		return ""
	case o.Description != "":
		return o.Description
	}
	return string(o.Value)
}

// expect names a part of the faults that a test causes on purpose.
func (b *tab) expect(part string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expected = append(b.expected, part)
}

func (b *tab) unexpected() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.faults), func(f string) bool {
		return slices.ContainsFunc(b.expected, func(part string) bool { return strings.Contains(f, part) })
	})
}

// requested are the requests so far.
func (b *tab) requested() []request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.requests)
}

// do runs actions, or ends the test.
func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := b.limited()
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.Fatal(err)
	}
}

// limited bounds a call by patience. The first one starts the tab, whose life is
// that of the call's context, and must not be bounded.
func (b *tab) limited() (context.Context, context.CancelFunc) {
	if chromedp.FromContext(b.ctx).Target == nil {
		return b.ctx, func() {}
	}
	return context.WithTimeout(b.ctx, patience)
}

// open goes to an address and waits until it has loaded.
func (b *tab) open(address string) {
	b.Helper()
	b.do(chromedp.Navigate(address))
}

// eval evaluates an expression in the page. A promise is waited for.
func eval[T any](b *tab, expression string) T {
	b.Helper()
	v, err := tryEval[T](b, expression)
	if err != nil {
		b.Fatalf("%s: %v", expression, err)
	}
	return v
}

func tryEval[T any](b *tab, expression string) (T, error) {
	ctx, cancel := b.limited()
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
}

// until waits for an expression to be true, also across navigations. Of a page that is
// still coming nothing is true yet: what is read next may not be there.
func (b *tab) until(expression string) {
	b.Helper()
	whole := "document.readyState !== 'loading' && Boolean(" + expression + ")"
	b.poll(expression, func() (bool, error) { return tryEval[bool](b, whole) })
}

// poll asks until the answer is yes; a page that is being left may fail to answer.
func (b *tab) poll(what string, ask func() (bool, error)) {
	b.Helper()
	var last error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		ok, err := ask()
		if ok {
			return
		}
		last = err
	}
	b.Fatalf("waited in vain for: %s (%v)", what, last)
}

// at waits until the page at a path is there and complete.
func (b *tab) at(path string) {
	b.Helper()
	b.until(fmt.Sprintf("location.pathname === %q && document.readyState === 'complete'", path))
}

// text is the visible text of the first element that matches.
func (b *tab) text(selector string) string {
	b.Helper()
	return eval[string](b, fmt.Sprintf("document.querySelector(%q)?.innerText ?? ''", selector))
}

// press puts the pointer, or a finger, on the middle of an element and presses it.
// Whatever lies above the element takes the press, as it would a person's.
func (b *tab) press(selector string) {
	b.Helper()
	b.until(fmt.Sprintf("document.querySelector(%q)?.checkVisibility()", selector))
	b.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(toMiddle, selector)))
	b.pressAt(b.resting(selector, func() (point, error) { return tryEval[point](b, fmt.Sprintf(middle, selector)) }))
}

type point struct{ X, Y float64 }

// toMiddle scrolls an element to the middle of the window, and of the page's
// around it; middle says where it is.
const (
	toMiddle = `document.querySelector(%q).scrollIntoView({ block: "center", behavior: "instant" })`
	middle   = `(() => {
  const r = document.querySelector(%q).getBoundingClientRect();
  return { X: r.x + r.width / 2, Y: r.y + r.height / 2 };
})()`
)

// resting waits until a place moves no more, as a person does before pressing.
func (b *tab) resting(what string, where func() (point, error)) point {
	b.Helper()
	var last point
	same := 0
	b.poll(what+" to rest", func() (bool, error) {
		p, err := where()
		if err != nil || p != last {
			same = 0
		}
		last = p
		same++
		return same > 4, err
	})
	return last
}

func (b *tab) pressAt(p point) {
	b.Helper()
	if eval[bool](b, `matchMedia("(pointer: coarse)").matches`) {
		b.do(chromedp.TapXY(p.X, p.Y))
		return
	}
	b.do(chromedp.MouseClickXY(p.X, p.Y))
}

// fill types into a field.
func (b *tab) fill(selector, value string) {
	b.Helper()
	// In the page, and again until it holds: of one that is still coming the driver knows no
	// nodes for long.
	b.until(fmt.Sprintf("document.readyState === 'complete' && (document.querySelector(%[1]q)?.focus(), document.activeElement?.matches(%[1]q))", selector))
	b.do(chromedp.Steps(insert(value)))
}

func insert(text string) chromedp.Action[chromedp.Void] {
	return command(input.InsertText, input.InsertTextParams{Text: text})
}

// shoot writes a picture of the page, or of all that can be scrolled to.
func (b *tab) shoot(file string, whole bool) {
	ctx, cancel := b.limited()
	defer cancel()
	take := chromedp.CaptureScreenshot()
	if whole {
		take = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(ctx, take)
	if err == nil {
		err = os.WriteFile(file, png, 0o644)
	}
	if err != nil {
		b.Logf("no picture: %v", err)
		return
	}
}

// A frame is the calendar's frame in a page. It is of another site, so Chromium
// gives it a process, and the protocol a target, of its own.
type frame struct {
	*tab
	page *tab
}

// frame waits for the page's frame whose address holds a text, such as the
// reference, and attaches to it.
func (b *tab) frame(part string) *frame {
	b.Helper()
	var id target.ID
	b.poll("a frame of "+part, func() (bool, error) {
		infos, err := chromedp.Targets(b.ctx)
		i := slices.IndexFunc(infos, func(info *target.Info) bool {
			return info.Type == "iframe" && strings.Contains(info.URL, part)
		})
		if i >= 0 {
			id = infos[i].TargetID
		}
		return i >= 0, err
	})
	return &frame{b.attach(id), b}
}

// attach makes a tab of a frame of this one, or of a tab that it opened.
func (b *tab) attach(id target.ID) *tab {
	b.Helper()
	other := &tab{TB: b.TB}
	var cancel context.CancelFunc
	other.ctx, cancel = chromedp.NewContext(b.ctx, chromedp.WithTargetID(id), chromedp.WithDetachOnCancel(), chromedp.WithListener(other.hear))
	b.Cleanup(func() {
		cancel()
		for _, f := range other.unexpected() {
			b.Errorf("in %s: %s", id, f)
		}
	})
	other.do(command(network.Enable, network.EnableParams{}), command(cdplog.Enable, cdp.Empty{}))
	return other
}

// withoutStreams keeps the tab from server-sent events, as some proxies do.
func (b *tab) withoutStreams() {
	b.Helper()
	b.expect("net::ERR_BLOCKED_BY_CLIENT")
	b.do(command(network.SetBlockedURLs, network.SetBlockedURLsParams{
		URLPatterns: []*network.BlockPattern{{URLPattern: "*://*:*/*/events", Block: true}},
	}))
}

// press presses an element of the frame through the page around it, so that what
// covers the frame would take the press.
func (f *frame) press(selector string) {
	f.Helper()
	f.until(fmt.Sprintf("document.querySelector(%q)?.checkVisibility()", selector))
	f.do(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(toMiddle, selector)))
	f.page.pressAt(f.resting(selector, func() (point, error) {
		in, err := tryEval[point](f.tab, fmt.Sprintf(middle, selector))
		out, err2 := tryEval[point](f.page, `(() => { const r = document.querySelector("iframe").getBoundingClientRect(); return { X: r.x, Y: r.y }; })()`)
		return point{in.X + out.X, in.Y + out.Y}, errors.Join(err, err2)
	}))
}

// hosts are the origins of requests.
func hosts(requests []request) map[string]bool {
	out := map[string]bool{}
	for _, r := range requests {
		if u, err := url.Parse(r.URL); err == nil && u.Scheme != "data" && u.Scheme != "blob" {
			out[u.Scheme+"://"+u.Host] = true
		}
	}
	return out
}
