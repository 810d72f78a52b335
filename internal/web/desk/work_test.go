package desk

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

func (b *bench) read(id handoff.LeadID) store.LeadDetail {
	b.t.Helper()
	d, err := b.db.Lead(b.t.Context(), nil, id)
	b.must(err)
	return d
}

var undoCause = regexp.MustCompile(`name="cause" value="([^"]*)"`)

// A stage is set by a form, comes into the timeline with who did it, and is undone by
// another; of two who saw the same, the second hears that somebody was before.
func TestStageIsSetAndUndone(t *testing.T) {
	b := newBench(t)
	s := b.submit(nil)
	v := b.signedIn()
	path := "/desk/leads/" + string(s.Lead)
	form := url.Values{"site": {"brightwater"}, "from": {"new"}, "to": {"contacted"}}
	lacks(t, v.page(path), "data-undo")
	if p := v.post(path+"/stage", form); p.status != 303 || p.header.Get("Location") != path {
		t.Fatalf("answered %d, to %q", p.status, p.header.Get("Location"))
	}
	form.Set("to", "won")
	p := v.post(path+"/stage", form)
	if p.status != 409 {
		t.Errorf("from a stage that was left: %d", p.status)
	}
	contains(t, p.body, "Somebody was before you", `href="`+path+`">To the lead<`)
	page := v.page(path)
	contains(t, page, email+" set the stage", `<button data-undo>Undo: back to New</button>`, `<option value="contacted" selected>`, "By its bookings it would be “New”")
	cause := undoCause.FindStringSubmatch(page)
	if cause == nil {
		t.Fatalf("nothing to undo:\n%s", page)
	}
	undo := url.Values{"site": {"brightwater"}, "cause": {cause[1]}}
	for i, want := range []int{303, 409} {
		if p := v.post(path+"/stage/undo", undo); p.status != want {
			t.Errorf("undo %d answered %d", i, p.status)
		}
	}
	if d := b.read(s.Lead); d.Stage != "new" || d.Manual != nil || len(d.History) != 3 {
		t.Errorf("lead %+v", d)
	}
	form = url.Values{"site": {"brightwater"}, "from": {"new"}, "to": {"lost"}, "back": {"board"}}
	if p := v.post(path+"/stage", form); p.header.Get("Location") != "/desk/board?site=brightwater" {
		t.Errorf("from the board it leads to %q", p.header.Get("Location"))
	}
	if p := v.post(path+"/stage", url.Values{"site": {"brightwater"}, "from": {"lost"}, "to": {"lost"}}); p.status != 303 || len(b.read(s.Lead).History) != 4 {
		t.Errorf("to where it stands: %d, %+v", p.status, b.read(s.Lead).History)
	}
	form = url.Values{"site": {"brightwater"}, "from": {"lost"}, "to": {"nonsense"}}
	if p := v.post(path+"/stage", form); p.status != 400 {
		t.Errorf("no such stage: %d", p.status)
	}
}

// What is undone leads to where the lead would stand without the last word of a person:
// to what one had said before, or to what its bookings say. Where that is the same, there
// is nothing to undo.
func TestUndoSaysWhereItLeads(t *testing.T) {
	b := newBench(t)
	v := b.signedIn()
	set := func(s handoff.Submission, from, to string) {
		t.Helper()
		if p := v.post("/desk/leads/"+string(s.Lead)+"/stage", url.Values{"site": {"brightwater"}, "from": {from}, "to": {to}}); p.status != 303 {
			t.Fatalf("%s → %s: %d", from, to, p.status)
		}
	}
	twice, foreseen := b.submit(nil), b.submit(func(s *handoff.Submission) { s.Name, s.Email = "Ines", "ines@example.com" })
	set(twice, "new", "contacted")
	set(twice, "contacted", "won")
	contains(t, v.page("/desk/leads/"+string(twice.Lead)), "Undo: back to Contacted")
	set(foreseen, "new", "booked")
	path := "/desk/leads/" + string(foreseen.Lead)
	contains(t, v.page(path), "Undo: back to New")
	b.hear("BOOKING_CREATED", foreseen, b.booked("uid1", 26*time.Hour))
	if d := b.read(foreseen.Lead); d.Stage != "booked" || len(d.Bookings) != 1 {
		t.Fatalf("lead %+v", d)
	}
	lacks(t, v.page(path), "data-undo")
}

// Who may only read sees no forms and changes nothing; who does not see a site finds
// nothing of it.
func TestWorkTakesARole(t *testing.T) {
	b := newBench(t)
	s := b.submit(nil)
	b.must2(b.db.AddNote(t.Context(), handoff.CommandLine, "brightwater", s.Lead, "Called twice"))
	path, note := "/desk/leads/"+string(s.Lead), b.read(s.Lead).Notes[0].ID
	for _, c := range []struct {
		who          *visitor
		reads, works int
	}{
		{b.as(handoff.RoleViewer), 200, 403},
		{b.as(handoff.RoleOwner, "northside"), 404, 404},
	} {
		if p := c.who.get(path); p.status != c.reads {
			t.Errorf("reading answered %d, want %d", p.status, c.reads)
		} else if p.status == 200 {
			contains(t, p.body, "Called twice")
			lacks(t, p.body, "/stage\"", `id="note"`, "/delete\"", "Booking link")
		}
		for address, form := range map[string]url.Values{
			"/stage":                     {"site": {"brightwater"}, "from": {"new"}, "to": {"won"}},
			"/stage/undo":                {"site": {"brightwater"}, "cause": {"x"}},
			"/calls-wanted":              {"site": {"brightwater"}, "uid": {"x"}, "seat": {""}},
			"/calls-wanted/undo":         {"site": {"brightwater"}},
			"/notes":                     {"site": {"brightwater"}, "text": {"x"}},
			"/notes/" + note + "/delete": {"site": {"brightwater"}},
		} {
			if p := c.who.post(path+address, form); p.status != c.works {
				t.Errorf("%s answered %d, want %d", address, p.status, c.works)
			}
			form.Set("site", "northside") // a lie about the site finds nothing there
			if p := c.who.post(path+address, form); p.status != 404 && p.status != 403 {
				t.Errorf("%s with another site answered %d", address, p.status)
			}
		}
		for _, list := range []string{"/desk/leads?site=brightwater", "/desk/board?site=brightwater", "/desk/leads.csv?site=brightwater"} {
			if p := c.who.get(list); p.status != c.reads {
				t.Errorf("%s answered %d, want %d", list, p.status, c.reads)
			}
		}
	}
	restricted := b.as(handoff.RoleOwner, "northside")
	for _, list := range []string{"/desk/leads", "/desk/board", "/desk/leads.csv", "/desk/leads?q=dana"} {
		lacks(t, restricted.page(list), "Dana", "Brightwater")
	}
	if d := b.read(s.Lead); d.Stage != "new" || len(d.Notes) != 1 || len(d.History) != 1 {
		t.Errorf("lead %+v", d)
	}
}

func (b *bench) must2(_ any, err error) { b.t.Helper(); b.must(err) }

// Notes are shown as they were written, and deleted by who may.
func TestNotesOfALead(t *testing.T) {
	b := newBench(t)
	s := b.submit(nil)
	v, path := b.signedIn(), "/desk/leads/"+string(s.Lead)
	text := "Called <b>twice</b>\r\nNo answer"
	if p := v.post(path+"/notes", url.Values{"site": {"brightwater"}, "text": {text}}); p.status != 303 || p.header.Get("Location") != path+"#notes" {
		t.Fatalf("answered %d", p.status)
	}
	if p := v.post(path+"/notes", url.Values{"site": {"brightwater"}, "text": {strings.Repeat("x", 5001)}}); p.status != 400 {
		t.Errorf("too long: %d", p.status)
	}
	if p := v.post(path+"/notes", url.Values{"site": {"brightwater"}, "text": {strings.Repeat("x", maxForm)}}); p.status != 400 {
		t.Errorf("a huge form: %d", p.status)
	}
	contains(t, v.page(path), "Called &lt;b&gt;twice&lt;/b&gt;\nNo answer", email, "Delete")
	note := b.read(s.Lead).Notes[0].ID
	for i, want := range []int{303, 404} {
		if p := v.post(path+"/notes/"+note+"/delete", url.Values{"site": {"brightwater"}}); p.status != want {
			t.Errorf("deletion %d answered %d", i, p.status)
		}
	}
	lacks(t, v.page(path), "twice")
}

// The list is narrowed by each field of its form, which shows what it was narrowed by;
// and so is the file.
func TestListIsNarrowed(t *testing.T) {
	b := newBench(t)
	day := b.clock.now().In(london())
	for _, c := range []struct{ name, service, source, phone string }{
		{"Ada Lovelace", "boiler", "Google", "+44 20 7946 0123"}, {"Bea Smith", "leak", "", ""}, {"Ada Byron", "leak", "", "020 7946 0999"},
	} {
		b.submit(func(s *handoff.Submission) {
			s.Name, s.Service, s.Phone, s.Email = c.name, c.service, c.phone, strings.ReplaceAll(c.name, " ", "")+"@example.com"
			if c.source != "" {
				s.Context.Campaign = map[string]string{"utm_source": c.source}
			}
		})
	}
	v := b.signedIn()
	today, tomorrow := day.Format(time.DateOnly), day.AddDate(0, 0, 1).Format(time.DateOnly)
	for query, want := range map[string]string{
		"q=ada": "Ada Byron, Ada Lovelace", "q=ada+love": "Ada Lovelace", "q=020+7946+0123": "Ada Lovelace", "q=nobody": "",
		"service=leak": "Ada Byron, Bea Smith", "source=google": "Ada Lovelace", "source=direct&service=leak&q=bea": "Bea Smith",
		"site=brightwater&from=" + today: "Ada Byron, Bea Smith, Ada Lovelace", "site=brightwater&from=" + tomorrow: "",
		"site=brightwater&to=" + today + "&stage=new&q=&service=": "Ada Byron, Bea Smith, Ada Lovelace", "site=brightwater&to=2020-01-01": "",
	} {
		page := v.page("/desk/leads?" + query)
		var names []string
		for _, m := range regexp.MustCompile(`data-lead="([^"]*)"`).FindAllStringSubmatch(page, -1) {
			names = append(names, m[1])
		}
		if got := strings.Join(names, ", "); got != want {
			t.Errorf("%s shows %q, want %q", query, got, want)
		}
		rows, err := csv.NewReader(strings.NewReader(v.page("/desk/leads.csv?" + query))).ReadAll()
		b.must(err)
		names = nil
		for _, row := range rows[1:] {
			names = append(names, row[4])
		}
		if got := strings.Join(names, ", "); got != want {
			t.Errorf("%s exports %q, want %q", query, got, want)
		}
	}
	contains(t, v.page("/desk/leads?q=ada&service=leak&from=2026-01-01&site=brightwater"), `value="ada"`, `<option value="leak" selected>`, `value="2026-01-01"`, `<option value="google">`)
	contains(t, v.get("/desk/leads?q=a+b+c+d+e+f+g+h+i").body, "Look for 8 words at most.")
	for _, bad := range []string{"from=yesterday", "to=2026-13-01", "q=" + strings.Repeat("x", 201), "q=a%00b", "q=%ff", "q=a+b+c+d+e+f+g+h+i"} {
		if p := v.get("/desk/leads?" + bad); p.status != 400 {
			t.Errorf("%.20s answered %d", bad, p.status)
		}
	}
}

// A file of which a piece cannot be had does not end as a whole one does.
func TestHalfAFileIsNoFile(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct {
		broken error
		whole  bool
	}{{nil, true}, {handoff.ErrUnavailable, false}} {
		pieces := 0
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			b.desk.download(w, r, "test", "csv", "text/csv", func() (bool, error) {
				if pieces++; pieces == 2 {
					return false, c.broken
				}
				_, err := w.Write(bytes.Repeat([]byte("a,b\n"), 4096))
				return true, err
			})
		}))
		answer, err := server.Client().Get(server.URL)
		b.must(err)
		_, err = io.ReadAll(answer.Body)
		if (err == nil) != c.whole || answer.StatusCode != 200 || pieces != 2 {
			t.Errorf("%d pieces, of which the last is %v: %d, %v", pieces, c.broken, answer.StatusCode, err)
		}
		answer.Body.Close()
		server.Close()
	}
}

// A file has every lead, however many there are, and no cell that a spreadsheet would
// run; that somebody took it is noted, without what was looked for.
func TestExport(t *testing.T) {
	b := newBench(t)
	evil := []string{"=HYPERLINK(\"//x\")", "+1", "-1", "@SUM(A1)", "\n=1"}
	for i, name := range evil {
		b.submit(func(s *handoff.Submission) { s.Name, s.Phone = name, []string{"+44 20", "", "-", "=", "\t="}[i] })
	}
	booked := b.submit(func(s *handoff.Submission) { s.Name = "Émile, \"the\" one" })
	b.hear("BOOKING_CREATED", booked, b.booked("u1", 24*time.Hour))
	for i := range 2*exportPage + 1 {
		b.submit(func(s *handoff.Submission) { s.Site, s.Service, s.Name = "northside", "roof", fmt.Sprint("Many ", i) })
	}
	v := b.signedIn()
	p := v.get("/desk/leads.csv")
	rows, err := csv.NewReader(strings.NewReader(p.body)).ReadAll()
	b.must(err)
	if len(rows) != 2*exportPage+1+7 || strings.Join(rows[0], ",") != strings.Join(exportHead, ",") {
		t.Fatalf("%d rows, the first %q", len(rows), rows[0])
	}
	if h := p.header; h.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(h.Get("Content-Disposition"), "attachment;") {
		t.Errorf("headers %v", h)
	}
	seen := map[string]bool{}
	for _, row := range rows[1:] {
		if seen[row[0]] {
			t.Fatalf("%s twice", row[0])
		}
		seen[row[0]] = true
		for _, cell := range row {
			if cell != "" && strings.Contains("=+-@\t\r\n", cell[:1]) {
				t.Errorf("a cell begins with %q: %q", cell[:1], row)
			}
		}
	}
	for _, name := range evil {
		contains(t, strings.ReplaceAll(p.body, `""`, `"`), inert(name)) // see TestInert
	}
	last := rows[len(rows)-len(evil)-1]
	if last[4] != "Émile, \"the\" one" || last[3] != "booked" || last[9] == "" || last[10] != "1" {
		t.Errorf("row %q", last)
	}
}

// Who downloads leads is in the log of each site whose leads those are, and of no other,
// with what they were narrowed by, but not with what was looked for.
func TestExportsAreActs(t *testing.T) {
	b := newBench(t)
	all, one := b.signedIn(), b.as(handoff.RoleOwner, "northside")
	for _, c := range []struct {
		name, address string
		by            *visitor
		want          []string
	}{
		{"all", "", all, []string{"brightwater: all leads", "northside: all leads"}},
		{"all that are seen", "", one, []string{"northside: all leads"}},
		{"of a site", "site=brightwater&stage=won&service=boiler&source=google&from=2026-11-01&to=2026-11-30", all, []string{"brightwater: stage won, service boiler, from 2026-11-01, to 2026-11-30, a source"}},
		{"looked for", "site=northside&q=secret%40example.com&stage=won", all, []string{"northside: stage won, with a text"}},
	} {
		before := len(b.exports())
		c.by.page("/desk/leads.csv?" + c.address)
		if got := b.exports()[before:]; !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	contains(t, one.page("/desk/audit?action=lead.export"), "all leads", "with a text")
	lacks(t, one.page("/desk/audit?action=lead.export"), "service boiler", "secret")
}

// exports are the downloads of leads that the audit log has.
func (b *bench) exports() (out []string) {
	b.t.Helper()
	acts, err := b.db.Audit(b.t.Context(), store.AuditFilter{Action: "lead.export"})
	b.must(err)
	for _, a := range slices.Backward(acts) {
		out = append(out, a.Site+": "+a.Detail)
	}
	return out
}

// A list is kept under a name, and is its operator's own.
func TestSavedViews(t *testing.T) {
	b := newBench(t)
	v, other := b.signedIn(), b.as(handoff.RoleViewer)
	p := v.post("/desk/views", url.Values{"view": {"Won by <i>search</i>"}, "query": {"q=ada&stage=won&before=nonsense_x&evil=1"}})
	if p.status != 400 {
		t.Errorf("a query that is not one: %d", p.status)
	}
	p = v.post("/desk/views", url.Values{"view": {"Won by <i>search</i>"}, "query": {"q=ada&stage=won&evil=1"}})
	if p.status != 303 || p.header.Get("Location") != "/desk/leads?q=ada&stage=won" {
		t.Errorf("answered %d, to %q", p.status, p.header.Get("Location"))
	}
	contains(t, v.page("/desk/leads"), `<a href="/desk/leads?q=ada&amp;stage=won"><bdi>Won by &lt;i&gt;search&lt;/i&gt;</bdi></a>`)
	contains(t, v.page("/desk/leads?stage=won&q=ada"), `/desk/views/delete`)
	lacks(t, other.page("/desk/leads"), "Won by")
	name := url.Values{"view": {"Won by <i>search</i>"}}
	if p := other.post("/desk/views/delete", name); p.status != 404 {
		t.Errorf("somebody else's: %d", p.status)
	}
	if p := v.post("/desk/views/delete", name); p.status != 303 {
		t.Errorf("deleting answered %d", p.status)
	}
	lacks(t, v.page("/desk/leads"), "Won by")
}

// The board has a column for each stage of one site, each with its newest leads and a
// way to the others.
func TestBoard(t *testing.T) {
	b := newBench(t)
	for i := range cardsShown + 2 {
		b.submit(func(s *handoff.Submission) { s.Name = fmt.Sprint("Card ", i) })
	}
	booked := b.submit(func(s *handoff.Submission) { s.Name = "Booked one" })
	b.hear("BOOKING_CREATED", booked, b.booked("u1", 24*time.Hour))
	b.submit(func(s *handoff.Submission) { s.Site, s.Service, s.Name = "northside", "roof", "Elsewhere" })
	v := b.signedIn()
	page := v.page("/desk/board")
	if n := strings.Count(page, `<ul data-column="`); n != len(handoff.DefaultPipeline().Stages) {
		t.Errorf("%d columns", n)
	}
	column := func(stage string) string {
		_, after, _ := strings.Cut(page, `<ul data-column="`+stage+`">`)
		before, _, _ := strings.Cut(after, `</section>`)
		return before
	}
	contains(t, column("new"), "Card 21", "Card 2<", `href="/desk/leads?site=brightwater&amp;stage=new">More`, `name="from" value="new"`)
	lacks(t, column("new"), "Card 1<", "Booked one")
	contains(t, column("booked"), "Booked one", `<option value="booked" selected>`)
	lacks(t, column("booked"), "More")
	lacks(t, page, "Elsewhere")
	contains(t, v.page("/desk/board?site=northside"), "Elsewhere")
	if p := v.get("/desk/board?site=nowhere"); p.status != 404 {
		t.Errorf("no such site: %d", p.status)
	}
	lacks(t, b.as(handoff.RoleViewer).page("/desk/board"), "<select", `draggable="true"`)
}

// Each fact of the timeline that a webhook told leads to the body, of this lead and of none
// else; of others it is said why there is none.
func TestFactLeadsToItsBody(t *testing.T) {
	b := newBench(t)
	s, other := b.submit(nil), b.submit(nil)
	b.hear("BOOKING_CREATED", s, b.booked("uid1", 48*time.Hour))
	v := b.signedIn()
	page := v.page("/desk/leads/" + string(s.Lead))
	m := regexp.MustCompile(`href="(/desk/leads/[^"]*/received/([^"]*))"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no way to the body:\n%s", page)
	}
	contains(t, v.page(m[1]), "BOOKING_CREATED", "&#34;uid&#34;: &#34;uid1&#34;", "Came once")
	for _, path := range []string{"/desk/leads/" + string(other.Lead) + "/received/" + m[2], "/desk/leads/" + string(s.Lead) + "/received/evt_x"} {
		if p := v.get(path); p.status != 404 {
			t.Errorf("%s answered %d", path, p.status)
		}
	}
	if p := b.as(handoff.RoleOwner, "northside").get(m[1]); p.status != 404 {
		t.Errorf("of a site that is not seen: %d", p.status)
	}

	told := b.booked("uid1", 48*time.Hour)
	told.ID, told.Site, told.Source, told.At = "api_1", "brightwater", handoff.FromAPI, b.clock.now()
	b.must(b.db.KeepAnswer(t.Context(), store.Work{Site: "brightwater", Kind: store.KindAsk, Key: "uid1"}, []handoff.Observation{told}, nil, []int64{10}))
	b.reconcile()
	page = v.page("/desk/leads/" + string(s.Lead) + "/received/api_1")
	contains(t, page, "Cal.com’s API answered this when it was asked: of such an answer only the fact is kept, and no body.")
	lacks(t, page, "As it is stored", "<pre")
	lacks(t, v.page(m[1]), "no body")
}

// Leads with the same address or number are shown as perhaps the same person's; the
// link to send is the lead's own.
func TestRelatedAndLink(t *testing.T) {
	b := newBench(t)
	b.desk.sites["brightwater"] = func(s Site) Site {
		s.BookingLink = func(id handoff.SubmissionID) string { return "https://brightwater.example/book/" + string(id) + ".sig" }
		return s
	}(b.desk.sites["brightwater"])
	s := b.submit(nil)
	twin := b.submit(func(s *handoff.Submission) { s.Name = "D. Whitfield" })
	stranger := b.submit(func(s *handoff.Submission) { s.Email = "other@example.com" })
	page := b.signedIn().page("/desk/leads/" + string(s.Lead))
	contains(t, page, "Perhaps the same person", "/desk/leads/"+string(twin.Lead), `value="https://brightwater.example/book/`+string(s.ID)+`.sig"`)
	lacks(t, page, "/desk/leads/"+string(stranger.Lead))
}
