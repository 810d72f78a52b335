package public

import (
	"time"

	"handoff/internal/content"
)

// A Book is "/book/{reference}": the calendar. Send it with csp.Booking, and with
// no-store, since it names the visitor.
type Book struct {
	Layout
	Service   *content.Service
	Reference string // carried through Cal.com
	FirstName string // "" if unknown
	Prefill   Prefill

	// FrameURL is the calendar's page for our frame, LinkURL the same for a plain
	// link. Neither may hold the visitor's name or e-mail.
	FrameURL, LinkURL string
	Origins           []string // of Cal.com, whose messages are heard; as csp.Origin writes them

	// StatusURL answers {"state": …, "url": "/booked/…", "version": …} as JSON;
	// EventsURL sends the same as server-sent events named "status".
	StatusURL, EventsURL string
	// HeardURL takes the uid that the calendar calls booked, as a form field; "" if
	// nobody would ask about it.
	HeardURL string

	// State and Version are what StatusURL says now. The page leaves for the
	// booked page as soon as it hears something else that is a booking.
	State   State
	Version string

	Mode content.Embed
}

// A Prefill is what the calendar's own form is filled with.
type Prefill struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
}

// NewBook returns a booking page. The caller fills in the rest.
func NewBook(s *content.Site, v *content.Service, reference string) *Book {
	return &Book{
		Layout:  Layout{Site: s, Path: "/book/" + reference, Title: "Choose a time: " + v.Short, NoIndex: true},
		Service: v, Reference: reference, State: StateNone, Mode: v.Embed,
	}
}

// Accent and AccentDark are the site's colour for the calendar's own buttons.
func (p *Book) Accent() string     { return string(p.Site.Accent) }
func (p *Book) AccentDark() string { return string(darkAccent(p.Site.Accent)) }

// A State is where a visitor's booking stands, as pages and status answers say it.
type State string

const (
	StateNone                State = "none"                 // nothing known yet
	StateAwaitingPayment     State = "awaiting_payment"     // held until it is paid
	StateRequested           State = "requested"            // the host has to confirm it
	StateBooked              State = "booked"               // it stands
	StateCancelled           State = "cancelled"            // by either side
	StateRejected            State = "rejected"             // the host could not confirm it
	StateRescheduleRequested State = "reschedule_requested" // the host asked for another time
	StatePast                State = "past"                 // it was
)

// live are the states of a booking that is, or may become, a call.
func (s State) live() bool {
	return s == StateBooked || s == StateRequested || s == StateAwaitingPayment
}

// A Call is one booking as the visitor sees it.
type Call struct {
	State State
	When  string    // in words: see When
	Zone  string    // in which When is: see Zone
	Start time.Time // for machines
	Where string    // "By phone", an address; "" to leave it to the service's note

	// Addresses; "" leaves the link out. JoinURL is the meeting's, PayURL where
	// an open payment is made, ICS our own file, Google and Outlook theirs.
	JoinURL, PayURL, RescheduleURL, CancelURL string
	ICS, Google, Outlook                      string
}

// Live reports whether the call stands or may come to stand.
func (c Call) Live() bool { return c.State.live() }

// A Booked is "/booked/{reference}": what we know of the visitor's booking. Send it
// with no-store.
type Booked struct {
	Layout
	Service   *content.Service
	FirstName string // "" if unknown
	Calls     []Call // the live ones; else the latest one; empty in StateNone
	BookURL   string // where a (new) time is chosen; "" for none

	// StatusURL, EventsURL and Version as in Book; the page reloads when either of
	// State and Version changes.
	StatusURL, EventsURL string
	Version              string
}

// NewBooked returns the page that says where a booking stands.
func NewBooked(s *content.Site, v *content.Service, reference string, calls []Call) *Booked {
	p := &Booked{
		Layout:  Layout{Site: s, Path: "/booked/" + reference, NoIndex: true},
		Service: v, Calls: calls, BookURL: "/book/" + reference,
	}
	p.Title = p.Heading()
	return p
}

// State returns what the first call says, or StateNone.
func (p *Booked) State() State {
	if len(p.Calls) == 0 {
		return StateNone
	}
	return p.Calls[0].State
}

// Two reports whether the visitor has more than one live call.
func (p *Booked) Two() bool { return p.live() > 1 }

// Others are the live calls but one, in words.
func (p *Booked) Others() string {
	if p.live() > 2 {
		return "the others"
	}
	return "the other"
}

// live counts the calls that may take place.
func (p *Booked) live() (n int) {
	for _, c := range p.Calls {
		if c.State.live() {
			n++
		}
	}
	return n
}

// Heading returns the page's heading. It claims no more than we know.
func (p *Booked) Heading() string {
	if p.Two() {
		return "You have more than one call"
	}
	switch p.State() {
	case StateBooked:
		return "Your call is booked"
	case StateRequested:
		return "Your call waits for confirmation"
	case StateAwaitingPayment:
		return "Your call waits for payment"
	case StateCancelled:
		return "Your call is cancelled"
	case StateRejected:
		return "This time could not be confirmed"
	case StateRescheduleRequested:
		return "Please choose another time"
	case StatePast:
		return "This call has been"
	}
	return "We have no booking yet"
}
