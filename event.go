package handoff

import "time"

// A Delivery is one HTTP request to the webhook route, as it is kept: the body
// redacted, everything else as it came. The same bytes to the same site are one
// delivery, counted.
type Delivery struct {
	Site        string
	Digest      string // of the site and the raw body, before redaction
	Signature   string // as sent; it tells nothing of the secret
	ContentType string
	Trigger     string // where it could be read; empty otherwise
	Body        []byte // redacted
	Sealed      []byte // all of it, encrypted, where it may have to be read again (see Keys.Seal)
	Source      string // a keyed digest of the sender's address: tells senders apart, names none
	ReceivedAt  time.Time
}

// An Event is one verified webhook body. Whoever holds one may trust it: only
// calcom.Open makes them.
type Event struct {
	ID        string // derived: Cal.com sends none
	Site      string
	Trigger   string
	CreatedAt time.Time // Cal.com's; of MEETING_* the booking's

	// Ignored names the rule by which the event says nothing of a booking;
	// empty if Observation is set.
	Ignored     string
	Observation *Observation
}
