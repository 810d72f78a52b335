package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"handoff"
)

// A KeptBooking is a booking with what became of it.
type KeptBooking struct {
	handoff.Booking
	Site    string
	Lead    handoff.LeadID // empty: tied to none
	Ignored string         // the rule by which it needs nobody; empty: none
}

// keptColumns are what scanKept reads, of bookings as b.
const keptColumns = `b.site, b.doc, b.lead_id, b.ignored`

func scanKept(r *sql.Rows) (b KeptBooking, err error) {
	var doc string
	if err := r.Scan(&b.Site, &doc, opt(&b.Lead), &b.Ignored); err != nil {
		return b, err
	}
	return b, decodeDoc(doc, &b.Booking)
}

// Booking reads a booking of a site, of a seated one each seat. The error is ErrNotFound
// if nothing is known of it.
func (db *DB) Booking(ctx context.Context, site, uid string) ([]KeptBooking, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+keptColumns+` FROM bookings b WHERE b.site = $1 AND b.uid = $2 ORDER BY b.seat`, site, uid)
	out, err := collect(rows, err, scanKept)
	if err != nil {
		return nil, unavailable(err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("booking %s: %w", uid, handoff.ErrNotFound)
	}
	return out, nil
}

// A BookingFilter chooses bookings. The zero value is the first 100 of all sites.
type BookingFilter struct {
	Sites  []string        // the only ones; nil: all
	Status *handoff.Status // nil: all
	From   time.Time       // the call begins then or later; zero: whenever, also where nobody has said
	To     time.Time       // and before; zero: likewise
	Tied   *bool           // to a lead, or to none; nil: either
	Limit  int             // 0: 100
	After  BookingPlace    // continues a list; zero: from its beginning
}

// A BookingPlace is where in a list a booking stands.
type BookingPlace struct {
	Start time.Time // zero: nobody has said
	handoff.BookingKey
	Site string
}

// Place is where in lists the booking stands, its start as exact as the store has it.
func (b KeptBooking) Place() BookingPlace {
	return BookingPlace{b.Start.Truncate(time.Microsecond), b.BookingKey, b.Site}
}

// compare orders places: by the start, those without one at the end. Where two sites know
// of one booking, the site comes last, so that within a site it makes no difference.
func (p BookingPlace) compare(o BookingPlace) int {
	last := func(p BookingPlace) int {
		if p.Start.IsZero() {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(last(p), last(o)), p.Start.Compare(o.Start), cmp.Compare(p.UID, o.UID), cmp.Compare(p.Seat, o.Seat), cmp.Compare(p.Site, o.Site))
}

// Bookings lists bookings, of seated ones each seat, by the start of the call; those of
// which nobody has said it come at the end, unless days are asked for.
func (db *DB) Bookings(ctx context.Context, f BookingFilter) ([]KeptBooking, error) {
	if f.Limit == 0 {
		f.Limit = 100
	}
	sites, err := db.sitesOf(ctx, "bookings", f.Sites)
	if err != nil {
		return nil, err
	}
	var out []KeptBooking
	for _, part := range f.parts() {
		var found []KeptBooking
		for _, site := range sites {
			query, args := bookingsQuery(site, f, part, f.Limit-len(out))
			rows, err := db.read.QueryContext(ctx, query, args...)
			some, err := collect(rows, err, scanKept)
			if err != nil {
				return nil, unavailable(err)
			}
			found = append(found, some...)
		}
		slices.SortFunc(found, func(a, b KeptBooking) int { return a.Place().compare(b.Place()) })
		if out = append(out, found[:min(len(found), f.Limit-len(out))]...); len(out) == f.Limit {
			break
		}
	}
	return out, nil
}

// A bookingPart is a part of a list of bookings: those with a start, or those without.
type bookingPart struct {
	started bool
	after   BookingPlace // where it goes on; zero: from its beginning
}

// parts are what of a list is still to be read, one after the other.
func (f BookingFilter) parts() []bookingPart {
	days := !f.From.IsZero() || !f.To.IsZero()
	switch within := f.After.UID != "" && f.After.Start.IsZero(); {
	case within && days:
		return nil // such a list has no bookings without a start
	case within:
		return []bookingPart{{false, f.After}}
	case days:
		return []bookingPart{{true, f.after()}}
	}
	return []bookingPart{{true, f.after()}, {}}
}

// after is where the bookings with a start begin. It is one place, since of two bounds an
// engine would go by either, and through all that lies between them.
func (f BookingFilter) after() BookingPlace {
	if from := (BookingPlace{Start: f.From}); !f.From.IsZero() && (f.After.UID == "" || f.After.compare(from) < 0) {
		return from
	}
	return f.After
}

// bookingsQuery reads a part of a list of one site. It is merged from the bookings of each
// status that are tied and those that are not, each of which stand in the index by their
// start: so a list costs the same however few have what is asked for. The result is in no
// order.
func bookingsQuery(site string, f BookingFilter, part bookingPart, limit int) (query string, args []any) {
	arg := func(v any) string {
		args = append(args, v)
		return fmt.Sprintf("$%d", len(args))
	}
	where := "site = " + arg(site)
	// A site that comes later in the list has a booking of the same key still before it.
	beyond := " > "
	if site > part.after.Site && part.after.Site != "" {
		beyond = " >= "
	}
	switch after := part.after; {
	case !part.started && after.UID == "":
		where += " AND start_at IS NULL"
	case !part.started:
		where += " AND start_at IS NULL AND (uid, seat)" + beyond + "(" + arg(after.UID) + ", " + arg(after.Seat) + ")"
	case after.Start.IsZero():
		where += " AND start_at IS NOT NULL"
	default:
		where += " AND (start_at, uid, seat)" + beyond + "(" + arg(stamp{after.Start}) + ", " + arg(after.UID) + ", " + arg(after.Seat) + ")"
	}
	if !f.To.IsZero() {
		where += " AND start_at < " + arg(stamp{f.To})
	}
	order := " ORDER BY start_at, uid, seat LIMIT " + arg(limit)
	var streams []string
	for _, stream := range f.streams() {
		streams = append(streams, "SELECT * FROM (SELECT start_at, uid, seat FROM bookings WHERE "+where+" AND "+stream+order+") AS stream")
	}
	// Only those that are on the page are read whole. SQLite keeps this order.
	page := "SELECT uid, seat FROM (" + strings.Join(streams, " UNION ALL ") + ") AS merged" + order
	return "SELECT " + keptColumns + " FROM (" + page + ") AS page CROSS JOIN bookings b WHERE b.site = $1 AND b.uid = page.uid AND b.seat = page.seat", args
}

// isTied says of a booking whether it is tied, as the index has it. It is no condition on
// lead_id that other lists have too, which would lead them to this index.
const isTied = "CASE WHEN lead_id IS NULL THEN 0 ELSE 1 END"

// streams are the conditions of the lists that a filter's is merged from.
func (f BookingFilter) streams() (out []string) {
	statuses := handoff.Statuses
	if f.Status != nil {
		statuses = []handoff.Status{*f.Status}
	}
	for _, s := range statuses {
		is := "status = '" + strings.ReplaceAll(string(s), "'", "''") + "' AND " + isTied + " = "
		if f.Tied == nil || *f.Tied {
			out = append(out, is+"1")
		}
		if f.Tied == nil || !*f.Tied {
			out = append(out, is+"0")
		}
	}
	return out
}
