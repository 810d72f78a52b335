package jobs_test

import (
	"fmt"
	"strings"
	"testing"

	"handoff"
	"handoff/internal/store"
)

// A body with a field that no other had waits for a person; the bodies before it, and
// what questions and metadata are called in them, do not.
func TestShapesAreLookedAt(t *testing.T) {
	f := newOffice(t, "caldiy", 0)
	look := func(n int, body string) []store.FailureView {
		t.Helper()
		id := fmt.Sprint("evt", n)
		_, err := f.db.KeepEvent(t.Context(), handoff.Delivery{Site: site, Digest: id, Trigger: "BOOKING_CREATED", Body: []byte(body), ReceivedAt: f.now()},
			handoff.Event{ID: id, Site: site, Trigger: "BOOKING_CREATED", CreatedAt: f.now(), Ignored: "test"})
		if err != nil {
			t.Fatal(err)
		}
		f.runner.LookAtShapes(t.Context())
		list, err := f.db.Failures(t.Context(), store.FailureFilter{})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	body := `{"triggerEvent":"BOOKING_CREATED","createdAt":"2026-11-23T09:00:00Z","payload":{"uid":"u%d","metadata":{"key%d":"x"},"responses":{"q%d":{"value":1}}}}`
	for n := range handoff.LearnedAfter + 5 {
		if list := look(n, fmt.Sprintf(body, n, n, n)); len(list) != 0 {
			t.Fatalf("body %d: %+v", n, list)
		}
	}
	// Cal.com is known to send this one now and then.
	if list := look(100, strings.Replace(body, `"uid"`, `"rescheduleUid":"x","uid"`, 1)); len(list) != 0 {
		t.Errorf("%+v", list)
	}
	list := look(101, strings.Replace(body, `"uid"`, `"team":{"name":"x"},"uid"`, 1))
	if len(list) != 1 || list[0].Reason != handoff.BodyChanged || list[0].Detail != "BOOKING_CREATED: payload.team is new (object)." {
		t.Errorf("%+v", list)
	}
}
