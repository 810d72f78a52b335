package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"handoff"
)

// considered is how many leads are looked at that sent their form before a booking.
const considered = 200

// Suggestions ranks the leads that the booking of a failure may belong to: of those that
// have the booking's e-mail address, and of those that sent their form last before it
// was made. They are empty for a failure that is about no booking.
func (db *DB) Suggestions(ctx context.Context, f FailureView) ([]handoff.Suggestion, error) {
	if f.UID == "" {
		return nil, nil
	}
	var doc string
	err := db.read.QueryRowContext(ctx, `SELECT doc FROM bookings WHERE site = $1 AND uid = $2 AND seat = $3`, f.Site, f.UID, f.Seat).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable(err)
	}
	var b handoff.Booking
	if err := decodeDoc(doc, &b); err != nil {
		return nil, unavailable(err)
	}
	leads := map[handoff.LeadID]handoff.Lead{}
	for _, choice := range []struct {
		which string
		value any
	}{
		// Without an order: SQLite would go through all leads in it.
		{`lower(email) = lower($2) AND email <> ''`, b.Attendee.Email},
		{`created_at <= $2 ORDER BY created_at DESC, id DESC`, stamp{b.MadeAt()}},
	} {
		rows, err := db.read.QueryContext(ctx, `
			SELECT `+leadColumns+` FROM leads WHERE site = $1 AND `+choice.which+` LIMIT $3`, f.Site, choice.value, considered)
		found, err := collect(rows, err, func(r *sql.Rows) (handoff.Lead, error) { return scanLead(r) })
		if err != nil {
			return nil, unavailable(err)
		}
		for _, l := range found {
			leads[l.ID] = l
		}
	}
	return handoff.Suggest(b, slices.Collect(maps.Values(leads))), nil
}
