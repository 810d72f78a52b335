package web_test

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"handoff/internal/web"
	"handoff/internal/web/desk"
)

// What another site's page sends to the desk is refused, in the desk's words, which say
// what else it can come from; and not on the public site's page.
func TestCrossSiteWritesToTheDesk(t *testing.T) {
	in := newInstall(t)
	d, err := desk.New(desk.Config{Store: in.db})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	server, err := web.New(web.Config{Store: in.db, Keys: in.keys, Log: slog.New(slog.DiscardHandler), Sites: in.sites, Desk: d})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/desk/sign-in", "/desk/leads/x/stage", "/desk/nothing"} {
		r, w := httptest.NewRequest("POST", "http://brightwater.test"+path, strings.NewReader("email=x")), httptest.NewRecorder()
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "cross-site")
		server.ServeHTTP(w, r)
		if body := w.Body.String(); w.Code != 403 || !strings.Contains(body, "your proxy changes the Host or Origin header") || strings.Contains(body, "tel:") {
			t.Errorf("%s: %d\n%.300s", path, w.Code, body)
		}
	}
}
