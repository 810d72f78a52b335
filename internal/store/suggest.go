package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"

	"handoff"
)

// considered is how many leads are looked at for each thing that may speak for them: the
// newest that have the booking's telephone number, one of its name's words, and so on.
const considered = 200

// Suggestions ranks the leads that the booking of a failure may belong to: of those that
// have the booking's e-mail address or telephone number, and of those that sent their
// form before it was made and have a word of its name, or were the last. They are empty for
// a failure that is about no booking.
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
	const byWord = `(SELECT lead_id FROM words WHERE site = $1 AND word = $2 ORDER BY lead_id DESC LIMIT $3) w
		CROSS JOIN leads l WHERE l.site = $1 AND l.id = w.lead_id`
	type choice struct {
		from string
		args []any
	}
	choices := []choice{
		// Without an order: SQLite would go through all leads in it.
		{`leads WHERE site = $1 AND lower(email) = lower($2) AND email <> '' LIMIT $3`, []any{b.Attendee.Email}},
		{`leads WHERE site = $1 AND created_at <= $2 ORDER BY created_at DESC, id DESC LIMIT $3`, []any{stamp{b.MadeAt()}}},
	}
	if number := handoff.Digits(b.Attendee.Phone); len(number) >= minRelated {
		choices = append(choices, choice{byWord, []any{tailMark + tailOf(number)}})
	}
	for _, name := range tellingNames(b.Attendee.Name) {
		choices = append(choices, choice{byWord + ` AND l.created_at <= $4`, []any{name, stamp{b.MadeAt()}}})
	}
	leads := map[handoff.LeadID]handoff.Lead{}
	for _, c := range choices {
		args := slices.Concat([]any{f.Site, c.args[0], considered}, c.args[1:])
		rows, err := db.read.QueryContext(ctx, `SELECT `+leadColumns+` FROM `+c.from, args...)
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

// tellingNames are the words of a name that are long enough to say something, as the
// words of leads are written.
func tellingNames(name string) []string {
	names := slices.DeleteFunc(split(fold(cutBytes(name, maxWord))), func(n string) bool { return len(n) < minTelling })
	return names[:min(len(names), maxNameWords)]
}

// minTelling is how many bytes a word of a name has by which leads are looked for.
const minTelling = 3
