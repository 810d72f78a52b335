package jobs_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/calcom/calsim"
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

// However a booking goes, the bodies that tell of it are no news after twenty of another
// way: of each generation of Cal.com, each trigger's after each other.
func TestFlowsAreNoNews(t *testing.T) {
	for _, generation := range calsim.Generations() {
		shapes := map[string][]handoff.Shape{}
		for _, d := range flows(t, generation) {
			shape := calcom.ShapeOf(calcom.RedactEvent(d.Body))
			if !slices.ContainsFunc(shapes[d.Trigger], func(s handoff.Shape) bool { return maps.Equal(s, shape) }) {
				shapes[d.Trigger] = append(shapes[d.Trigger], shape)
			}
		}
		if len(shapes) < 8 {
			t.Fatalf("%s: %d triggers", generation, len(shapes))
		}
		told := map[string]bool{}
		for trigger, all := range shapes {
			for _, first := range all {
				for _, second := range all {
					known := map[string]handoff.Field{}
					for n := range handoff.LearnedAfter + 1 {
						next := first
						if n == handoff.LearnedAfter {
							next = second
						}
						learned, changes := handoff.Learn(known, next, calcom.Usual(trigger))
						for _, f := range learned {
							known[f.Path] = f
						}
						for _, change := range changes {
							if what := fmt.Sprintf("%s, %s: %s", generation, trigger, change); !told[what] {
								told[what] = true
								t.Error(what)
							}
						}
					}
				}
			}
		}
	}
}

// flows are the webhooks of bookings that go in every way.
func flows(t *testing.T, generation calsim.Generation) []calsim.Delivery {
	t.Helper()
	to := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer to.Close()
	const simple, confirmed, seated = 1, 2, 3
	sim := calsim.New(calsim.Config{
		Generation: generation, Webhooks: []calsim.Webhook{{URL: to.URL, Secret: "s"}},
		EventTypes: []calsim.EventType{{ID: simple, Slug: "simple"}, {ID: confirmed, Slug: "confirmed", RequiresConfirmation: true}, {ID: seated, Slug: "seated", Seats: 5}},
	})
	defer sim.Close()
	start := time.Now().Add(48 * time.Hour).Truncate(time.Hour)
	for _, eventType := range []int{simple, confirmed, seated} {
		for _, carried := range []map[string]string{{"submissionId": "x"}, {}} {
			for way := range 8 {
				start = start.Add(time.Hour)
				b, err := sim.Book(calsim.BookRequest{EventType: eventType, Start: start, Name: "Dana Reyes", Email: fmt.Sprintf("d%d@example.com", start.Unix()), TimeZone: "Europe/London", Metadata: carried, Answers: carried})
				if err != nil {
					t.Fatal(err)
				}
				if way%2 == 0 {
					_ = sim.Accept(b.UID) // of those that need it
				}
				switch way {
				case 0, 1:
					_ = sim.Cancel(b.UID, "no time", "")
				case 2:
					_ = sim.Reject(b.UID, "not here")
				case 3:
					_ = sim.Reject(b.UID, "not here")
					_ = sim.RequestReschedule(b.UID, "ill")
				case 4, 5:
					_, _ = sim.Reschedule(b.UID, start.Add(24*30*time.Hour), calsim.CarryPage, "")
				case 6:
					_ = sim.MarkNoShow(b.UID, true)
					_ = sim.MeetingStarted(b.UID)
					_ = sim.MeetingEnded(b.UID)
				}
			}
		}
	}
	sim.Wait()
	return sim.Deliveries()
}
