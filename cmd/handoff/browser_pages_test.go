package main_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"handoff"
	"handoff/internal/app"
	"handoff/internal/calcom/calsim"
	"handoff/internal/store"
)

// pictures is the environment variable that names a folder for a picture of each
// page, for a person to look at.
const pictures = "HANDOFF_PICTURES"

// forReadme are pages whose pictures stand in the README.
var forReadme = map[string]struct {
	file string
	screen
}{
	"book":       {"booking.png", screen{1280, 980, false}},
	"desk-leads": {"desk.png", screen{1280, 640, false}},
}

// A look is one page to look at.
type look struct {
	name, address string
	ready         string // an expression that is true when there is no more to come
	do            func(*tab)
}

// everyPage fills a house with leads in many stages, and names each page of it.
func everyPage(t *testing.T, h *house) []look {
	t.Helper()
	booked := func(service string, eventType int, name string, action ...string) string {
		reference := h.lead(t, service, name, "newsletter")
		uid := h.book(t, eventType, reference).UID
		for _, a := range action {
			h.act(t, a, uid)
		}
		return reference
	}
	cancelled := booked("leak-detection", leakCall, "Tomasz Nowak", "cancel")
	booked("boiler-replacement", surveyCall, "Priscilla Owusu", "meeting-ended")
	rejected := booked("bathroom-refit", designVisit, "Émile Roux", "reject")
	h.control(t, "generation", map[string]string{"generation": "caldiy"}, nil) // the older one does not tell it from a cancellation
	moved := booked("boiler-replacement", surveyCall, "Hannah Weiss", "request-reschedule")
	twice := booked("boiler-replacement", surveyCall, "Imran Qureshi")
	h.book(t, surveyCall, twice)
	both := booked("boiler-replacement", surveyCall, "Bartholomew Featherstonehaugh")
	h.book(t, surveyCall, both)
	free := h.lead(t, "boiler-replacement", "Grace Hopper", "google")
	requested := booked("bathroom-refit", designVisit, "Mei-Ling Tan")
	standing := booked("boiler-replacement", surveyCall, "Zebedee Quux")
	click := h.lead(t, "leak-detection", "Katherine Johnson", "bing")
	h.control(t, "faults", calsim.Faults{Forge: true, Count: 1}, nil)
	h.act(t, "no-show", h.book(t, surveyCall, "").UID)
	for reference, stage := range map[string]string{standing: "booked", requested: "requested", cancelled: "rebook", rejected: "rebook", moved: "rebook", twice: "booked"} {
		for end := time.Now().Add(patience); string(h.detail(t, reference).Stage) != stage; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("a lead is %s, not %s", h.detail(t, reference).Stage, stage)
			}
		}
	}
	for end := time.Now().Add(patience); len(h.detail(t, twice).Bookings) < 2 || len(h.detail(t, both).Bookings) < 2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a second call is not there")
		}
	}
	wanted := h.detail(t, both)
	if _, err := h.db.WantCalls(t.Context(), handoff.Actor{Name: h.operator, Role: handoff.RoleOperator}, h.siteID, wanted.ID,
		[]handoff.BookingKey{wanted.Bookings[0].BookingKey, wanted.Bookings[1].BookingKey}); err != nil {
		t.Fatal(err)
	}
	worked := h.detail(t, twice)
	note := "Called on Tuesday: the boiler is from 1998, and they have two offers already.\nCall again after the survey."
	if _, err := h.db.AddNote(t.Context(), handoff.CommandLine, h.siteID, worked.ID, note); err != nil {
		t.Fatal(err)
	}
	if _, err := h.db.SetStage(t.Context(), handoff.CommandLine, h.siteID, worked.ID, worked.Stage, "won", handoff.DefaultPipeline()); err != nil {
		t.Fatal(err)
	}
	if err := h.db.PutView(t.Context(), handoff.Actor{Name: h.operator}, store.View{Name: "From the newsletter", Query: "source=newsletter"}); err != nil {
		t.Fatal(err)
	}
	h.yesterday(t)
	h.visits(t)
	invitation := h.people(t)
	waiting := h.waitsFor(t, handoff.NoReference)
	state := func(s string) string { return `document.getElementById("booked").dataset.state === "` + s + `"` }
	h.makeKeys(t)
	return []look{
		{name: "home", address: "/"},
		{name: "service", address: "/services/boiler-replacement"},
		{name: "start", address: "/start/boiler-replacement"},
		{name: "start-errors", address: "/start/boiler-replacement", do: func(b *tab) {
			b.expect("422 (Unprocessable Entity)")
			b.fill("#email", "ada@")
			b.press("form .button")
			b.until(`document.querySelector(".summary")`)
		}},
		{name: "book", address: "/book/" + free, ready: `document.getElementById("calendar-facade").hidden && document.querySelector("iframe").style.height`},
		{name: "book-click", address: "/book/" + click},
		{name: "booked-none", address: "/booked/" + free, ready: state("none")},
		{name: "booked", address: "/booked/" + standing, ready: state("booked")},
		{name: "booked-requested", address: "/booked/" + requested, ready: state("requested")},
		{name: "booked-cancelled", address: "/booked/" + cancelled, ready: state("cancelled")},
		{name: "booked-rejected", address: "/booked/" + rejected, ready: state("rejected")},
		{name: "booked-moved", address: "/booked/" + moved, ready: state("reschedule_requested")},
		{name: "booked-twice", address: "/booked/" + twice, ready: state("booked")},
		{name: "posts", address: "/posts"},
		{name: "post", address: "/posts/read-your-water-meter"},
		{name: "about", address: "/about"},
		{name: "privacy", address: "/privacy"},
		{name: "not-found", address: "/no-such-page", do: func(b *tab) { b.expect("404 (Not Found)") }},
		{name: "desk-today", address: "/desk/"},
		{name: "desk-numbers", address: "/desk/numbers"},
		{name: "desk-sites", address: "/desk/sites"},
		{name: "desk-site", address: "/desk/sites/" + h.siteID},
		{name: "desk-leads", address: "/desk/leads"},
		{name: "desk-narrowed", address: "/desk/leads?source=newsletter"},
		{name: "desk-board", address: "/desk/board"},
		{name: "desk-keys", address: "/desk/keys"},
		{name: "desk-api-keys", address: "/desk/api-keys"},
		{name: "desk-api-key-made", address: "/desk/api-keys", do: func(b *tab) {
			b.fill("#name", "Website reports")
			b.press(`input[value="leads:read"]`)
			b.press(".make button")
			b.until(`document.querySelector(".token")?.value.startsWith("hk_")`)
			b.copies("token")
		}},
		{name: "desk-lead", address: "/desk/leads/" + string(worked.ID)},
		{name: "desk-lead-wanted", address: "/desk/leads/" + string(wanted.ID)},
		{name: "desk-received", address: "/desk/leads/" + string(worked.ID) + "/received/" + worked.Facts[0].ID},
		{name: "desk-error", address: "/desk/leads/nothing"},
		{name: "desk-failures", address: "/desk/failures"},
		{name: "desk-failure", address: "/desk/failures/" + string(waiting)},
		{name: "desk-failure-all", address: "/desk/failures?settled=1"},
		{name: "desk-failure-list", address: "/desk/failures?reason=no_reference"},
		{name: "desk-reminders", address: "/desk/reminders"},
		{name: "stop", address: "/stop/" + h.stopReference(t, free)},
		{name: "desk-statements", address: "/desk/statements"},
		{name: "desk-account", address: "/desk/account"},
		{name: "desk-people", address: "/desk/people"},
		{name: "desk-people-change", address: "/desk/people", do: func(b *tab) {
			b.press(".person details summary")
			b.until(`document.querySelector(".person details[open]")`)
		}},
		{name: "desk-link", address: "/desk/people", do: func(b *tab) {
			b.fill("#email", "rosa@brightwater.example")
			b.press("form[action='/desk/people/invite'] .main-button")
			b.until(`document.getElementById("link")?.value.includes("/desk/invitations/")`)
			b.copies("link")
		}},
		{name: "desk-invitation", address: "/desk/invitations/" + invitation},
		{name: "desk-audit", address: "/desk/audit"},
		{name: "desk-statement", address: "/desk/statements/" + h.siteID + "/" + h.swept(t)},
	}
}

// copies presses the Copy of a field, which is selected then: where the browser lets no
// page write into the clipboard, that is said.
func (b *tab) copies(id string) {
	b.press(`[data-copy="` + id + `"]`)
	b.until(`document.getElementById("said").textContent.includes("opied")`)
	b.until(`document.getElementById("` + id + `").selectionEnd === document.getElementById("` + id + `").value.length`)
}

// yesterday sends a form of the day before, with which nobody booked.
func (h *house) yesterday(t *testing.T) {
	t.Helper()
	db, err := app.OpenStore(t.Context(), h.config, nil, func() time.Time { return time.Now().Add(-26 * time.Hour) })
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.CreateLead(t.Context(), handoff.Submission{
		Site: h.siteID, Service: "boiler-replacement", Form: "yesterday", Name: "Wilhelmina Featherstonehaugh-Cholmondeley",
		Email: "wilhelmina.featherstonehaugh@cholmondeley.example", Phone: "+44 20 7946 0991",
	}, handoff.DefaultPipeline()); err != nil {
		t.Fatal(err)
	}
}

// visits counts some of the last days.
func (h *house) visits(t *testing.T) {
	t.Helper()
	for day := range 20 {
		at := time.Now().AddDate(0, 0, -day).Format(time.DateOnly)
		for n := range 10 + day*7%13 {
			source := []string{"google", "newsletter", handoff.DirectSource, "bing"}[n%4]
			h.db.Tally(store.Tally{Site: h.siteID, Kind: store.TallyVisit, At: at, Source: source})
			if n%3 == 0 {
				h.db.Tally(store.Tally{Site: h.siteID, Kind: store.TallyVisit, At: at, Service: "boiler-replacement", Source: source})
			}
			if n%5 == 0 {
				h.db.Tally(store.Tally{Site: h.siteID, Kind: store.TallyStart, At: at, Service: "boiler-replacement", Source: source})
			}
		}
	}
	h.db.Tally(store.Tally{Site: h.siteID, Kind: store.TallyCalendar, At: time.Now().Format(time.DateOnly), Service: "boiler-replacement", Source: "newsletter"})
	if err := h.db.KeepTallies(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// people gives the desk more of them, and returns the token of an invitation.
func (h *house) people(t *testing.T) string {
	t.Helper()
	token, err := h.db.Invite(t.Context(), handoff.CommandLine, "ottoline.featherstonehaugh@brightwater.example", handoff.RoleViewer, nil)
	for _, err := range []error{
		err,
		h.db.PutUser(t.Context(), store.User{Email: "anna@brightwater.example", Name: "Anna Lindqvist", PasswordHash: "x", Role: handoff.RoleOperator}),
		h.db.AddPasskey(t.Context(), handoff.CommandLine, store.Passkey{ID: "1", Email: h.operator, Host: "www.example.com", Name: "Work laptop", Doc: "{}"}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return token
}

// makeKeys makes keys of the API, one of which is revoked.
func (h *house) makeKeys(t *testing.T) {
	t.Helper()
	for _, name := range []string{"old reports", "reports"} {
		k, _, err := h.db.CreateKey(t.Context(), handoff.CommandLine, handoff.APIKey{
			Name: name, Scopes: handoff.Scopes, Sites: []string{h.siteID}, ExpiresAt: time.Now().Add(90 * 24 * time.Hour),
		})
		if err == nil && name == "old reports" {
			err = h.db.RevokeKey(t.Context(), handoff.CommandLine, k.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// swept has Cal.com's list of bookings read, and returns the day, in London, whose
// statement then has some.
func (h *house) swept(t *testing.T) string {
	t.Helper()
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		t.Fatal(err)
	}
	if err := h.db.StartSweep(t.Context(), h.siteID); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		s, err := h.db.Statement(t.Context(), h.siteID, time.Now().Add(-time.Hour), time.Now(), handoff.Rules{})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(s.Listed); n > 0 {
			return s.Listed[n-1].Made.In(london).Format(time.DateOnly)
		}
		if time.Now().After(end) {
			t.Fatal("Cal.com's list was not read")
		}
	}
}

// pagesAreForEverybody measures every page in both colour schemes and at the
// narrowest width, and goes through each with the keyboard.
func pagesAreForEverybody(t *testing.T, browser context.Context) {
	h := startDemo(t)
	checks, focus := readFile(t, "checks.js"), readFile(t, "focus.js")
	looks := everyPage(t, h)
	b := newTab(t, browser, desktop)
	b.expect("404 (Not Found)")
	b.open(h.site + "/desk/sign-in")
	b.measure(t, "desk-sign-in", checks)
	b.signIn(h)
	for _, l := range looks {
		b.show(desktop)
		b.open(h.site + l.address)
		if l.do != nil {
			l.do(b)
		}
		if l.ready != "" {
			b.until(l.ready)
		}
		b.measure(t, l.name, checks)
		b.goThrough(t, l.name, focus)
		if p, ok := forReadme[l.name]; ok && os.Getenv(pictures) != "" {
			b.show(p.screen)
			b.open(h.site + l.address)
			b.until(cmp.Or(l.ready, "true"))
			b.shoot(filepath.Join(os.Getenv(pictures), p.file), false)
		}
	}
}

// measure runs the checks at three widths, and in both colour schemes; axe-core judges
// the desk's.
func (b *tab) measure(t *testing.T, name, checks string) {
	t.Helper()
	for _, v := range []struct {
		name   string
		on     screen
		scheme string
	}{
		{"dark-1280", desktop, "dark"},
		{"light-1280", desktop, "light"},
		{"light-390", phone, "light"},
		{"dark-320", narrow, "dark"},
		{"light-320", narrow, "light"},
	} {
		b.show(v.on)
		b.media("prefers-color-scheme: "+v.scheme, "prefers-reduced-motion: reduce")
		for _, wrong := range eval[[]string](b, checks) {
			t.Errorf("%s, %s: %s", name, v.name, wrong)
		}
		if strings.HasPrefix(name, "desk-") && v.name != "light-390" {
			b.judge(t, name+", "+v.name)
		}
		if dir := os.Getenv(pictures); dir != "" {
			b.shoot(filepath.Join(dir, name+"-"+v.name+".png"), true)
		}
	}
	b.media("prefers-color-scheme: light", "prefers-reduced-motion: reduce")
}

// goThrough presses Tab until it is round.
func (b *tab) goThrough(t *testing.T, name, focus string) {
	t.Helper()
	b.show(desktop)
	b.do(chromedp.Evaluate[chromedp.Void](`(() => { document.activeElement?.blur(); scrollTo(0, 0); window.focused = undefined; getSelection().removeAllRanges(); })()`))
	for n := 0; ; n++ {
		b.do(chromedp.KeyEvent(kb.Tab))
		at := eval[struct {
			What, Wrong string
			End         bool
		}](b, focus)
		if at.Wrong != "" {
			t.Errorf("%s: with the focus %s %s", name, at.What, at.Wrong)
		}
		if at.End || strings.HasPrefix(at.What, "<iframe") || n > 80 {
			if n < 3 {
				t.Errorf("%s: only %d elements can be reached with the keyboard", name, n)
			}
			return
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "browser", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
