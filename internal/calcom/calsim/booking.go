package calsim

import (
	"maps"
	"slices"
	"time"
)

// A Status is the state of a booking row, in Cal.com's database spelling.
type Status string

// The states a booking row can be in.
const (
	Accepted  Status = "ACCEPTED"
	Pending   Status = "PENDING" // waits for the host, for a payment, or for both
	Cancelled Status = "CANCELLED"
	Rejected  Status = "REJECTED"
)

// A Booking is one row of the stand-in's table, as the control page shows it.
// Methods of Sim return copies; changing one changes nothing.
type Booking struct {
	ID        int       `json:"id"`  // Cal.com's bookingId
	UID       string    `json:"uid"` // 22 letters and digits; a reschedule makes a new one
	EventType int       `json:"eventTypeId"`
	Title     string    `json:"title"`
	Status    Status    `json:"status"`
	Start     time.Time `json:"start"` // UTC
	End       time.Time `json:"end"`   // UTC
	Notes     string    `json:"notes,omitempty"`

	// Metadata and Answers are the row's own: the first booker's for a seated
	// type. After a reschedule Metadata is the old row's plus the new request's
	// (calcom.md §2.2).
	Metadata map[string]string `json:"metadata"`
	Answers  map[string]string `json:"answers"` // booking questions by slug

	Attendees []Attendee `json:"attendees"`

	ICalUID      string `json:"iCalUID"`      // first uid of the chain + "@Cal.com"
	ICalSequence int    `json:"iCalSequence"` // +1 on each reschedule and cancellation

	RescheduledFrom  string `json:"rescheduledFromUid,omitempty"`
	RescheduledTo    string `json:"rescheduledToUid,omitempty"` // newest successor; a fork has several
	RescheduledBy    string `json:"rescheduledBy,omitempty"`    // e-mail
	RescheduleReason string `json:"rescheduleReason,omitempty"`
	AskedToMove      bool   `json:"rescheduleRequested,omitempty"` // the host asked to reschedule

	CancelReason string `json:"cancellationReason,omitempty"`
	CancelledBy  string `json:"cancelledBy,omitempty"` // e-mail
	RejectReason string `json:"rejectionReason,omitempty"`

	PaymentID int  `json:"paymentId,omitempty"` // 0 for a free type
	Paid      bool `json:"paid,omitempty"`

	RecurringID string `json:"recurringBookingUid,omitempty"` // names the series; "" outside one

	OneTimePassword string    `json:"-"` // accepts or rejects the booking: a secret
	CreatedAt       time.Time `json:"createdAt"`
	UpdatedAt       time.Time `json:"updatedAt"`
}

// An Attendee is one person of a booking. Only seated types have several.
type Attendee struct {
	ID       int               `json:"id"`
	Name     string            `json:"name"`
	Email    string            `json:"email"`
	TimeZone string            `json:"timeZone"` // IANA name
	Phone    string            `json:"phoneNumber,omitempty"`
	SeatID   string            `json:"seatUid,omitempty"` // only for seated types
	NoShow   bool              `json:"noShow"`
	Metadata map[string]string `json:"metadata,omitempty"` // this seat's own
	Answers  map[string]string `json:"answers,omitempty"`  // this seat's own
}

// AwaitsPayment reports whether b still has to be paid for.
func (b Booking) AwaitsPayment() bool { return b.PaymentID != 0 && !b.Paid }

// Live reports whether b holds its slot.
func (b Booking) Live() bool { return b.Status == Accepted || b.Status == Pending }

// clone is a copy that shares nothing with b.
func (b Booking) clone() Booking {
	b.Metadata = maps.Clone(b.Metadata)
	b.Answers = maps.Clone(b.Answers)
	b.Attendees = slices.Clone(b.Attendees)
	for i := range b.Attendees {
		b.Attendees[i].Metadata = maps.Clone(b.Attendees[i].Metadata)
		b.Attendees[i].Answers = maps.Clone(b.Attendees[i].Answers)
	}
	return b
}

// An EventType is something that can be booked.
type EventType struct {
	ID          int
	Team        int           // number of the team whose it is; 0: the organizer's own
	User        string        // first part of the page's path; "" means Organizer.Username
	Slug        string        // second part of the page's path
	Title       string        // also what the sentence "<title> between … and …" starts with
	Description string        // one or two sentences on the booking page
	Length      time.Duration // 0 means 30 minutes

	RequiresConfirmation bool
	Price                int    // in the currency's smallest unit; 0 is free
	Currency             string // lower case; "" means "usd"
	Seats                int    // 0 or 1: not seated
	Recurring            int    // weekly occurrences made by one booking; 0 or 1: none

	// Location is Cal.com's location value; "" means "integrations:daily", its
	// own video. Only video locations put videoCallUrl into metadata.
	Location string

	// Redirect is where a visitor is sent after booking; "" means nowhere. The
	// API shows it; the stand-in's pages stay where they are.
	Redirect string

	// Questions are the type's own booking questions. nil means the one that
	// Handoff asks its users to set up: hidden, slug "submissionId". An empty
	// slice means none: the second carrier is then missing.
	Questions []Question
}

// A Question is one custom booking question of an event type.
type Question struct {
	Slug, Label string
	Hidden      bool
	Required    bool
}

// An Organizer is the host of all event types of one stand-in.
type Organizer struct {
	ID       int
	Name     string
	Email    string
	Username string // part of the booking page's path
	TimeZone string // IANA name; "" means Europe/London
}

// A BookRequest is what the booking page sends when the visitor confirms.
type BookRequest struct {
	EventType int               `json:"eventTypeId"`
	Start     time.Time         `json:"start"`
	Name      string            `json:"name"`
	Email     string            `json:"email"`
	TimeZone  string            `json:"timeZone"` // "" means the organiser's
	Phone     string            `json:"phone"`
	Notes     string            `json:"notes"`
	Metadata  map[string]string `json:"metadata"` // only what the page's URL carried
	Answers   map[string]string `json:"answers"`  // booking questions by slug

	// RescheduleUID names the booking this one replaces; "" for a new booking.
	// Nothing is copied into the request: see Sim.Reschedule for what the real
	// page and the real API repeat.
	RescheduleUID    string `json:"rescheduleUid"`
	RescheduledBy    string `json:"rescheduledBy"` // e-mail; the organiser's needs no new confirmation
	RescheduleReason string `json:"rescheduleReason"`
}
