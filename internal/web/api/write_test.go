package api_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
	"handoff/internal/web/api"
)

// dana is the path of the lead that is booked.
func (c *client) dana() string {
	c.t.Helper()
	return "/leads/" + string(read[leads](c.get("/leads?search=dana").is(200)).Items[0].ID)
}

// A lead is moved from where the client saw it, and back; each time the audit log has who
// did it, and the answer is what it has.
func TestStage(t *testing.T) {
	b := filled(t)
	c := b.client("acme", handoff.LeadsRead, handoff.LeadsWrite, handoff.AuditRead)
	dana := c.dana()
	stage := func() string { return string(read[api.LeadView](c.get(dana).is(200)).Stage) }
	act := read[handoff.Act](c.post(dana+"/stage", `{"from":"booked","to":"won"}`).is(201))
	if act.Action != "lead.stage" || act.Actor != "key "+c.key.Name || act.Site != "acme" || act.Subject != strings.TrimPrefix(dana, "/leads/") || act.Detail != "booked → won" || act.At.IsZero() {
		t.Errorf("act %+v", act)
	}
	if log := read[acts](c.get("/audit?subject=" + act.Subject).is(200)); len(log.Items) != 1 || log.Items[0] != act {
		t.Errorf("the audit log has %+v, and the answer was %+v", log, act)
	}
	if h := read[api.LeadView](c.get(dana)).History; h[len(h)-1].Cause != act.ID || stage() != "won" {
		t.Errorf("history %+v", h)
	}
	c.post(dana+"/stage", `{"from":"booked","to":"lost"}`).problem(409, "conflict")
	c.post(dana+"/stage", `{"from":"won","to":"won"}`).problem(422, "invalid", "#/to")
	c.post(dana+"/stage", `{"from":"won","to":"nowhere"}`).problem(422, "invalid", "#/to", "booked")
	c.post(dana+"/stage", `{"to":"lost"}`).problem(422, "invalid", "#/from")
	if stage() != "won" {
		t.Errorf("it stands at %s", stage())
	}
	undo := dana + "/stage/" + act.ID
	c.ask("DELETE", undo, "x").problem(400, "invalid-body")
	if back := read[handoff.Act](c.ask("DELETE", undo, "").is(200)); back.Action != "lead.stage.undo" || stage() != "booked" {
		t.Errorf("undone by %+v, stands at %s", back, stage())
	}
	c.ask("DELETE", undo, "").problem(409, "conflict")
	c.ask("DELETE", dana+"/stage/act_1", "").problem(404, "not-found")
}

// A note is written and deleted by the key that wrote it.
func TestNotes(t *testing.T) {
	b := filled(t)
	c, other := b.client("", handoff.LeadsRead, handoff.LeadsWrite), b.client("", handoff.LeadsWrite)
	dana := c.dana()
	act := read[handoff.Act](c.post(dana+"/notes", `{"text":" Called back.\r\nLikes tea "}`).is(201))
	notes := read[api.LeadView](c.get(dana)).Notes
	if len(notes) != 1 || notes[0].Text != "Called back.\nLikes tea" || notes[0].Author != "key "+c.key.Name || notes[0].ID != act.Detail {
		t.Errorf("notes %+v, act %+v", notes, act)
	}
	if strings.Contains(act.Detail, "tea") {
		t.Error("the audit log has what the note says")
	}
	path := dana + "/notes/" + notes[0].ID
	other.ask("DELETE", path, "").problem(403, "forbidden")
	first := c.ask("DELETE", path, "", "Idempotency-Key", "gone").is(200)
	if again := c.ask("DELETE", path, "", "Idempotency-Key", "gone").is(200); again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("again %s", again.body)
	}
	c.ask("DELETE", path, "").problem(404, "not-found")
}

// That a lead wants all its calls is said of those that the client saw, once, and taken
// back; the lead has who said so.
func TestCallsWanted(t *testing.T) {
	b := filled(t)
	c := b.client("acme", handoff.LeadsRead, handoff.LeadsWrite)
	dana := c.dana()
	lead := func() api.LeadView { return read[api.LeadView](c.get(dana).is(200)) }
	path := dana + "/calls-wanted"
	c.post(path, `{"calls":[{"uid":"booked"},{"uid":"booked"}]}`).problem(422, "invalid", "no more than one call")
	b.hear("acme", "second", handoff.Accepted, handoff.Submission{ID: lead().Submissions[0].ID})
	for body, says := range map[string]string{
		`{}`:                           "#/calls",
		`{"calls":[]}`:                 "#/calls",
		`{"calls":[{"uid":"booked"}]}`: "#/calls",
		`{"calls":[{"uid":""},{"uid":"second"}]}`:                             "#/calls/0/uid",
		`{"calls":[` + strings.Repeat(`{"uid":"x"},`, 1000) + `{"uid":"x"}]}`: "#/calls",
	} {
		c.post(path, body).problem(422, "invalid", says)
	}
	c.post(path, `{"calls":["booked","second"]}`).problem(400, "invalid-body", "#/calls/0")
	c.post(path, `{"calls":[{"uid":"booked"},{"uid":"stray"}]}`).problem(409, "conflict")
	if lead().CallsWanted != nil {
		t.Fatalf("refused, and said: %+v", lead().CallsWanted)
	}
	before := lead()
	act := read[handoff.Act](c.ask("POST", path, `{"calls":[{"uid":"second"},{"uid":"booked","seat":""}]}`, "Idempotency-Key", "both").is(201))
	if act.Action != "lead.calls" || act.Actor != "key "+c.key.Name || act.Detail != "2 calls" {
		t.Errorf("act %+v", act)
	}
	if again := c.ask("POST", path, `{"calls":[{"uid":"second"},{"uid":"booked","seat":""}]}`, "Idempotency-Key", "both").is(201); again.header.Get("Idempotency-Replayed") != "true" {
		t.Error("sent again it was done again")
	}
	if a := c.post(path, `{"calls":[{"uid":"booked"},{"uid":"second"}]}`).is(204); a.body != "" {
		t.Errorf("said already: %s", a.body)
	}
	if l := lead(); l.CallsWanted == nil || l.CallsWanted.By != act.Actor || !l.CallsWanted.At.Equal(act.At) || len(l.CallsWanted.Calls) != 2 || l.Stage != before.Stage || len(l.History) != len(before.History) {
		t.Errorf("lead %+v", l)
	}
	c.client("acme", handoff.LeadsRead).post(path, `{"calls":[{"uid":"booked"},{"uid":"second"}]}`).problem(403, "insufficient-scope")
	c.client("acme", handoff.LeadsRead).ask("DELETE", path, "").problem(403, "insufficient-scope")
	north := c.client("north", handoff.LeadsWrite)
	north.post(path, `{"calls":[{"uid":"booked"},{"uid":"second"}]}`).problem(404, "not-found")
	north.ask("DELETE", path, "").problem(404, "not-found")
	if undone := read[handoff.Act](c.ask("DELETE", path, "").is(200)); undone.Action != "lead.calls.undo" || lead().CallsWanted != nil {
		t.Errorf("undone by %+v", undone)
	}
	c.ask("DELETE", path, "").problem(409, "conflict")
}

// However often, and however concurrently, a write is sent under one name, it is done
// once, and each time answered so.
func TestWriteSentAgain(t *testing.T) {
	b := filled(t)
	c, other := b.client("", handoff.LeadsRead, handoff.LeadsWrite), b.client("", handoff.LeadsWrite)
	dana := c.dana()
	send := func(c *client, name, body string) answer {
		return c.ask("POST", dana+"/notes", body, "Idempotency-Key", name)
	}
	notes := func() int { return len(read[api.LeadView](c.get(dana)).Notes) }
	first := send(c, "one", `{"text":"x"}`).is(201)
	if first.header.Get("Idempotency-Replayed") != "" {
		t.Error("the first answer is said to be a second one")
	}
	again := send(c, "one", `{"text":"x"}`).is(201)
	if again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" || again.header.Get("Content-Type") != "application/json" {
		t.Errorf("again %v %s, first %s", again.header, again.body, first.body)
	}
	send(c, "one", `{"text":"y"}`).problem(422, "idempotency-key-reused")
	c.ask("POST", dana+"/stage", `{"text":"x"}`, "Idempotency-Key", "one").problem(422, "idempotency-key-reused")
	if notes() != 1 {
		t.Errorf("%d notes", notes())
	}
	send(other, "one", `{"text":"y"}`).is(201) // another key has names of its own

	// What failed has left nothing, and may be sent again in another form.
	send(c, "two", `{"text":""}`).problem(422, "invalid")
	send(c, "two", `{"text":"z"}`).is(201)
	if notes() != 3 {
		t.Errorf("%d notes", notes())
	}

	var wg sync.WaitGroup
	answers := make(chan answer, 12)
	for range cap(answers) {
		one := &client{bench: &bench{t: t, url: b.url}, token: c.token, key: c.key}
		wg.Go(func() { answers <- one.ask("POST", dana+"/notes", `{"text":"crowd"}`, "Idempotency-Key", "crowd") })
	}
	wg.Wait()
	close(answers)
	done := map[string]bool{}
	for a := range answers {
		switch a.status {
		case 201:
			done[a.body] = true
		case 409:
			a.problem(409, "under-way")
		default:
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	if len(done) != 1 || notes() != 4 {
		t.Errorf("%d different answers, %d notes", len(done), notes())
	}
	send(c, "crowd", `{"text":"crowd"}`).is(201)

	b.pass(24 * time.Hour)
	if later := send(c, "one", `{"text":"x"}`).is(201); later.body == first.body || notes() != 5 {
		t.Errorf("after a day %s, %d notes", later.body, notes())
	}
}

// The largest body that is allowed is taken.
func TestLargestBody(t *testing.T) {
	b := filled(t)
	c := b.client("", handoff.LeadsRead, handoff.LeadsWrite)
	const text = `{"text":"x"}`
	body := text + strings.Repeat(" ", 64<<10-len(text))
	c.post(c.dana()+"/notes", body).is(201)
	c.post(c.dana()+"/notes", body+" ").problem(413, "too-large")
	c.post(c.dana()+"/notes", fmt.Sprintf(`{"text":"%s"}`, strings.Repeat("é", handoff.MaxNote))).is(201)
}

// waiting is the path of the one open failure of a reason on acme.
func (c *client) waiting(reason handoff.Reason) string {
	c.t.Helper()
	list := read[failures](c.get("/failures?site=acme&reason=" + string(reason)).is(200)).Items
	if len(list) != 1 {
		c.t.Fatalf("%d wait with %s", len(list), reason)
	}
	return "/failures/" + string(list[0].ID)
}

// Failures are settled, and settled no more, as the audit log has it; what is no remedy
// of one is refused.
func TestResolutions(t *testing.T) {
	b := filled(t)
	c := b.client("acme", handoff.LeadsRead, handoff.FailuresRead, handoff.FailuresWrite)
	dana := strings.TrimPrefix(c.dana(), "/leads/")
	stray, forged := c.waiting(handoff.NoReference), c.waiting(handoff.SignatureWrong)
	detail := func(path string) api.FailureDetailView { return detailOf(c, path) }

	for body, says := range map[string]string{
		`{}`:                                "#/remedy",
		`{"remedy":"forget"}`:               "#/remedy",
		`{"remedy":"attach"}`:               "#/lead",
		`{"remedy":"attach","lead":"dana"}`: "#/lead",
		`{"remedy":"dismiss","lead":"` + dana + `"}`:                     "#/lead",
		`{"remedy":"ask","note":"x"}`:                                    "#/note",
		`{"remedy":"dismiss","note":"` + strings.Repeat("x", 501) + `"}`: "#/note",
		`{"remedy":"verify"}`:                                            "#/remedy", // a booking's has no delivery to read
		`{"remedy":"attach","lead":"lead_01jdb7z5q4x3s8m2k9v6t1n0rc"}`:   "#/lead",
	} {
		c.post(stray+"/resolutions", body).problem(422, "invalid", says)
	}
	if d := detail(stray); d.SettledAt != nil || d.Resolution != nil || len(d.Remedies) != 3 {
		t.Fatalf("refused, and done: %+v", d)
	}
	likely := read[api.FailureDetailView](c.get(stray).is(200)).Suggestions
	if !slices.ContainsFunc(likely, func(s api.SuggestionView) bool { return string(s.Lead) == dana && len(s.Reasons) == 1 }) {
		t.Errorf("suggested: %+v", likely)
	}
	if none := read[api.FailureDetailView](c.get(forged).is(200)).Suggestions; none == nil || len(none) != 0 {
		t.Errorf("suggested for what is about no booking: %+v", none)
	}

	act := read[handoff.Act](c.post(stray+"/resolutions", `{"remedy":"attach","lead":"`+dana+`","note":"She rang"}`).is(201))
	b.work("acme")
	d := detail(stray)
	if act.Action != "failure.attach" || d.SettledAt == nil || d.Resolution == nil || d.Resolution.Note != "She rang" || d.Resolution.By != "key "+c.key.Name || !strings.Contains(act.Detail, string(d.Resolution.ID)) {
		t.Errorf("%+v, %+v", act, d.Resolution)
	}
	if lead := read[api.LeadView](c.get("/leads/" + dana).is(200)); len(lead.Bookings) != 2 {
		t.Errorf("bookings %+v", lead.Bookings)
	}
	c.post(stray+"/resolutions", `{"remedy":"dismiss"}`).problem(409, "conflict")
	undo := stray + "/resolutions/" + string(d.Resolution.ID)
	c.ask("DELETE", forged+"/resolutions/"+string(d.Resolution.ID), "").problem(404, "not-found")
	if act := read[handoff.Act](c.ask("DELETE", undo, "").is(200)); act.Action != "failure.undo" {
		t.Errorf("%+v", act)
	}
	b.work("acme")
	if lead := read[api.LeadView](c.get("/leads/" + dana).is(200)); len(lead.Bookings) != 1 || detail(stray).SettledAt != nil {
		t.Errorf("bookings %+v", lead.Bookings)
	}
	c.ask("DELETE", undo, "").problem(404, "not-found")
	if act := read[handoff.Act](c.post(stray+"/resolutions", `{"remedy":"ask"}`).is(201)); act.Action != "failure.ask" || detail(stray).SettledAt != nil {
		t.Errorf("%+v", act)
	}

	c.post(forged+"/resolutions", `{"remedy":"verify"}`).problem(404, "not-found") // it was not kept whole
	b.must(b.db.RevokeKey(t.Context(), olga, c.key.ID))
	c = b.client("acme", handoff.FailuresRead, handoff.FailuresWrite)
	c.post(forged+"/resolutions", `{"remedy":"dismiss"}`).is(201)
	b.unverified("one", "forged")
	still := c.waiting(handoff.SignatureWrong)
	c.post(still+"/resolutions", `{"remedy":"verify"}`).problem(422, "invalid", "signature_wrong")
	c.post(still+"/resolutions", `{"remedy":"dismiss"}`).is(201)
	b.unverified("two", "right")
	right := c.waiting(handoff.SignatureWrong)
	if act := read[handoff.Act](c.post(right+"/resolutions", `{"remedy":"verify"}`).is(201)); act.Action != "failure.verify" || detailOf(c, right).SettledAt == nil {
		t.Errorf("%+v", act)
	}
	north := b.client("north", handoff.FailuresRead, handoff.FailuresWrite)
	theirs := "/failures/" + string(read[failures](north.get("/failures").is(200)).Items[0].ID)
	north.post(theirs+"/resolutions", `{"remedy":"ask"}`).problem(422, "invalid", "no API of Cal.com")
	north.post(still+"/resolutions", `{"remedy":"dismiss"}`).problem(404, "not-found")
}

func detailOf(c *client, path string) api.FailureDetailView {
	c.t.Helper()
	return read[api.FailureDetailView](c.get(path).is(200))
}

// Several failures are dismissed at once, by their IDs or all of a reason that came
// before somebody looked, and all are taken back at once; of another site none is.
func TestResolutionOfMany(t *testing.T) {
	b := filled(t)
	c, north := b.client("acme", handoff.FailuresRead, handoff.FailuresWrite), b.client("north", handoff.FailuresRead, handoff.FailuresWrite)
	const many = "/sites/acme/resolutions"
	for i := range 3 {
		b.hear("acme", fmt.Sprint("more", i), handoff.Accepted, handoff.Submission{})
	}
	looked := b.now()
	b.pass(time.Minute)
	b.hear("acme", "later", handoff.Accepted, handoff.Submission{})
	open := func(c *client) (uids []string) {
		for _, f := range read[failures](c.get("/failures?reason=no_reference").is(200)).Items {
			uids = append(uids, f.UID)
		}
		slices.Sort(uids)
		return uids
	}
	all := []string{"later", "more0", "more1", "more2", "stray"}
	if got := open(c); !slices.Equal(got, all) {
		t.Fatalf("there wait %v", got)
	}
	id := func(uid string) string {
		return string(read[failures](c.get("/failures?uid=" + uid).is(200)).Items[0].ID)
	}
	theirs := string(read[failures](north.get("/failures")).Items[0].ID)
	b.must(b.db.SiteFails(t.Context(), "acme", store.SweepSubject, handoff.SweepFailing, ""))
	healing := strings.TrimPrefix(c.waiting(handoff.SweepFailing), "/failures/")
	seen := `"seen":"` + looked.Format(time.RFC3339Nano) + `"`
	for body, says := range map[string]string{
		`{"remedy":"dismiss"}`:                                                       `"#"`,
		`{"remedy":"dismiss","failures":[]}`:                                         `"#"`,
		`{"remedy":"attach","failures":["` + id("stray") + `"]}`:                     "#/remedy",
		`{"failures":["` + id("stray") + `"]}`:                                       "#/remedy",
		`{"remedy":"dismiss","failures":["x"]}`:                                      "#/failures/0",
		`{"remedy":"dismiss","failures":["` + id("stray") + `"],` + seen + `}`:       "#/seen",
		`{"remedy":"dismiss","reason":"no_reference"}`:                               "#/seen",
		`{"remedy":"dismiss","reason":"no_reference","failures":["x"],` + seen + `}`: `"#"`,
		`{"remedy":"dismiss","failures":["` + id("stray") + `"],"note":"\u0007"}`:    "#/note",
		`{"remedy":"dismiss","reason":"none",` + seen + `}`:                          "#/reason",
		`{"remedy":"dismiss","failures":["` + healing + `"]}`:                        `"#"`,
		`{"remedy":"ask"}`: `"#"`,
		`{"remedy":"ask","failures":["` + id("stray") + `"]}`:   `"#"`,
		`{"remedy":"ask","reason":"no_reference",` + seen + `}`: `"#"`,
		`{"remedy":"ask","reason":"no_reference","note":"why"}`: "#/note",
		`{"remedy":"ask","reason":"signature_wrong"}`:           "#/reason",
		`{"remedy":"ask","reason":"none"}`:                      "#/reason",
	} {
		c.post(many, body).problem(422, "invalid", says)
	}
	c.post(many, `{"remedy":"dismiss","reason":"no_reference","seen":"today"}`).problem(400, "invalid-body")
	c.post(many, `{"remedy":"dismiss","failures":["`+id("stray")+`","`+theirs+`"]}`).problem(404, "not-found")
	c.post("/sites/north/resolutions", `{"remedy":"dismiss","failures":["`+theirs+`"]}`).problem(404, "not-found")
	north.post(many, `{"remedy":"dismiss","reason":"no_reference",`+seen+`}`).problem(404, "not-found")
	if got := open(c); !slices.Equal(got, all) || len(open(north)) != 1 {
		t.Fatalf("after what was refused there wait %v, and %v", got, open(north))
	}

	// Asking settles nothing, and where there is nobody to ask it is refused.
	north.post("/sites/north/resolutions", `{"remedy":"ask","reason":"no_reference"}`).problem(422, "invalid", "no API of Cal.com")
	c.post(many, `{"remedy":"ask","reason":"reference_forged"}`).problem(404, "not-found")
	asked := read[handoff.Act](c.ask("POST", many, `{"remedy":"ask","reason":"no_reference"}`, "Idempotency-Key", "ask").is(201))
	if got := open(c); !slices.Equal(got, all) || asked.Action != "failure.ask" || asked.Detail != "5 bookings of no_reference" {
		t.Errorf("asked, there wait %v; %+v", got, asked)
	}

	by := read[handoff.Act](c.ask("POST", many, `{"remedy":"dismiss","reason":"no_reference",`+seen+`,"note":"a fair"}`, "Idempotency-Key", "fair").is(201))
	if got := open(c); !slices.Equal(got, []string{"later"}) || by.Action != "failure.dismiss" || by.Detail != "4 of no_reference" {
		t.Errorf("there wait %v; %+v", got, by)
	}
	if again := c.ask("POST", many, `{"remedy":"dismiss","reason":"no_reference",`+seen+`,"note":"a fair"}`, "Idempotency-Key", "fair").is(201); again.header.Get("Idempotency-Replayed") != "true" {
		t.Error("sent again it was done again")
	}
	c.post(many, `{"remedy":"dismiss","reason":"no_reference",`+seen+`}`).problem(404, "not-found") // none is left
	if r := read[store.Resolution](c.get(many + "/" + by.Subject).is(200)); r.Failures != 4 || r.Note != "a fair" || r.UndoneAt != nil {
		t.Errorf("resolution %+v", r)
	}
	north.get(many+"/"+by.Subject).problem(404, "not-found")
	north.ask("DELETE", many+"/"+by.Subject, "").problem(404, "not-found")
	north.ask("DELETE", "/sites/north/resolutions/"+by.Subject, "").problem(404, "not-found")
	c.ask("DELETE", many+"/"+by.Subject, "").is(200)
	c.ask("DELETE", many+"/"+by.Subject, "").problem(409, "conflict")
	if got := open(c); !slices.Equal(got, all) {
		t.Errorf("taken back, and there wait %v", got)
	}

	c.post(many, `{"remedy":"dismiss","failures":["`+id("more0")+`","`+id("later")+`"]}`).is(201)
	c.post(many, `{"remedy":"dismiss","failures":["`+id("more1")+`","`+string(detailOf(c, "/failures/"+settledID(c, "later")).ID)+`"]}`).problem(409, "conflict")
	if got := open(c); !slices.Equal(got, []string{"more1", "more2", "stray"}) {
		t.Errorf("there wait %v", got)
	}
	last := read[handoff.Act](c.post(many, `{"remedy":"dismiss","reason":"signature_wrong","seen":"2100-01-01T00:00:00Z"}`).is(201))
	if r := read[store.Resolution](c.get(many + "/" + last.Subject).is(200)); r.Failures != 1 || last.Detail != "1 of signature_wrong" {
		t.Errorf("all of a reason, which is one: %+v, %+v", last, r)
	}
	c.client("acme", handoff.FailuresRead).post(many, `{"remedy":"dismiss","reason":"no_reference",`+seen+`}`).problem(403, "insufficient-scope")
}

// settledID is the ID of a failure of a booking that was settled.
func settledID(c *client, uid string) string {
	c.t.Helper()
	return string(read[failures](c.get("/failures?state=all&uid=" + uid).is(200)).Items[0].ID)
}
