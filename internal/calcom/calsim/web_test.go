package calsim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/internal/calcom/calsim"
)

const page = "/priya-raman/survey-call"

// ask sends one request to the stand-in and does not follow redirects. header
// holds name, value, name, value …
func ask(t *testing.T, h http.Handler, method, target, body string, header ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec.Result()
}

func form(t *testing.T, h http.Handler, target string, v url.Values) *http.Response {
	t.Helper()
	return ask(t, h, "POST", target, v.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

func jsonBody(t *testing.T, h http.Handler, target string, v any) (int, map[string]any) {
	t.Helper()
	text, err := json.Marshal(v)
	ok(t, err)
	res := ask(t, h, "POST", target, string(text), "Content-Type", "application/json")
	return res.StatusCode, decode(t, res)
}

func decode(t *testing.T, res *http.Response) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.NewDecoder(res.Body).Decode(&out); err != nil {
		t.Fatalf("answer is not JSON: %v", err)
	}
	return out
}

func text(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	ok(t, err)
	return string(b)
}

// Booking pages may be framed by anybody; below /embed the page is hidden until
// the parent answers (calcom.md §3.3, §9.6).
func TestBookingPagesMayBeFramed(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	for path, hidden := range map[string]bool{page: false, page + "/embed?embed=handoff": true} {
		res := ask(t, w, "GET", path, "")
		if res.StatusCode != 200 {
			t.Fatalf("%s: %d", path, res.StatusCode)
		}
		csp := res.Header.Get("Content-Security-Policy")
		if res.Header.Get("X-Frame-Options") != "" || strings.Contains(csp, "frame-ancestors") || !strings.HasPrefix(csp, "default-src 'none'") {
			t.Errorf("%s: headers %v", path, res.Header)
		}
		body := text(t, res)
		if got := strings.Contains(body, `class="embed waiting"`); got != hidden {
			t.Errorf("%s: hidden %v, want %v", path, got, hidden)
		}
		if strings.Contains(body, "<style") || strings.Contains(body, "style=") {
			t.Errorf("%s: inline style", path)
		}
	}
	css := text(t, ask(t, w, "GET", "/static/book.css", ""))
	if !strings.Contains(css, "html.waiting body { visibility: hidden; opacity: 0; }") {
		t.Error("the style sheet does not hide a waiting page")
	}
	if got := ask(t, w, "GET", "/", "").Header.Get("Content-Security-Policy"); !strings.Contains(got, "frame-ancestors 'none'") {
		t.Errorf("the control page may be framed: %s", got)
	}
}

// The script speaks the whole protocol of web.md §1.5. That it runs is the
// browser tests' matter.
func TestTheScriptNamesEveryMessage(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	js := text(t, ask(t, w, "GET", "/static/book.js", ""))
	for _, word := range []string{
		`originator: "CAL"`, "fullType: `CAL:${ns}:${type}`", "__iframeReady", "__windowLoadComplete",
		"__dimensionChanged", "__routeChanged", "linkReady", "bookerViewed", "bookerReady", "bookerReopened",
		"ookingSuccessfulV2", "escheduleBookingSuccessfulV2", "parentKnowsIframeReady", "connect(", "ui(", "replaceState",
	} {
		if !strings.Contains(js, word) {
			t.Errorf("book.js lacks %s", word)
		}
	}
}

// inputs are the names and values of the page's input elements.
func inputs(body string) url.Values {
	v := url.Values{}
	for _, tag := range strings.Split(body, "<input ")[1:] {
		tag, _, _ = strings.Cut(tag, ">")
		attr := func(name string) string {
			_, rest, _ := strings.Cut(" "+tag, " "+name+`="`)
			value, _, _ := strings.Cut(rest, `"`)
			return value
		}
		if attr("type") == "radio" && v.Has(attr("name")) {
			continue // the first slot
		}
		v.Add(attr("name"), attr("value"))
	}
	return v
}

// Without scripts a visitor books with the page's form, and what the URL carried
// arrives.
func TestThePageBooksWithoutScripts(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	target := page + "?" + url.Values{
		"metadata[submissionId]": {reference}, "submissionId": {reference},
		"name": {"Dana Whitfield"}, "email": {"dana@example.com"}, "cal.tz": {"UTC"},
	}.Encode()
	v := inputs(text(t, ask(t, w, "GET", target, "")))
	if v.Get("start") != "2026-11-30T09:00:00Z" || v.Get("name") != "Dana Whitfield" {
		t.Fatalf("form %v", v)
	}
	res := form(t, w, page, v)
	if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), "/booking/") {
		t.Fatalf("%d %s", res.StatusCode, res.Header.Get("Location"))
	}
	if c := carriedBy(t, w.last(t)); c != reference {
		t.Errorf("the webhook carries %q", c)
	}
	view := text(t, ask(t, w, "GET", res.Header.Get("Location"), ""))
	if !strings.Contains(view, "This meeting is scheduled") {
		t.Error("no success page")
	}

	again := form(t, w, page, v)
	if again.StatusCode != http.StatusConflict || !strings.Contains(text(t, again), "just taken") {
		t.Errorf("the same slot again: %d", again.StatusCode)
	}
	v.Del("email")
	if res := form(t, w, page, v); res.StatusCode != http.StatusBadRequest {
		t.Errorf("without an e-mail: %d", res.StatusCode)
	}
	if got := w.take(); len(got) != 0 {
		t.Errorf("refused bookings sent %v", triggers(t, got))
	}
}

// The page's own API: 200 with what bookingSuccessfulV2 needs, 409 for a taken
// slot, and a dry run that books nothing.
func TestThePagesOwnAPI(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	in := map[string]any{
		"eventTypeId": confirmed, "start": slot, "timeZone": "UTC", "metadata": map[string]string{"submissionId": reference},
		"responses": map[string]any{"name": "Dana", "email": "d@example.com", "submissionId": reference, "guests": []string{}},
	}
	in["_isDryRun"] = true
	if status, _ := jsonBody(t, w, "/api/book/event", in); status != 200 || len(w.Bookings()) != 0 {
		t.Errorf("dry run: %d, %d rows", status, len(w.Bookings()))
	}
	delete(in, "_isDryRun")
	status, b := jsonBody(t, w, "/api/book/event", in)
	if status != 200 || b["status"] != "PENDING" || b["paymentRequired"] != false || b["startTime"] != "2026-12-01T15:00:00.000Z" {
		t.Errorf("%d %v", status, b)
	}
	if c := carriedBy(t, w.last(t)); c != reference {
		t.Errorf("the webhook carries %q", c)
	}
	if status, _ := jsonBody(t, w, "/api/book/event", in); status != http.StatusConflict {
		t.Errorf("taken slot: %d", status)
	}
	if res := ask(t, w, "POST", "/api/book/event", "{", "Content-Type", "application/json"); res.StatusCode != 400 {
		t.Errorf("bad JSON: %d", res.StatusCode)
	}
}

// The reschedule link loses the metadata and keeps the answers (calcom.md §9.6,
// §9.7); the visitor can cancel once.
func TestTheVisitorsLinks(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	b := w.book(t, plain)
	res := ask(t, w, "GET", "/reschedule/"+b.UID, "")
	if want := page + "?rescheduleUid=" + b.UID; res.StatusCode != http.StatusFound || res.Header.Get("Location") != want {
		t.Fatalf("%d %s", res.StatusCode, res.Header.Get("Location"))
	}
	v := inputs(text(t, ask(t, w, "GET", res.Header.Get("Location"), "")))
	if v.Get("answer[submissionId]") != reference || v.Has("metadata[submissionId]") || v.Get("email") != "dana@example.com" {
		t.Errorf("form %v", v)
	}
	moved := form(t, w, page, v)
	uid := strings.TrimPrefix(moved.Header.Get("Location"), "/booking/")
	if p := w.last(t).payload(t); p["rescheduleUid"] != b.UID || p["uid"] != uid {
		t.Errorf("rescheduleUid %v", p["rescheduleUid"])
	}
	for _, want := range []int{http.StatusSeeOther, http.StatusBadRequest} {
		if res := form(t, w, "/booking/"+uid+"/cancel", url.Values{"reason": {"no time"}}); res.StatusCode != want {
			t.Errorf("cancel: %d, want %d", res.StatusCode, want)
		}
	}
	if got := triggers(t, w.take()); !slices.Equal(got, []string{"BOOKING_CANCELLED"}) {
		t.Errorf("sent %v", got)
	}
	if res := ask(t, w, "GET", "/booking/nobody", ""); res.StatusCode != 404 {
		t.Errorf("unknown booking: %d", res.StatusCode)
	}
}

// A script plays through the control page's operations over HTTP.
func TestControlOverJSON(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	status, b := jsonBody(t, w, "/control/book", request(confirmed))
	if status != 200 || b["status"] != "PENDING" {
		t.Fatalf("book: %d %v", status, b)
	}
	do := func(action string, want int, more ...string) {
		t.Helper()
		in := map[string]string{"action": action, "uid": b["uid"].(string)}
		for i := 0; i < len(more); i += 2 {
			in[more[i]] = more[i+1]
		}
		if status, answer := jsonBody(t, w, "/control/action", in); status != want {
			t.Errorf("%s: %d %v, want %d", action, status, answer, want)
		}
	}
	do("accept", 200)
	do("accept", 400)
	do("meeting-started", 200)
	do("no-show", 200)
	do("undo-no-show", 200)
	jsonBody(t, w, "/control/faults", map[string]any{"hold": true})
	do("reschedule", 200, "start", slot.Add(time.Hour).Format(time.RFC3339), "carry", "api")
	do("cancel", 400)
	do("dance", 404)
	do("ping", 200)
	_, released := jsonBody(t, w, "/control/release", map[string]any{"order": "reversed"})
	if released["released"] != 2.0 {
		t.Errorf("released %v", released)
	}
	want := []string{"BOOKING_REQUESTED", "BOOKING_CREATED", "MEETING_STARTED", "BOOKING_NO_SHOW_UPDATED", "BOOKING_NO_SHOW_UPDATED", "PING", "BOOKING_REQUESTED"}
	if got := triggers(t, w.take()); !slices.Equal(got, want) {
		t.Errorf("sent %v\nwant %v", got, want)
	}
	list := decode(t, ask(t, w, "GET", "/control/deliveries?wait=1", ""))["deliveries"].([]any)
	if len(list) != 7 || !strings.HasPrefix(list[0].(map[string]any)["body"].(string), `{"triggerEvent":"BOOKING_REQUESTED"`) {
		t.Errorf("%d deliveries", len(list))
	}
	if status, d := jsonBody(t, w, "/control/redeliver", map[string]int{"index": 1}); status != 200 || d["outcome"] != "sent" {
		t.Errorf("redeliver: %d %v", status, d)
	}
	if status, _ := jsonBody(t, w, "/control/generation", map[string]string{"generation": "cloud-2026"}); status != 200 || w.Generation() != calsim.Cloud2026 {
		t.Errorf("generation: %d %s", status, w.Generation())
	}
	if rows := decode(t, ask(t, w, "GET", "/control/bookings", ""))["bookings"].([]any); len(rows) != 2 {
		t.Errorf("%d bookings", len(rows))
	}
}

// The control page works with plain forms, shows every fault, and pages of other
// origins cannot use it.
func TestControlPageForms(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	b := w.book(t, plain)
	body := text(t, ask(t, w, "GET", "/", ""))
	for _, want := range []string{"Control page", b.UID, "Deliver twice", "Release shuffled", "BOOKING_CREATED", "Send again", "Dana Whitfield"} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	res := form(t, w, "/control/faults", url.Values{"fault": {"forge", "duplicate"}, "count": {"1"}})
	if f := w.Faults(); res.StatusCode != http.StatusSeeOther || f != (calsim.Faults{Forge: true, Duplicate: 1, Count: 1}) {
		t.Errorf("%d %+v", res.StatusCode, f)
	}
	res = form(t, w, "/control/action", url.Values{"action": {"cancel-by-host"}, "uid": {b.UID}})
	if row, _ := w.Booking(b.UID); res.StatusCode != http.StatusSeeOther || row.CancelledBy != "priya@brightwater.example" {
		t.Errorf("%d %s", res.StatusCode, row.CancelledBy)
	}
	if got := w.take(); len(got) != 3 { // created, and cancelled twice
		t.Errorf("%d deliveries", len(got))
	}
	for _, target := range []string{"/control/action", "/control/faults", "/control/book", page, "/api/book/event"} {
		res := ask(t, w, "POST", target, "", "Content-Type", "application/x-www-form-urlencoded", "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site")
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("%s from another origin: %d", target, res.StatusCode)
		}
	}
}
