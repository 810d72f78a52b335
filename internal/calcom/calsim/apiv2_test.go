package calsim_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"handoff/internal/calcom/calsim"
)

const version = "2024-08-13"

func api(t *testing.T, w *world, target string, header ...string) (int, map[string]any) {
	t.Helper()
	res := ask(t, w, "GET", target, "", append([]string{"cal-api-version", version}, header...)...)
	if res.Header.Get("X-RateLimit-Limit-Default") == "" || res.Header.Get("X-RateLimit-Reset-Default") == "" {
		t.Error("no rate limit headers")
	}
	return res.StatusCode, decode(t, res)
}

func key(k string) []string { return []string{"Authorization", "Bearer " + k} }

// Who may ask what, and how Cal.com says no (calcom.md §4, §9.5).
func TestAPIAnswers(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	b := w.book(t, plain)
	tests := []struct {
		target string
		header []string
		want   int
		code   string // of the error
	}{
		{"/v2/bookings/" + b.UID, nil, 200, ""},
		{"/v2/bookings/" + b.UID, key("wrong"), 401, "UnauthorizedException"},
		{"/v2/bookings/nobody", nil, 404, "NotFoundException"},
		{"/v2/bookings", nil, 401, "UnauthorizedException"},
		{"/v2/bookings", key("wrong"), 401, "UnauthorizedException"},
		{"/v2/bookings", key("cal_key"), 200, ""},
		{"/v2/bookings?take=250", key("cal_key"), 200, ""},
		{"/v2/bookings?take=251", key("cal_key"), 400, "BadRequestException"},
		{"/v2/bookings?afterUpdatedAt=yesterday", key("cal_key"), 400, "BadRequestException"},
	}
	for _, tt := range tests {
		status, body := api(t, w, tt.target, tt.header...)
		var code any = ""
		if e, isError := body["error"].(map[string]any); isError {
			code = e["code"]
		}
		if status != tt.want || code != tt.code {
			t.Errorf("%s: %d %v, want %d %s", tt.target, status, code, tt.want, tt.code)
		}
	}
}

// The booking object is BookingOutput_2024_08_13: words in lower case, the
// metadata that the webhooks lost, the chain, and the answers as plain values.
func TestAPIShowsTheRow(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	b := w.book(t, plain)
	next, err := w.Reschedule(b.UID, slot.Add(time.Hour), calsim.CarryPage, "")
	ok(t, err)
	ok(t, w.Cancel(next.UID, "other firm", ""))
	_, old := api(t, w, "/v2/bookings/"+b.UID)
	if data := old["data"].(map[string]any); data["rescheduledToUid"] != next.UID || data["status"] != "cancelled" {
		t.Errorf("old: %v", data)
	}
	_, body := api(t, w, "/v2/bookings/"+next.UID)
	data := body["data"].(map[string]any)
	for k, want := range map[string]any{
		"status": "cancelled", "rescheduledFromUid": b.UID, "icsUid": b.ICalUID,
		"start": "2026-12-01T16:00:00.000Z", "cancellationReason": "other firm", "duration": 30.0,
	} {
		if data[k] != want {
			t.Errorf("%s is %v, want %v", k, data[k], want)
		}
	}
	for _, k := range []string{"metadata", "bookingFieldsResponses"} {
		if data[k].(map[string]any)["submissionId"] != reference {
			t.Errorf("%s is %v", k, data[k])
		}
	}
	res := ask(t, w, "GET", "/v2/bookings/"+b.UID, "")
	if old := decode(t, res)["data"].(map[string]any); old["startTime"] == nil || old["start"] != nil {
		t.Error("without the version header the newer shape came")
	}
}

// Seated bookings carry metadata and answers per attendee; a series' uid
// answers with an array.
func TestAPIShapesOfSeatsAndSeries(t *testing.T) {
	w := newWorld(t, calsim.SelfHosted2025)
	b := w.book(t, seated)
	_, body := api(t, w, "/v2/bookings/"+b.UID)
	data := body["data"].(map[string]any)
	first := data["attendees"].([]any)[0].(map[string]any)
	if data["metadata"] != nil || first["metadata"].(map[string]any)["submissionId"] != reference || first["seatUid"] == nil {
		t.Errorf("seated: %v", data)
	}
	req := request(weekly)
	req.Start = slot.Add(2 * time.Hour)
	one, err := w.Book(req)
	ok(t, err)
	_, body = api(t, w, "/v2/bookings/"+one.RecurringID)
	if list, isList := body["data"].([]any); !isList || len(list) != 3 {
		t.Errorf("series: %v", body["data"])
	}
}

// The sweep's query: inclusive bounds, ascending, and a pagination that counts
// all rows whatever the filters (calcom.md §9.5).
func TestAPIListsWhatWasUpdated(t *testing.T) {
	now := monday
	w := newWorld(t, calsim.SelfHosted2025, func(c *calsim.Config) { c.Now = func() time.Time { return now } })
	var uids []string
	for i := range 5 {
		now = monday.Add(time.Duration(i) * time.Minute)
		req := request(plain)
		req.Start = slot.Add(time.Duration(i) * time.Hour)
		b, err := w.Book(req)
		ok(t, err)
		uids = append(uids, b.UID)
	}
	now = monday.Add(time.Hour)
	ok(t, w.Cancel(uids[0], "", ""))

	query := "/v2/bookings?sortUpdatedAt=asc&afterUpdatedAt=" + monday.Add(3*time.Minute).Format("2006-01-02T15:04:05.000Z")
	_, body := api(t, w, query, key("cal_key")...)
	if got, want := uidsOf(body), fmt.Sprint([]any{uids[3], uids[4], uids[0]}); got != want {
		t.Errorf("updated: %s, want %s", got, want)
	}
	if p := body["pagination"].(map[string]any); p["totalItems"] != 5.0 || p["returnedItems"] != 3.0 {
		t.Errorf("pagination %v", p)
	}
	_, body = api(t, w, query+"&take=2&skip=2", key("cal_key")...)
	if got, want := uidsOf(body), fmt.Sprint([]any{uids[0]}); got != want {
		t.Errorf("second page: %s, want %s", got, want)
	}
	_, body = api(t, w, "/v2/bookings?eventTypeId=99", key("cal_key")...)
	if got := uidsOf(body); got != "[]" {
		t.Errorf("another event type: %s", got)
	}
}

func uidsOf(body map[string]any) string {
	out := []any{}
	for _, b := range body["data"].([]any) {
		out = append(out, b.(map[string]any)["uid"])
	}
	return fmt.Sprint(out)
}

// Over the limit comes 429, with the reset in seconds and no Retry-After.
func TestAPIRateLimit(t *testing.T) {
	now := monday
	w := newWorld(t, calsim.SelfHosted2025, func(c *calsim.Config) {
		c.RateLimit, c.Now = 2, func() time.Time { return now }
	})
	for _, want := range []int{404, 404, 429} {
		res := ask(t, w, "GET", "/v2/bookings/nobody", "")
		if res.StatusCode != want {
			t.Errorf("%d, want %d", res.StatusCode, want)
		}
		if want == http.StatusTooManyRequests && (res.Header.Get("Retry-After") != "" || res.Header.Get("X-RateLimit-Reset-Default") != "60") {
			t.Errorf("headers %v", res.Header)
		}
	}
	now = now.Add(time.Minute)
	if res := ask(t, w, "GET", "/v2/bookings/nobody", ""); res.StatusCode != 404 {
		t.Errorf("a minute later: %d", res.StatusCode)
	}
}
