package web_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// Who looks at the page stops nothing; who presses its button, or whose mail program
// does, is reminded no more. Nobody else's reference does it.
func TestStopReminders(t *testing.T) {
	in := newInstall(t)
	lead, reference := in.lead("brightwater", "f1", "Dana", "dana@example.com")
	id, err := in.keys.Open("brightwater", reference)
	if err != nil {
		t.Fatal(err)
	}
	due := func(w handoff.Waiting) int {
		r := handoff.Reminding{After: []time.Duration{time.Minute}}
		return r.Number(w, handoff.DefaultPipeline(), w.Lead.CreatedAt.Add(time.Hour))
	}
	stopped := func() bool {
		t.Helper()
		may, err := in.db.MayRemind(t.Context(), "brightwater", lead, due, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		return !may
	}
	stop := "/stop/" + in.keys.SignStop("brightwater", id)
	page := in.get(stop)
	if page.Code != http.StatusOK || !strings.Contains(page.Body.String(), "Stop reminders") || !strings.Contains(page.Body.String(), `href="/book/`+reference) || stopped() || page.Header().Get("Cache-Control") != "no-store" || page.Header().Get("X-Robots-Tag") == "" {
		t.Errorf("a look: %d, stopped %v, %v", page.Code, stopped(), page.Header())
	}
	// The lead's own reference stops nothing: whoever sent the form holds it.
	for _, bad := range []string{"/stop/" + reference, stop[:len(stop)-4] + "AAAA", "/stop/sub_1", "/stop/" + in.keys.SignStop("other", id)} {
		if w := in.post(bad, nil); w.Code != http.StatusNotFound || stopped() {
			t.Errorf("%s: %d, stopped %v", bad, w.Code, stopped())
		}
	}
	// From a mail program that is a page of another site, too.
	for range 2 {
		w := in.post(stop, url.Values{"List-Unsubscribe": {"One-Click"}}, "Origin", "https://mail.example", "Sec-Fetch-Site", "cross-site")
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "No more reminders") || !stopped() {
			t.Errorf("one click: %d, stopped %v", w.Code, stopped())
		}
	}
	if _, ok, err := in.db.ClaimReminder(t.Context(), "brightwater", lead, due, time.UTC); ok || err != nil {
		t.Errorf("still reminded: %v, %v", ok, err)
	}
}

// Reminders of what is sold no more can be stopped too; there is no time to choose then.
func TestStopRemindersOfWhatIsSoldNoMore(t *testing.T) {
	in := newInstall(t)
	s, err := in.db.CreateLead(t.Context(), handoff.Submission{Site: "brightwater", Service: "chimney-sweeping", Form: "f", Name: "Dana", Email: "dana@example.com"}, handoff.DefaultPipeline())
	if err != nil {
		t.Fatal(err)
	}
	stop := "/stop/" + in.keys.SignStop("brightwater", s.ID)
	for _, w := range []*httptest.ResponseRecorder{in.get(stop), in.post(stop, nil)} {
		if w.Code != http.StatusOK || strings.Contains(w.Body.String(), "Choose a time") || strings.Contains(w.Body.String(), "/book/") {
			t.Errorf("%d: %s", w.Code, w.Body)
		}
	}
}

// The form keeps the visitor's time zone, if there is such a one.
func TestFormKeepsTheZone(t *testing.T) {
	for sent, want := range map[string]string{"Asia/Tokyo": "Asia/Tokyo", "": "", "Local": "", "../etc/passwd": "", "Mars/Olympus": "", strings.Repeat("A", 65): ""} {
		in := newInstall(t)
		f := in.form(start)
		if _, there := f["time_zone"]; !there {
			t.Fatal("the form has no field for the zone")
		}
		f.Set("time_zone", sent)
		in.now = in.now.Add(5 * time.Second)
		if w := in.post(start, f); w.Code != http.StatusSeeOther {
			t.Fatalf("%d", w.Code)
		}
		list, err := in.db.Leads(t.Context(), store.LeadFilter{})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		if got := in.read(list[0].ID).Submissions[0].Context.TimeZone; got != want {
			t.Errorf("%q: %q, want %q", sent, got, want)
		}
	}
}
