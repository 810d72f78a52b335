package handoff

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// An Account says where one booking that Cal.com lists has gone. The names are
// stable: they are printed.
type Account string

const (
	AccountTied      Account = "tied"             // to a lead
	AccountQueued    Account = "queued"           // waits in the failure queue
	AccountIgnored   Account = "ignored"          // a rule of the site says that it needs nobody
	AccountDismissed Account = "dismissed"        // a person says so
	AccountOtherType Account = "other_event_type" // of an event type that no service of the site has: none of the site's bookings
	AccountOpen      Account = "open"             // not accounted for: it is being worked, or something is wrong
)

// Told says whether Cal.com's webhook told of a booking.
type Told string

const (
	ToldInTime Told = "in_time" // before the list showed it, or soon after
	ToldLate   Told = "late"
	ToldNever  Told = "never" // so far
)

// Grace is how long after Cal.com's list has shown a booking a webhook is still in
// time: the list is read while webhooks are on their way, and Cal.com's hosted
// service tries for about a minute (calcom.md §1.6).
const Grace = time.Minute

// A Listed is a booking that Cal.com's list shows, and what is known of it here.
type Listed struct {
	UID       string    // empty for one of another event type, of which nothing else is kept
	Made      time.Time // when it was booked, by Cal.com
	EventType int64     // 0: Cal.com did not say
	Own       bool      // a service of the site has this event type
	ListedAt  time.Time // when the list first showed it to us
	WebhookAt time.Time // when the first webhook about it came; zero: none did
	Observed  bool      // something that it says is kept
	Seats     []Seat    // its bookings here: one, or one for each seat
	Failure   FailureID // the first that waits because of it; empty: none
}

// A Seat is what became of one booking, or of one seat of a seated one.
type Seat struct {
	Lead LeadID // empty: tied to none
	Name string // the lead's
	Rule string // by which it is ignored; empty: by none

	Dismissed bool // a person said that it needs nobody
}

// Account tells where the booking has gone. What waits for a person counts as
// waiting, also where a part of it is tied. Of the site's own event types something
// must be kept, and also where Cal.com did not say which it is.
func (l *Listed) Account() Account {
	switch {
	case l.Failure != "":
		return AccountQueued
	case len(l.Seats) == 0 && !l.Observed && !l.Own && l.EventType != 0:
		return AccountOtherType
	case len(l.Seats) == 0 || slices.Contains(l.Seats, Seat{}):
		return AccountOpen
	case l.Lead() != "":
		return AccountTied
	case slices.ContainsFunc(l.Seats, func(s Seat) bool { return s.Dismissed }):
		return AccountDismissed
	}
	return AccountIgnored
}

// Lead is the lead that the booking is tied to, the first of a seated one; empty if
// there is none.
func (l *Listed) Lead() LeadID {
	for _, s := range l.Seats {
		if s.Lead != "" {
			return s.Lead
		}
	}
	return ""
}

// Name is the name of that lead.
func (l *Listed) Name() string {
	for _, s := range l.Seats {
		if s.Lead != "" {
			return s.Name
		}
	}
	return ""
}

// Rule is the rule by which the booking is ignored; empty if it is not.
func (l *Listed) Rule() string {
	if l.Account() != AccountIgnored {
		return ""
	}
	return l.Seats[0].Rule
}

// Told tells whether a webhook told of the booking. Of one of another event type
// none has to.
func (l *Listed) Told() Told {
	switch {
	case l.WebhookAt.IsZero():
		return ToldNever
	case l.WebhookAt.Sub(l.ListedAt) > Grace:
		return ToldLate
	}
	return ToldInTime
}

// A Statement accounts for every booking of a site that was made within a time: each
// that Cal.com lists is tied to a lead, waits in the failure queue, or is ignored by
// a named rule. Whatever it is not, it says.
type Statement struct {
	Site     string
	From, To time.Time // bookings made from the one until before the other

	// Since is from when on Cal.com's list was read, AsOf until when: what was made by
	// then was in it. Zero: it never was read.
	Since, AsOf time.Time

	Listed   []Listed // by when they were made
	Unlisted []Unlisted

	// Unread is the failure of what the list held last, at UnreadAt by Cal.com's time, and
	// could not be read; empty if there was nothing since From. When it was made nobody
	// knows, but not after that.
	Unread   FailureID
	UnreadAt time.Time
}

// An Unlisted is a booking that a webhook told of and that Cal.com's list does not
// show: whoever's key we have is not allowed to see it, or it was deleted there.
type Unlisted struct {
	UID  string
	Made time.Time // as far as it is known
	Lead LeadID    // empty: tied to none
}

// Part is the statement of a part of its time.
func (s *Statement) Part(from, to time.Time) Statement {
	part := Statement{Site: s.Site, From: from, To: to, Since: s.Since, AsOf: s.AsOf}
	if s.Unread != "" && !s.UnreadAt.Before(from) {
		part.Unread, part.UnreadAt = s.Unread, s.UnreadAt
	}
	in := func(made time.Time) bool { return !made.Before(from) && made.Before(to) }
	for _, l := range s.Listed {
		if in(l.Made) {
			part.Listed = append(part.Listed, l)
		}
	}
	for _, u := range s.Unlisted {
		if in(u.Made) {
			part.Unlisted = append(part.Unlisted, u)
		}
	}
	return part
}

// Complete reports that the list was read over the whole of the statement's time, that
// all of it could be read, and that it shows whatever else is known: nothing that was
// made in it can still be missing.
func (s *Statement) Complete() bool {
	return s.Covered() && !s.To.After(s.AsOf) && s.Unread == "" && len(s.Unlisted) == 0
}

// Covered reports that the list was read from the beginning of the statement's time on.
func (s *Statement) Covered() bool {
	return !s.AsOf.IsZero() && !s.Since.IsZero() && !s.From.Before(s.Since)
}

// Read reports that any of the statement's time was read.
func (s *Statement) Read() bool {
	return !s.AsOf.IsZero() && !s.Since.IsZero() && s.To.After(s.Since) && s.From.Before(s.AsOf)
}

// Bookings tells how many of the listed bookings are the site's.
func (s *Statement) Bookings() int { return len(s.Listed) - s.Count(AccountOtherType) }

// Count tells how many of the bookings have gone somewhere.
func (s *Statement) Count(a Account) (n int) {
	for i := range s.Listed {
		if s.Listed[i].Account() == a {
			n++
		}
	}
	return n
}

// Accounted tells how many of the site's bookings are accounted for.
func (s *Statement) Accounted() int { return s.Bookings() - s.Count(AccountOpen) }

// Untold counts the site's own bookings of which webhooks told in time, late or never.
func (s *Statement) Untold(t Told) (n int) {
	for i := range s.Listed {
		if l := &s.Listed[i]; l.Account() != AccountOtherType && l.Told() == t {
			n++
		}
	}
	return n
}

// ByRule counts the bookings that each rule ignores.
func (s *Statement) ByRule() map[string]int {
	out := map[string]int{}
	for i := range s.Listed {
		if rule := s.Listed[i].Rule(); rule != "" {
			out[rule]++
		}
	}
	return out
}

// Sentence says what the bookings came to: "47 of 47 bookings accounted for: 44 tied to
// leads, 2 in the failure queue, 1 ignored by rule “internal test”." Bookings of other
// event types are no part of that sum.
func (s *Statement) Sentence() string {
	others := ""
	if n := s.Count(AccountOtherType); n > 0 {
		others = fmt.Sprintf(" Beside them %d of event types that no service of the site has.", n)
	}
	switch {
	case s.Bookings() > 0:
	case s.Read():
		return "No bookings were made at Cal.com." + others
	default:
		return "Nothing is known: Cal.com's list was not read." + others
	}
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(s.Count(AccountTied), "tied to leads")
	add(s.Count(AccountQueued), "in the failure queue")
	rules := s.ByRule()
	for _, rule := range slices.Sorted(maps.Keys(rules)) {
		add(rules[rule], "ignored by rule “"+rule+"”")
	}
	add(s.Count(AccountDismissed), "dismissed by a person")
	add(s.Count(AccountOpen), "not accounted for, or not yet")
	return fmt.Sprintf("%d of %s accounted for: %s.%s", s.Accounted(), bookings(s.Bookings()), strings.Join(parts, ", "), others)
}

func bookings(n int) string {
	if n == 1 {
		return "1 booking"
	}
	return fmt.Sprintf("%d bookings", n)
}

// Notes say what the sentence does not: what no webhook told of, and what keeps the
// statement from being complete. Times are in the zone given.
func (s *Statement) Notes(zone *time.Location) []string {
	var out []string
	note := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if n := s.Untold(ToldNever); n > 0 {
		note("No webhook told of %s: Cal.com was asked.", bookings(n))
	}
	if n := s.Untold(ToldLate); n > 0 {
		note("The webhook of %s came late.", bookings(n))
	}
	if n := len(s.Unlisted); n > 0 {
		note("Webhooks told of %s that Cal.com's list does not show: the API key's owner may not see them, or they were deleted there.", bookings(n))
	}
	if s.Unread != "" {
		note("Cal.com's list held something that could not be read: see the failure queue.")
	}
	const layout = "2 January 2006, 15:04 MST" // who reads it may be in another zone
	if s.AsOf.IsZero() || s.Since.IsZero() {
		note("Cal.com's list was not read yet.")
		return out
	}
	if !s.Covered() {
		note("Cal.com's list was read from %s on; of what was booked before nothing is said.", s.Since.In(zone).Format(layout))
	}
	if s.To.After(s.AsOf) {
		note("So far: Cal.com's list was read up to %s.", s.AsOf.In(zone).Format(layout))
	}
	return out
}
