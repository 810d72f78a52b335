package handoff

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// A Source says whom we trust for an observation. There is no other.
type Source string

const (
	FromEvent    Source = "event"    // a webhook body whose signature matched
	FromAPI      Source = "api"      // an answer we fetched from Cal.com
	FromOperator Source = "operator" // a signed-in person's decision
)

// Status is what Cal.com says of one booking. A booking only ever climbs: see
// [Status.rank]. Empty means that nothing heard so far claims one.
type Status string

const (
	AwaitingPayment     Status = "awaiting_payment"
	Requested           Status = "requested" // waits for the host to accept
	Accepted            Status = "accepted"
	Cancelled           Status = "cancelled"
	Rejected            Status = "rejected"             // the host declined a request
	RescheduleRequested Status = "reschedule_requested" // the host cancelled and asked for another time
	Rescheduled         Status = "rescheduled"          // replaced by a booking with another uid
)

// Statuses are all that there are, in the order of their rank.
var Statuses = []Status{"", AwaitingPayment, Requested, Accepted, Cancelled, Rejected, RescheduleRequested, Rescheduled}

// rank orders the statuses. Cal.com never revives a uid, so the highest status
// heard is the true one in whatever order it was heard. The three ends of a
// booking exclude one another at Cal.com; where two are heard all the same, the
// one that says more wins (a host's wish for another time arrives as a
// cancellation, and Cal.com's API shows it as one).
func (s Status) rank() int { return max(0, slices.Index(Statuses, s)) }

// Live reports whether the booking may still take place.
func (s Status) Live() bool { return s == AwaitingPayment || s == Requested || s == Accepted }

// A BookingKey names one booking: Cal.com's uid and, of a seated event, the
// seat. Two people in one seated event have the same uid (calcom.md §9.3).
type BookingKey struct {
	UID  string `json:"uid"`
	Seat string `json:"seat,omitempty"` // Cal.com's attendeeSeatId; empty outside seated events
}

// String is uid, or uid/seat.
func (k BookingKey) String() string {
	if k.Seat == "" {
		return k.UID
	}
	return k.UID + "/" + k.Seat
}

// A Person is somebody in a booking, as Cal.com writes them.
type Person struct {
	Name     string `json:"name,omitempty"`
	Email    string `json:"email,omitempty"`
	Phone    string `json:"phone,omitempty"`    // as it was given; empty where none was
	TimeZone string `json:"timeZone,omitempty"` // IANA name, such as "Europe/London"
	NoShow   *bool  `json:"noShow,omitempty"`   // nil: nothing said
}

// An Observation is one trusted fact about a booking, in our words. It is never
// changed once it is kept. Empty fields say nothing; they never erase.
type Observation struct {
	ID      string `json:"id,omitempty"`   // the event's ID, or our own for the API's answers and decisions
	Site    string `json:"site,omitempty"` // site slug
	Source  Source `json:"source,omitempty"`
	Trigger string `json:"trigger,omitempty"` // Cal.com's name of the event; empty for other sources

	UID         string `json:"uid,omitempty"`
	Seat        string `json:"seat,omitempty"`
	Predecessor string `json:"predecessor,omitempty"` // uid that this booking replaced (rescheduleUid)
	ICalUID     string `json:"icalUid,omitempty"`     // the same along a chain, but often absent
	Sequence    int    `json:"sequence,omitempty"`    // iCalSequence; 0 also where Cal.com does not say

	// At is Cal.com's time of the fact: a body's createdAt, the API's updatedAt,
	// a meeting's start or end.
	At time.Time `json:"at"`
	// AsOf is the time of the attributes below, where they are older than the
	// fact itself: MEETING_* bodies are frozen when the booking is made
	// (calcom.md §1.5 B). Zero means At.
	AsOf   time.Time `json:"asOf,omitzero"`
	Made   time.Time `json:"made,omitzero"` // when it was booked, where that is said
	Digest string    `json:"digest"`        // of the payload; the last tie-break, and nothing else

	Status     Status    `json:"status,omitempty"`
	Start      time.Time `json:"start,omitzero"`
	End        time.Time `json:"end,omitzero"`
	Title      string    `json:"title,omitempty"`
	EventType  int64     `json:"eventType,omitempty"` // Cal.com's eventTypeId
	Location   string    `json:"location,omitempty"`  // URL, "integrations:…", address or phone
	Reason     string    `json:"reason,omitempty"`    // of a cancellation or rejection, in somebody's words
	Host       Person    `json:"host,omitzero"`
	Attendees  []Person  `json:"attendees,omitempty"` // the first one booked
	HostAbsent *bool     `json:"hostAbsent,omitempty"`
	Started    bool      `json:"started,omitempty"`
	Ended      bool      `json:"ended,omitempty"`
	Paid       bool      `json:"paid,omitempty"`
	Recurring  bool      `json:"recurring,omitempty"` // one of several occurrences

	Carried []Carried `json:"carried,omitempty"` // references found, judged on arrival
	Lead    LeadID    `json:"lead,omitempty"`    // the operator's decision; empty from other sources

	By string `json:"by,omitempty"` // who decided, as the audit log has it; empty from other sources, and where it was not kept

	// Withdraws is the ID of an earlier decision about the same booking that its operator
	// took back; from then on it is as if it had never been made.
	Withdraws string `json:"withdraws,omitempty"`
}

// An Unread is something in Cal.com's list of bookings that could not be read.
type Unread struct {
	At  time.Time // when it changed, by Cal.com, or where in the list it stands
	Key string    // tells it from others; the same each time it is met
}

// UnreadKey is the key of something whose uid, or content, is known. It does not show it.
func UnreadKey(what string) string {
	sum := sha256.Sum256([]byte(what))
	return hex.EncodeToString(sum[:12])
}

// asOf is the time that orders the attributes.
func (o *Observation) asOf() time.Time {
	if o.AsOf.IsZero() {
		return o.At
	}
	return o.AsOf
}

// carried returns the first valid reference of one carrier.
func (o *Observation) carried(from Carrier) SubmissionID {
	for _, c := range o.Carried {
		if c.From == from && c.Verdict == Valid {
			return c.Submission
		}
	}
	return ""
}

// byAttributes orders observations by how new their attributes are: Cal.com's
// time, iCalSequence, digest. The order does not depend on arrival.
func byAttributes(a, b *Observation) int {
	return cmp.Or(a.asOf().Compare(b.asOf()), cmp.Compare(a.Sequence, b.Sequence), strings.Compare(a.Digest, b.Digest), strings.Compare(a.ID, b.ID))
}

// byFact orders observations by when their fact happened.
func byFact(a, b *Observation) int {
	return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Sequence, b.Sequence), strings.Compare(a.Digest, b.Digest), strings.Compare(a.ID, b.ID))
}

// byChain orders observations by their place in a chain: iCalSequence first,
// because it counts the chain's steps, then Cal.com's time, then the digest.
func byChain(a, b *Observation) int {
	return cmp.Or(cmp.Compare(a.Sequence, b.Sequence), a.At.Compare(b.At), strings.Compare(a.Digest, b.Digest), strings.Compare(a.ID, b.ID))
}

// sameEmail is the form in which Cal.com's own e-mail addresses are compared
// with one another inside one booking. They never match a booking to a lead.
func sameEmail(s string) string { return strings.ToLower(strings.TrimSpace(s)) }
