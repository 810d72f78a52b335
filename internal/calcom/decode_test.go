package calcom_test

import (
	"fmt"
	"strings"
	"testing"

	"handoff"
	"handoff/internal/calcom"
)

// wrap makes a signed-looking body around a payload's fields.
func wrap(trigger, fields string) string {
	return `{"triggerEvent":"` + trigger + `","createdAt":"2026-11-23T09:30:00.538Z","payload":{` + fields + `}}`
}

func bookingBody(fields string) string {
	if fields != "" {
		fields = "," + fields
	}
	return wrap("BOOKING_CREATED", `"uid":"u1"`+fields)
}

// What is signed but not of Cal.com's own form is refused, each for its reason.
func TestRefusals(t *testing.T) {
	long := strings.Repeat("x", 300)
	for name, tt := range map[string]struct {
		body string
		want handoff.Reason
	}{
		"nothing":                  {"", handoff.NotJSON},
		"false, a broken template": {"false", handoff.UnknownShape},
		"null":                     {"null", handoff.UnknownShape},
		"a list":                   {"[" + created + "]", handoff.UnknownShape},
		"a list with odd text":     {`["\ud800"]`, handoff.UnknownShape},
		"a text":                   {`"BOOKING_CREATED"`, handoff.UnknownShape},
		"two objects":              {created + created, handoff.NotJSON},
		"something after":          {created + "x", handoff.NotJSON},
		"a byte order mark":        {"\ufeff" + created, handoff.NotJSON},
		"cut short":                {created[:len(created)-1], handoff.NotJSON},
		"101 levels":               {bookingBody(`"a":` + strings.Repeat("[", 99) + strings.Repeat("]", 99)), handoff.UnknownShape},
		"10,001 levels":            {bookingBody(`"a":` + strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001)), handoff.UnknownShape},

		"the trigger twice":            {`{"triggerEvent":"PING",` + created[1:], handoff.NotJSON},
		"the uid twice":                {bookingBody(`"uid":"victim"`), handoff.NotJSON},
		"the uid twice, escaped":       {bookingBody(`"\u0075id":"victim"`), handoff.NotJSON},
		"the reference twice":          {bookingBody(`"metadata":{"submissionId":"a","submissionId":"b"}`), handoff.NotJSON},
		"a name twice somewhere else":  {bookingBody(`"x":[{"y":1,"y":1}]`), handoff.NotJSON},
		"the payload twice":            {`{"payload":{"uid":"u2"},` + bookingBody("")[1:], handoff.NotJSON},
		"no trigger":                   {`{"createdAt":"2026-11-23T09:30:00Z","payload":{"uid":"u1"}}`, handoff.UnknownShape},
		"TriggerEvent":                 {strings.Replace(created, "triggerEvent", "TriggerEvent", 1), handoff.UnknownShape},
		"a trigger that is a number":   {`{"triggerEvent":1,"createdAt":"2026-11-23T09:30:00Z","payload":{"uid":"u1"}}`, handoff.UnknownShape},
		"a trigger in lower case":      {wrap("booking_created", `"uid":"u1"`), handoff.UnknownTrigger},
		"a trigger with a NUL":         {wrap(`BOOKING_CREATED\u0000`, `"uid":"u1"`), handoff.UnknownTrigger},
		"a trigger Cal.com never had":  {wrap("BOOKING_CONFIRMED", `"uid":"u1"`), handoff.UnknownTrigger},
		"a very long trigger":          {wrap("BOOKING_CREATED"+long, `"uid":"u1"`), handoff.UnknownTrigger},
		"no createdAt":                 {`{"triggerEvent":"BOOKING_CREATED","payload":{"uid":"u1"}}`, handoff.UnknownShape},
		"an ignored one, no createdAt": {`{"triggerEvent":"PING","payload":{}}`, handoff.UnknownShape},
		"a meeting, no createdAt":      {`{"triggerEvent":"MEETING_STARTED","uid":"u1","startTime":"2026-12-01T15:00:00Z"}`, handoff.UnknownShape},
		"CreatedAt":                    {strings.Replace(created, "createdAt", "CreatedAt", 1), handoff.UnknownShape},
		"createdAt of 1970":            {strings.Replace(created, "2026-", "1970-", 1), handoff.UnknownShape},
		"createdAt of 9999":            {strings.Replace(created, "2026-", "9999-", 1), handoff.UnknownShape},
		"createdAt a number":           {`{"triggerEvent":"BOOKING_CREATED","createdAt":1795000000000,"payload":{"uid":"u1"}}`, handoff.UnknownShape},
		"createdAt without a zone":     {strings.Replace(created, "538Z", "538", 1), handoff.UnknownShape},
		"no payload":                   {`{"triggerEvent":"BOOKING_CREATED","createdAt":"2026-11-23T09:30:00Z","uid":"u1"}`, handoff.UnknownShape},
		"a null payload":               {`{"triggerEvent":"BOOKING_CREATED","createdAt":"2026-11-23T09:30:00Z","payload":null}`, handoff.UnknownShape},
		"a payload that is a list":     {`{"triggerEvent":"BOOKING_CREATED","createdAt":"2026-11-23T09:30:00Z","payload":[{"uid":"u1"}]}`, handoff.UnknownShape},
		"a payload in a text":          {`{"triggerEvent":"BOOKING_CREATED","createdAt":"2026-11-23T09:30:00Z","payload":"{\"uid\":\"u1\"}"}`, handoff.UnknownShape},
		"an ignored one, null payload": {`{"triggerEvent":"PING","createdAt":"2026-11-23T09:30:00Z","payload":null}`, handoff.UnknownShape},

		"no uid":                   {wrap("BOOKING_CREATED", `"bookingId":5501`), handoff.UnknownShape},
		"UID":                      {wrap("BOOKING_CREATED", `"UID":"u1"`), handoff.UnknownShape},
		"an empty uid":             {wrap("BOOKING_CREATED", `"uid":""`), handoff.UnknownShape},
		"a uid that is a number":   {wrap("BOOKING_CREATED", `"uid":5501`), handoff.UnknownShape},
		"a uid of 256 bytes":       {wrap("BOOKING_CREATED", `"uid":"`+long[:256]+`"`), handoff.UnknownShape},
		"a NUL in the uid":         {wrap("BOOKING_CREATED", `"uid":"u1\u0000"`), handoff.UnknownShape},
		"a line's end in the uid":  {wrap("BOOKING_CREATED", `"uid":"u1\n"`), handoff.UnknownShape},
		"a space in the uid":       {wrap("BOOKING_CREATED", `"uid":"u 1"`), handoff.UnknownShape},
		"a slash in the uid":       {wrap("BOOKING_CREATED", `"uid":"u1/seat"`), handoff.UnknownShape},
		"a way up":                 {wrap("BOOKING_CREATED", `"uid":".."`), handoff.UnknownShape},
		"a query in the uid":       {wrap("BOOKING_CREATED", `"uid":"u1?x"`), handoff.UnknownShape},
		"a direction mark":         {wrap("BOOKING_CREATED", `"uid":"u1\u202e"`), handoff.UnknownShape},
		"a lone surrogate":         {wrap("BOOKING_CREATED", `"uid":"u1\ud800"`), handoff.UnknownShape},
		"a seat with a slash":      {bookingBody(`"attendeeSeatId":"a/b"`), handoff.UnknownShape},
		"a hostile rescheduleUid":  {bookingBody(`"rescheduleUid":"<script>"`), handoff.UnknownShape},
		"a hostile fromReschedule": {`{"triggerEvent":"MEETING_STARTED","createdAt":"2026-11-23T09:30:00Z","uid":"u1","startTime":"2026-12-01T15:00:00Z","fromReschedule":"a b"}`, handoff.UnknownShape},

		"created, of unknown status":     {bookingBody(`"status":"WAITLISTED"`), handoff.UnknownShape},
		"created, status in lower case":  {bookingBody(`"status":"accepted"`), handoff.UnknownShape},
		"rescheduled, of unknown status": {wrap("BOOKING_RESCHEDULED", `"uid":"u1","status":"WAITLISTED"`), handoff.UnknownShape},
		"a meeting without its time":     {`{"triggerEvent":"MEETING_ENDED","createdAt":"2026-11-23T09:30:00Z","uid":"u1","startTime":"2026-12-01T15:00:00Z"}`, handoff.UnknownShape},
		"a meeting in a payload":         {wrap("MEETING_STARTED", `"uid":"u1","startTime":"2026-12-01T15:00:00Z"`), handoff.UnknownShape},
	} {
		e, err := calcom.Open(trust, signed(tt.body))
		got := refused(t, e, err, handoff.ErrInvalid)
		if got.Reason != tt.want {
			t.Errorf("%s: refused for %q, want %q", name, got.Reason, tt.want)
		}
		if strings.Contains(got.Error(), "victim") || len(got.Error()) > 300 || len(got.Trigger) > 60 {
			t.Errorf("%s: the refusal tells of the body: %v", name, got)
		}
	}
}

// The headers beside the signature are not signed, but a template shows in them.
func TestHeaders(t *testing.T) {
	for name, tt := range map[string]struct {
		contentType, version string
		want                 handoff.Reason
	}{
		"as Cal.com sends":           {"application/json", "2021-10-20", ""},
		"no version: older Cal.com":  {"application/json", "", ""},
		"with a charset":             {"application/json; charset=utf-8", "", ""},
		"with a broken parameter":    {"application/json; charset", "", ""},
		"in other case":              {"Application/JSON;Charset=UTF-8", "", ""},
		"a text template":            {"application/x-www-form-urlencoded", "", handoff.UnknownShape},
		"none":                       {"", "", handoff.UnknownShape},
		"of another kind":            {"application/problem+json", "", handoff.UnknownShape},
		"two in one":                 {"application/json, text/plain", "", handoff.UnknownShape},
		"a newer version":            {"application/json", "2027-01-01", handoff.UnknownVersion},
		"a version with white space": {"application/json", "2021-10-20 ", handoff.UnknownVersion},
	} {
		d := signed(bookingBody(""))
		d.ContentType, d.Version = tt.contentType, tt.version
		e, err := calcom.Open(trust, d)
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		} else if got := refused(t, e, err, handoff.ErrInvalid).Reason; got != tt.want {
			t.Errorf("%s: refused for %q, want %q", name, got, tt.want)
		}
	}
}

// One strange field must not lose a booking, nor be believed.
func TestStrangeFields(t *testing.T) {
	type check func(*handoff.Observation) bool
	right := keys.Sign(site, dana)
	says := func(carried ...handoff.Carried) check {
		return func(o *handoff.Observation) bool { return fmt.Sprint(o.Carried) == fmt.Sprint(carried) }
	}
	for name, tt := range map[string]struct {
		fields string
		ok     check
	}{
		"status of another type":  {`"status":5`, func(o *handoff.Observation) bool { return o.Status == handoff.Accepted }},
		"status null":             {`"status":null`, func(o *handoff.Observation) bool { return o.Status == handoff.Accepted }},
		"pending, though CREATED": {`"status":"PENDING"`, func(o *handoff.Observation) bool { return o.Status == handoff.Requested }},
		"waiting for the host":    {`"status":"AWAITING_HOST"`, func(o *handoff.Observation) bool { return o.Status == handoff.Requested }},
		"cancelled meanwhile":     {`"status":"CANCELLED"`, func(o *handoff.Observation) bool { return o.Status == handoff.Cancelled }},
		"sequence 1e300":          {`"iCalSequence":1e300`, func(o *handoff.Observation) bool { return o.Sequence == 0 }},
		"sequence -1":             {`"iCalSequence":-1`, func(o *handoff.Observation) bool { return o.Sequence == 0 }},
		"sequence 2.5":            {`"iCalSequence":2.5`, func(o *handoff.Observation) bool { return o.Sequence == 0 }},
		"sequence in a text":      {`"iCalSequence":"7"`, func(o *handoff.Observation) bool { return o.Sequence == 0 }},
		"sequence of 63 bits":     {`"iCalSequence":9223372036854775807`, func(o *handoff.Observation) bool { return o.Sequence == 1<<30 }},
		"sequence of 64 bits":     {`"iCalSequence":9223372036854775808`, func(o *handoff.Observation) bool { return o.Sequence == 0 }},
		"event type in a text":    {`"eventTypeId":"90210"`, func(o *handoff.Observation) bool { return o.EventType == 0 }},
		"uid under another case":  {`"UID":"victim","Uid":"victim"`, func(o *handoff.Observation) bool { return o.UID == "u1" }},
		"bookingUid beside uid":   {`"bookingUid":"u2"`, func(o *handoff.Observation) bool { return o.UID == "u1" }},
		"seat of another type":    {`"attendeeSeatId":7`, func(o *handoff.Observation) bool { return o.Seat == "" }},
		"start no time":           {`"startTime":"tomorrow","endTime":"2026-13-01T00:00:00Z"`, func(o *handoff.Observation) bool { return o.Start.IsZero() && o.End.IsZero() }},
		"start with an offset":    {`"startTime":"2026-12-01T16:00:00+01:00"`, func(o *handoff.Observation) bool { return o.Start == at(booked) }},
		"a provider's iCalUID":    {`"iCalUID":"{7CF4}/a=b+c@google.com"`, func(o *handoff.Observation) bool { return o.ICalUID == "{7CF4}/a=b+c@google.com" }},
		"a strange iCalUID":       {`"iCalUID":"a b\u0000"`, func(o *handoff.Observation) bool { return o.ICalUID == "" }},
		"a long iCalUID":          {`"iCalUID":"` + strings.Repeat("x", 256) + `"`, func(o *handoff.Observation) bool { return o.ICalUID == "" }},
		"organizer a text":        {`"organizer":"Priya"`, func(o *handoff.Observation) bool { return o.Host == handoff.Person{} }},
		"organizer in part":       {`"organizer":{"name":"Priya","email":7}`, func(o *handoff.Observation) bool { return o.Host == handoff.Person{Name: "Priya"} }},
		"attendees an object":     {`"attendees":{"email":"a@example.com"}`, func(o *handoff.Observation) bool { return o.Attendees == nil }},
		"attendees null":          {`"attendees":null`, func(o *handoff.Observation) bool { return o.Attendees == nil }},
		"one attendee a text": {`"attendees":["x",{"email":"a@example.com"}]`, func(o *handoff.Observation) bool {
			return len(o.Attendees) == 2 && o.Attendees[0] == handoff.Person{} && o.Attendees[1].Email == "a@example.com"
		}},
		"noShow a text": {`"attendees":[{"email":"a@example.com","noShow":"yes"}]`, func(o *handoff.Observation) bool {
			return len(o.Attendees) == 1 && o.Attendees[0] == handoff.Person{Email: "a@example.com"}
		}},
		"attendees beyond all bounds": {`"attendees":[` + strings.Repeat(`{"name":"x"},`, 500) + `{}]`, func(o *handoff.Observation) bool { return len(o.Attendees) == 100 }},
		"recurring null":              {`"recurringEvent":null,"recurringEventId":null`, func(o *handoff.Observation) bool { return !o.Recurring }},
		"recurring by ID":             {`"recurringEventId":"r1"`, func(o *handoff.Observation) bool { return o.Recurring }},
		"names that are no text": {`"organizer":{"name":"P\ud800ri\udc00ya"},"attendees":[{"name":"\ud83d"}],"x":{"\ud800":1}`, func(o *handoff.Observation) bool {
			return o.Host.Name == "P\ufffdri\ufffdya" && o.Attendees[0].Name == "\ufffd"
		}},
		"control characters in texts": {`"title":"a\u0000b\u001b[31m\nc\td\u009f"`, func(o *handoff.Observation) bool { return o.Title == "a\ufffdb\ufffd[31m\nc\td\ufffd" }},
		"brackets in a text":          {`"title":"` + strings.Repeat(`[{\\\"`, 200) + `"`, func(o *handoff.Observation) bool { return len(o.Title) == 800 }},
		"a very long title":           {`"title":"` + strings.Repeat("ä", 1000) + `"`, func(o *handoff.Observation) bool { return o.Title == strings.Repeat("ä", 500) }},
		"a title that grows when cut": {`"title":"` + strings.Repeat(`\u0000`, 999) + `ä"`, func(o *handoff.Observation) bool { return o.Title == strings.Repeat("\ufffd", 333) }},
		"deep, but not too deep":      {`"x":` + strings.Repeat("[", 98) + strings.Repeat("]", 98), func(o *handoff.Observation) bool { return o.UID == "u1" }},

		"the link in metadata only": {`"metadata":{"videoCallUrl":"https://phish.example"}`, func(o *handoff.Observation) bool { return o.Location == "" && o.Carried == nil }},
		"two links":                 {`"location":"integrations:zoom","metadata":{"videoCallUrl":"https://phish.example"}`, func(o *handoff.Observation) bool { return o.Location == "integrations:zoom" }},
		"location an object":        {`"location":{"value":"https://phish.example"}`, func(o *handoff.Observation) bool { return o.Location == "" }},

		"metadata a list":              {`"metadata":["submissionId","` + right + `"]`, says()},
		"metadata a text":              {`"metadata":"` + right + `"`, says()},
		"metadata in other case":       {`"metadata":{"submissionid":"` + right + `","SubmissionId":"` + right + `"}`, says()},
		"reference a number":           {`"metadata":{"submissionId":5}`, says()},
		"reference a list":             {`"metadata":{"submissionId":["` + right + `"]}`, says()},
		"reference empty":              {`"metadata":{"submissionId":""},"responses":{"submissionId":{"label":"x"}}`, says()},
		"reference right":              {`"metadata":{"submissionId":"` + right + `"}`, says(handoff.Carried{From: handoff.InMetadata, Verdict: handoff.Valid, Submission: dana})},
		"reference with white space":   {`"metadata":{"submissionId":" ` + right + `"}`, says(handoff.Carried{From: handoff.InMetadata, Verdict: handoff.Forged})},
		"reference of another site":    {`"metadata":{"submissionId":"` + keys.Sign("other-site", dana) + `"}`, says(handoff.Carried{From: handoff.InMetadata, Verdict: handoff.OtherSite})},
		"reference of a foreign site":  {`"metadata":{"submissionId":"` + keys.Sign("unknown-site", dana) + `"}`, says(handoff.Carried{From: handoff.InMetadata, Verdict: handoff.Forged})},
		"reference by an older key":    {`"metadata":{"submissionId":"` + keys[1:].Sign(site, dana) + `"}`, says(handoff.Carried{From: handoff.InMetadata, Verdict: handoff.Valid, Submission: dana})},
		"reference without end":        {`"metadata":{"submissionId":"` + right + strings.Repeat("A", 100_000) + `"}`, says(handoff.Carried{From: handoff.InMetadata, Verdict: handoff.Forged})},
		"two references, each judged":  {`"responses":{"submissionId":{"value":"` + right + `"}},"metadata":{"submissionId":"x"}`, says(handoff.Carried{From: handoff.InMetadata, Verdict: handoff.Forged}, handoff.Carried{From: handoff.InAnswer, Verdict: handoff.Valid, Submission: dana})},
		"only in userFieldsResponses":  {`"userFieldsResponses":{"submissionId":{"value":"` + right + `"}}`, says()},
		"answer without its label":     {`"responses":{"submissionId":"` + right + `"}`, says()},
		"answer beside a strange one":  {`"responses":{"x":[],"submissionId":{"value":"` + right + `"},"y":5}`, says(handoff.Carried{From: handoff.InAnswer, Verdict: handoff.Valid, Submission: dana})},
		"reference beside the payload": {`"metadata":{}},"metadata":{"submissionId":"` + right + `"`, says()},
	} {
		e := open(t, bookingBody(tt.fields))
		checkEvent(t, e)
		if !tt.ok(e.Observation) {
			t.Errorf("%s: %+v", name, *e.Observation)
		}
	}
}

// What a trigger means where the body does not say more.
func TestTriggers(t *testing.T) {
	yes, no := true, false
	meeting := func(trigger, fields string) string {
		return `{"triggerEvent":"` + trigger + `","createdAt":"2026-11-23T09:30:00.538Z","uid":"u1","startTime":"2026-12-01T15:00:00Z","endTime":"2026-12-01T15:30:00Z"` + fields + `}`
	}
	for body, want := range map[string]handoff.Observation{
		wrap("BOOKING_CREATED", `"uid":"u1"`):                                             {Status: handoff.Accepted},
		wrap("BOOKING_RESCHEDULED", `"uid":"u1","rescheduleUid":"u0","status":"PENDING"`): {Status: handoff.Requested, Predecessor: "u0"},
		wrap("BOOKING_REQUESTED", `"uid":"u1","rescheduleUid":"u0"`):                      {Status: handoff.Requested, Predecessor: "u0"},
		wrap("BOOKING_CANCELLED", `"uid":"u1","status":"ODD","cancellationReason":"x"`):   {Status: handoff.Cancelled, Reason: "x"},
		wrap("BOOKING_CANCELLED", `"uid":"u1","requestReschedule":true`):                  {Status: handoff.RescheduleRequested},
		wrap("BOOKING_CANCELLED", `"uid":"u1","requestReschedule":"true"`):                {Status: handoff.Cancelled},
		wrap("BOOKING_REJECTED", `"uid":"u1","rejectionReason":"y"`):                      {Status: handoff.Rejected, Reason: "y"},
		wrap("BOOKING_PAYMENT_INITIATED", `"uid":"u1","status":"ACCEPTED"`):               {Status: handoff.AwaitingPayment},
		wrap("BOOKING_PAID", `"uid":"u1","status":"PENDING"`):                             {Status: handoff.Requested, Paid: true},
		wrap("BOOKING_PAID", `"uid":"u1","status":"ODD"`):                                 {Paid: true},
		wrap("BOOKING_NO_SHOW_UPDATED", `"bookingUid":"u1","attendees":[{"email":"a@example.com","noShow":false}]`): {
			Attendees: []handoff.Person{{Email: "a@example.com", NoShow: &no}},
		},
		wrap("AFTER_GUESTS_CAL_VIDEO_NO_SHOW", `"bookingUid":"u1","attendees":[{"email":"a@example.com"}],"guests":[{"email":"b@example.com"}]`): {
			Attendees: []handoff.Person{{Email: "b@example.com", NoShow: &yes}},
		},
		wrap("AFTER_GUESTS_CAL_VIDEO_NO_SHOW", `"bookingUid":"u1","attendees":[{"email":"a@example.com"}],"guests":["b@example.com"]`): {
			Attendees: []handoff.Person{{Email: "a@example.com", NoShow: &yes}},
		},
		wrap("AFTER_HOSTS_CAL_VIDEO_NO_SHOW", `"bookingUid":"u1","attendees":[{"email":"a@example.com","noShow":true}]`): {HostAbsent: &yes},
		meeting("MEETING_STARTED", `,"fromReschedule":"u0","status":"ODD","attendees":[{"email":"a@example.com","noShow":true}]`): {
			Started: true, Predecessor: "u0", AsOf: at("2026-11-23T09:30:00.538Z"), Made: at("2026-11-23T09:30:00.538Z"), At: at(booked), Start: at(booked), End: at("2026-12-01T15:30:00Z"),
			Attendees: []handoff.Person{{Email: "a@example.com"}},
		},
		meeting("MEETING_ENDED", `,"status":"CANCELLED","user":{"name":"Priya"}`): {
			Ended: true, Status: handoff.Cancelled, AsOf: at("2026-11-23T09:30:00.538Z"), Made: at("2026-11-23T09:30:00.538Z"), At: at("2026-12-01T15:30:00Z"), Start: at(booked), End: at("2026-12-01T15:30:00Z"),
			Host: handoff.Person{Name: "Priya"},
		},
	} {
		e := open(t, body)
		got := *e.Observation
		want.ID, want.Site, want.Source, want.Trigger, want.UID, want.Digest = e.ID, site, handoff.FromEvent, e.Trigger, "u1", got.Digest
		if want.At.IsZero() {
			want.At = at("2026-11-23T09:30:00.538Z")
		}
		if asJSON(t, got) != asJSON(t, want) {
			t.Errorf("%s:\n got %s\nwant %s", body, asJSON(t, got), asJSON(t, want))
		}
	}
}

// Triggers that say nothing of a booking name the rule; the rules are shown, so
// they stay.
func TestIgnored(t *testing.T) {
	for trigger, want := range map[string]string{
		"PING": "ping", "FORM_SUBMITTED": "routing_form", "FORM_SUBMITTED_NO_EVENT": "routing_form", "ROUTING_FORM_FALLBACK_HIT": "routing_form",
		"RECORDING_READY": "recording", "RECORDING_TRANSCRIPTION_GENERATED": "recording", "OOO_CREATED": "out_of_office",
		"INSTANT_MEETING": "instant_meeting", "DELEGATION_CREDENTIAL_ERROR": "calendar_access", "WRONG_ASSIGNMENT_REPORT": "assignment_report",
	} {
		e := open(t, wrap(trigger, `"uid":"u1","metadata":{"submissionId":"`+keys.Sign(site, dana)+`"}`))
		if checkEvent(t, e); e.Ignored != want {
			t.Errorf("%s is ignored by %q, want %q", trigger, e.Ignored, want)
		}
	}
}

// One fact has one ID however it is delivered; two facts never share one.
func TestEventID(t *testing.T) {
	id := func(body string) string { return open(t, body).ID }
	later := func(body string) string { return strings.Replace(body, "00.538Z", "00.539Z", 1) }
	noShow := func(came string) string {
		return wrap("BOOKING_NO_SHOW_UPDATED", `"bookingUid":"u1","attendees":[{"email":"a@example.com","noShow":`+came+`}]`)
	}
	pretty := strings.Replace(bookingBody(""), `,"payload"`, ", \"payload\"", 1)

	for name, pair := range map[string][2]string{
		"the same URL registered twice":   {bookingBody(""), later(bookingBody(""))},
		"white space outside the payload": {bookingBody(""), pretty},
		"an ignored one, twice":           {wrap("PING", ""), later(wrap("PING", ""))},
	} {
		if id(pair[0]) != id(pair[1]) {
			t.Errorf("%s: two IDs", name)
		}
	}

	seen := map[string]string{}
	for _, body := range []string{
		bookingBody(""), bookingBody(`"attendeeSeatId":"s1"`), bookingBody(`"attendeeSeatId":"s2"`), bookingBody(`"title":"x"`),
		wrap("BOOKING_CREATED", `"uid":"u2"`), wrap("BOOKING_CREATED", `"uid":"u1s1"`), wrap("BOOKING_CREATED", `"uid":"u1","attendeeSeatId":"1"`), wrap("BOOKING_CREATED", `"uid":"u11"`),
		wrap("BOOKING_RESCHEDULED", `"uid":"u1"`), wrap("BOOKING_REQUESTED", `"uid":"u1"`),
		noShow("true"), noShow("false"), later(noShow("true")), // marked, taken back, marked again
		wrap("PING", ""), wrap("PING", `"x":1`), wrap("OOO_CREATED", ""),
	} {
		if other, ok := seen[id(body)]; ok {
			t.Errorf("one ID:\n%s\n%s", body, other)
		}
		seen[id(body)] = body
	}
}

// Another site's event has another place to be kept in; its ID may be the same.
func TestEventIsOfTheSite(t *testing.T) {
	other := trust
	other.Site = "other-site"
	e, err := calcom.Open(other, signed(bookingBody(`"metadata":{"submissionId":"`+keys.Sign(site, dana)+`"}`)))
	if err != nil || e.Site != "other-site" || e.Observation.Site != "other-site" || e.Observation.Carried[0].Verdict == handoff.Valid {
		t.Errorf("%+v, %v", e, err)
	}
}
