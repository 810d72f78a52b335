package api

import (
	"handoff"
	"handoff/internal/store"
)

// A BookingSeats is a booking, of a seated one each seat.
type BookingSeats struct {
	Site  string            `json:"site"`
	UID   string            `json:"uid"`
	Seats []BookingSeatView `json:"seats"`
}

// A BookingSeatView is a booking with what became of it.
type BookingSeatView struct {
	BookingView
	Lead handoff.LeadID `json:"lead,omitempty"`
	Rule string         `json:"rule,omitempty"` // by which it needs nobody
}

// getBooking answers with what is known of a booking.
func (a *API) getBooking(c *call) (answer, error) {
	site, err := a.site(c)
	if err != nil {
		return answer{}, err
	}
	seats, err := a.Store.Booking(c, site.ID, c.given["uid"])
	if err != nil {
		return answer{}, err
	}
	out := BookingSeats{Site: site.ID, UID: c.given["uid"]}
	for i := range seats {
		out.Seats = append(out.Seats, viewSeat(&seats[i]))
	}
	return answer{body: out}, nil
}

func viewSeat(b *store.KeptBooking) BookingSeatView {
	return BookingSeatView{viewBooking(&b.Booking), b.Lead, b.Ignored}
}

// A SiteBookingView is a booking in a list, of a seated one a seat. Its JSON is stable.
type SiteBookingView struct {
	Site string `json:"site"`
	BookingSeatView
}

// ViewSiteBooking makes the view of a booking in a list.
func ViewSiteBooking(b store.KeptBooking) SiteBookingView {
	return SiteBookingView{b.Site, viewSeat(&b)}
}

// listBookings lists bookings, by the start of the call.
func (a *API) listBookings(c *call) (answer, error) {
	sites, err := a.siteIDs(c)
	if err != nil {
		return answer{}, err
	}
	f := store.BookingFilter{Sites: sites, From: c.time("from"), To: c.time("to"), Limit: c.number("limit") + 1}
	if status, asked := c.given["status"]; asked { // also for the empty one
		f.Status = (*handoff.Status)(&status)
	}
	if tied, asked := c.given["tied"]; asked {
		f.Tied = new(bool)
		*f.Tied = tied == "yes"
	}
	if f.After, err = c.bookingPlace(); err != nil {
		return answer{}, err
	}
	found, err := a.Store.Bookings(c, f)
	if err != nil {
		return answer{}, err
	}
	return paged(c, found, ViewSiteBooking, func(b store.KeptBooking) []string {
		at, start := b.Place(), ""
		if !at.Start.IsZero() {
			start = at.Start.UTC().Format(cursorTime)
		}
		return []string{start, at.UID, at.Seat, at.Site}
	}), nil
}

// bookingPlace reads where a list of bookings goes on.
func (c *call) bookingPlace() (at store.BookingPlace, err error) {
	mark, err := c.after(4)
	if err != nil || c.given["cursor"] == "" {
		return at, err
	}
	if at.BookingKey, at.Site = (handoff.BookingKey{UID: mark[1], Seat: mark[2]}), mark[3]; at.UID == "" {
		return at, badCursor // there is no booking without one
	}
	if mark[0] != "" {
		at.Start, err = parseCursorTime(mark[0])
	}
	return at, err
}
