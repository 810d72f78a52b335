package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"

	"handoff"
)

// leads are those that the reconciliation concerns: who has one of the bookings
// now, or had it.
func (r *reconciliation) leads() []handoff.LeadID {
	ids := map[handoff.LeadID]bool{}
	for _, s := range r.before {
		ids[s.lead] = true
	}
	for _, tie := range r.ties {
		ids[tie.Lead] = true
	}
	delete(ids, "")
	return slices.Sorted(maps.Keys(ids))
}

func (r *reconciliation) topics() []string {
	var out []string
	for _, id := range r.leads() {
		out = append(out, TopicLead(r.site, string(id)))
	}
	return out
}

// progress moves the leads to where their bookings say they stand.
func (r *reconciliation) progress(ctx context.Context) error {
	ids := r.leads()
	bookings, err := r.bookingsOf(ctx, ids)
	if err != nil {
		return err
	}
	causes := r.causes()
	at := map[handoff.Stage][]handoff.LeadID{} // all that were looked at: a call's time is news too
	changes := map[handoff.LeadID]handoff.Change{}
	err = many(ctx, r.tx, `SELECT `+leadColumns+` FROM leads WHERE site = $1 AND id IN?`+r.db.engine.lock, []any{r.site}, singles(ids), func(rows *sql.Rows) error {
		lead, err := scanLead(rows)
		if err != nil {
			return err
		}
		standing := r.rules.Pipeline.Progress(lead.Manual, bookings[lead.ID])
		at[standing.Stage] = append(at[standing.Stage], lead.ID)
		if standing.Stage != lead.Stage {
			cause, note := causeOf(standing, causes[lead.ID])
			changes[lead.ID] = handoff.Change{
				At: r.now, From: lead.Stage, To: standing.Stage, Cause: cause, Note: note, Booking: standing.Booking,
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("leads: %w", err)
	}
	for _, stage := range slices.Sorted(maps.Keys(at)) {
		if err := many(ctx, r.tx, `UPDATE leads SET stage = $2, updated_at = $3 WHERE site = $1 AND id IN?`, []any{r.site, stage, stamp{r.now}}, singles(at[stage]), nil); err != nil {
			return fmt.Errorf("leads: %w", err)
		}
	}
	return r.writeChanges(ctx, changes)
}

// writeChanges adds one change to the history of each of these leads.
func (r *reconciliation) writeChanges(ctx context.Context, changes map[handoff.LeadID]handoff.Change) error {
	ids := slices.Sorted(maps.Keys(changes))
	before := map[handoff.LeadID]int{}
	err := many(ctx, r.tx, `SELECT lead_id, max(seq) FROM history WHERE site = $1 AND lead_id IN? GROUP BY lead_id`, []any{r.site}, singles(ids), func(rows *sql.Rows) error {
		var id handoff.LeadID
		var n int
		err := rows.Scan(&id, &n)
		before[id] = n
		return err
	})
	if err != nil {
		return fmt.Errorf("stage history: %w", err)
	}
	var rows [][]any
	for _, id := range ids {
		rows = append(rows, changeRow(r.site, id, before[id], changes[id]))
	}
	return writeChanges(ctx, r.tx, rows)
}

// bookingsOf reads the bookings of leads, as they are now.
func (r *reconciliation) bookingsOf(ctx context.Context, ids []handoff.LeadID) (map[handoff.LeadID][]handoff.Booking, error) {
	out := map[handoff.LeadID][]handoff.Booking{}
	err := many(ctx, r.tx, `SELECT lead_id, doc FROM bookings WHERE site = $1 AND lead_id IN? ORDER BY start_at, uid, seat`, []any{r.site}, singles(ids), func(rows *sql.Rows) error {
		var lead handoff.LeadID
		var doc string
		var b handoff.Booking
		if err := rows.Scan(&lead, &doc); err != nil {
			return err
		}
		if err := decodeDoc(doc, &b); err != nil {
			return err
		}
		out[lead] = append(out[lead], b)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("bookings: %w", err)
	}
	return out, nil
}

// causes are, for each lead, the new observations about the bookings that it has
// or had, and about those linked with them.
func (r *reconciliation) causes() map[handoff.LeadID][]*handoff.Observation {
	linked := links{}
	for i := range r.known {
		o := &r.known[i].Observation
		linked.join("uid/"+o.UID, "uid/"+o.Predecessor, o.Predecessor != "")
		linked.join("uid/"+o.UID, "ical/"+o.ICalUID, o.ICalUID != "")
	}
	of := map[string]map[handoff.LeadID]bool{} // group → leads
	concern := func(key handoff.BookingKey, lead handoff.LeadID) {
		group := linked.group("uid/" + key.UID)
		if of[group] == nil {
			of[group] = map[handoff.LeadID]bool{}
		}
		of[group][lead] = true
	}
	for key, s := range r.before {
		concern(key, s.lead)
	}
	for key, tie := range r.ties {
		concern(key, tie.Lead)
	}
	out := map[handoff.LeadID][]*handoff.Observation{}
	for i := range r.known {
		if l := &r.known[i]; l.fresh {
			for lead := range of[linked.group("uid/"+l.UID)] {
				out[lead] = append(out[lead], &l.Observation)
			}
		}
	}
	return out
}

// links groups names that belong together: each leads to another of its group, or
// to itself.
type links map[string]string

func (l links) group(name string) string {
	for l[name] != "" && l[name] != name {
		name = l[name]
	}
	return name
}

func (l links) join(a, b string, related bool) {
	if related {
		l[l.group(a)] = l.group(b)
	}
}

// causeOf names the observation that moved a lead: the one that settled where it
// stands if that is new, else the newest new one (a booking that took the last
// word from another). A new observation is so only once, so a cause never moves
// a lead to one stage twice.
func causeOf(s handoff.Standing, fresh []*handoff.Observation) (id, note string) {
	var newest *handoff.Observation
	for _, o := range fresh {
		if o.ID == s.By {
			return o.ID, plainWords(o)
		}
		if newest == nil || o.At.After(newest.At) || (o.At.Equal(newest.At) && o.ID > newest.ID) {
			newest = o
		}
	}
	if newest == nil {
		return newID("rules"), "the site's stage rules changed"
	}
	return newest.ID, plainWords(newest)
}

// plainWords says in plain words what an observation tells.
func plainWords(o *handoff.Observation) string {
	switch o.Source {
	case handoff.FromOperator:
		by := cmp.Or(o.By, "an operator")
		if o.Withdraws != "" {
			return by + " took back whose the booking is"
		}
		return by + " decided whose the booking is"
	case handoff.FromAPI:
		return "Cal.com's answer when asked"
	}
	return "Cal.com: " + strings.ToLower(strings.ReplaceAll(o.Trigger, "_", " "))
}
