package handoff

import (
	"fmt"
	"time"
)

// Signs are what is known of how a site's webhook does.
type Signs struct {
	// Recent are the newest of the bookings that tell something of the webhook (see
	// Listed.Tells), the newest first, at most RecentBookings.
	Recent []Listed
	// Failed counts the deliveries to the site's address that changed nothing, by what
	// was wrong with them, and Told the bookings, also of other event types, of which a
	// webhook told; both since the time that Trouble tells.
	Failed map[Reason]int
	Told   int
}

const (
	// RecentBookings is how many bookings an alarm looks at.
	RecentBookings = 20

	// silentAfter is how many of the newest bookings no webhook told of before the
	// webhook counts as silent. One can be lost, as Cal.com is.
	silentAfter = 2

	// Of so many bookings, one in so many without a webhook is too much.
	lossyAfter = 10
	lossyShare = 5

	// promptly is how soon after it was made a booking is listed while the list is read
	// as it should be. One that was found later was made while nobody was here, or
	// before the webhook was set up.
	promptly = time.Hour
)

// Tells reports that a booking says whether the webhook does what it should: it is the
// site's own, was listed promptly, and its webhook has had its time to come.
func (l *Listed) Tells(now time.Time) bool {
	return l.Account() != AccountOtherType && l.ListedAt.Sub(l.Made) < promptly && (now.Sub(l.ListedAt) > Grace || !l.WebhookAt.IsZero())
}

// Alarm tells whether the webhook needs a person, and the likely cause; the reason is
// empty if it does not.
func (s *Signs) Alarm() (reason Reason, detail string) {
	silent, never := s.silent(), 0
	for i := range s.Recent {
		if s.Recent[i].Told() == ToldNever {
			never++
		}
	}
	switch {
	case silent >= silentAfter:
		return WebhookSilent, fmt.Sprintf("No webhook told of the newest %s. %s", bookings(silent), s.cause())
	case len(s.Recent) >= lossyAfter && never*lossyShare >= len(s.Recent):
		return WebhookLossy, fmt.Sprintf("No webhook told of %d of the newest %s. %s", never, bookings(len(s.Recent)), s.cause())
	}
	return "", ""
}

// silent counts the newest bookings, in a row, of which no webhook told.
func (s *Signs) silent() (n int) {
	for n < len(s.Recent) && s.Recent[n].Told() == ToldNever {
		n++
	}
	return n
}

// Trouble is since when to look for a cause: since the first of the newest bookings of
// which no webhook told, or, where the newest was told of, since the oldest of all.
func (s *Signs) Trouble() time.Time {
	if n := s.silent(); n > 0 {
		return s.Recent[n-1].Made
	}
	if n := len(s.Recent); n > 0 {
		return s.Recent[n-1].Made
	}
	return time.Time{}
}

// cause names the likely one. What only somebody with one of our secrets can have sent
// comes first, then what right webhooks tell; what anybody can send is named last, as
// that.
func (s *Signs) cause() string {
	for _, c := range []struct {
		reason Reason
		says   string
	}{
		{SignatureOtherSite, "Deliveries came that another site's secret signed: the webhook's address names the wrong site."},
		{SignatureRetired, "Deliveries came that a retired secret signed: enter the current one in the webhook's settings."},
		{BodyReencoded, "Deliveries came whose bodies were re-encoded on their way: a proxy in between changes them."},
		{NotJSON, "Deliveries came that Cal.com signed and that are not of its own form: remove the custom payload template."},
		{UnknownShape, "Deliveries came that Cal.com signed and that are not of its own form: remove the custom payload template."},
	} {
		if s.Failed[c.reason] > 0 {
			return c.says
		}
	}
	switch {
	case s.Told > 0:
		return "Webhooks of other bookings came and were right: this one lacks triggers, or is not sent for these event types."
	case s.Failed[NoSecretProvided] > 0:
		return "Deliveries came from a webhook without a secret; if they were Cal.com's, enter the site's."
	case s.Failed[SignatureWrong] > 0:
		return "Deliveries came with a wrong signature; if they were Cal.com's, the webhook has another secret."
	case s.Failed[SignatureMissing] > 0:
		return "Deliveries came without a signature; if they were Cal.com's, a proxy in between removes the header."
	}
	return "Nothing came at all: the webhook is switched off, has another address, or belongs to an account whose bookings these are not; a team's need a webhook of the team."
}
