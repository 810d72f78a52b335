package calcom_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"handoff"
	"handoff/internal/calcom"
)

// What Cal.com's headers and redirects do to a frame is told as a browser would have it.
func TestFramed(t *testing.T) {
	const parent = "https://www.site.example"
	for _, tt := range []struct {
		name    string
		headers http.Header
		framed  bool
	}{
		{"no header", nil, true},
		{"denied", http.Header{"X-Frame-Options": {"deny"}}, false},
		{"its own frames only", http.Header{"X-Frame-Options": {"SAMEORIGIN"}}, false},
		{"two values", http.Header{"X-Frame-Options": {"sameorigin, DENY"}}, false},
		{"one that no browser knows", http.Header{"X-Frame-Options": {"ALLOW-FROM https://a.example"}}, true},
		{"a policy of something else", http.Header{"Content-Security-Policy": {"default-src 'none'"}}, true},
		{"of anybody", http.Header{"Content-Security-Policy": {"default-src 'none'; Frame-Ancestors *"}, "X-Frame-Options": {"DENY"}}, true},
		{"of nobody", http.Header{"Content-Security-Policy": {"frame-ancestors 'none'"}}, false},
		{"an empty list", http.Header{"Content-Security-Policy": {"frame-ancestors"}}, false},
		{"of itself", http.Header{"Content-Security-Policy": {"frame-ancestors 'self'"}}, false},
		{"of https", http.Header{"Content-Security-Policy": {"frame-ancestors https:"}}, true},
		{"of http, which https fulfils", http.Header{"Content-Security-Policy": {"frame-ancestors http:"}}, true},
		{"of this site", http.Header{"Content-Security-Policy": {"frame-ancestors 'self' HTTPS://www.Site.example"}}, true},
		{"of this site, by name", http.Header{"Content-Security-Policy": {"frame-ancestors www.site.example"}}, true},
		{"of this site at its port", http.Header{"Content-Security-Policy": {"frame-ancestors https://www.site.example:443"}}, true},
		{"of another port", http.Header{"Content-Security-Policy": {"frame-ancestors https://www.site.example:8443"}}, false},
		{"of any port", http.Header{"Content-Security-Policy": {"frame-ancestors https://www.site.example:*"}}, true},
		{"of its family", http.Header{"Content-Security-Policy": {"frame-ancestors https://*.site.example"}}, true},
		{"of children of it", http.Header{"Content-Security-Policy": {"frame-ancestors https://*.www.site.example"}}, false},
		{"of one that ends alike", http.Header{"Content-Security-Policy": {"frame-ancestors https://*ite.example"}}, false},
		{"of another", http.Header{"Content-Security-Policy": {"frame-ancestors https://site.example"}}, false},
		{"of another scheme", http.Header{"Content-Security-Policy": {"frame-ancestors wss://www.site.example"}}, false},
		{"two policies, one of which has another", http.Header{"Content-Security-Policy": {"frame-ancestors *", "frame-ancestors 'none'"}}, false},
		{"two in one line", http.Header{"Content-Security-Policy": {"frame-ancestors *, frame-ancestors 'none'"}}, false},
		{"the first of a policy counts", http.Header{"Content-Security-Policy": {"frame-ancestors *; frame-ancestors 'none'"}}, true},
		{"one that only reports", http.Header{"Content-Security-Policy-Report-Only": {"frame-ancestors 'none'"}}, true},
	} {
		cal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/priya/survey/embed" || r.URL.Query().Get("embed") == "" {
				t.Errorf("%s was asked", r.URL)
			}
			for name, values := range tt.headers {
				w.Header()[name] = values
			}
		}))
		fault, err := calcom.Framed(t.Context(), []string{cal.URL}, "priya/survey", parent)
		if err != nil || (fault == "") != tt.framed {
			t.Errorf("%s: %q, %v", tt.name, fault, err)
		}
		cal.Close()
	}
}

// A page that leads elsewhere is shown only where that is allowed too; one that is away,
// or not there, is told apart from one that refuses.
func TestFramedElsewhere(t *testing.T) {
	there := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone/embed" {
			w.WriteHeader(http.StatusNotFound)
		}
		if r.URL.Path == "/barred/embed" {
			w.WriteHeader(http.StatusForbidden)
		}
		if r.URL.Path == "/broken/embed" {
			w.WriteHeader(http.StatusBadGateway)
		}
	}))
	defer there.Close()
	here := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, there.URL+r.URL.Path, http.StatusFound)
	}))
	defer here.Close()
	const parent = "https://www.site.example"
	if fault, err := calcom.Framed(t.Context(), []string{here.URL}, "a/b", parent); err != nil || !strings.Contains(fault, "it leads to "+there.URL) {
		t.Errorf("%q, %v", fault, err)
	}
	if fault, err := calcom.Framed(t.Context(), []string{here.URL, there.URL}, "a/b", parent); err != nil || fault != "" {
		t.Errorf("%q, %v", fault, err)
	}
	if fault, err := calcom.Framed(t.Context(), []string{there.URL}, "gone", parent); !errors.Is(err, handoff.ErrNotFound) || fault != "" {
		t.Errorf("%q, %v", fault, err)
	}
	if fault, err := calcom.Framed(t.Context(), []string{there.URL}, "barred", parent); !errors.Is(err, calcom.ErrBarred) || fault != "" {
		t.Errorf("%q, %v", fault, err)
	}
	for _, origin := range []string{there.URL, "http://127.0.0.1:1"} {
		if fault, err := calcom.Framed(t.Context(), []string{origin}, "broken", parent); !errors.Is(err, handoff.ErrUnavailable) || fault != "" {
			t.Errorf("%s: %q, %v", origin, fault, err)
		}
	}
}

// The words that are looked for in Cal.com's script are those of our booking page.
func TestSpeaks(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "web", "public", "booking.js"))
	if err != nil {
		t.Fatal(err)
	}
	script := page
	cal := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/embed/embed.js" {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = w.Write(script)
	}))
	defer cal.Close()
	if missing, err := calcom.Speaks(t.Context(), cal.URL); err != nil || len(missing) != 0 {
		t.Errorf("our own page lacks %v, %v", missing, err)
	}
	script = []byte(`a("__iframeReady");b("parentKnowsIframeReady");c("linkReady");d("linkFailed");e("__sizeChanged")`)
	if missing, err := calcom.Speaks(t.Context(), cal.URL); err != nil || len(missing) != 1 || missing[0] != "__dimensionChanged" {
		t.Errorf("%v, %v", missing, err)
	}
	script = []byte("<html>please wait")
	if missing, err := calcom.Speaks(t.Context(), cal.URL); !errors.Is(err, handoff.ErrUnavailable) || len(missing) != 0 {
		t.Errorf("a page that asks to wait: %v, %v", missing, err)
	}
	if _, err := calcom.Speaks(t.Context(), cal.URL+"/elsewhere"); !errors.Is(err, handoff.ErrNotFound) {
		t.Error(err)
	}
}
