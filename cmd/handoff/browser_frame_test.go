package main_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
)

// A stranger is a web server that plays Cal.com badly, and the rest of the web.
type stranger struct {
	*httptest.Server
}

// newStranger serves at an address of loopback:
//
//	…/survey-call/embed   a page that says nothing; it keeps what it hears in heard
//	…/design-visit/embed  a connection that breaks
//	everything else       an empty page
func newStranger(t *testing.T, address string) stranger {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	s := stranger{&httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/design-visit/embed") {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = io.WriteString(w, `<!doctype html><title>Calendar</title><link rel="icon" href="data:,">
<script>var heard = []; addEventListener("message", (e) => heard.push(e.data));</script>`)
	})}}}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// post sends a message from a window to the page around it, or from the page's
// own window to itself, and returns when the page has had it: messages of one
// window arrive in their order.
func (b *tab) post(page *tab, message string) {
	b.Helper()
	mark := fmt.Sprintf("mark %d", time.Now().UnixNano())
	eval[bool](page, fmt.Sprintf(`(() => {
	addEventListener("message", function mark(e) {
		if (e.data !== %q) return;
		removeEventListener("message", mark);
		window.marked = e.data;
	});
	return true;
})()`, mark))
	eval[bool](b, fmt.Sprintf(`(() => { parent.postMessage(%s, "*"); parent.postMessage(%q, "*"); return true; })()`, message, mark))
	page.until(fmt.Sprintf("window.marked === %q", mark))
}

// last sends a message after which the page removes the frame: nothing that comes
// behind it would arrive, and the frame's window may not outlive it.
func (b *tab) last(message string) {
	b.Helper()
	eval[bool](b, fmt.Sprintf(`(() => { setTimeout(() => parent.postMessage(%s, "*"), 50); return true; })()`, message))
}

// cal is a message as Cal.com's frame sends it.
func cal(kind, data string) string {
	return fmt.Sprintf(`{originator: "CAL", namespace: "handoff", type: %[1]q, fullType: "CAL:handoff:%[1]s", data: %[2]s}`, kind, data)
}

// looks is everything about the booking page that a message can change.
func (b *tab) looks() string {
	b.Helper()
	v := eval[map[string]any](b, `(() => {
	const $ = (id) => document.getElementById(id), frame = document.querySelector("#calendar iframe");
	return {
		address: location.href, frame: frame?.src, height: frame?.style.height, box: frame?.clientHeight,
		slot: $("calendar").className, state: $("calendar").dataset.state, facade: $("calendar-facade").outerHTML,
		status: $("calendar-status").textContent, scroll: scrollY, title: document.title,
	};
})()`)
	out, err := json.Marshal(v)
	if err != nil {
		b.Fatal(err)
	}
	return string(out)
}

// forgeries are messages of the right shape. From anybody but the calendar's own
// window at Cal.com's origin they must change nothing.
var forgeries = []string{
	cal("linkReady", "{}"),
	cal("__iframeReady", "{}"),
	cal("__dimensionChanged", "{iframeHeight: 31337, iframeWidth: 31337}"),
	cal("__routeChanged", "{}"),
	cal("bookingSuccessfulV2", `{uid: "forged", status: "ACCEPTED"}`),
	cal("bookingSuccessfulV2", `{uid: "forged", paymentRequired: true}`),
	cal("bookingSuccessful", `{}`),
	cal("rescheduleBookingSuccessfulV2", `{uid: "forged"}`),
	cal("linkFailed", `{code: 404}`),
}

// nonsense changes nothing even from the calendar's own window.
var nonsense = []string{
	`null`, `undefined`, `42`, `"linkFailed"`, `[]`, `["CAL", "linkFailed"]`, `{}`, `new Date()`,
	`{originator: "CAL"}`, `{originator: "CAL", type: null}`, `{originator: "CAL", type: {toString: 1}}`,
	`{originator: "EVIL", type: "linkFailed", data: {}}`, `{type: "linkFailed"}`,
	cal("__proto__", "{}"), cal("constructor", "null"), cal("dryRunBookingSuccessfulV2", "{}"),
	cal("__dimensionChanged", "null"), cal("__dimensionChanged", `{iframeHeight: "tall"}`),
	cal("__dimensionChanged", `{iframeHeight: -31337}`), cal("__dimensionChanged", `{iframeHeight: NaN}`),
}

// forgedMessages come from every window but the right one.
func forgedMessages(t *testing.T, browser context.Context) {
	calcom, evil := newStranger(t, "127.0.0.2"), newStranger(t, "127.0.0.3")
	h := startWith(t, calcom.URL)
	reference := h.lead(t, "boiler-replacement", person)
	b := newTab(t, browser, desktop)
	// The policy lets no other origin into a frame at all. Here it is lifted, to
	// see that the script does not lean on it.
	b.do(command(page.SetBypassCSP, page.SetBypassCSPParams{Enabled: true}))
	b.open(h.site + "/book/" + reference)
	f := b.frame(reference)
	f.post(b, cal("__dimensionChanged", "{iframeHeight: 700}"))
	before := b.looks()

	unmoved := func(from, message string) {
		t.Helper()
		if after := b.looks(); after != before {
			t.Errorf("from %s: %s changed the page\nfrom %s\nto   %s", from, message, before, after)
			before = after
		}
	}
	frames := map[string]*tab{"the page's own window": b}
	for name, origin := range map[string]string{"another frame of Cal.com": calcom.URL, "another site's frame": evil.URL} {
		eval[bool](b, fmt.Sprintf(`(() => {
	const more = document.createElement("iframe");
	more.src = %q;
	document.body.append(more);
	return true;
})()`, origin+"/other-"+reference))
		frames[name] = b.frame(origin + "/other-" + reference).tab
	}
	for name, from := range frames {
		for _, message := range append(forgeries, nonsense...) {
			from.post(b, message)
			unmoved(name, message)
		}
	}
	for _, message := range nonsense {
		f.post(b, message)
		unmoved("the calendar", message)
	}

	// The right window, gone to another origin.
	eval[bool](b, fmt.Sprintf(`(() => { document.querySelector("#calendar iframe").contentWindow.location = %q; return true; })()`, evil.URL+"/gone-"+reference))
	gone := b.frame(evil.URL + "/gone-" + reference)
	for _, message := range append(forgeries, nonsense...) {
		gone.post(b, message)
		unmoved("the calendar's window at another origin", message)
	}
	if got := eval[int](gone.tab, "heard.length"); got != 0 {
		t.Errorf("the page told another origin %d things, perhaps who the visitor is", got)
	}
	if got := h.detail(t, reference); got.Stage != "new" || len(got.History) != 1 {
		t.Errorf("the lead is %s with %d changes", got.Stage, len(got.History))
	}
}

// frameIsBelievedNothing: even the real frame only changes what the page shows.
func frameIsBelievedNothing(t *testing.T, browser context.Context) {
	calcom := newStranger(t, "127.0.0.2")
	h := startWith(t, calcom.URL)
	reference := h.lead(t, "boiler-replacement", person)
	b := newTab(t, browser, phone)
	b.open(h.site + "/book/" + reference)
	f := b.frame(reference)

	f.post(b, cal("__iframeReady", "{}"))
	f.until(`heard.map((m) => m.method).join() === "ui,parentKnowsIframeReady"`)
	f.post(b, cal("linkReady", "{}"))
	f.until(`heard.at(-1).method === "connect"`)
	config := eval[map[string]string](f.tab, "heard.at(-1).arg.config")
	if config["name"] != person || config["email"] != emailOf(person) || config["submissionId"] != reference || config["metadata[submissionId]"] != reference {
		t.Errorf("the calendar is told %v", config)
	}
	f.post(b, cal("linkReady", "{}")) // Cal.com's answer to connect
	f.post(b, cal("linkReady", "{}"))
	if got := eval[int](f.tab, "heard.length"); got != 3 {
		t.Errorf("the calendar heard %d things: linkReady is answered again and again", got)
	}

	f.post(b, cal("__dimensionChanged", "{iframeHeight: 31337}"))
	if got := eval[int](b, `document.querySelector("iframe").clientHeight`); got != 5000 {
		t.Errorf("the frame made itself %d pixels high; 5000 are allowed", got)
	}
	f.post(b, cal("__dimensionChanged", "{iframeHeight: 10}"))
	if got := eval[int](b, `document.querySelector("iframe").clientHeight`); got != 5000 {
		t.Errorf("the frame shrank to %d pixels, under the visitor's eyes", got)
	}

	b.show(desktop) // as a phone that is turned
	f.post(b, cal("__dimensionChanged", "{iframeHeight: 700}"))
	if got := eval[int](b, `document.querySelector("iframe").clientHeight`); got != 700 {
		t.Errorf("at another width the frame is %d pixels high, not the 700 it needs", got)
	}
	b.show(phone)

	// It cannot lead the visitor away.
	f.expect("navigat")
	b.expect("navigat")
	eval[bool](f.tab, `(() => { try { top.location = "http://127.0.0.3/" } catch {} return true })()`)

	// It cannot book: the page asks the server, which knows better.
	asked := b.count("/status")
	f.post(b, cal("bookingSuccessfulV2", `{uid: "forged", status: "ACCEPTED"}`))
	b.until(`document.getElementById("calendar-status").textContent.startsWith("Reserved")`)
	b.poll("the page to ask the server twice", func() (bool, error) { return b.count("/status") > asked+1, nil })
	if at := eval[string](b, "location.href"); at != h.site+"/book/"+reference {
		t.Errorf("the page left for %s", at)
	}
	if got := h.detail(t, reference); got.Stage != "new" || len(got.History) != 1 || len(got.Bookings) != 0 {
		t.Errorf("the lead is %s with %d changes and %d bookings", got.Stage, len(got.History), len(got.Bookings))
	}

	f.last(cal("linkFailed", "{code: 404}"))
	b.until(`!document.querySelector("#calendar iframe")`)
	b.offersLink(t, "linkFailed")
}

// count is how many requests were made for addresses with an end.
func (b *tab) count(end string) (n int) {
	for _, r := range b.requested() {
		if strings.HasSuffix(r.URL, end) {
			n++
		}
	}
	return n
}

// silentCalendar: a frame that was blocked, is broken or says nothing fires no
// event, so after 8 seconds a link is offered.
func silentCalendar(t *testing.T, browser context.Context) {
	calcom := newStranger(t, "127.0.0.2")
	h := startWith(t, calcom.URL)
	silent, broken := newTab(t, browser, desktop), newTab(t, browser, phone)
	broken.expect("net::ERR_EMPTY_RESPONSE")
	broken.expect("chrome-error://")
	reference := h.lead(t, "boiler-replacement", person)
	silent.open(h.site + "/book/" + reference)
	broken.open(h.site + "/book/" + h.lead(t, "bathroom-refit", person))

	for name, b := range map[string]*tab{"silent": silent, "broken": broken} {
		b.until(`document.querySelector("#calendar-facade a.button")?.checkVisibility()`)
		// The page is not older than this, and the timer did not start before it.
		if after := eval[float64](b, "performance.now()"); after < 8000 {
			t.Errorf("%s: the link was offered after %.0f ms already", name, after)
		}
		b.offersLink(t, name)
	}
	if got := silent.text("#calendar-note"); !strings.Contains(got, "slow") {
		t.Errorf("silent: the page says %q", got)
	}

	// It was only slow.
	f := silent.frame(reference)
	f.post(silent, cal("__iframeReady", "{}"))
	f.post(silent, cal("linkReady", "{}"))
	silent.until(`document.getElementById("calendar-facade").hidden`)
}

// offersLink checks that the plain link stands where the calendar would.
func (b *tab) offersLink(t *testing.T, name string) {
	t.Helper()
	got := eval[map[string]any](b, `(() => {
	const a = document.querySelector("#calendar-facade a.button"), r = a.getBoundingClientRect();
	const top = document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2);
	return { href: a.href, same: a.href === document.getElementById("calendar-link").href, seen: r.bottom <= innerHeight && top === a,
		referrer: a.referrerPolicy, height: r.height };
})()`)
	if href, _ := got["href"].(string); got["same"] != true || got["seen"] != true || got["referrer"] != "strict-origin" || strings.Contains(href, "/embed") {
		t.Errorf("%s: the link offered is %v", name, got)
	}
}
