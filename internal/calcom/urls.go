package calcom

import (
	"net/url"
	"strings"
)

// PageURL is the booking page of an event type, such as "priya-raman/survey-call",
// for a plain link. The reference travels twice: as metadata, and as the hidden
// booking question, because Cal.com drops metadata in several flows. There is
// nothing personal in it.
func PageURL(origin, path, reference string) string {
	return page(origin, path) + "?" + carry(reference).Encode()
}

// EmbedURL is the same page for a frame. It stays blank until the page around it
// answers the frame protocol (web.md §1.5).
func EmbedURL(origin, path, reference string) string {
	q := carry(reference)
	q.Set("embed", "handoff")
	q.Set("embedType", "inline")
	q.Set("layout", "month_view")
	return page(origin, path) + "/embed?" + q.Encode()
}

// TrialURL is a booking page on which somebody can go through a whole booking that
// creates nothing. Cal.com does it in the page alone: its API has no such thing.
//
// Source: calcom.md §2.3.
func TrialURL(origin, path string) string {
	return page(origin, path) + "?cal.isBookingDryRun=true"
}

// RescheduleURL is where whoever booked chooses another time. It is the address
// to which Cal.com's own /reschedule/{uid} redirects, with the reference, which
// that redirect loses.
func RescheduleURL(origin, path, reference, uid string) string {
	q := carry(reference)
	q.Set("rescheduleUid", uid)
	return page(origin, path) + "?" + q.Encode()
}

// CancelURL is where whoever booked cancels.
func CancelURL(origin, uid string) string {
	return page(origin, "booking") + "/" + url.PathEscape(uid) + "?cancel=true"
}

// page is an address below origin, whatever path holds: neither another origin,
// nor a way up, nor a query of its own.
func page(origin, path string) string {
	out := strings.TrimRight(origin, "/")
	for segment := range strings.SplitSeq(path, "/") {
		if segment != "" && segment != "." && segment != ".." {
			out += "/" + url.PathEscape(segment)
		}
	}
	return out
}

func carry(reference string) url.Values {
	return url.Values{"metadata[" + CarriedName + "]": {reference}, CarriedName: {reference}}
}
