package calcom

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"handoff"
)

// apiVersion selects the shape of a booking. Without the header Cal.com silently
// answers in another one.
//
// Source: API v2, bookings controller 2024-08-13.
const apiVersion = "2024-08-13"

// An API asks a Cal.com account. The zero value asks nobody.
type API struct {
	Base   string       // such as https://api.cal.com/v2, without a trailing slash
	Key    string       // bearer key; empty: only what is public
	Client *http.Client // nil: one that follows no redirects and gives up after ten seconds
}

// maxAnswer is the largest answer we read, in bytes.
const maxAnswer = 4 << 20

// client gives up before a lease of work ends, and follows nobody elsewhere.
var client = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// An Answer is what the API says of one booking: an observation for each seat, or
// for each occurrence of a series.
type Answer struct {
	Observations []handoff.Observation
	// Successors are the uids that replaced these bookings, of which Cal.com told
	// nothing else here.
	Successors []string
}

// Booking asks for one booking by its uid. The error is handoff.ErrNotFound if
// there is none, and handoff.ErrUnavailable if asking again may help.
func (a API) Booking(ctx context.Context, t Trust, uid string) (Answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.Base+"/bookings/"+url.PathEscape(uid), nil)
	if err != nil {
		return Answer{}, fmt.Errorf("calcom: %w", err)
	}
	req.Header.Set("cal-api-version", apiVersion)
	req.Header.Set("Accept", "application/json")
	if a.Key != "" {
		req.Header.Set("Authorization", "Bearer "+a.Key)
	}
	c := a.Client
	if c == nil {
		c = client
	}
	res, err := c.Do(req)
	if err != nil {
		// Its own words name the address, and with it the uid, which lets its reader
		// cancel the booking; this error is logged.
		if where := new(url.Error); errors.As(err, &where) {
			err = where.Err
		}
		return Answer{}, fmt.Errorf("calcom: asking the API: %w: %w", handoff.ErrUnavailable, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case err != nil:
		return Answer{}, fmt.Errorf("calcom: the API's answer: %w: %w", handoff.ErrUnavailable, err)
	case res.StatusCode == http.StatusNotFound:
		return Answer{}, fmt.Errorf("calcom: the API knows no such booking: %w", handoff.ErrNotFound)
	case res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden:
		return Answer{}, fmt.Errorf("calcom: the API refuses our key (%d): %w", res.StatusCode, handoff.ErrUnavailable)
	case res.StatusCode != http.StatusOK:
		return Answer{}, fmt.Errorf("calcom: the API answers %d: %w", res.StatusCode, handoff.ErrUnavailable)
	}
	return readAnswer(t, body)
}

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
	TimeZone lax[string] `json:"timeZone"`
	Absent   lax[bool]   `json:"absent"`
	Seat     lax[string] `json:"seatUid"`
	apiCarried
}

// readAnswer reads one booking, or the occurrences of a series.
func readAnswer(t Trust, body []byte) (Answer, error) {
	var envelope struct {
		Data jsontext.Value `json:"data"`
	}
	if deep(body) || unmarshal(body, &envelope) != nil {
		return Answer{}, fmt.Errorf("calcom: the API's answer is not JSON as we know it: %w", handoff.ErrUnavailable)
	}
	raw := []jsontext.Value{envelope.Data}
	if envelope.Data.Kind() == '[' {
		raw = nil
		if err := unmarshal(envelope.Data, &raw); err != nil {
			return Answer{}, fmt.Errorf("calcom: the API's answer: %w: %w", handoff.ErrUnavailable, err)
		}
	}
	var out Answer
	for _, one := range raw {
		var b apiBooking
		if one.Kind() != '{' || unmarshal(one, &b) != nil {
			return Answer{}, fmt.Errorf("calcom: the API's answer holds no booking: %w", handoff.ErrUnavailable)
		}
		observations, err := b.observations(t, digestOf(one))
		if err != nil {
			return Answer{}, err
		}
		out.Observations = append(out.Observations, observations...)
		if to := b.To.V; identifier.MatchString(to) {
			out.Successors = append(out.Successors, to)
		}
	}
	return out, nil
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
	p := handoff.Person{Name: clip(a.Name.V, maxID), Email: clip(a.Email.V, maxID), TimeZone: clip(a.TimeZone.V, 64)}
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
