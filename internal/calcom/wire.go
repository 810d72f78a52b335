package calcom

import (
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// The wire types list what we read of a body. Names are Cal.com's. JSON names are
// case-sensitive and may not repeat: what a visitor can add to a body (metadata
// keys, form answers) must not shadow what Cal.com says.

// envelope is the outside of every body; flat bodies have their fields there too.
type envelope struct {
	TriggerEvent lax[string]    `json:"triggerEvent"`
	CreatedAt    lax[string]    `json:"createdAt"`
	Payload      jsontext.Value `json:"payload"`
}

// booking is what we read of a payload, or of a flat body.
type booking struct {
	UID        lax[string] `json:"uid"`
	BookingUID lax[string] `json:"bookingUid"` // its name in no-show bodies
	Seat       lax[string] `json:"attendeeSeatId"`

	RescheduleUID  lax[string] `json:"rescheduleUid"`
	FromReschedule lax[string] `json:"fromReschedule"` // its name in flat bodies
	ICalUID        lax[string] `json:"iCalUID"`
	ICalSequence   lax[int64]  `json:"iCalSequence"`

	Status            lax[string]   `json:"status"`
	RequestReschedule lax[bool]     `json:"requestReschedule"`
	StartTime         lax[string]   `json:"startTime"`
	EndTime           lax[string]   `json:"endTime"`
	Title             lax[string]   `json:"title"`
	EventTypeID       lax[int64]    `json:"eventTypeId"`
	Location          lax[string]   `json:"location"`
	Cancellation      lax[string]   `json:"cancellationReason"`
	Rejection         lax[string]   `json:"rejectionReason"`
	Organizer         lax[person]   `json:"organizer"`
	User              lax[person]   `json:"user"` // the organizer in flat bodies
	Attendees         lax[people]   `json:"attendees"`
	Guests            lax[people]   `json:"guests"` // who stayed away, in AFTER_GUESTS_…
	Recurring         lax[struct{}] `json:"recurringEvent"`
	RecurringID       lax[string]   `json:"recurringEventId"`

	Metadata lax[struct {
		Reference lax[string] `json:"submissionId"`
	}] `json:"metadata"`
	Responses lax[struct {
		Reference lax[struct {
			Value lax[string] `json:"value"`
		}] `json:"submissionId"`
	}] `json:"responses"`
}

type person struct {
	Name     lax[string] `json:"name"`
	Email    lax[string] `json:"email"`
	Phone    lax[string] `json:"phoneNumber"`
	TimeZone lax[string] `json:"timeZone"`
	NoShow   lax[bool]   `json:"noShow"`
}

// people are the first maxPeople of a list. One of a strange form keeps its
// place, empty, since the first one listed is who booked.
type people []person

// UnmarshalJSONFrom reads a list, and stops keeping where it is too long: a body
// can hold 87,000 empty objects.
func (p *people) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	if d.PeekKind() != '[' {
		return errNoList
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != ']' {
		if len(*p) == maxPeople {
			if err := d.SkipValue(); err != nil {
				return err
			}
			continue
		}
		var one lax[person]
		if err := one.UnmarshalJSONFrom(d); err != nil {
			return err
		}
		*p = append(*p, one.V)
	}
	_, err := d.ReadToken()
	return err
}

var errNoList = errors.New("no list")

// lax is a field that says nothing where it is not of the type we know: Cal.com
// changes shapes without changing the version, and one strange field must not
// lose a booking. Set tells a value from absent and null.
type lax[T any] struct {
	V   T
	Set bool
}

// UnmarshalJSONFrom reads a value, and leaves the zero one if it does not fit.
func (l *lax[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	raw, err := d.ReadValue()
	if err != nil || raw.Kind() == 'n' {
		return err
	}
	switch v := any(&l.V).(type) {
	case *string: // most fields; the general way costs a multiple
		if l.Set = raw.Kind() == '"'; l.Set {
			*v = string(unquote(raw))
		}
	case *struct{}:
		l.Set = raw.Kind() == '{'
	default:
		var read T
		if reread(raw, &read) == nil {
			l.V, l.Set = read, true
		}
	}
	return nil
}

// unmarshal decodes leniently about text: JSON.stringify passes lone surrogates
// of a visitor's name on, and they must not lose the booking. A name that is
// there twice, however deep, is an error.
func unmarshal(data []byte, v any) error { return json.Unmarshal(data, v, anyText) }

// reread decodes what unmarshal has been through: that no name is there twice is
// known, and to look again would cost a multiple of the body each time.
func reread(data []byte, v any) error { return json.Unmarshal(data, v, anyText, anyNames) }

var (
	anyText  = jsontext.AllowInvalidUTF8(true)
	anyNames = jsontext.AllowDuplicateNames(true)
)

// maxDepth is how deep a body may be nested. Cal.com's own are less than ten deep;
// the decoder's limit of 10,000 would let a small body cost megabytes.
const maxDepth = 100

// deep reports whether a body is nested too deep, before anything decodes it.
func deep(body []byte) bool { return Deeper(body, maxDepth) }

// Deeper reports whether JSON is nested deeper than so many levels, without
// decoding it. Of what is no JSON it may say either.
func Deeper[T string | []byte](body T, levels int) bool {
	depth, inText := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inText && c == '\\':
			i++
		case c == '"':
			inText = !inText
		case inText:
		case c == '{' || c == '[':
			if depth++; depth > levels {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
