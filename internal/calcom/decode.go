package calcom

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"mime"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"handoff"
)

// A kind is what we make of a trigger.
type kind struct {
	ignored string // the rule by which it says nothing of a booking
	flat    bool   // the booking's fields are beside triggerEvent, not in a payload
	toggles bool   // the fact can be taken back: Cal.com's createdAt tells two events apart
	// believes tells that the body's status decides what the event means. One that
	// we do not know is then refused: a status only climbs, so a wrong guess stays.
	believes bool
	read     func(*handoff.Observation, *booking)
}

// kinds are the triggers that Cal.com has had (calcom.md §1.1). One that is not
// here may be a change at Cal.com and goes to the failure queue.
var kinds = map[string]kind{
	"BOOKING_CREATED":           {read: statusOr(handoff.Accepted), believes: true},
	"BOOKING_RESCHEDULED":       {read: statusOr(handoff.Accepted), believes: true},
	"BOOKING_REQUESTED":         {read: readRequested},
	"BOOKING_CANCELLED":         {read: readCancelled},
	"BOOKING_REJECTED":          {read: readRejected},
	"BOOKING_PAYMENT_INITIATED": {read: readPaymentInitiated},
	"BOOKING_PAID":              {read: readPaid},

	"BOOKING_NO_SHOW_UPDATED":        {read: readNoShow, toggles: true},
	"AFTER_GUESTS_CAL_VIDEO_NO_SHOW": {read: readGuestsAbsent, toggles: true},
	"AFTER_HOSTS_CAL_VIDEO_NO_SHOW":  {read: readHostAbsent, toggles: true},
	"MEETING_STARTED":                {read: readStarted, flat: true},
	"MEETING_ENDED":                  {read: readEnded, flat: true},

	"PING":                              {ignored: "ping"},
	"FORM_SUBMITTED":                    {ignored: "routing_form"},
	"FORM_SUBMITTED_NO_EVENT":           {ignored: "routing_form"},
	"ROUTING_FORM_FALLBACK_HIT":         {ignored: "routing_form"},
	"RECORDING_READY":                   {ignored: "recording"},
	"RECORDING_TRANSCRIPTION_GENERATED": {ignored: "recording"},
	"OOO_CREATED":                       {ignored: "out_of_office"},
	"INSTANT_MEETING":                   {ignored: "instant_meeting"},
	"DELEGATION_CREDENTIAL_ERROR":       {ignored: "calendar_access"},
	"WRONG_ASSIGNMENT_REPORT":           {ignored: "assignment_report"},
}

// A message is a verified body of Cal.com's own form.
type message struct {
	kind
	trigger   string
	payload   []byte // of a flat body, all of it
	createdAt time.Time
}

// decode reads a verified body.
func decode(t Trust, d Delivery) (handoff.Event, error) {
	m, err := unwrap(d)
	if err != nil {
		return handoff.Event{}, err
	}
	e := handoff.Event{Site: t.Site, Trigger: m.trigger, CreatedAt: m.createdAt, Ignored: m.ignored}
	digest := digestOf(m.payload)
	if m.ignored != "" {
		e.ID = eventID(m.trigger, "", "", digest)
		return e, nil
	}
	o, problem := observe(t, m)
	if problem != "" {
		return handoff.Event{}, refuse(handoff.UnknownShape, m.trigger, problem)
	}
	e.ID = eventID(m.trigger, o.UID, o.Seat, digest)
	if m.toggles {
		e.ID = eventID(m.trigger, o.UID, o.Seat, digest, m.createdAt.Format(time.RFC3339Nano))
	}
	o.ID, o.Site, o.Source, o.Trigger, o.Digest = e.ID, t.Site, handoff.FromEvent, m.trigger, digest
	e.Observation = o
	return e, nil
}

// unwrap reads the outside of a verified body. Only Cal.com's own shapes are
// read: a custom payload template lets a visitor's input change what the body
// says (calcom.md §9.4), so its output is refused.
func unwrap(d Delivery) (message, error) {
	var env envelope
	if deep(d.Body) {
		return message{}, refuse(handoff.UnknownShape, "", "the body is nested deeper than any of Cal.com's")
	}
	if err := unmarshal(d.Body, &env); err != nil {
		return message{}, refuseJSON(d.Body)
	}
	trigger := clip(env.TriggerEvent.V, 60)
	switch media, _, _ := mime.ParseMediaType(d.ContentType); {
	case trigger == "":
		return message{}, refuse(handoff.UnknownShape, "", "there is no triggerEvent; a custom payload template, or the webhook of another app, writes such bodies")
	case media != "application/json":
		return message{}, refuse(handoff.UnknownShape, trigger, fmt.Sprintf("the content type is %q; Cal.com sends that with a custom payload template", clip(media, 60)))
	case d.Version != "" && d.Version != Version:
		return message{}, refuse(handoff.UnknownVersion, trigger, fmt.Sprintf("the version is %q", clip(d.Version, 40)))
	}
	k, ok := kinds[env.TriggerEvent.V]
	if !ok {
		return message{}, refuse(handoff.UnknownTrigger, trigger, fmt.Sprintf("the trigger is %q", trigger))
	}
	m := message{kind: k, trigger: trigger, payload: env.Payload}
	if k.flat {
		m.payload = d.Body
	} else if env.Payload.Kind() != '{' {
		return message{}, refuse(handoff.UnknownShape, trigger, "there is no payload")
	}
	var err error
	if m.createdAt, err = parseTime(env.CreatedAt.V); err != nil {
		return message{}, refuse(handoff.UnknownShape, trigger, "createdAt is no time")
	}
	return m, nil
}

// refuse makes the refusal of a body that Cal.com did sign.
func refuse(reason handoff.Reason, trigger, detail string) *Refusal {
	return &Refusal{Reason: reason, Trigger: trigger, Detail: detail, kind: handoff.ErrInvalid}
}

// refuseJSON says why a body is no JSON object. JSON.stringify never writes a
// name twice; an input that breaks out of a custom template does.
func refuseJSON(body []byte) *Refusal {
	switch value := jsontext.Value(body); {
	case value.IsValid(anyText):
		return refuse(handoff.UnknownShape, "", "the body is JSON, but no object")
	case value.IsValid(anyText, anyNames):
		return refuse(handoff.NotJSON, "", "the body has a name twice; a custom payload template writes such bodies")
	}
	return refuse(handoff.NotJSON, "", "the body is not JSON; a custom payload template writes such bodies")
}

// observe reads what a message says of a booking; problem is empty if it could.
func observe(t Trust, m message) (o *handoff.Observation, problem string) {
	var b booking
	if err := reread(m.payload, &b); err != nil {
		return nil, "the payload is no object"
	}
	uid := cmp.Or(b.UID.V, b.BookingUID.V)
	if uid == "" {
		return nil, "there is no booking uid"
	}
	for _, id := range []string{uid, b.Seat.V, b.RescheduleUID.V, b.FromReschedule.V} {
		if id != "" && !identifier.MatchString(id) {
			return nil, "an identifier is not of Cal.com's form"
		}
	}
	if m.believes && b.Status.V != "" && statuses[b.Status.V] == "" {
		return nil, "the status is none that Cal.com has had"
	}
	o = &handoff.Observation{
		UID: uid, Seat: b.Seat.V, Predecessor: b.RescheduleUID.V,
		ICalUID: calendarUID(b.ICalUID.V), Sequence: int(min(max(b.ICalSequence.V, 0), 1<<30)), At: m.createdAt,
		Title: clip(b.Title.V, maxText), EventType: b.EventTypeID.V, Location: clip(b.Location.V, maxText),
		Host: b.Organizer.V.person(), Attendees: b.Attendees.V.persons(),
		Recurring: b.Recurring.Set || b.RecurringID.V != "",
		Carried:   carried(t, b.Metadata.V.Reference.V, b.Responses.V.Reference.V.Value.V),
	}
	o.Start, _ = parseTime(b.StartTime.V)
	o.End, _ = parseTime(b.EndTime.V)
	m.read(o, &b)
	if o.At.IsZero() {
		return nil, "the time of the fact is missing"
	}
	return o, ""
}

// identifier is the form of Cal.com's uids (short UUIDs) and seats (UUIDs), with
// room for more: but no white space, nothing that means something in a URL, and
// no slash, which parts uid from seat where we write both.
var identifier = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.:@+=~-]{0,254}$`)

// calendarUID is the iCalUID, unless it is of a strange form: a calendar provider
// can replace it with its own, which must not lose the booking.
func calendarUID(s string) string {
	if len(s) > maxID || strings.ContainsFunc(s, func(r rune) bool { return r < '!' || r > '~' }) {
		return ""
	}
	return s
}

// carried judges the references of a body or an answer; empty ones are none.
// userFieldsResponses repeats responses and is not read.
func carried(t Trust, metadata, answer string) []handoff.Carried {
	var out []handoff.Carried
	judge := func(from handoff.Carrier, reference string) {
		if len(reference) > maxID { // spares decoding it once for every other site
			out = append(out, handoff.Carried{From: from, Verdict: handoff.Forged})
		} else if reference != "" {
			out = append(out, t.Keys.Judge(t.Site, t.OtherSites, from, reference))
		}
	}
	judge(handoff.InMetadata, metadata)
	judge(handoff.InAnswer, answer)
	return out
}

// Limits of what is kept of a body, in bytes.
const (
	maxID     = 255
	maxText   = 1000
	maxPeople = 100 // number, not bytes
)

func (wire people) persons() []handoff.Person {
	var out []handoff.Person
	for _, p := range wire {
		out = append(out, p.person())
	}
	return out
}

func (p person) person() handoff.Person {
	out := handoff.Person{Name: clip(p.Name.V, maxID), Email: clip(p.Email.V, maxID), Phone: clip(p.Phone.V, 64), TimeZone: clip(p.TimeZone.V, 64)}
	if p.NoShow.Set {
		out.NoShow = &p.NoShow.V
	}
	return out
}

// statuses are Cal.com's words. AWAITING_HOST is an instant meeting's.
var statuses = map[string]handoff.Status{
	"PENDING": handoff.Requested, "AWAITING_HOST": handoff.Requested, "ACCEPTED": handoff.Accepted,
	"CANCELLED": handoff.Cancelled, "REJECTED": handoff.Rejected,
}

// statusOr reads the body's status, whatever the trigger is called: a reschedule
// that needs confirming is pending. Without one the trigger's own meaning counts;
// an unknown one was refused before (see kind.believes).
func statusOr(otherwise handoff.Status) func(*handoff.Observation, *booking) {
	return func(o *handoff.Observation, b *booking) {
		if o.Status = statuses[b.Status.V]; o.Status == "" {
			o.Status = otherwise
		}
	}
}

func readRequested(o *handoff.Observation, _ *booking) { o.Status = handoff.Requested }

func readCancelled(o *handoff.Observation, b *booking) {
	o.Status, o.Reason = handoff.Cancelled, clip(b.Cancellation.V, maxText)
	if b.RequestReschedule.V {
		o.Status = handoff.RescheduleRequested
	}
}

func readRejected(o *handoff.Observation, b *booking) {
	o.Status, o.Reason = handoff.Rejected, clip(b.Rejection.V, maxText)
}

// readPaymentInitiated does not believe the body's status: it says ACCEPTED
// while the row still waits for the money.
func readPaymentInitiated(o *handoff.Observation, _ *booking) { o.Status = handoff.AwaitingPayment }

func readPaid(o *handoff.Observation, b *booking) {
	o.Paid, o.Status = true, statuses[b.Status.V]
}

func readNoShow(o *handoff.Observation, _ *booking) {}

func readGuestsAbsent(o *handoff.Observation, b *booking) {
	if slices.ContainsFunc(b.Guests.V, func(p person) bool { return p.Email.V != "" }) {
		o.Attendees = b.Guests.V.persons()
	}
	absent := true
	for i := range o.Attendees {
		o.Attendees[i].NoShow = &absent
	}
}

func readHostAbsent(o *handoff.Observation, _ *booking) {
	absent := true
	o.HostAbsent = &absent
	o.Attendees = nil // they are listed with what was known of them before the call
}

func readStarted(o *handoff.Observation, b *booking) {
	readMeeting(o, b)
	o.Started, o.At = true, o.Start
}

func readEnded(o *handoff.Observation, b *booking) {
	readMeeting(o, b)
	o.Ended, o.At = true, o.End
}

// readMeeting reads a flat body. Its createdAt is the booking's, and all it says
// of the booking was true then (calcom.md §1.5 B), so its attributes are of that
// time, and its word on who came says nothing.
func readMeeting(o *handoff.Observation, b *booking) {
	o.AsOf, o.Made, o.Status, o.Host = o.At, o.At, statuses[b.Status.V], b.User.V.person()
	o.Predecessor = b.FromReschedule.V
	for i := range o.Attendees {
		o.Attendees[i].NoShow = nil
	}
}

// parseTime reads RFC 3339 as Cal.com writes it in three ways (Z, .000Z, +00:00).
func parseTime(s string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, s)
	if err != nil || at.Year() < 2000 || at.Year() > 2200 {
		return time.Time{}, fmt.Errorf("%q is no time: %w", clip(s, 40), handoff.ErrInvalid)
	}
	return at.UTC(), nil
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// eventID derives what Cal.com does not send: the second net against doing
// anything twice. createdAt belongs to it only for facts that toggle, because a
// URL registered twice gets every event twice, a millisecond apart.
func eventID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s\n", len(p), p)
	}
	return "evt_" + hex.EncodeToString(h.Sum(nil)[:16])
}

// clip cuts s to n bytes at a character's end, and replaces what is no text:
// PostgreSQL refuses a NUL, and no screen needs the other control characters.
func clip(s string, n int) string {
	return cut(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return utf8.RuneError
		}
		return r
	}, cut(s, n)), n)
}

func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
