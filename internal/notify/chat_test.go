package notify_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/notify"
)

func news() handoff.News {
	return handoff.News{
		Site: "main", Name: "Brightwater", Desk: "https://b.example/desk", Zone: time.UTC,
		Booked:   []handoff.Booked{{Lead: "lead_1", Name: "<!channel> Dana & <https://evil.example|you>", Service: "Survey", Start: time.Date(2026, 12, 1, 15, 0, 0, 0, time.UTC)}},
		Failures: []handoff.Failure{{ID: "fail_1", Reason: handoff.NoReference}}, MoreFailures: 2,
	}
}

// taker answers with a status, and keeps what it was sent.
func taker(t *testing.T, status int) (address string, got *http.Request, body *[]byte) {
	t.Helper()
	got, body = new(http.Request), new([]byte)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*got = *r
		*body, _ = io.ReadAll(r.Body)
		w.WriteHeader(status)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/services/T000/B000/secret", got, body
}

// A visitor's name calls nobody and links nowhere in a chat.
func TestSlack(t *testing.T) {
	address, _, body := taker(t, 200)
	if err := notify.Slack(t.Context(), address, news()); err != nil {
		t.Fatal(err)
	}
	var got struct{ Text string }
	if err := json.Unmarshal(*body, &got); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(got.Text, "&lt;!channel&gt; Dana &amp; &lt;https://evil.example|you&gt;, Survey, Tue 1 Dec, 15:00 UTC") || strings.Contains(got.Text, "<!") || !strings.Contains(got.Text, "https://b.example/desk/leads/lead_1") {
		t.Errorf("%s", got.Text)
	}
}

// A hook has IDs and no names, and is signed.
func TestHook(t *testing.T) {
	address, r, body := taker(t, 204)
	if err := notify.Hook(t.Context(), address, "shared", news()); err != nil {
		t.Fatal(err)
	}
	h := hmac.New(sha256.New, []byte("shared"))
	h.Write(*body)
	if got := r.Header.Get(notify.SignatureHeader); got != hex.EncodeToString(h.Sum(nil)) {
		t.Errorf("signature %q", got)
	}
	want := `{"site":"main","subject":"Brightwater: A call was booked, 3 entries wait in the failure queue","booked":[{"lead":"lead_1","start":"2026-12-01T15:00:00Z","url":"https://b.example/desk/leads/lead_1"}],` +
		`"failures":[{"id":"fail_1","reason":"no_reference","url":"https://b.example/desk/failures/fail_1"}],"alarms":[],"more_booked":0,"more_failures":2,"more_alarms":0,"digest":null}`
	if string(*body) != want {
		t.Errorf("%s\nwant\n%s", *body, want)
	}
	if err := notify.Hook(t.Context(), address, "", news()); err != nil || r.Header.Get(notify.SignatureHeader) != "" {
		t.Errorf("unsigned: %q, %v", r.Header.Get(notify.SignatureHeader), err)
	}
}

// What is not taken is an error, which does not show the address: it can be a secret.
func TestChatIsNotTaken(t *testing.T) {
	for _, status := range []int{301, 400, 404, 500} {
		address, _, _ := taker(t, status)
		for name, err := range map[string]error{"slack": notify.Slack(t.Context(), address, news()), "hook": notify.Hook(t.Context(), address, "", news())} {
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s, %d: %v", name, status, err)
			}
			if got := notify.Why(err); got != fmt.Sprint("it answers ", status) {
				t.Errorf("%s, %d: why: %q", name, status, got)
			}
		}
	}
	for _, address := range []string{"http://127.0.0.1:1/secret", "\x00secret"} {
		if err := notify.Slack(t.Context(), address, news()); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v", err)
		} else if got := notify.Why(err); got != "it cannot be reached, or does not take it now" {
			t.Errorf("why: %q", got)
		}
	}
	for err, want := range map[error]string{
		fmt.Errorf("mail to dana@example.com: %w (535, x)", notify.ErrServer): "the mail server cannot be reached, or does not let us send",
		fmt.Errorf("mail: %w (550, x)", notify.ErrRefused):                    "refused by the mail server",
		fmt.Errorf("chat: %w", context.DeadlineExceeded):                      "it does not answer in time",
	} {
		if got := notify.Why(err); got != want {
			t.Errorf("%v: why: %q", err, got)
		}
	}
}
