package main_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"handoff"
	"handoff/internal/store"
)

// waitsFor waits for a failure of a reason, and returns the newest.
func (h *house) waitsFor(t *testing.T, reason handoff.Reason) handoff.FailureID {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		list, err := h.db.Failures(t.Context(), store.FailureFilter{Reason: reason})
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > 0 {
			return list[0].ID
		}
		if time.Now().After(end) {
			t.Fatalf("no failure of %s waits", reason)
		}
	}
}

// settled waits until a failure is settled, and returns what settled it.
func (h *house) settled(t *testing.T, id handoff.FailureID) string {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		f, err := h.db.Failure(t.Context(), nil, id)
		if err != nil {
			t.Fatal(err)
		}
		if f.SettledAt != nil {
			return f.SettledBy
		}
		if time.Now().After(end) {
			t.Fatalf("%s (%s) still waits", id, f.Reason)
		}
	}
}

// A post is a body that is sent to the webhook.
type post struct {
	body   string
	signed string // with which secret; empty: the header is not sent
	header string // in place of the signature
	more   map[string]string
}

func (h *house) send(t *testing.T, p post) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.site+"/webhooks/calcom/"+h.siteID, strings.NewReader(p.body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if p.signed != "" {
		mac := hmac.New(sha256.New, []byte(p.signed))
		mac.Write([]byte(p.body))
		p.header = hex.EncodeToString(mac.Sum(nil))
	}
	if p.header != "" {
		r.Header.Set("X-Cal-Signature-256", p.header)
	}
	for name, value := range p.more {
		r.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
}

// bookedBody is a body of Cal.com's about a booking, which carries a reference unless it is
// empty.
func bookedBody(uid, reference, more string) string {
	return fmt.Sprintf(`{"triggerEvent":"BOOKING_CREATED","createdAt":%q,"payload":{"uid":%q,"status":"ACCEPTED","startTime":"2027-03-01T10:00:00Z","endTime":"2027-03-01T10:30:00Z",`+
		`"attendees":[{"name":"Zebedee Quux","email":"zebedee.quux@visitor.example","timeZone":"Europe/London"}],"metadata":{"submissionId":%q}%s}}`,
		time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), uid, reference, more)
}

// troubles makes a failure of each reason: what can come from outside comes from there,
// the rest is written as the program writes it.
func (h *house) troubles(t *testing.T, secret, coming string) {
	t.Helper()
	b := bookedBody
	signature := func(body string) string {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(body))
		return hex.EncodeToString(mac.Sum(nil))
	}
	var indented bytes.Buffer
	compact := b("reencoded", "", "")
	if err := json.Indent(&indented, []byte(compact), "", "  "); err != nil {
		t.Fatal(err)
	}
	altered := b("altered", h.lead(t, "boiler-replacement", "Imran Qureshi"), "")
	const nobody = "sub_01jdb7z5q4x3s8m2k9v6t1n0rc"
	for _, p := range []post{
		{body: b("missing", "", "")},
		{body: b("none", "", ""), header: "no-secret-provided"},
		{body: b("verified-later", h.lead(t, "boiler-replacement", "Mei-Ling Tan"), ""), signed: coming},
		{body: indented.String(), header: signature(compact)},
		{body: altered, signed: secret},
		{body: strings.Replace(altered, "2027-03-01T10:00", "2027-03-02T10:00", 1), header: signature(altered)},
		{body: "BOOKING_CREATED for you", signed: secret},
		{body: `{"title":"a booking"}`, signed: secret},
		{body: `{"triggerEvent":"BOOKING_OF_TOMORROW","createdAt":"2026-11-28T09:00:00.000Z","payload":{}}`, signed: secret},
		{body: b("version", "", ""), signed: secret, more: map[string]string{"X-Cal-Webhook-Version": "2031-01-01"}},
		{body: b("stray", "", ""), signed: secret},
		{body: b("forged", nobody+".AAAAAAAAAAAAAAAAAAAAAAAA", ""), signed: secret},
		{body: b("unknown", h.keys.Sign(h.siteID, nobody), ""), signed: secret},
		{body: b("first", h.lead(t, "boiler-replacement", "Hannah Weiss"), ""), signed: secret},
		{body: b("second", h.lead(t, "boiler-replacement", "Priscilla Owusu"), `,"rescheduleUid":"first"`), signed: secret},
	} {
		h.send(t, p)
	}
	d := func(digest string) handoff.Delivery {
		return handoff.Delivery{Site: h.siteID, Digest: digest, Body: []byte(`{"triggerEvent":"BOOKING_CREATED"}`), Source: "s1234", ReceivedAt: time.Now().Add(-48 * time.Hour)}
	}
	event := handoff.Event{ID: "evt_other_site", Site: h.siteID, Trigger: "BOOKING_CREATED", CreatedAt: time.Now(), Observation: &handoff.Observation{
		ID: "evt_other_site", Site: h.siteID, Source: handoff.FromEvent, UID: "other-site", At: time.Now(), Status: handoff.Accepted, Digest: "1",
		Carried: []handoff.Carried{{From: handoff.InMetadata, Verdict: handoff.OtherSite}},
	}}
	ctx, site := t.Context(), h.siteID
	keep := func(d handoff.Delivery) error {
		_, err := h.db.KeepEvent(ctx, d, event)
		return err
	}
	again := d("other-site")
	again.ReceivedAt = time.Now()
	foreign := handoff.Observation{
		ID: "api_foreign", Site: site, Source: handoff.FromAPI, UID: "foreign", At: time.Now(), EventType: 5, Digest: "1",
		Carried: []handoff.Carried{{From: handoff.InMetadata, Verdict: handoff.Valid, Submission: nobody}},
	}
	_, swept := h.db.KeepSwept(ctx, store.Work{Site: site, Kind: store.KindSweep}, store.Place{Since: time.Now().Add(-time.Hour)}, store.Swept{Size: 1, Last: time.Now(), Observations: []handoff.Observation{foreign}}, nil, time.Hour)
	for _, err := range []error{
		swept, keep(d("other-site")), keep(again),
		h.db.KeepUnverified(ctx, d("retired"), handoff.SignatureRetired, ""), h.db.KeepUnverified(ctx, d("wrong site"), handoff.SignatureOtherSite, ""),
		h.db.CountUnverified(ctx, d("flood")),
		h.db.SiteFails(ctx, site, "shape/test", handoff.BodyChanged, "BOOKING_CREATED: payload.team is new (object)."),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, reason := range healing {
		if err := h.db.SiteFails(ctx, site, "test/"+string(reason), reason, "seen by the test"); err != nil {
			t.Fatal(err)
		}
	}
}

// healing are the reasons that settle themselves, and that people cannot settle.
var healing = []handoff.Reason{
	handoff.WebhookSilent, handoff.WebhookLossy, handoff.BookingUnreadable, handoff.SweepFailing, handoff.MailFailing, handoff.TellingFailing, handoff.CalendarHidden,
}

// failuresAreSettled settles one failure of each reason through its page.
func failuresAreSettled(t *testing.T, browser context.Context) {
	h := startDemo(t)
	const coming = "whsec_that_comes_only_later"
	h.troubles(t, h.secret(t), coming)
	owner := h.detail(t, h.lead(t, "boiler-replacement", "Zebedee Quux"))
	b := newTab(t, browser, desktop)
	b.signIn(h)
	b.expect("422 (Unprocessable Entity)") // until the new secret is taken up
	b.open(h.site + "/desk/failures")
	b.until(`document.querySelectorAll(".cause").length >= 20`)
	if err := os.WriteFile(h.secretFile(), []byte(coming+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, text := range handoff.ReasonTexts {
		id := h.waitsFor(t, text.Reason)
		b.open(h.site + "/desk/failures/" + string(id))
		if got := b.text("main h1"); got != text.Title {
			t.Fatalf("%s: the page is about %q", text.Reason, got)
		}
		form := func(remedy string) string { return `form:has([name=remedy][value=` + remedy + `]) ` }
		var by string
		switch {
		case slices.Contains(healing, text.Reason):
			if b.text(".settling") != "" {
				t.Errorf("%s: there is something to do, though it settles itself", text.Reason)
			}
			if err := h.db.SiteWell(t.Context(), h.siteID, "test/"+string(text.Reason), "it is well"); err != nil {
				t.Fatal(err)
			}
			b.until(`document.querySelector(".badge.end")`) // the page hears of it
			by = "it is well"
		case text.Reason == handoff.SignatureWrong:
			b.poll("the new secret is taken up", func() (bool, error) {
				b.press("[data-verify]")
				b.until(`document.querySelector(".notice, .problem")`)
				return b.text(".notice") != "", nil
			})
			by = "read again by " + h.operator
		case text.Reason == handoff.NoReference:
			b.press(`[name=lead][value="` + string(owner.ID) + `"]`)
			b.press(form("attach") + "button")
			by = "tied to a lead by " + h.operator
		case text.Reason == handoff.OtherLead:
			b.fill("#other", h.site+"/desk/leads/"+string(owner.ID))
			b.fill("#attach-note", "they are one household")
			b.press(form("attach") + "button")
			by = "tied to a lead by " + h.operator + ": they are one household"
		default:
			b.fill("#dismiss-note", "seen")
			b.press(form("dismiss") + "button")
			by = "dismissed by " + h.operator + ": seen"
		}
		if got := h.settled(t, id); got != by {
			t.Errorf("%s: settled by %q, want %q", text.Reason, got, by)
		}
		b.until(`document.querySelector(".badge.end")`)
	}
	b.open(h.site + "/desk/failures")
	b.until(`document.querySelector(".empty")?.innerText.includes("Nothing waits.")`)
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		d := h.read(t, owner.ID)
		if d.Stage == "booked" && len(d.Bookings) == 3 { // the stray one, and both of the other chain
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the lead is %s, with %d bookings", d.Stage, len(d.Bookings))
		}
	}
	if d := h.detail(t, h.referenceOf(t, "Mei-Ling Tan")); d.Stage != "booked" || len(d.History) != 2 {
		t.Errorf("whose webhook was verified later: %s, %+v", d.Stage, d.History)
	}
	if d := h.detail(t, h.referenceOf(t, "Hannah Weiss")); d.Stage != "new" {
		t.Errorf("whose booking was another's: %s", d.Stage)
	}
}

// failuresAreSettledByKeyboard does it without a pointer.
func failuresAreSettledByKeyboard(t *testing.T, browser context.Context) {
	h := startDemo(t)
	secret := h.secret(t)
	owner := h.detail(t, h.lead(t, "boiler-replacement", "Zebedee Quux"))
	h.send(t, post{body: bookedBody("stray", "", ""), signed: secret})
	id := h.waitsFor(t, handoff.NoReference)
	h.send(t, post{body: bookedBody("missing", "", "")})
	other := h.waitsFor(t, handoff.SignatureMissing)

	b := newTab(t, browser, desktop)
	keys := func(keys ...string) {
		t.Helper()
		for _, key := range keys {
			b.do(chromedp.KeyEvent(key))
		}
	}
	// letter presses a key as a hand does: what is taken is not typed too.
	letter := func(key string) {
		t.Helper()
		b.until(`document.documentElement.classList.contains("scripted")`)
		for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
			b.do(command(input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: kind, Key: key}))
		}
	}
	b.open(h.site + "/desk/sign-in?next=/desk/failures")
	b.until(`document.activeElement?.id === "email" || document.getElementById("email")`)
	for !eval[bool](b, `document.activeElement?.id === "email"`) {
		keys(kb.Tab)
	}
	b.do(insert(h.operator))
	keys(kb.Tab)
	b.do(insert(h.password))
	keys(kb.Enter)
	b.at("/desk/failures")
	b.until(`document.querySelector("main[data-live]")`)

	focused := func(selector string) {
		t.Helper()
		b.until(fmt.Sprintf("document.activeElement?.matches(%q)", selector))
	}
	letter("j")
	focused(`[href$="` + string(id) + `"]`)
	keys(kb.Enter)
	b.at("/desk/failures/" + string(id))
	letter("d")
	focused("#dismiss-note")
	b.do(insert("a friend"))
	keys(kb.Enter)
	b.until(`document.querySelector(".notice")`)
	if got := h.settled(t, id); got != "dismissed by "+h.operator+": a friend" {
		t.Errorf("settled by %q", got)
	}
	letter("u")
	focused("[data-undo]")
	keys(kb.Enter)
	b.until(`document.querySelector(".notice")?.innerText.includes("waits again")`)
	letter("a")
	focused(`[name=lead][value="` + string(owner.ID) + `"]`)
	keys(" ", kb.Enter)
	b.until(`document.querySelector(".notice")?.innerText.includes("tied to that lead")`)
	if got := h.settled(t, id); got != "tied to a lead by "+h.operator {
		t.Errorf("settled by %q", got)
	}
	letter("j")
	focused(`[href$="` + string(other) + `"]`)
	keys(kb.Enter)
	b.at("/desk/failures/" + string(other))
	letter("d")
	focused("#dismiss-note")
	keys(kb.Enter)
	b.until(`document.querySelector(".notice")`)
	if got := h.settled(t, other); got != "dismissed by "+h.operator {
		t.Errorf("settled by %q", got)
	}
	b.until(`document.querySelector("main")?.innerText.includes("Nothing else waits.")`)
}

// secretFile holds the demonstration's webhook secret.
func (h *house) secretFile() string { return filepath.Join(h.dir, "secrets", "calcom-webhook") }

func (h *house) secret(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(h.secretFile())
	if err != nil {
		t.Fatal(err)
	}
	secret, _, _ := strings.Cut(string(b), "\n")
	return secret
}

// referenceOf finds the reference of the one lead of a name.
func (h *house) referenceOf(t *testing.T, name string) string {
	t.Helper()
	list, err := h.db.Leads(t.Context(), store.LeadFilter{Search: name})
	if err != nil || len(list) != 1 {
		t.Fatalf("%d leads are called %s (%v)", len(list), name, err)
	}
	return h.keys.Sign(h.siteID, h.read(t, list[0].ID).Submissions[0].ID)
}
