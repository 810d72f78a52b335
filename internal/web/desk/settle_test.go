package desk

import (
	"fmt"
	"html"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/store"
)

// only is the one failure that waits.
func (b *bench) only() store.FailureView {
	b.t.Helper()
	list, err := b.db.Failures(b.t.Context(), store.FailureFilter{})
	b.must(err)
	if len(list) != 1 {
		b.t.Fatalf("%d failures wait: %+v", len(list), list)
	}
	return list[0]
}

func (b *bench) waitsFor() string {
	b.t.Helper()
	list, err := b.db.Failures(b.t.Context(), store.FailureFilter{})
	b.must(err)
	var out []string
	for _, f := range list {
		out = append(out, string(f.Reason))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

var undoAddress = regexp.MustCompile(`action="(/desk/resolutions/res_[^"]+/undo)"`)

// A booking without a reference is tied to the lead that is suggested, moves it, and can
// be taken back; the page offers what can be done, and says what was.
func TestAttachingABooking(t *testing.T) {
	b := newBench(t)
	s := b.submit(nil)
	o := b.booked("stray", 24*time.Hour)
	o.Attendees = []handoff.Person{{Name: s.Name, Email: s.Email}}
	b.hear("BOOKING_CREATED", handoff.Submission{}, o)
	v, f := b.as(handoff.RoleOperator), b.only()
	path := failureAddress(f.ID)
	page := v.page(path)
	contains(t, page, "Settle it", string(s.Lead), "the same e-mail address", "Tie it to this lead", "Dismiss", "This is the only one that waits.")
	lacks(t, page, "Verify again", "Undo")
	if radio := regexp.MustCompile(`<input type="radio"[^>]*>`).FindString(page); radio == "" || strings.Contains(radio, "checked") {
		t.Errorf("nobody is chosen but by a person: %s", radio)
	}
	lacks(t, b.as(handoff.RoleViewer).page(path), "Settle it", "Tie it to this lead", "the same e-mail address")

	for name, form := range map[string]url.Values{
		"nobody chosen":  {"remedy": {"attach"}},
		"no such lead":   {"remedy": {"attach"}, "other": {"lead_01jdb7z5q4x3s8m2k9v6t1n0rc"}},
		"no lead at all": {"remedy": {"attach"}, "other": {"Dana"}},
	} {
		got := v.post(path+"/resolutions", form)
		if got.status != 422 || !strings.Contains(got.body, "There is no such lead in this site") || b.waitsFor() != "no_reference" {
			t.Errorf("%s: %d", name, got.status)
		}
	}
	if got := v.post(path+"/resolutions", url.Values{"remedy": {"attach"}, "lead": {string(s.Lead)}, "note": {"she <b>rang</b>"}}); got.status != 303 || got.header.Get("Location") != path+"?done=failure-attach" {
		t.Fatalf("%d, %s", got.status, got.header.Get("Location"))
	}
	b.reconcile()
	if l := b.read(s.Lead); l.Stage != "booked" || b.waitsFor() != "" {
		t.Errorf("%s, %s", l.Stage, b.waitsFor())
	}
	page = v.page(path + "?done=failure-attach")
	contains(t, page, "The booking is tied to that lead", "tied to a lead by "+string(handoff.RoleOperator), "she &lt;b&gt;rang", "failure.attach", "Nothing else waits.", "Open the lead")
	lacks(t, page, "Settle it")
	lacks(t, b.as(handoff.RoleViewer).page(path), "Undo")

	lead := b.as(handoff.RoleViewer).page("/desk/leads/" + string(s.Lead))
	contains(t, lead, "decided that the booking is this lead’s", "operator")
	if n := strings.Count(lead, "Cal.com says"); n != 1 { // not of what a person decided
		t.Errorf("Cal.com said %d things", n)
	}

	// Who comes second is told who was first, and nothing is applied twice.
	got := b.as(handoff.RoleOwner).post(path+"/resolutions", url.Values{"remedy": {"dismiss"}})
	if got.status != 409 || !strings.Contains(got.body, "was before you") || !strings.Contains(got.body, "tied to a lead by") || len(b.read(s.Lead).History) != 2 {
		t.Errorf("%d", got.status)
	}
	undo := undoAddress.FindStringSubmatch(page)
	if undo == nil {
		t.Fatal("no undo")
	}
	if got := v.post(undo[1], url.Values{"site": {"brightwater"}, "failure": {string(f.ID)}}); got.status != 303 {
		t.Fatal(got.status)
	}
	b.reconcile()
	if l := b.read(s.Lead); l.Stage != "new" || b.waitsFor() != "no_reference" {
		t.Errorf("taken back: %s, %s", l.Stage, b.waitsFor())
	}
	if got := v.post(undo[1], url.Values{"site": {"brightwater"}}); got.status != 409 || !strings.Contains(got.body, `href="/desk/failures">To the failures`) {
		t.Errorf("taken back twice: %d, %s", got.status, got.body)
	}
	// By the address of the lead's page, and by who may not.
	if got := b.as(handoff.RoleViewer).post(path+"/resolutions", url.Values{"remedy": {"dismiss"}}); got.status != 403 || b.waitsFor() == "" {
		t.Errorf("a viewer: %d", got.status)
	}
	if got := v.post(path+"/resolutions", url.Values{"remedy": {"attach"}, "other": {" https://handoff.example/desk/leads/" + string(s.Lead) + "#notes "}}); got.status != 303 {
		t.Errorf("by its address: %d", got.status)
	}
}

// Several are dismissed at once, of those that were seen, and all can be taken back.
func TestDismissingMany(t *testing.T) {
	b := newBench(t)
	for n := range 60 {
		b.unverified(fmt.Sprint(n))
	}
	b.hear("BOOKING_CREATED", handoff.Submission{}, b.booked("stray", 24*time.Hour))
	v := b.as(handoff.RoleOperator, "brightwater")
	contains(t, v.page("/desk/failures"), "60", "All 60: Wrong signature")
	page := v.page("/desk/failures?reason=signature_wrong")
	if n := strings.Count(page, `name="id"`); n != 50 {
		t.Errorf("%d can be chosen", n)
	}
	lacks(t, b.as(handoff.RoleViewer).page("/desk/failures?reason=signature_wrong&site=brightwater"), `name="id"`, "Dismiss")
	lacks(t, b.signedIn().page("/desk/failures?reason=signature_wrong"), `name="id"`) // of several sites
	older := regexp.MustCompile(`href="([^"]+)" rel="next"`).FindStringSubmatch(page)
	if older == nil {
		t.Fatal("no second page")
	}
	if n := strings.Count(v.page(strings.ReplaceAll(older[1], "&amp;", "&")), `name="id"`); n != 10 {
		t.Errorf("%d on the second page", n)
	}
	// Who chose on a later page finds that one again where it is refused.
	second := v.page(strings.ReplaceAll(older[1], "&amp;", "&"))
	chosen := url.Values{"note": {strings.Repeat("x", handoff.MaxRemark+1)}}
	for _, field := range regexp.MustCompile(`<input type="(?:hidden|checkbox)" name="([^"]+)" value="([^"]+)"`).FindAllStringSubmatch(second, -1) {
		if value := html.UnescapeString(field[2]); field[1] != "id" || !chosen.Has("id") {
			chosen.Add(field[1], value)
		}
	}
	if refused := v.post("/desk/failures/dismissed", chosen); refused.status != 422 || !strings.Contains(refused.body, `value="`+chosen.Get("id")+`" checked`) {
		t.Errorf("chosen on the second page and refused: %d", refused.status)
	}
	ids := regexp.MustCompile(`name="id" value="([^"]+)"`).FindAllStringSubmatch(page, 3)
	form := url.Values{"site": {"brightwater"}, "reason": {"signature_wrong"}, "id": {ids[0][1], ids[1][1]}, "note": {"noise"}}
	got := v.post("/desk/failures/dismissed", form)
	to := got.header.Get("Location")
	if got.status != 303 || !strings.Contains(to, "done=2") {
		t.Fatalf("%d, %s", got.status, to)
	}
	contains(t, v.page(to), "2 entries are dismissed.", "Undo")
	for name, other := range map[string]*visitor{"a viewer": b.as(handoff.RoleViewer), "an operator of another site": b.as(handoff.RoleOperator, "northside")} {
		for _, at := range []string{to, strings.Replace(to, "reason=signature_wrong", "", 1)} {
			if page := other.page(at); strings.Contains(page, "<button data-undo>") {
				t.Errorf("%s is offered to take it back: %s", name, at)
			}
		}
	}
	// Who comes second is told which was settled, and by whom, and finds what they chose and
	// wrote again; of the rest nothing was dismissed.
	form.Set("id", ids[0][1])
	form.Add("id", ids[2][1])
	form.Set("note", "a <scan>")
	again := v.post("/desk/failures/dismissed", form)
	if again.status != 409 {
		t.Errorf("twice: %d", again.status)
	}
	contains(t, again.body, "Nothing was dismissed", "“Wrong signature” was settled meanwhile: dismissed by ", ": noise.", `value="a &lt;scan&gt;"`, `value="`+ids[2][1]+`" checked`)
	lacks(t, again.body, ids[0][1], "data-live")
	form["id"] = []string{ids[0][1], ids[1][1]}
	both := v.post("/desk/failures/dismissed", form)
	contains(t, both.body, "was settled meanwhile: dismissed by ")
	lacks(t, both.body, "The others") // there are none
	contains(t, page, `name="all"`)
	narrow := v.page("/desk/failures?reason=no_reference&uid=stray")
	contains(t, narrow, `name="id"`) // but not all of the reason, of which the list shows only one booking's
	lacks(t, narrow, `name="all"`, "All of this cause")
	for name, c := range map[string]struct {
		form url.Values
		want int
	}{
		"none":             {url.Values{"site": {"brightwater"}}, 422},
		"no time":          {url.Values{"site": {"brightwater"}, "reason": {"signature_wrong"}, "all": {"1"}}, 400},
		"of another site":  {url.Values{"site": {"northside"}, "id": {ids[1][1]}}, 404},
		"what is not told": {url.Values{"site": {"brightwater"}, "id": {"fail_x"}}, 404},
	} {
		if got := v.post("/desk/failures/dismissed", c.form); got.status != c.want {
			t.Errorf("%s: %d, want %d", name, got.status, c.want)
		}
	}
	contains(t, v.post("/desk/failures/dismissed", url.Values{"site": {"brightwater"}}).body, "Choose 1 to 1000 entries to dismiss.")
	seen := regexp.MustCompile(`name="seen" value="([^"]+)"`).FindStringSubmatch(page)
	b.clock.pass(time.Minute)
	b.unverified("came later")
	all := url.Values{"site": {"brightwater"}, "reason": {"signature_wrong"}, "all": {"1"}, "seen": {seen[1]}}
	got = v.post("/desk/failures/dismissed", all)
	if got.status != 303 || b.waitsFor() != "no_reference signature_wrong" {
		t.Errorf("all that were seen: %d, %s", got.status, b.waitsFor())
	}
	if got := b.as(handoff.RoleOwner).post("/desk/failures/dismissed", all); got.status != 409 || !strings.Contains(got.body, "was before you") {
		t.Errorf("who comes second: %d", got.status)
	}
	all.Set("site", "northside")
	if got := v.post("/desk/failures/dismissed", all); got.status != 404 {
		t.Errorf("all of a site that is not seen: %d", got.status)
	}
	undo := undoAddress.FindStringSubmatch(v.page(got.header.Get("Location")))
	if undo == nil {
		t.Fatal("no undo")
	}
	if got := v.post(undo[1], url.Values{"site": {"brightwater"}}); got.status != 303 || strings.Count(b.waitsFor(), "signature_wrong") != 59 {
		t.Errorf("taken back: %d, %d wait", got.status, strings.Count(b.waitsFor(), "signature_wrong"))
	}
}

// What was not believed is verified again, and says why not if it still is not.
func TestVerifyingAgain(t *testing.T) {
	b := newBench(t)
	var answer error
	b.desk.sites["brightwater"] = func(s Site) Site {
		s.Read = func(d handoff.Delivery) (handoff.Delivery, handoff.Event, error) {
			d.Body, d.Trigger = []byte(`{}`), "PING"
			return d, handoff.Event{ID: "evt_again", Site: "brightwater", Trigger: "PING", Ignored: "ping"}, answer
		}
		return s
	}(b.desk.sites["brightwater"])
	b.must(b.db.KeepUnverified(t.Context(), handoff.Delivery{Site: "brightwater", Digest: "d1", Body: []byte(`{"a":1}`), Sealed: []byte("x"), Source: "s", ReceivedAt: b.clock.now()}, handoff.SignatureWrong, ""))
	v, path := b.as(handoff.RoleOperator), failureAddress(b.only().ID)
	contains(t, v.page(path), "Verify again", "with the secrets of today")
	lacks(t, v.page(path), "Ask Cal.com", "Tie it")
	answer = &calcom.Refusal{Reason: handoff.SignatureWrong}
	got := v.post(path+"/resolutions", url.Values{"remedy": {"verify"}})
	if got.status != 422 || !strings.Contains(got.body, "nothing was changed: wrong signature.") || b.waitsFor() != "signature_wrong" {
		t.Errorf("%d", got.status)
	}
	answer = nil
	if got := v.post(path+"/resolutions", url.Values{"remedy": {"verify"}}); got.status != 303 || b.waitsFor() != "" {
		t.Errorf("%d, %s", got.status, b.waitsFor())
	}
	contains(t, v.page(path+"?done=failure-verify"), "is what Cal.com sent", "read again by")

	// Many at once: what is right is read, the rest waits as before.
	b.n++
	for n := range 3 {
		b.must(b.db.KeepUnverified(t.Context(), handoff.Delivery{Site: "brightwater", Digest: fmt.Sprint("many", n), Signature: fmt.Sprint("wrong", n), Body: []byte(`{"a":1}`), Sealed: fmt.Append(nil, n), Source: "s", ReceivedAt: b.clock.now()}, handoff.SignatureWrong, ""))
	}
	b.desk.sites["brightwater"] = func(s Site) Site {
		s.Read = func(d handoff.Delivery) (handoff.Delivery, handoff.Event, error) {
			if string(d.Sealed) == "1" {
				return d, handoff.Event{}, &calcom.Refusal{Reason: handoff.SignatureWrong}
			}
			id := "evt_many" + string(d.Sealed)
			d.Body, d.Trigger = []byte(`{}`), "PING"
			return d, handoff.Event{ID: id, Site: "brightwater", Trigger: "PING", Ignored: "ping"}, nil
		}
		s.Asks = true
		return s
	}(b.desk.sites["brightwater"])
	lists := "/desk/failures?reason=signature_wrong&site=brightwater"
	contains(t, v.page(lists), "Look at all of them again")
	lacks(t, b.as(handoff.RoleViewer).page(lists), "Look at all of them again")
	b.hear("BOOKING_CREATED", handoff.Submission{}, b.booked("stray", time.Hour))
	form := url.Values{"site": {"brightwater"}, "reason": {"signature_wrong"}}
	if got := b.as(handoff.RoleViewer).post("/desk/failures/read-again", form); got.status != 403 || b.waitsFor() != "no_reference signature_wrong signature_wrong signature_wrong" {
		t.Errorf("a viewer: %d, %s", got.status, b.waitsFor())
	}
	for name, c := range map[string]struct {
		form url.Values
		want int
	}{
		"a reason that no look changes": {url.Values{"site": {"brightwater"}, "reason": {"no_reference"}}, 400},
		"no site":                       {url.Values{"reason": {"signature_wrong"}}, 404},
	} {
		if got := v.post("/desk/failures/read-again", c.form); got.status != c.want {
			t.Errorf("%s: %d, want %d", name, got.status, c.want)
		}
	}
	// Cal.com is asked about all of a cause, where it can be.
	waiting := "/desk/failures?reason=no_reference&site=brightwater"
	contains(t, v.page(waiting), "Ask Cal.com about all of them")
	lacks(t, v.page(lists), "Ask Cal.com about all of them")
	lacks(t, b.as(handoff.RoleViewer).page(waiting), "Ask Cal.com about all of them")
	ask := url.Values{"site": {"brightwater"}, "reason": {"no_reference"}}
	if got := b.as(handoff.RoleViewer).post("/desk/failures/asked", ask); got.status != 403 {
		t.Errorf("a viewer: %d", got.status)
	}
	for name, c := range map[string]struct {
		form url.Values
		want int
	}{
		"a reason of which it knows nothing": {form, 400},
		"nothing waits":                      {url.Values{"site": {"brightwater"}, "reason": {"reference_forged"}}, 404},
		"no site":                            {url.Values{"reason": {"no_reference"}}, 404},
	} {
		if got := v.post("/desk/failures/asked", c.form); got.status != c.want {
			t.Errorf("%s: %d, want %d", name, got.status, c.want)
		}
	}
	if asked := v.post("/desk/failures/asked", ask); asked.status != 303 {
		t.Errorf("asked: %d", asked.status)
	} else {
		contains(t, v.page(asked.header.Get("Location")), "asked about one booking")
		of, err := b.db.Failures(t.Context(), store.FailureFilter{Reason: handoff.NoReference})
		b.must(err)
		entry := failureAddress(of[0].ID)
		lacks(t, v.page(entry), "It was asked")
		claimed, err := b.db.Claim(t.Context(), "brightwater", store.KindAsk, 10)
		if err != nil || len(claimed) != 1 {
			t.Fatal(claimed, err)
		}
		b.must(b.db.EndAsking(t.Context(), claimed[0], handoff.ReplyNone))
		contains(t, v.page(entry), "It was asked", "It has no booking with this uid.")
		contains(t, b.as(handoff.RoleViewer).page(entry), "Cal.com was asked", "It has no booking with this uid.")
	}
	got = v.post("/desk/failures/read-again", form)
	if got.status != 303 || b.waitsFor() != "no_reference signature_wrong" {
		t.Errorf("many: %d, %s", got.status, b.waitsFor())
	}
	contains(t, v.page(got.header.Get("Location")), "2 were what Cal.com sent", "1 were not")
	b.must2(b.db.DismissAll(t.Context(), handoff.CommandLine, "brightwater", handoff.SignatureWrong, b.clock.now().Add(time.Hour), ""))
	b.must2(b.db.DismissAll(t.Context(), handoff.CommandLine, "brightwater", handoff.NoReference, b.clock.now().Add(time.Hour), ""))

	// Without a whole body there is nothing to verify; it can be dismissed.
	b.unverified("cut")
	path = failureAddress(b.only().ID)
	if got := v.post(path+"/resolutions", url.Values{"remedy": {"verify"}}); got.status != 422 || !strings.Contains(got.body, "was not kept whole") {
		t.Errorf("%d", got.status)
	}
	for _, remedy := range []string{"attach", "ask", "pardon", ""} {
		if got := v.post(path+"/resolutions", url.Values{"remedy": {remedy}, "lead": {"lead_01jdb7z5q4x3s8m2k9v6t1n0rc"}}); got.status != 422 || b.waitsFor() != "signature_wrong" {
			t.Errorf("%q: %d", remedy, got.status)
		}
	}
}

// The lists take only addresses that the desk makes.
func TestFailureAddresses(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	for path, want := range map[string]int{
		"/desk/failures?reason=no_reference":                     200,
		"/desk/failures?reason=none":                             400,
		"/desk/failures?site=none":                               404,
		"/desk/failures?site=brightwater&settled=1":              200,
		"/desk/failures?uid=abc":                                 200,
		"/desk/failures?reason=no_reference&after=x":             400,
		"/desk/failures?reason=no_reference&after=%2B2026_fail_": 400,
		"/desk/failures?settled=1&after=-2026-11-28T06:07:15.161773Z_fail_01m8gc7npsfsmb129x5jdd700d": 200,
		"/desk/failures?settled=1&after=-2026-11-28T06:07:15.161773Z_'":                               400,
	} {
		if got := v.get(path); got.status != want {
			t.Errorf("%s: %d, want %d", path, got.status, want)
		}
	}
}
