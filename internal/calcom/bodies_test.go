package calcom_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/calcom"
)

const (
	bodies = "testdata/bodies"
	secret = "whsec_example_do_not_use"
	site   = "brightwater"

	dana = handoff.SubmissionID("sub_01jdb7z5q4x3s8m2k9v6t1n0rc")
	omar = handoff.SubmissionID("sub_01jdb80marx4x3s8m2k9v6t1n0")

	first = "8mWdT2kQe4RfYpX1sLhC9v" // the booking most bodies are about
	next  = "kP6nB0xU3jZtVw7yRgS5Qa" // what replaced it
)

var keys = handoff.Keys{handoff.Key("a reference key of the tests, 32+"), handoff.Key("an older key of the tests, 32 too")}

var trust = calcom.Trust{Site: site, Secrets: []string{secret}, Keys: keys, OtherSites: []string{"other-site"}}

// signature is what Cal.com computes; the tests have their own, so that a change
// of the package's shows.
func signature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}

func signed(body string) calcom.Delivery {
	return calcom.Delivery{
		Body: []byte(body), Signature: signature(secret, []byte(body)),
		ContentType: "application/json", Version: calcom.Version,
	}
}

// An example is one body of testdata/bodies with its headers.
type example struct {
	File    string
	Trigger string
	Headers map[string]string
	Bytes   int
	body    []byte
}

func examples(t testing.TB) []example {
	t.Helper()
	var index struct {
		Secret string
		Files  []example
	}
	raw, err := os.ReadFile(filepath.Join(bodies, "INDEX.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &index); err != nil {
		t.Fatal(err)
	}
	if index.Secret != secret {
		t.Fatalf("INDEX.json has the secret %q", index.Secret)
	}
	for i := range index.Files {
		if index.Files[i].body, err = os.ReadFile(filepath.Join(bodies, index.Files[i].File)); err != nil {
			t.Fatal(err)
		}
	}
	return index.Files
}

func (e example) delivery() calcom.Delivery {
	h := http.Header{}
	for name, value := range e.Headers {
		h.Set(name, value)
	}
	return calcom.NewDelivery(h, e.body)
}

// real replaces the placeholders by references that we signed, and signs the body.
func (e example) real() calcom.Delivery {
	d := e.delivery()
	d.Body = []byte(strings.NewReplacer(
		string(dana)+".p3Vb1m9sYt7QkD0wEoHgZLx2", keys.Sign(site, dana),
		string(omar)+".q7HnVb2sYt7QkD0wEoHgZLx", keys.Sign(site, omar),
	).Replace(string(d.Body)))
	d.Signature = signature(secret, d.Body)
	return d
}

func at(s string) time.Time {
	out, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return out.UTC()
}

// becomes says what becomes of a body. Either ignored, or refused, or the rest.
type becomes struct {
	trigger string
	ignored string
	refused handoff.Reason

	uid, seat, predecessor string
	status                 handoff.Status
	sequence               int
	ical                   bool   // the body names an iCalUID
	at                     string // "" is the body's createdAt
	asOf, start            string
	location               string
	reason                 string
	carried                string // from, verdict and whose; in the body's order
	facts                  string // started, ended, paid, recurring, no-show
}

const (
	daily   = "integrations:daily"
	both    = "metadata valid dana, answer valid dana"
	answer  = "answer valid dana"
	booked  = "2026-12-01T15:00:00Z"
	moved   = "2026-12-03T16:00:00Z"
	started = "2026-11-23T09:30:00.301Z" // createdAt of the booking in flat bodies
)

var wants = map[string]becomes{
	"01-booking-created.direct.json": {
		trigger: "BOOKING_CREATED", uid: first, status: handoff.Accepted, ical: true,
		start: booked, location: "https://app.cal.com/video/" + first, carried: both,
	},
	"02-booking-created.queued.json": {
		trigger: "BOOKING_CREATED", uid: first, status: handoff.Accepted, ical: true,
		start: booked, location: daily, carried: both,
	},
	"03-booking-requested.queued.json": {
		trigger: "BOOKING_REQUESTED", uid: first, status: handoff.Requested, ical: true,
		start: booked, location: daily, carried: both,
	},
	"04-booking-created.after-confirm.metadata-lost.json": {
		trigger: "BOOKING_CREATED", uid: first, status: handoff.Accepted,
		start: booked, location: daily, carried: answer,
	},
	"05-booking-rescheduled.direct.metadata-lost.json": {
		trigger: "BOOKING_RESCHEDULED", uid: next, predecessor: first, status: handoff.Accepted, sequence: 1,
		start: moved, location: "https://app.cal.com/video/" + next, carried: answer,
	},
	"06-booking-rescheduled.queued.json": {
		trigger: "BOOKING_RESCHEDULED", uid: next, predecessor: first, status: handoff.Accepted, sequence: 1, ical: true,
		start: moved, location: daily, carried: both,
	},
	"07-booking-cancelled.direct.no-metadata.json": {
		trigger: "BOOKING_CANCELLED", uid: next, status: handoff.Cancelled, sequence: 2, ical: true,
		start: moved, location: "https://app.cal.com/video/" + next, reason: "Went with another firm", carried: answer,
	},
	"08-booking-cancelled.queued.json": {
		trigger: "BOOKING_CANCELLED", uid: next, status: handoff.Cancelled, sequence: 2, ical: true,
		start: moved, location: daily, reason: "Went with another firm", carried: both,
	},
	"09-booking-cancelled.request-reschedule.json": {
		trigger: "BOOKING_CANCELLED", uid: first, status: handoff.RescheduleRequested, sequence: 1, ical: true,
		start: booked, location: daily, reason: "Please reschedule. Engineer is off sick", carried: answer,
	},
	"10-booking-rejected.json": {
		trigger: "BOOKING_REJECTED", uid: first, status: handoff.Rejected,
		start: booked, location: daily, reason: "Outside our service area", carried: answer,
	},
	"11-booking-payment-initiated.json": {
		trigger: "BOOKING_PAYMENT_INITIATED", uid: first, status: handoff.AwaitingPayment, ical: true,
		start: booked, location: daily, carried: both,
	},
	"12-booking-paid.json": {
		trigger: "BOOKING_PAID", uid: first, status: handoff.Accepted,
		start: booked, location: daily, carried: answer, facts: "paid",
	},
	"13-booking-no-show-updated.json": {
		trigger: "BOOKING_NO_SHOW_UPDATED", uid: first,
		facts: "dana.whitfield@example.com no-show",
	},
	"14-meeting-started.flat.json": {
		trigger: "MEETING_STARTED", uid: first, status: handoff.Accepted, ical: true,
		at: booked, asOf: started, start: booked, location: daily, carried: both, facts: "started",
	},
	"15-meeting-ended.flat.json": {
		trigger: "MEETING_ENDED", uid: first, status: handoff.Accepted, ical: true,
		at: "2026-12-01T15:30:00Z", asOf: started, start: booked, location: daily, carried: both, facts: "ended",
	},
	"16-ping.json": {trigger: "PING", ignored: "ping"},
	"17-booking-created.seat-2-same-uid.json": {
		trigger: "BOOKING_CREATED", uid: first, seat: "3be561a9-31f1-4b8e-aefc-9d9a085f0dd1", status: handoff.Accepted, ical: true,
		start: booked, location: daily, carried: "metadata valid omar, answer valid omar",
	},
	"18-booking-created.recurring-2-of-3.json": {
		trigger: "BOOKING_CREATED", uid: "rT4vN8cM2bQ6wE0yU5iOpA", status: handoff.Accepted, ical: true,
		start: "2026-12-08T15:00:00Z", location: "https://app.cal.com/video/" + first, carried: both, facts: "recurring",
	},
	"19-after-guests-cal-video-no-show.json": {
		trigger: "AFTER_GUESTS_CAL_VIDEO_NO_SHOW", uid: first,
		start: booked, facts: "dana.whitfield@example.com no-show",
	},
	"20-form-submitted.json":                       {trigger: "FORM_SUBMITTED", ignored: "routing_form"},
	"21-recording-ready.json":                      {trigger: "RECORDING_READY", ignored: "recording"},
	"22-ooo-created.json":                          {trigger: "OOO_CREATED", ignored: "out_of_office"},
	"23-booking-created.custom-json-template.json": {refused: handoff.UnknownShape},
	"24-booking-created.custom-text-template.txt":  {refused: handoff.NotJSON},
	"25-booking-created.zapier-app.json":           {refused: handoff.UnknownShape},
	"26-booking-created.hostile-metadata.json": {
		trigger: "BOOKING_CREATED", uid: "zZ9hostileBookingUid000", status: handoff.Accepted, ical: true,
		start: booked, location: daily, carried: "metadata forged, answer forged",
	},
}

// told writes what became of a delivery in the table's form.
func told(d calcom.Delivery) becomes {
	e, err := calcom.Open(trust, d)
	var refusal *calcom.Refusal
	if errors.As(err, &refusal) {
		return becomes{trigger: refusal.Trigger, refused: refusal.Reason}
	}
	o := e.Observation
	if o == nil {
		return becomes{trigger: e.Trigger, ignored: e.Ignored}
	}
	when := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format(time.RFC3339Nano)
	}
	out := becomes{
		trigger: e.Trigger, uid: o.UID, seat: o.Seat, predecessor: o.Predecessor, status: o.Status, sequence: o.Sequence,
		ical: o.ICalUID != "", asOf: when(o.AsOf), start: when(o.Start), location: o.Location, reason: o.Reason,
	}
	if !o.At.Equal(e.CreatedAt) {
		out.at = when(o.At)
	}
	var carried, facts []string
	for _, c := range o.Carried {
		whose := map[handoff.SubmissionID]string{dana: " dana", omar: " omar"}[c.Submission]
		carried = append(carried, string(c.From)+" "+string(c.Verdict)+whose)
	}
	for name, is := range map[string]bool{"started": o.Started, "ended": o.Ended, "paid": o.Paid, "recurring": o.Recurring, "host absent": o.HostAbsent != nil} {
		if is {
			facts = append(facts, name)
		}
	}
	for _, p := range o.Attendees {
		if p.NoShow != nil {
			facts = append(facts, p.Email+map[bool]string{true: " no-show", false: " came"}[*p.NoShow])
		}
	}
	slices.Sort(facts)
	out.carried, out.facts = strings.Join(carried, ", "), strings.Join(facts, ", ")
	return out
}

// Every body that Cal.com is known to send, from its bytes to what we make of it.
func TestBodies(t *testing.T) {
	for _, e := range examples(t) {
		want, ok := wants[e.File]
		if !ok {
			t.Errorf("%s has no row", e.File)
			continue
		}
		if got := told(e.real()); got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", e.File, got, want)
		}
	}
}

// The folder, its index and the table name the same files.
func TestBodiesAreAllThere(t *testing.T) {
	files, err := os.ReadDir(bodies)
	if err != nil {
		t.Fatal(err)
	}
	index := examples(t)
	if len(index) != 26 || len(files) != 27 || len(wants) != 26 {
		t.Errorf("%d in the index, %d files with it, %d rows", len(index), len(files), len(wants))
	}
	for _, f := range files {
		if _, ok := wants[f.Name()]; !ok && f.Name() != "INDEX.json" {
			t.Errorf("%s has no row", f.Name())
		}
		if f.Name() != "INDEX.json" && !slices.ContainsFunc(index, func(e example) bool { return e.File == f.Name() }) {
			t.Errorf("%s is not in INDEX.json", f.Name())
		}
	}
}

// The signatures in the index are those of the bytes in the folder, and Open takes
// each of them as it is: the placeholder references are forged, nothing more.
func TestBodiesAreSigned(t *testing.T) {
	for _, e := range examples(t) {
		if len(e.body) != e.Bytes {
			t.Errorf("%s has %d bytes, the index says %d", e.File, len(e.body), e.Bytes)
		}
		if got := e.delivery().Signature; got != signature(secret, e.body) {
			t.Errorf("%s: the index has signature %s", e.File, got)
		}
		want := wants[e.File]
		want.carried = strings.NewReplacer("valid dana", "forged", "valid omar", "forged").Replace(want.carried)
		if got := told(e.delivery()); got != want {
			t.Errorf("%s:\n got %+v\nwant %+v", e.File, got, want)
		}
	}
}

// What every event has, whatever it tells.
func TestEventsAreComplete(t *testing.T) {
	ids := map[string]string{}
	for _, e := range examples(t) {
		event, err := calcom.Open(trust, e.real())
		if err != nil {
			continue
		}
		checkEvent(t, event)
		if other, ok := ids[event.ID]; ok {
			t.Errorf("%s and %s have the ID %s", e.File, other, event.ID)
		}
		ids[event.ID] = e.File
	}
	o := open(t, string(example{body: read(t, "01-booking-created.direct.json")}.real().Body)).Observation
	if o.EventType != 90210 || o.Host.Name != "Priya Raman" || o.Host.TimeZone != "Europe/London" || o.End != at("2026-12-01T15:30:00Z") ||
		len(o.Attendees) != 1 || o.Attendees[0] != (handoff.Person{Name: "Dana Whitfield", Email: "dana.whitfield@example.com", TimeZone: "America/New_York"}) ||
		o.Title != "Survey call between Priya Raman and Dana Whitfield" {
		t.Errorf("01: %+v", o)
	}
	if host := open(t, string(read(t, "14-meeting-started.flat.json"))).Observation.Host; host.Email != "priya@brightwater-plumbing.example" {
		t.Errorf("14: the host is %+v", host)
	}
}

// checkEvent fails on an event that a caller could not keep.
func checkEvent(t testing.TB, e handoff.Event) {
	t.Helper()
	if !strings.HasPrefix(e.ID, "evt_") || e.Site != site || e.Trigger == "" || e.CreatedAt.IsZero() {
		t.Errorf("event %+v", e)
	}
	if (e.Ignored == "") == (e.Observation == nil) {
		t.Errorf("event %s is ignored by %q and has observation %v", e.ID, e.Ignored, e.Observation)
	}
	if o := e.Observation; o != nil {
		if o.ID != e.ID || o.Site != site || o.Source != handoff.FromEvent || o.Trigger != e.Trigger || o.UID == "" || o.At.IsZero() ||
			o.Digest == "" || o.Lead != "" || o.Sequence < 0 || len(o.Carried) > 2 {
			t.Errorf("observation %+v", o)
		}
		for _, c := range o.Carried {
			if (c.Verdict == handoff.Valid) != (c.Submission != "") {
				t.Errorf("carried %+v", c)
			}
		}
		kept, err := json.Marshal(o)
		if err != nil || len(kept) > 120<<10 || bytes.Contains(kept, []byte(`\u0000`)) {
			t.Errorf("%d bytes are kept of it, error %v", len(kept), err)
		}
	}
}

func read(t testing.TB, file string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(bodies, file))
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// open opens a body that must be an event.
func open(t testing.TB, body string) handoff.Event {
	t.Helper()
	e, err := calcom.Open(trust, signed(body))
	if err != nil {
		t.Fatalf("%.300s: %v", body, err)
	}
	return e
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}
