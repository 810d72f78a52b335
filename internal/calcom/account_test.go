package calcom_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/calcom/calsim"
)

const key = "cal_live_key"

// account is a Cal.com with event types of its owner and of a team.
func account(t *testing.T, generation calsim.Generation, rate int) (*calsim.Sim, calcom.API) {
	t.Helper()
	sim := calsim.New(calsim.Config{Generation: generation, APIKey: key, RateLimit: rate, EventTypes: []calsim.EventType{
		{ID: 7, Slug: "survey", Title: "Survey", RequiresConfirmation: true, Questions: []calsim.Question{{Slug: "room", Label: "Room", Required: true}}},
		{ID: 8, Slug: "class", Team: 3, Seats: 4, Redirect: "https://elsewhere.example/", Questions: []calsim.Question{}},
	}})
	t.Cleanup(sim.Close)
	server := httptest.NewServer(sim)
	t.Cleanup(server.Close)
	return sim, calcom.API{Base: server.URL + "/v2", Key: key}
}

// What is set up through the API is there afterwards, in the scope it was meant for.
func TestAccount(t *testing.T) {
	sim, api := account(t, calsim.Cloud2026, 0)
	types, err := api.EventTypes(t.Context())
	if err != nil || len(types) != 2 {
		t.Fatal(types, err)
	}
	survey, class := &types[0], &types[1]
	if survey.ID != 7 || survey.TeamID != 0 || !survey.Confirm || survey.Length != 30 || survey.Redirect != "" {
		t.Errorf("%+v", survey)
	}
	if q := survey.Question("room"); q == nil || q.Hidden || !q.Required || q.Type != "text" || survey.Question("email") == nil || survey.Question("submissionId") != nil {
		t.Errorf("questions %+v", survey.Questions)
	}
	if class.ID != 8 || class.TeamID != 3 || class.Confirm || class.Redirect != "https://elsewhere.example/" {
		t.Errorf("%+v", class)
	}

	for _, e := range []*calcom.EventType{survey, class} {
		if err := api.AddQuestion(t.Context(), e, "submissionId", "Reference"); err != nil {
			t.Error(err)
		}
		if err := api.AddQuestion(t.Context(), e, "submissionId", "Reference"); !errors.Is(err, handoff.ErrInvalid) {
			t.Errorf("the same question again: %v", err)
		}
	}
	if types, err = api.EventTypes(t.Context()); err != nil || types[0].Question("submissionId") != nil {
		t.Fatal("the list has hidden questions, which Cal.com's has not: ", err)
	}
	for i := range types {
		whole, err := api.EventType(t.Context(), &types[i])
		if q := whole.Question("submissionId"); err != nil || q == nil || !q.Hidden || q.Required || whole.TeamID != types[i].TeamID {
			t.Errorf("event type %d: %+v, %v", types[i].ID, whole, err)
		}
	}
	if types[0].Question("room") == nil {
		t.Error("a question that was there is gone")
	}

	want := calcom.Webhook{URL: "https://site.example/webhooks/calcom/s", Active: true, Triggers: calcom.Triggers(), Secret: "whsec"}
	for _, of := range []*calcom.EventType{nil, survey, class} {
		if err := api.PutWebhook(t.Context(), of, want); err != nil {
			t.Fatal(err)
		}
		if err := api.PutWebhook(t.Context(), of, want); !errors.Is(err, handoff.ErrInvalid) {
			t.Errorf("the same address again: %v", err)
		}
		got, err := api.Webhooks(t.Context(), of)
		if err != nil || len(got) != 1 || got[0].URL != want.URL || got[0].Secret != want.Secret || !got[0].Active || got[0].Template != "" || !slices.Equal(got[0].Triggers, want.Triggers) {
			t.Fatalf("%+v, %v", got, err)
		}
		changed := got[0]
		changed.Secret, changed.Triggers = "another", []string{"BOOKING_CREATED"}
		if err := api.PutWebhook(t.Context(), of, changed); err != nil {
			t.Fatal(err)
		}
		if got, _ = api.Webhooks(t.Context(), of); len(got) != 1 || got[0].ID != changed.ID || got[0].Secret != "another" || len(got[0].Triggers) != 1 {
			t.Errorf("changed: %+v", got)
		}
	}
	if n := len(sim.Webhooks()); n != 3 {
		t.Errorf("%d webhooks", n)
	}
	for _, of := range []*calcom.EventType{nil, survey, class} {
		got, _ := api.Webhooks(t.Context(), of)
		for range 2 { // again is no error
			if err := api.RemoveWebhook(t.Context(), of, got[0].ID); err != nil {
				t.Error(err)
			}
		}
	}
	if n := len(sim.Webhooks()); n != 0 {
		t.Errorf("%d webhooks are left", n)
	}
}

// A Cal.com that cannot add questions says so, and changes nothing.
func TestQuestionsOfOlderCalcom(t *testing.T) {
	sim, api := account(t, calsim.SelfHosted2025, 0)
	types, err := api.EventTypes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := api.AddQuestion(t.Context(), &types[0], "submissionId", "Reference"); !errors.Is(err, handoff.ErrNotFound) {
		t.Error(err)
	}
	if q := sim.EventTypes()[0].Questions; len(q) != 1 || q[0].Slug != "room" {
		t.Errorf("questions %+v", q)
	}
}

// The triggers are those that tell of bookings, and that the API takes.
func TestTriggersOfOurWebhook(t *testing.T) {
	want := []string{
		"BOOKING_CANCELLED", "BOOKING_CREATED", "BOOKING_NO_SHOW_UPDATED", "BOOKING_PAID", "BOOKING_PAYMENT_INITIATED",
		"BOOKING_REJECTED", "BOOKING_REQUESTED", "BOOKING_RESCHEDULED", "MEETING_ENDED", "MEETING_STARTED",
	}
	if got := calcom.Triggers(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// All webhooks are found, however many there are.
func TestManyWebhooks(t *testing.T) {
	sim, api := account(t, calsim.Cloud2026, 0)
	var hooks []calsim.Webhook
	for i := range 260 {
		hooks = append(hooks, calsim.Webhook{URL: fmt.Sprint("https://a.example/", i)})
	}
	sim.SetWebhooks(hooks...)
	got, err := api.Webhooks(t.Context(), nil)
	if err != nil || len(got) != 260 || got[259].URL != "https://a.example/259" {
		t.Errorf("%d webhooks, %v", len(got), err)
	}
}

// One team that refuses keeps nothing else from being seen, and an account without
// event types has none.
func TestEventTypesOfWhoMay(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/teams":
			_, _ = io.WriteString(w, `{"data":[{"id":1},{"id":2}]}`)
		case "/teams/2/event-types":
			_, _ = io.WriteString(w, `{"data":[{"id":9,"title":"T","slug":"t"}]}`)
		case "/teams/1/event-types":
			w.WriteHeader(http.StatusForbidden)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer server.Close()
	got, err := calcom.API{Base: server.URL, Key: key}.EventTypes(t.Context())
	if err != nil || len(got) != 1 || got[0].ID != 9 || got[0].TeamID != 2 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A refusal says what kind it is, how long to wait, and nothing secret.
func TestRefused(t *testing.T) {
	for _, tt := range []struct {
		status int
		header string
		body   string
		want   error
		wait   time.Duration
		says   string
	}{
		{400, "", `{"error":{"code":"BadRequestException","message":"take must not be greater than 250"}}`, handoff.ErrInvalid, 0, "take must not be greater"},
		{401, "", `{"error":{"message":"Invalid API Key ` + key + `"}}`, handoff.ErrUnavailable, 0, "refuses our key"},
		{404, "", `{}`, handoff.ErrNotFound, 0, "404"},
		{409, "", `{"error":{"message":"exists already ` + key + `"}}`, handoff.ErrInvalid, 0, "exists already [key]"},
		{429, "17", `{}`, handoff.ErrUnavailable, 17 * time.Second, "17s"},
		{429, "-1", `{}`, handoff.ErrUnavailable, 0, "too often"},
		{429, "999999", `{}`, handoff.ErrUnavailable, time.Hour, "1h"},
		{500, "17", `oops`, calcom.ErrUnreadable, 0, "500"},
		{302, "", ``, handoff.ErrUnavailable, 0, "302"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-RateLimit-Reset-Default", tt.header)
			w.WriteHeader(tt.status)
			_, _ = io.WriteString(w, tt.body)
		}))
		_, err := calcom.API{Base: server.URL, Key: key}.Webhooks(t.Context(), nil)
		server.Close()
		var refused *calcom.Refused
		if !errors.As(err, &refused) || !errors.Is(err, tt.want) || calcom.Wait(err) != tt.wait || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), key) {
			t.Errorf("%d: %v, wait %s", tt.status, err, calcom.Wait(err))
		}
		for _, other := range []error{handoff.ErrInvalid, handoff.ErrNotFound} {
			if tt.want != other && errors.Is(err, other) {
				t.Errorf("%d is %v too", tt.status, other)
			}
		}
	}
}

// Only a question that changes nothing is asked again, only where that can help, and
// only so often.
func TestAskedAgain(t *testing.T) {
	var asked atomic.Int32
	status := http.StatusServiceUnavailable
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) == 3 && status == http.StatusServiceUnavailable {
			_, _ = io.WriteString(w, `{"data":[]}`)
			return
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	api := calcom.API{Base: server.URL, Key: key, Attempts: 3}
	if _, err := api.Webhooks(t.Context(), nil); err != nil || asked.Load() != 3 {
		t.Errorf("asked %d times, %v", asked.Load(), err)
	}
	asked.Store(5)
	if err := api.PutWebhook(t.Context(), nil, calcom.Webhook{}); err == nil || asked.Load() != 6 {
		t.Errorf("a change was made %d times, %v", asked.Load()-5, err)
	}
	for _, status = range []int{http.StatusUnauthorized, http.StatusBadRequest, http.StatusNotFound} {
		asked.Store(0)
		if _, err := api.Webhooks(t.Context(), nil); err == nil || asked.Load() != 1 {
			t.Errorf("%d: asked %d times, %v", status, asked.Load(), err)
		}
	}
	status = http.StatusServiceUnavailable
	asked.Store(5)
	once := api
	once.Attempts = 0
	if _, err := once.Webhooks(t.Context(), nil); err == nil || asked.Load() != 6 {
		t.Errorf("asked %d times, %v", asked.Load()-5, err)
	}
}

// The ping finds what is in the way between Cal.com and us.
func TestPing(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	var got calcom.Delivery
	status, says := http.StatusOK, `{"result":"already stored"}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = calcom.NewDelivery(r.Header, body)
		defer func() { _, _ = io.WriteString(w, says) }()
		w.Header().Set("Location", map[bool]string{true: "https://www.example.com/"}[status == http.StatusMovedPermanently])
		w.WriteHeader(status)
	}))
	defer server.Close()
	if err := calcom.Ping(t.Context(), nil, server.URL, "whsec_ping", now); err != nil {
		t.Fatal(err)
	}
	event, err := calcom.Open(calcom.Trust{Site: "s", Secrets: []string{"whsec_ping"}}, got)
	if err != nil || event.Ignored != "ping" || event.Observation != nil {
		t.Errorf("our own door says %+v, %v", event, err)
	}
	for code, want := range map[int]string{401: "signature is wrong", 404: "no such address", 301: "final address", 502: "502"} {
		status = code
		if err := calcom.Ping(t.Context(), nil, server.URL, "whsec_ping", now); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "whsec_ping") {
			t.Errorf("%d: %v", code, err)
		}
	}
	status = http.StatusOK
	for _, says = range []string{"", "ok", `{"result":"ok"}`, "<html>parked</html>"} {
		if err := calcom.Ping(t.Context(), nil, server.URL, "whsec_ping", now); err == nil || !strings.Contains(err.Error(), "something else than Handoff") {
			t.Errorf("%q: %v", says, err)
		}
	}
	server.Close()
	if err := calcom.Ping(t.Context(), nil, server.URL, "whsec_ping", now); err == nil || !strings.Contains(err.Error(), "nothing answers there") {
		t.Error(err)
	}
}
