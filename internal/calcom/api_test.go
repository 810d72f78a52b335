package calcom

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
)

var apiTrust = Trust{Site: "s", Keys: handoff.Keys{handoff.Key("a reference key of 32 bytes, test")}, OtherSites: []string{"other"}}

// ask answers every question with a status and a body, and asks.
func ask(t *testing.T, status int, body string, uid string) (Answer, *http.Request, error) {
	t.Helper()
	var seen *http.Request
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r
		if status == http.StatusFound {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	got, err := API{Base: server.URL + "/v2", Key: "cal_live_key"}.Booking(t.Context(), apiTrust, uid)
	return got, seen, err
}

// What the API says of a booking becomes one observation for each seat, with the
// references judged.
func TestAnswer(t *testing.T) {
	id := handoff.SubmissionID(handoff.FormatID("sub", [16]byte{1}))
	good, foreign := apiTrust.Keys.Sign("s", id), apiTrust.Keys.Sign("other", id)
	plain := `{"uid":"u1","title":"T","status":"accepted","start":"2026-12-01T15:00:00.000Z","end":"2026-12-01T15:30:00.000Z",
		"eventType":{"id":7},"location":"https://x.example/v","hosts":[{"name":"Priya","email":"p@example.com"}],"absentHost":false,
		"createdAt":"2026-11-23T09:00:00.000Z","updatedAt":"2026-11-23T10:00:00.000Z","icsUid":"u1@Cal.com",
		"attendees":[{"name":"Dana","email":"d@example.com","timeZone":"Europe/London","absent":true}],
		"metadata":{"submissionId":"` + good + `"},"bookingFieldsResponses":{"submissionId":"` + foreign + `"}}`

	got, r, err := ask(t, 200, `{"status":"success","data":`+plain+`}`, "u/1")
	if err != nil {
		t.Fatal(err)
	}
	if r.URL.EscapedPath() != "/v2/bookings/u%2F1" || r.Header.Get("Cal-Api-Version") != "2024-08-13" || r.Header.Get("Authorization") != "Bearer cal_live_key" {
		t.Errorf("asked %s %v", r.URL, r.Header)
	}
	o := got.Observations[0]
	if len(got.Observations) != 1 || o.UID != "u1" || o.Status != handoff.Accepted || o.Source != handoff.FromAPI || o.EventType != 7 || o.Host.Name != "Priya" ||
		!o.At.Equal(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)) || o.HostAbsent != nil || len(o.Attendees) != 1 || o.Attendees[0].NoShow == nil {
		t.Errorf("observation %+v", o)
	}
	want := []handoff.Carried{{From: handoff.InMetadata, Verdict: handoff.Valid, Submission: id}, {From: handoff.InAnswer, Verdict: handoff.OtherSite}}
	if !slices.Equal(o.Carried, want) {
		t.Errorf("carried %+v, want %+v", o.Carried, want)
	}
	again, _, _ := ask(t, 200, `{"status":"success","data":`+plain+`}`, "u1")
	if again.Observations[0].ID != o.ID {
		t.Error("the same answer has two IDs")
	}
	present, _, _ := ask(t, 200, `{"data":`+strings.Replace(plain, `"absent":true`, `"absent":false`, 1)+`}`, "u1")
	if p := present.Observations[0]; p.Attendees[0].NoShow != nil || p.ID == o.ID {
		t.Error("“not absent” is no word about anybody, and another answer is another observation")
	}
	moved, _, _ := ask(t, 200, `{"data":`+strings.Replace(plain, `"status":"accepted"`, `"status":"cancelled","rescheduledToUid":"u2"`, 1)+`}`, "u1")
	if moved.Observations[0].Status != handoff.Rescheduled || !slices.Equal(moved.Successors, []string{"u2"}) {
		t.Errorf("moved %+v", moved)
	}
	seats, _, err := ask(t, 200, `{"data":{"uid":"u1","status":"accepted","updatedAt":"2026-11-23T10:00:00.000Z","attendees":[
		{"email":"a@example.com","seatUid":"s1","metadata":{"submissionId":"`+good+`"}},{"email":"b@example.com","seatUid":"s2"}]}}`, "u1")
	if err != nil || len(seats.Observations) != 2 || seats.Observations[0].Seat != "s1" || len(seats.Observations[0].Carried) != 1 ||
		len(seats.Observations[1].Carried) != 0 || seats.Observations[0].ID == seats.Observations[1].ID {
		t.Errorf("seats %+v, %v", seats, err)
	}
	series, _, err := ask(t, 200, `{"data":[`+plain+`,`+strings.ReplaceAll(plain, `"u1"`, `"u9"`)+`]}`, "u1")
	if err != nil || len(series.Observations) != 2 {
		t.Errorf("series %+v, %v", series, err)
	}
}

// What is no answer is no observation, and the error says whether asking again helps.
func TestNoAnswer(t *testing.T) {
	for _, r := range []struct {
		name   string
		status int
		body   string
		want   error
	}{
		{"unknown", 404, `{"status":"error"}`, handoff.ErrNotFound},
		{"key refused", 401, `{}`, handoff.ErrUnavailable},
		{"too many", 429, `{}`, handoff.ErrUnavailable},
		{"broken", 500, `{}`, handoff.ErrUnavailable},
		{"elsewhere", 302, ``, handoff.ErrUnavailable},
		{"not JSON", 200, `<html>`, handoff.ErrUnavailable},
		{"no data", 200, `{"status":"success"}`, handoff.ErrUnavailable},
		{"data is text", 200, `{"data":"x"}`, handoff.ErrUnavailable},
		{"no uid", 200, `{"data":{"updatedAt":"2026-11-23T10:00:00.000Z"}}`, handoff.ErrUnavailable},
		{"strange uid", 200, `{"data":{"uid":"a b","updatedAt":"2026-11-23T10:00:00.000Z"}}`, handoff.ErrUnavailable},
		{"no time", 200, `{"data":{"uid":"u1"}}`, handoff.ErrUnavailable},
		{"too deep", 200, `{"data":` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `}`, handoff.ErrUnavailable},
	} {
		got, _, err := ask(t, r.status, r.body, "u1")
		if !errors.Is(err, r.want) || len(got.Observations) != 0 {
			t.Errorf("%s: %+v, %v; want %v and nothing observed", r.name, got, err, r.want)
		}
		if err != nil && strings.Contains(err.Error(), "cal_live_key") {
			t.Errorf("%s: the error shows the key", r.name)
		}
	}
}

// Errors are logged, and a booking's uid lets its reader cancel it at Cal.com.
func TestUnreachableAPINamesNoBooking(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	_, err := API{Base: server.URL + "/v2"}.Booking(t.Context(), Trust{}, "uidOfDana")
	if !errors.Is(err, handoff.ErrUnavailable) || strings.Contains(err.Error(), "uidOfDana") {
		t.Errorf("error %v, want unavailable, without the uid", err)
	}
}

// Bookings that changed come page by page. One that cannot be read is counted, and
// keeps no other from being heard of.
func TestChanged(t *testing.T) {
	var asked *http.Request
	status, body := 200, ""
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	defer server.Close()
	api := API{Base: server.URL + "/v2", Key: "cal_live_key"}
	since := time.Date(2026, 11, 23, 9, 0, 0, 123456789, time.FixedZone("", 3600))

	body = `{"status":"success","data":[
		{"uid":"u1","status":"accepted","updatedAt":"2026-11-23T10:00:00.000Z"},
		{"uid":"","status":"accepted","updatedAt":"2026-11-23T12:00:00.000Z"},
		"nonsense",
		{"uid":"u2","status":"cancelled","rescheduledToUid":"u3","updatedAt":"2026-11-23T11:00:00.000Z"}],
		"pagination":{"hasNextPage":true}}`
	p, err := api.Changed(t.Context(), apiTrust, since, 200, 100)
	if err != nil {
		t.Fatal(err)
	}
	if got := asked.URL.Path + "?" + asked.URL.Query().Encode(); got != "/v2/bookings?afterUpdatedAt=2026-11-23T08%3A00%3A00.123Z&skip=200&sortUpdatedAt=asc&take=100" ||
		asked.Header.Get("Authorization") != "Bearer cal_live_key" || asked.Header.Get("Cal-Api-Version") != "2024-08-13" {
		t.Errorf("asked %s %v", got, asked.Header)
	}
	if p.Size != 4 || len(p.Unread) != 2 || len(p.Observations) != 2 || p.Observations[1].Status != handoff.Rescheduled || !slices.Equal(p.Successors, []string{"u3"}) ||
		!p.Last.Equal(time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)) {
		t.Errorf("page %+v", p)
	}
	body = `{"data":[]}`
	if p, err = api.Changed(t.Context(), apiTrust, since, 0, 100); err != nil || p.Size != 0 || !p.Last.IsZero() {
		t.Errorf("nothing changed: %+v, %v", p, err)
	}
	for _, r := range []struct {
		status     int
		body       string
		unreadable bool
	}{
		{200, `{"data":{"bookings":[]}}`, true},
		{200, `{}`, true},
		{200, `<html>`, true},
		{500, `{}`, true},
		{200, `{"data":[` + strings.Repeat(" ", maxAnswer) + `]}`, true},
		{200, `{"data":[` + strings.Repeat("[", 200) + strings.Repeat("]", 200) + `]}`, true},
		{401, `{}`, false},
		{429, `{}`, false},
	} {
		status, body = r.status, r.body
		p, err := api.Changed(t.Context(), apiTrust, since, 0, 100)
		if !errors.Is(err, handoff.ErrUnavailable) || errors.Is(err, ErrUnreadable) != r.unreadable || p.Size != 0 {
			t.Errorf("%d %.60s: %+v, %v", r.status, r.body, p, err)
		}
		if large := len(r.body) > maxAnswer; strings.Contains(err.Error(), "too large") != large {
			t.Errorf("%d %.60s: %v; is it too large: %v", r.status, r.body, err, large)
		}
	}
}
