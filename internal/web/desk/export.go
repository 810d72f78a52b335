package desk

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"time"

	"handoff"
	"handoff/internal/store"
)

// exportPage is how many leads of a file are read at once.
const exportPage = 500

var exportHead = []string{"lead", "site", "service", "stage", "name", "email", "phone", "source", "submitted", "next_call", "bookings", "changed"}

// export writes all leads of a list as a file of comma separated values, the newest
// first. Times are RFC 3339, in UTC. A cell that a spreadsheet would take for a formula
// begins with an apostrophe: visitors write into these cells.
//
// It is written as it is read. If reading fails in the middle the connection is broken
// off, so that half a file is not taken for a whole one.
func (d *Desk) export(w http.ResponseWriter, r *http.Request) error {
	q, err := d.readQuery(r)
	if err != nil {
		return err
	}
	q = q.first()
	filter := d.as(r).filter(q)
	filter.Limit = exportPage
	leads, err := d.Store.Leads(r.Context(), filter)
	if err != nil {
		return err
	}
	if err := d.Store.Note(r.Context(), actorOf(r), handoff.Act{Action: "lead.export", Site: q.site}); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="leads-`+d.Now().UTC().Format(time.DateOnly)+`.csv"`)
	out, conn := csv.NewWriter(w), http.NewResponseController(w)
	if err := out.Write(exportHead); err != nil {
		return nil // the client is gone
	}
	for {
		_ = conn.SetWriteDeadline(time.Now().Add(streamWrite)) // of each piece: the whole may take longer than an answer may
		for _, l := range leads {
			if err := out.Write(d.exportRow(l)); err != nil {
				return nil
			}
		}
		if out.Flush(); out.Error() != nil || len(leads) < exportPage {
			return nil
		}
		filter.Before, filter.BeforeAt = leads[len(leads)-1].ID, leads[len(leads)-1].CreatedAt
		if leads, err = d.Store.Leads(r.Context(), filter); err != nil {
			d.Log.Error("desk: an export was broken off", "err", err)
			panic(http.ErrAbortHandler)
		}
	}
}

func (d *Desk) exportRow(l store.LeadSummary) []string {
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.UTC().Format(time.RFC3339)
	}
	next := ""
	if b := nextCall(l.Bookings, d.Now()); b != nil {
		next = at(b.Start)
	}
	row := []string{
		string(l.ID), l.Site, l.Service, string(l.Stage), l.Name, l.Email, l.Phone, l.Source,
		at(l.CreatedAt), next, fmt.Sprint(len(l.Bookings)), at(l.UpdatedAt),
	}
	for i := range row {
		row[i] = inert(row[i])
	}
	return row
}
