package calcom

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"handoff"
)

// apiBooking is what we read of BookingOutput_2024_08_13.
type apiBooking struct {
	UID          lax[string] `json:"uid"`
	Title        lax[string] `json:"title"`
	Status       lax[string] `json:"status"`
	Cancellation lax[string] `json:"cancellationReason"`
	From         lax[string] `json:"rescheduledFromUid"`
	To           lax[string] `json:"rescheduledToUid"`
	Start        lax[string] `json:"start"`
	End          lax[string] `json:"end"`
	Location     lax[string] `json:"location"`
	AbsentHost   lax[bool]   `json:"absentHost"`
	CreatedAt    lax[string] `json:"createdAt"`
	UpdatedAt    lax[string] `json:"updatedAt"`
	ICSUID       lax[string] `json:"icsUid"`
	RecurringUID lax[string] `json:"recurringBookingUid"`
	Hosts        lax[people] `json:"hosts"`
	EventType    lax[struct {
		ID lax[int64] `json:"id"`
	}] `json:"eventType"`
	Attendees lax[[]apiAttendee] `json:"attendees"`
	apiCarried
}

// apiCarried is where a reference is: of the booking, or of each seat.
type apiCarried struct {
	Metadata lax[struct {
		Reference lax[string] `json:"submissionId"`
	}] `json:"metadata"`
	Answers lax[struct {
		Reference lax[string] `json:"submissionId"`
	}] `json:"bookingFieldsResponses"`
}

type apiAttendee struct {
	Name     lax[string] `json:"name"`
	Email    lax[string] `json:"email"`
	Phone    lax[string] `json:"phoneNumber"`
	TimeZone lax[string] `json:"timeZone"`
	Absent   lax[bool]   `json:"absent"`
	Seat     lax[string] `json:"seatUid"`
	apiCarried
}

// readAnswer reads one booking, or the occurrences of a series. One that cannot be
// read fails them all: whoever asked waits for just that.
func readAnswer(t Trust, body []byte) (Answer, error) {
	data, err := dataOf(body)
	if err != nil {
		return Answer{}, err
	}
	raw := []jsontext.Value{data}
	if data.Kind() == '[' {
		raw = nil
		if err := unmarshal(data, &raw); err != nil {
			return Answer{}, fmt.Errorf("calcom: the API's answer: %w: %w", handoff.ErrUnavailable, err)
		}
	}
	var out Answer
	for _, one := range raw {
		if _, err := out.add(t, one); err != nil {
			return Answer{}, err
		}
	}
	return out, nil
}

// readPage reads a list of bookings. One that cannot be read is counted: it must
// not keep the others from being heard of.
func readPage(t Trust, body []byte) (Page, error) {
	data, err := dataOf(body)
	if err != nil {
		return Page{}, fmt.Errorf("%w: %w", err, ErrUnreadable)
	}
	var raw []jsontext.Value
	if data.Kind() != '[' || unmarshal(data, &raw) != nil {
		return Page{}, fmt.Errorf("calcom: the API's answer is no list: %w: %w", handoff.ErrUnavailable, ErrUnreadable)
	}
	p := Page{Size: len(raw)}
	for _, one := range raw {
		changed, err := p.add(t, one)
		if err != nil {
			at := changed
			if at.IsZero() {
				at = p.Last
			}
			p.Unread = append(p.Unread, handoff.Unread{At: at, Key: keyOf(one)})
		}
		if changed.After(p.Last) {
			p.Last = changed
		}
	}
	return p, nil
}

// keyOf names a booking that cannot be read: by its uid, if it has one.
func keyOf(one jsontext.Value) string {
	var b struct {
		UID lax[string] `json:"uid"`
	}
	if one.Kind() == '{' && unmarshal(one, &b) == nil && b.UID.V != "" {
		return handoff.UnreadKey(b.UID.V)
	}
	return handoff.UnreadKey(string(one))
}

// dataOf takes the answer out of its envelope.
func dataOf(body []byte) (jsontext.Value, error) {
	var envelope struct {
		Data jsontext.Value `json:"data"`
	}
	if deep(body) || unmarshal(body, &envelope) != nil {
		return nil, fmt.Errorf("calcom: the API's answer is not JSON as we know it: %w", handoff.ErrUnavailable)
	}
	return envelope.Data, nil
}

// add reads one booking, and returns when it changed; zero if it does not say so.
func (a *Answer) add(t Trust, one jsontext.Value) (changed time.Time, err error) {
	var b apiBooking
	if one.Kind() != '{' || unmarshal(one, &b) != nil {
		return changed, fmt.Errorf("calcom: the API's answer holds no booking: %w", handoff.ErrUnavailable)
	}
	changed, _ = parseTime(b.UpdatedAt.V)
	observations, err := b.observations(t, digestOf(one))
	if err != nil {
		return changed, err
	}
	a.Observations = append(a.Observations, observations...)
	if to := b.To.V; identifier.MatchString(to) {
		a.Successors = append(a.Successors, to)
	}
	return changed, nil
}

var errAnswer = fmt.Errorf("calcom: the API's answer lacks a uid or a time: %w", handoff.ErrUnavailable)

// observations are what the API says of a booking, one for each seat of a seated one.
func (b *apiBooking) observations(t Trust, digest string) ([]handoff.Observation, error) {
	at, err := parseTime(b.UpdatedAt.V)
	if err != nil {
		at, err = parseTime(b.CreatedAt.V)
	}
	if err != nil || !identifier.MatchString(b.UID.V) || (b.From.V != "" && !identifier.MatchString(b.From.V)) {
		return nil, errAnswer
	}
	o := handoff.Observation{
		Site: t.Site, Source: handoff.FromAPI, UID: b.UID.V, Predecessor: b.From.V, ICalUID: calendarUID(b.ICSUID.V), At: at, Digest: digest,
		Status: statuses[strings.ToUpper(b.Status.V)], Title: clip(b.Title.V, maxText), EventType: b.EventType.V.ID.V,
		Location: clip(b.Location.V, maxText), Reason: clip(b.Cancellation.V, maxText), Recurring: b.RecurringUID.V != "",
	}
	if b.To.V != "" {
		o.Status = handoff.Rescheduled // the API calls it cancelled
	}
	o.Made, _ = parseTime(b.CreatedAt.V)
	o.Start, _ = parseTime(b.Start.V)
	o.End, _ = parseTime(b.End.V)
	if len(b.Hosts.V) > 0 {
		o.Host = b.Hosts.V[0].person()
	}
	if b.AbsentHost.V {
		o.HostAbsent = &b.AbsentHost.V
	}
	var whole []handoff.Person
	var out []handoff.Observation
	for _, a := range b.Attendees.V[:min(len(b.Attendees.V), maxPeople)] {
		if !identifier.MatchString(a.Seat.V) {
			whole = append(whole, a.person())
			continue
		}
		seat := o
		seat.Seat, seat.Attendees, seat.Carried = a.Seat.V, []handoff.Person{a.person()}, a.carried(t)
		seat.ID = answerID(&seat)
		out = append(out, seat)
	}
	if len(out) == 0 {
		o.Attendees, o.Carried = whole, b.carried(t)
		o.ID = answerID(&o)
		out = append(out, o)
	}
	return out, nil
}

// person reads an attendee. Only a mark as absent is a word: the API says false
// also of people whom nobody has judged, and a mark does not change updatedAt.
func (a *apiAttendee) person() handoff.Person {
	p := handoff.Person{Name: clip(a.Name.V, maxID), Email: clip(a.Email.V, maxID), Phone: clip(a.Phone.V, 64), TimeZone: clip(a.TimeZone.V, 64)}
	if a.Absent.V {
		p.NoShow = &a.Absent.V
	}
	return p
}

func (c *apiCarried) carried(t Trust) []handoff.Carried {
	return carried(t, c.Metadata.V.Reference.V, c.Answers.V.Reference.V)
}

// answerID names an answer by its content: asking twice tells nothing new.
func answerID(o *handoff.Observation) string {
	return "api_" + eventID("api", o.UID, o.Seat, o.Digest)[len("evt_"):]
}
