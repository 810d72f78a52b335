package calsim_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"handoff/internal/calcom/calsim"
)

// An act brings the world to one event; the event is the last delivery.
type act func(t *testing.T, w *world)

func booked(eventType int) act { return func(t *testing.T, w *world) { w.book(t, eventType) } }

// then books and does one more thing.
func then(eventType int, do func(w *world, uid string) error) act {
	return func(t *testing.T, w *world) {
		b := w.book(t, eventType)
		w.take()
		ok(t, do(w, b.UID))
	}
}

func move(carry calsim.Carry) func(w *world, uid string) error {
	return func(w *world, uid string) error {
		_, err := w.Reschedule(uid, slot.Add(48*time.Hour), carry, "")
		return err
	}
}

var (
	pageMove  = move(calsim.CarryPage)
	accept    = func(w *world, uid string) error { return w.Accept(uid) }
	reject    = func(w *world, uid string) error { return w.Reject(uid, "no") }
	cancel    = func(w *world, uid string) error { return w.Cancel(uid, "other firm", "") }
	askToMove = func(w *world, uid string) error { return w.RequestReschedule(uid, "ill") }
	pay       = func(w *world, uid string) error { return w.Pay(uid) }
	noShow    = func(w *world, uid string) error { return w.MarkNoShow(uid, true) }
	begin     = func(w *world, uid string) error { return w.MeetingStarted(uid) }
	end       = func(w *world, uid string) error { return w.MeetingEnded(uid) }
)

func acceptAfterMove(w *world, uid string) error {
	if err := w.Accept(uid); err != nil {
		return err
	}
	w.take()
	b, err := w.Reschedule(uid, slot.Add(48*time.Hour), calsim.CarryPage, "")
	if err != nil {
		return err
	}
	w.take()
	return w.Accept(b.UID)
}

func moveAccepted(w *world, uid string) error {
	if err := w.Accept(uid); err != nil {
		return err
	}
	w.take()
	return pageMove(w, uid)
}

func secondSeat(t *testing.T, w *world) {
	w.book(t, seated)
	w.take()
	req := request(seated)
	req.Name, req.Email, req.Metadata, req.Answers = "Omar", "omar@example.com", nil, nil
	_, err := w.Book(req)
	ok(t, err)
}

// What becomes of the two carriers and of the links, event by event and
// generation by generation: calcom.md §1.5, §2.2, §9.2, §9.7.
func TestEachEventCarriesWhatItsGenerationCarries(t *testing.T) {
	all := []string{"selfhosted-2025", "caldiy", "cloud-2026"}
	direct, cloud, old, diy := all[:2], all[2:], all[:1], all[1:2]
	// Metadata: "ref" carries the reference, "video" only videoCallUrl, "none" is
	// an absent key, "payment" is the payment's.
	// Has: of answer (the hidden question), iCalUID, iCalSequence, rescheduleUid,
	// requestReschedule, eventTypeId, oneTimePassword (not null).
	tests := []struct {
		name     string
		gens     []string
		do       act
		trigger  string
		metadata string
		status   string // "" means absent
		has      string
	}{
		{"booked", all, booked(plain), "BOOKING_CREATED", "ref", "ACCEPTED", "answer iCalUID iCalSequence eventTypeId"},
		{"requested", all, booked(confirmed), "BOOKING_REQUESTED", "ref", "PENDING", "answer iCalUID iCalSequence eventTypeId oneTimePassword"},
		{"accepted", direct, then(confirmed, accept), "BOOKING_CREATED", "video", "ACCEPTED", "answer eventTypeId"},
		{"accepted in person", direct, then(inPerson, accept), "BOOKING_CREATED", "none", "ACCEPTED", "answer eventTypeId"},
		{"accepted", cloud, then(confirmed, accept), "BOOKING_CREATED", "ref", "ACCEPTED", "answer iCalUID iCalSequence eventTypeId"},
		{"rejected", all, then(confirmed, reject), "BOOKING_REJECTED", "none", "REJECTED", "answer eventTypeId"},
		{"moved by the pages", direct, then(plain, pageMove), "BOOKING_RESCHEDULED", "video", "ACCEPTED", "answer iCalSequence rescheduleUid eventTypeId"},
		{"moved by the pages", cloud, then(plain, pageMove), "BOOKING_RESCHEDULED", "ref", "ACCEPTED", "answer iCalUID iCalSequence rescheduleUid eventTypeId"},
		{"moved by the API", direct, then(plain, move(calsim.CarryAll)), "BOOKING_RESCHEDULED", "ref", "ACCEPTED", "answer iCalSequence rescheduleUid eventTypeId"},
		{"moved by a bare call", direct, then(plain, move(calsim.CarryNothing)), "BOOKING_RESCHEDULED", "video", "ACCEPTED", "iCalSequence rescheduleUid eventTypeId"},
		{"move needs a yes", direct, then(confirmed, moveAccepted), "BOOKING_REQUESTED", "empty", "PENDING", "answer iCalUID iCalSequence rescheduleUid eventTypeId oneTimePassword"},
		{"move needs a yes", cloud, then(confirmed, moveAccepted), "BOOKING_REQUESTED", "ref", "PENDING", "answer iCalUID iCalSequence rescheduleUid eventTypeId oneTimePassword"},
		{"move accepted", direct, then(confirmed, acceptAfterMove), "BOOKING_CREATED", "video", "ACCEPTED", "answer eventTypeId"},
		{"cancelled", old, then(plain, cancel), "BOOKING_CANCELLED", "none", "CANCELLED", "answer iCalUID iCalSequence eventTypeId"},
		{"cancelled", diy, then(plain, cancel), "BOOKING_CANCELLED", "none", "CANCELLED", "answer iCalUID iCalSequence eventTypeId requestReschedule"},
		{"cancelled", cloud, then(plain, cancel), "BOOKING_CANCELLED", "ref", "CANCELLED", "answer iCalUID iCalSequence eventTypeId requestReschedule"},
		{"host asks to move", old, then(plain, askToMove), "BOOKING_CANCELLED", "none", "", "answer iCalUID"},
		{"host asks to move", diy, then(plain, askToMove), "BOOKING_CANCELLED", "none", "CANCELLED", "answer iCalUID iCalSequence eventTypeId requestReschedule"},
		{"host asks to move", cloud, then(plain, askToMove), "BOOKING_CANCELLED", "ref", "CANCELLED", "answer iCalUID iCalSequence eventTypeId requestReschedule"},
		{"payment asked", all, booked(priced), "BOOKING_PAYMENT_INITIATED", "ref", "ACCEPTED", "answer iCalUID iCalSequence eventTypeId"},
		{"created after payment", direct, then(priced, pay), "BOOKING_CREATED", "video", "ACCEPTED", "answer eventTypeId"},
		{"requested after payment", direct, then(pricedConfirmed, pay), "BOOKING_REQUESTED", "none", "", "answer iCalUID iCalSequence eventTypeId oneTimePassword"},
		{"no-show", all, then(plain, noShow), "BOOKING_NO_SHOW_UPDATED", "none", "", ""},
		{"meeting started", all, then(plain, begin), "MEETING_STARTED", "ref", "ACCEPTED", "answer iCalUID iCalSequence eventTypeId oneTimePassword"},
		{"meeting ended", all, then(plain, end), "MEETING_ENDED", "ref", "ACCEPTED", "answer iCalUID iCalSequence eventTypeId oneTimePassword"},
		{"later seat without its own", all, secondSeat, "BOOKING_CREATED", "ref", "ACCEPTED", "iCalUID iCalSequence eventTypeId"},
	}
	for _, tt := range tests {
		for _, gen := range tt.gens {
			t.Run(tt.name+"/"+gen, func(t *testing.T) {
				w := newWorld(t, calsim.Generation(gen))
				tt.do(t, w)
				got := w.last(t)
				p := got.payload(t)
				if got.trigger(t) != tt.trigger {
					t.Fatalf("trigger %s, want %s", got.trigger(t), tt.trigger)
				}
				if m := kindOfMetadata(p); m != tt.metadata {
					t.Errorf("metadata is %s, want %s: %v", m, tt.metadata, p["metadata"])
				}
				if status, _ := p["status"].(string); status != tt.status {
					t.Errorf("status %q, want %q", status, tt.status)
				}
				if has := whatItHas(p); has != tt.has {
					t.Errorf("has  %s\nwant %s", has, tt.has)
				}
				checkWire(t, got, gen)
			})
		}
	}
}

func kindOfMetadata(p map[string]any) string {
	m, ok := p["metadata"].(map[string]any)
	switch {
	case !ok:
		return "none"
	case m["submissionId"] == reference:
		return "ref"
	case m["identifier"] == "cal.com":
		return "payment"
	case len(m) == 0:
		return "empty"
	case len(m) == 1 && m["videoCallUrl"] != nil:
		return "video"
	}
	return "something else"
}

func whatItHas(p map[string]any) string {
	var has []string
	responses, _ := p["responses"].(map[string]any)
	if a, _ := responses["submissionId"].(map[string]any); a["value"] == reference {
		has = append(has, "answer")
	}
	for _, key := range []string{"iCalUID", "iCalSequence", "rescheduleUid", "eventTypeId", "requestReschedule", "oneTimePassword"} {
		if p[key] != nil {
			has = append(has, key)
		}
	}
	return strings.Join(has, " ")
}

// checkWire: a right signature over the bytes, and a version header in all
// generations but [2512].
func checkWire(t *testing.T, got received, gen string) {
	t.Helper()
	if have, want := got.Header.Get("X-Cal-Signature-256"), signed(secret, got.Body); have != want {
		t.Errorf("signature %q, want %q", have, want)
	}
	want := "2021-10-20"
	if gen == string(calsim.SelfHosted2025) {
		want = ""
	}
	if have := got.Header.Get("X-Cal-Webhook-Version"); have != want {
		t.Errorf("version header %q, want %q", have, want)
	}
	if ua := got.Header.Get("User-Agent"); ua != "node" {
		t.Errorf("user agent %q", ua)
	}
}

// The field names, and their order, are those of the bodies that Cal.com's own
// code made.
func TestFieldsAreThoseOfTheSamples(t *testing.T) {
	aSeat := func(t *testing.T, w *world) {
		w.book(t, seated)
		w.take()
		req := request(seated)
		req.Email = "omar@example.com"
		_, err := w.Book(req)
		ok(t, err)
	}
	guests := func(w *world, uid string) error { return w.GuestsNoShow(uid) }
	recording := func(w *world, uid string) error { return w.RecordingReady(uid) }
	tests := []struct {
		sample string
		gen    calsim.Generation
		do     act
	}{
		{"01", calsim.CalDIY, booked(plain)},
		{"02", calsim.Cloud2026, booked(plain)},
		{"03", calsim.Cloud2026, booked(confirmed)},
		{"03", calsim.CalDIY, booked(confirmed)},
		{"04", calsim.SelfHosted2025, then(confirmed, accept)},
		{"05", calsim.SelfHosted2025, then(plain, pageMove)},
		{"06", calsim.Cloud2026, then(plain, pageMove)},
		{"07", calsim.CalDIY, then(plain, cancel)},
		{"08", calsim.Cloud2026, then(plain, cancel)},
		{"09", calsim.CalDIY, then(plain, askToMove)},
		{"10", calsim.Cloud2026, then(confirmed, reject)},
		{"11", calsim.SelfHosted2025, booked(priced)},
		{"12", calsim.CalDIY, func(t *testing.T, w *world) { paidEvent(t, w) }},
		{"13", calsim.CalDIY, then(plain, noShow)},
		{"14", calsim.SelfHosted2025, then(plain, begin)},
		{"16", calsim.CalDIY, func(_ *testing.T, w *world) { w.Ping() }},
		{"17", calsim.CalDIY, aSeat},
		{"18", calsim.CalDIY, booked(weekly)},
		{"19", calsim.CalDIY, then(plain, guests)},
		{"20", calsim.CalDIY, func(_ *testing.T, w *world) { w.SubmitForm("Dana", "Boiler") }},
		{"21", calsim.CalDIY, then(plain, recording)},
		{"22", calsim.CalDIY, func(_ *testing.T, w *world) { w.OutOfOffice() }},
	}
	for _, tt := range tests {
		t.Run(tt.sample+"/"+string(tt.gen), func(t *testing.T) {
			w := newWorld(t, tt.gen)
			tt.do(t, w)
			path := "payload"
			if slices.Contains([]string{"14", "20"}, tt.sample) {
				path = ""
			}
			got := keysInOrder(t, w.last(t).Body, path)
			if !sameWords(got, sampleKeys[tt.sample]) {
				t.Errorf("keys\n%s\nwant\n%s", got, strings.Join(strings.Fields(sampleKeys[tt.sample]), " "))
			}
		})
	}
}

// paidEvent leaves BOOKING_PAID as the last delivery: the CREATED behind it is
// dropped.
func paidEvent(t *testing.T, w *world) {
	b := w.book(t, priced)
	ok(t, w.Pay(b.UID))
	got := w.take()
	if want := []string{"BOOKING_PAYMENT_INITIATED", "BOOKING_PAID", "BOOKING_CREATED"}; !slices.Equal(triggers(t, got), want) {
		t.Fatalf("triggers %v, want %v", triggers(t, got), want)
	}
	if m := kindOfMetadata(got[1].payload(t)); m != "payment" {
		t.Errorf("BOOKING_PAID has metadata %s, want the payment's", m)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.got = got[1:2]
}

// Times come in the three formats of the samples; MEETING_* tells the booking's
// createdAt, not its own.
func TestTimesAreWrittenAsEachPathWritesThem(t *testing.T) {
	tests := []struct {
		gen  calsim.Generation
		do   act
		want string
	}{
		{calsim.SelfHosted2025, booked(plain), "2026-12-01T15:00:00Z"},
		{calsim.Cloud2026, booked(plain), "2026-12-01T15:00:00.000Z"},
		{calsim.CalDIY, then(plain, cancel), "2026-12-01T15:00:00+00:00"},
		{calsim.CalDIY, then(confirmed, accept), "2026-12-01T15:00:00.000Z"},
		{calsim.CalDIY, then(plain, begin), "2026-12-01T15:00:00.000Z"},
	}
	for _, tt := range tests {
		w := newWorld(t, tt.gen)
		tt.do(t, w)
		got := w.last(t)
		if have := got.payload(t)["startTime"]; have != tt.want {
			t.Errorf("%s %s: startTime %v, want %s", tt.gen, got.trigger(t), have, tt.want)
		}
	}

	now := monday
	w := newWorld(t, calsim.CalDIY, func(c *calsim.Config) { c.Now = func() time.Time { return now } })
	b := w.book(t, plain)
	now = slot
	ok(t, w.MeetingStarted(b.UID))
	if have := w.last(t).json(t)["createdAt"]; have != "2026-11-30T08:00:00.000Z" {
		t.Errorf("createdAt %v, want the booking's", have)
	}
}
