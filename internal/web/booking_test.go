package web_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// One visitor, whose own reference is a valid one, leaves places for the others.
func TestStreamsAreBounded(t *testing.T) {
	in := newInstall(t)
	server := httptest.NewServer(in.web)
	defer server.Close()
	stay, leave := context.WithCancel(t.Context())
	defer leave()
	again, leaveAgain := context.WithCancel(t.Context())
	defer leaveAgain()
	open := func(reference string) int {
		ctx := stay
		if ctx.Err() != nil {
			ctx = again
		}
		r, err := http.NewRequestWithContext(ctx, "GET", server.URL+"/book/"+reference+"/events", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "brightwater.test"
		res, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { res.Body.Close() })
		return res.StatusCode
	}
	_, dana := in.lead("brightwater", "f1", "Dana", "dana@example.com")
	for i := range 10 {
		if got := open(dana); got != http.StatusOK {
			t.Fatalf("stream %d: %d", i, got)
		}
	}
	if got := open(dana); got != http.StatusTooManyRequests {
		t.Errorf("the eleventh stream of a lead: %d, want 429", got)
	}
	for i := range 19 {
		_, ref := in.lead("brightwater", fmt.Sprint("more", i), "Omar", "omar@example.com")
		for range 10 {
			if got := open(ref); got != http.StatusOK {
				t.Fatalf("a stream of lead %d: %d", i, got)
			}
		}
	}
	_, last := in.lead("brightwater", "last", "Omar", "omar@example.com")
	if got := open(last); got != http.StatusTooManyRequests {
		t.Errorf("stream 201 of a source: %d, want 429", got)
	}
	leave() // they all hang up
	for end := time.Now().Add(10 * time.Second); open(last) != http.StatusOK; {
		if time.Now().After(end) {
			t.Fatal("places that were left are not free")
		}
	}
}

// A hint asks Cal.com, which answers so often a minute: one source gets its share.
func TestHintsAreBounded(t *testing.T) {
	in := newInstall(t)
	hint := func(reference, from string) int {
		r := httptest.NewRequest("POST", "http://brightwater.test/book/"+reference+"/heard", strings.NewReader("uid=u1"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		in.web.ServeHTTP(w, r)
		return w.Code
	}
	var last string
	for i := range 11 {
		_, last = in.lead("brightwater", fmt.Sprint(i), "Omar", "omar@example.com")
		for n := range 10 {
			want := http.StatusNoContent
			if i == 10 {
				want = http.StatusTooManyRequests
			}
			if got := hint(last, "192.0.2.7:1"); got != want {
				t.Fatalf("hint %d of page %d: %d, want %d", n, i, got, want)
			}
		}
	}
	_, other := in.lead("brightwater", "other", "Dana", "dana@example.com")
	if got := hint(other, "192.0.2.8:1"); got != http.StatusNoContent {
		t.Errorf("somebody else: %d", got)
	}
}
