package app

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"handoff/internal/content"
	"handoff/internal/web"
)

// What the server finds of its calendars by itself is said in words, and what is away is
// no fault of them.
func TestCalendars(t *testing.T) {
	site, err := content.Load(content.Demo())
	if err != nil {
		t.Fatal(err)
	}
	site.URL = "https://www.site.example"
	status, script := map[string]int{}, "__iframeReady parentKnowsIframeReady __dimensionChanged linkReady linkFailed"
	cal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := status[r.URL.Path]; s != 0 {
			w.WriteHeader(s)
		}
		_, _ = w.Write([]byte(script))
	}))
	defer cal.Close()
	look := calendars(&web.Site{Content: site, CalOrigins: []string{cal.URL}})
	if why, err := look(t.Context()); why != "" || err != nil {
		t.Errorf("%q, %v", why, err)
	}
	first, second := site.Services[0], site.Services[1]
	status["/"+first.Calendar+"/embed"], status["/"+second.Calendar+"/embed"] = http.StatusNotFound, http.StatusBadGateway
	if why, err := look(t.Context()); why != first.Slug+", "+first.Calendar+": there is no such booking page" || err == nil {
		t.Errorf("%q, %v", why, err)
	}
	clear(status)
	script = strings.Replace(script, "linkReady", "linkThere", 1)
	if why, err := look(t.Context()); !strings.Contains(why, "does not know linkReady any more") || err != nil {
		t.Errorf("%q, %v", why, err)
	}
	status["/embed/embed.js"] = http.StatusNotFound
	if why, err := look(t.Context()); why != "" || err != nil {
		t.Errorf("a Cal.com without an embed script: %q, %v", why, err)
	}
}

// What a person has to do is told from what only could not be looked at.
func TestCheckTellsWhatIsToDo(t *testing.T) {
	n, said := turnable(t, "the-secret-of-now-is-long")
	answer := http.StatusOK
	script := "__iframeReady parentKnowsIframeReady __dimensionChanged linkReady linkFailed"
	cal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(answer)
		_, _ = w.Write([]byte(script))
	}))
	defer cal.Close()
	n.site.Calcom.Origins = []string{cal.URL}
	check := func(want ...string) {
		t.Helper()
		n.frames(t.Context())
		n.protocol(t.Context())
		var states []string
		lines := strings.Split(said(), "\n")
		for _, line := range lines[len(lines)-len(n.content.Services)-1:] { // what was said this time
			state, _, _ := strings.Cut(line, " ")
			states = append(states, state)
		}
		if states = slices.Compact(states); !slices.Equal(states, want) {
			t.Errorf("%v, want %v:\n%s", states, want, said())
		}
	}
	check("ok")
	script = strings.Replace(script, "linkReady", "linkThere", 1)
	check("ok", "todo")
	answer = http.StatusForbidden
	check("note")
	answer = http.StatusNotFound
	check("todo", "note")
}
