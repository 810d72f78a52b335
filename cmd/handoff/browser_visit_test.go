package main_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"handoff"
	"handoff/internal/calcom/calsim"
)

// person is whose name must not be in any address of ours.
const person = "Zebedee Quux"

// booksThroughThePage goes the whole way of a visitor: errors first, then the
// form, the calendar in its frame, and the page that the signed webhook brings.
func booksThroughThePage(t *testing.T, browser context.Context, on screen) {
	h := startDemo(t)
	b := newTab(t, browser, on) // after the house, so that it is closed before it
	b.open(h.site + "/")
	b.press(`main a[href="/services/boiler-replacement"]`)
	b.at("/services/boiler-replacement")
	b.press(`main a[href="/start/boiler-replacement"]`)
	b.at("/start/boiler-replacement")

	b.expect("422 (Unprocessable Entity)") // Chromium's log line for the page with the errors
	b.press("form .button")
	b.until(`document.activeElement.matches(".summary") && document.title.startsWith("Error: ")`)
	if got := b.text(".summary"); !strings.HasPrefix(got, "There is a problem") || !strings.Contains(got, "Enter your name") {
		t.Errorf("the error summary says %q", got)
	}
	b.press(`.summary a[href="#name"]`)
	b.until(`document.activeElement.id === "name"`)
	reference := b.sendForm(person)

	// The calendar comes by itself, in a frame, under the strict policy.
	f := b.frame(reference)
	f.until(`getComputedStyle(document.body).visibility === "visible"`)
	b.until(`document.getElementById("calendar-facade").hidden`)
	if shifted := eval[float64](b, "window.shifted"); shifted > 0.02 {
		t.Errorf("the booking page moved by %.4f while it loaded; 0.02 is allowed", shifted)
	}
	if from := eval[string](f.tab, "document.referrer"); from != h.site+"/" {
		t.Errorf("the calendar sees the referrer %q; it may see our origin only", from)
	}

	// Until Cal.com's webhook comes, a booking in the frame is a hint.
	h.control(t, "faults", calsim.Faults{Hold: true}, nil)
	f.press(".slots button")
	chosen, err := time.Parse(time.RFC3339, eval[string](f.tab, `document.querySelector(".slots button[data-start]").dataset.start`))
	if err != nil {
		t.Fatal(err)
	}
	f.until(`document.getElementById("details").checkVisibility()`)
	for field, want := range map[string]string{"name": person, "email": emailOf(person)} {
		if got := eval[string](f.tab, `document.forms[0].elements.`+field+`.value`); got != want {
			t.Errorf("the calendar's %s is prefilled with %q, not %q", field, got, want)
		}
	}
	f.press("#confirm")
	b.until(`document.getElementById("calendar-status").textContent.startsWith("Reserved")`)
	if got := h.detail(t, reference).Stage; got != "new" {
		t.Errorf("before the webhook the lead is %s", got)
	}
	h.control(t, "faults", calsim.Faults{}, nil)
	h.control(t, "release", map[string]string{"order": "in-order"}, nil)

	b.at("/booked/" + reference)
	b.until(`document.getElementById("booked").dataset.state === "booked"`)
	shown, err := time.Parse(time.RFC3339, eval[string](b, `document.querySelector(".ticket time").dateTime`))
	if err != nil || !shown.Equal(chosen) {
		t.Errorf("chosen was %s, the page shows %s (%v)", chosen, shown, err)
	}
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := b.text(".ticket .when"), chosen.In(london).Format("15:04"); !strings.Contains(got, want) || !strings.Contains(got, "London") {
		t.Errorf("the page says %q, not %s in London", got, want)
	}
	if d := h.detail(t, reference); d.Stage != "booked" || len(d.Bookings) != 1 {
		t.Errorf("the lead is %s with %d bookings", d.Stage, len(d.Bookings))
	}
	keepsToItself(t, h, b, f)
}

// sendForm fills the boiler form in and returns the reference of the lead.
func (b *tab) sendForm(name string) string {
	b.Helper()
	b.until("performance.now() > 2100") // quicker is a machine
	for _, field := range [][2]string{
		{"#name", name}, {"#email", emailOf(name)}, {"#phone", "+44 20 7946 0001"}, {"#message", "It is cold."},
	} {
		b.fill(field[0], field[1])
	}
	b.press("#q_boiler_type")
	b.do(chromedp.SetValue(chromedp.CSS("#q_working"), "Yes, it works"))
	b.press("form .button")
	b.until(`location.pathname.startsWith("/book/") && document.readyState === "complete"`)
	return strings.TrimPrefix(eval[string](b, "location.pathname"), "/book/")
}

// keepsToItself checks whom a visit told what: nobody but us and Cal.com, in no
// address of ours who the visitor is, and Cal.com no more than where it was.
func keepsToItself(t *testing.T, h *house, b *tab, f *frame) {
	t.Helper()
	for origin := range hosts(b.requested()) {
		if origin != h.site && origin != h.cal {
			t.Errorf("the page asked %s", origin)
		}
	}
	for origin := range hosts(f.requested()) {
		if origin != h.cal {
			t.Errorf("the calendar asked %s", origin)
		}
	}
	var calendars int
	for _, r := range b.requested() {
		address := strings.ToLower(r.URL)
		if strings.Contains(address, "zebedee") || strings.Contains(address, "quux") || strings.Contains(address, "visitor.example") {
			t.Errorf("who the visitor is stands in %s", r.URL)
		}
		if strings.HasPrefix(r.URL, h.cal) {
			calendars++
			if r.Referrer != h.site+"/" {
				t.Errorf("%s was asked for with the referrer %q", r.URL, r.Referrer)
			}
		}
	}
	if calendars != 1 {
		t.Errorf("the page asked Cal.com %d times, not once for the frame", calendars)
	}
}

// nothingBeforeTheChoice: with embed: click Cal.com hears of nobody who did not ask
// for the calendar.
func nothingBeforeTheChoice(t *testing.T, browser context.Context) {
	h := startDemo(t)
	reference := h.lead(t, "leak-detection", person)
	b := newTab(t, browser, phone)
	b.open(h.site + "/book/" + reference)
	b.until(`document.getElementById("calendar-show").checkVisibility()`)
	if got := hosts(b.requested()); len(got) != 1 || !got[h.site] {
		t.Errorf("before the choice the page asked %v", got)
	}
	answer, err := http.Get(h.site + "/book/" + reference)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if link := answer.Header.Get("Link"); link != "" {
		t.Errorf("before the choice the browser is told to connect: %s", link)
	}

	b.press("#calendar-show")
	f := b.frame(reference)
	f.until(`document.querySelector(".slots button")?.checkVisibility()`)
	b.until(`document.getElementById("calendar-facade").hidden`)
	if shifted := eval[float64](b, "window.shifted"); shifted > 0.02 {
		t.Errorf("the page moved by %.4f; 0.02 is allowed", shifted)
	}
	f.press(".slots button")
	f.press("#confirm")
	b.at("/booked/" + reference)
	keepsToItself(t, h, b, f)
}

// booksWithoutJavaScript: form, link, Cal.com's own page, and the booking.
func booksWithoutJavaScript(t *testing.T, browser context.Context) {
	h := startDemo(t)
	b := newTab(t, browser, desktop)
	b.disableScripts()
	b.open(h.site + "/start/boiler-replacement")
	reference := b.sendForm(person)
	for _, gone := range []string{".slot", "#calendar-show", "#calendar-status", "iframe"} {
		if eval[bool](b, fmt.Sprintf("Boolean(document.querySelector(%q)?.checkVisibility())", gone)) {
			t.Errorf("without JavaScript %s is shown and does nothing", gone)
		}
	}

	b.press("#calendar-link")
	cal := b.opened(h.cal)
	if from := eval[string](cal, "document.referrer"); from != "" && from != h.site+"/" {
		t.Errorf("Cal.com's page was told %q; it may be told our origin only", from)
	}
	cal.disableScripts()
	cal.do(chromedp.Reload())
	cal.press("input[name=start]")
	cal.fill("input[name=name]", person)
	cal.fill("input[name=email]", emailOf(person))
	cal.press("#confirm")
	cal.until(`location.pathname.startsWith("/booking/")`)

	b.poll("the lead to be booked", func() (bool, error) { return h.detail(t, reference).Stage == "booked", nil })
	b.open(h.site + "/book/" + reference) // a second calendar is where double bookings start
	b.at("/booked/" + reference)
	if got := b.text("#booked h1"); got == "" || eval[string](b, `document.getElementById("booked").dataset.state`) != "booked" {
		t.Errorf("the booked page says %q", got)
	}
}

func (b *tab) disableScripts() {
	b.Helper()
	b.do(command(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
}

// opened waits for the tab that a link opened, and attaches to it.
func (b *tab) opened(origin string) *tab {
	b.Helper()
	var id target.ID
	b.poll("a tab of "+origin, func() (bool, error) {
		infos, err := chromedp.Targets(b.ctx)
		i := slices.IndexFunc(infos, func(info *target.Info) bool {
			return info.Type == "page" && strings.HasPrefix(info.URL, origin+"/")
		})
		if i >= 0 {
			id = infos[i].TargetID
		}
		return i >= 0, err
	})
	return b.attach(id)
}

// bySelf is how soon the desk must show what was booked. It takes less than half a
// second; the rest is for a machine that does other things too.
const bySelf = 2 * time.Second

// deskMovesByItself: an operator who looks at the leads sees one move.
func deskMovesByItself(t *testing.T, browser context.Context) {
	h := startDemo(t)
	reference := h.lead(t, "boiler-replacement", person)
	b := newTab(t, browser, desktop)
	b.signIn(h)
	b.open(h.site + "/desk/leads")
	row := fmt.Sprintf("document.getElementById(%q)", h.detail(t, reference).ID)
	b.until(row + `.dataset.stage === "New"`)
	eval[bool](b, "window.notReloaded = true")

	booked := h.book(t, surveyCall, reference)
	start := time.Now()
	b.until(row + `.dataset.stage === "Booked"`)
	if took := time.Since(start); took > bySelf {
		t.Errorf("the row moved %v after the booking", took)
	}
	h.act(t, "cancel", booked.UID)
	b.until(row + `.dataset.stage !== "Booked"`)

	second := h.lead(t, "leak-detection", "Grace Hopper")
	h.book(t, leakCall, second)
	start = time.Now()
	b.until(fmt.Sprintf(`document.getElementById(%q)?.dataset.stage === "Booked"`, h.detail(t, second).ID))
	if took := time.Since(start); took > bySelf {
		t.Errorf("a new lead was there %v after its booking", took)
	}
	if !eval[bool](b, "window.notReloaded === true") {
		t.Error("the page was loaded again, which loses the operator's place")
	}
}

// signIn opens the desk.
func (b *tab) signIn(h *house) {
	b.Helper()
	b.open(h.site + "/desk/")
	b.fill("#email", h.operator)
	b.fill("#password", h.password)
	b.press(".main-button")
	b.at("/desk/")
	b.until(`document.querySelector("main[data-live]")`)
}

// bookedPageMovesByItself: what is changed at Cal.com is shown, with event streams
// and without.
func bookedPageMovesByItself(t *testing.T, browser context.Context) {
	h := startDemo(t)
	state := func(want string) string {
		return fmt.Sprintf(`document.getElementById("booked")?.dataset.state === %q`, want)
	}
	b, poor := newTab(t, browser, desktop), newTab(t, browser, phone)
	poor.withoutStreams()
	poor.expect("NavigationEntryMarkedSkippable") // it leaves the calendar without a press

	reference := h.lead(t, "bathroom-refit", person)
	poor.open(h.site + "/book/" + reference)
	booked := h.book(t, designVisit, reference)
	poor.at("/booked/" + reference)
	poor.until(state("requested"))

	b.open(h.site + "/booked/" + reference)
	b.until(state("requested"))
	h.act(t, "accept", booked.UID)
	b.until(state("booked"))
	poor.until(state("booked"))
	h.act(t, "cancel", booked.UID)
	b.until(state("cancelled"))
	poor.until(state("cancelled"))
	if got := h.detail(t, reference).Stage; got != handoff.Stage("rebook") {
		t.Errorf("the lead is %s", got)
	}
}
