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
	// Unproven counts the deliveries to the site's address, since the oldest of Recent
	// was made, that proved nothing, by what was wrong with them.
	Unproven map[Reason]int
	// Verified counts the bookings, also of other event types, of which a webhook told
	// since then.
	Verified int
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
	never, newest := 0, true
	silent := 0 // the newest, in a row
	for i := range s.Recent {
		told := s.Recent[i].Told() != ToldNever
		newest = newest && !told
		if !told {
			never++
		}
		if newest {
			silent++
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

// cause names the likely one: what came and proved nothing, or that nothing came.
func (s *Signs) cause() string {
	for _, c := range []struct {
		reason Reason
		says   string
	}{
		{SignatureOtherSite, "Deliveries came that another site's secret signed: the webhook's address names the wrong site."},
		{SignatureRetired, "Deliveries came that a retired secret signed: enter the current one in the webhook's settings."},
		{BodyReencoded, "Deliveries came whose bodies were re-encoded on their way: a proxy in between changes them."},
		{NoSecretProvided, "Deliveries came from a webhook that has no secret."},
		{SignatureWrong, "Deliveries came with a wrong signature: most likely the webhook has another secret."},
		{SignatureMissing, "Deliveries came without a signature: a proxy in between removes the header, or they were not Cal.com's."},
	} {
		if s.Unproven[c.reason] > 0 {
			return c.says
		}
	}
	if s.Verified > 0 {
		return "Webhooks of other bookings came and were right: this one lacks triggers, or is not sent for these event types."
	}
	return "Nothing came at all: the webhook is switched off, has another address, or belongs to an account whose bookings these are not; a team's need a webhook of the team."
}
