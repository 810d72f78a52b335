package desk

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"time"

	"handoff"
	"handoff/internal/store"
)

// exportPage is how many rows of a file are read at once.
const exportPage = 500

var exportHead = []string{"lead", "site", "service", "stage", "name", "email", "phone", "source", "submitted", "next_call", "bookings", "changed"}

// export writes all leads of a list as a file of comma separated values, the newest
// first. Times are RFC 3339, in UTC.
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
	sites := filter.Sites
	if sites == nil {
		for _, s := range d.Sites {
			sites = append(sites, s.ID)
		}
	}
	if err := d.Store.Note(r.Context(), actorOf(r), actOfEach(sites, handoff.Act{Action: "lead.export", Detail: q.filterWords()})...); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	_ = out.Write(exportHead) // it waits in the buffer for the first rows
	d.download(w, r, "leads", "csv", "text/csv; charset=utf-8", func() (more bool, err error) {
		if err := writeRows(out, leads, d.exportRow); err != nil || len(leads) < exportPage {
			return false, err
		}
		filter.Before, filter.BeforeAt = leads[len(leads)-1].ID, leads[len(leads)-1].CreatedAt
		leads, err = d.Store.Leads(r.Context(), filter)
		return true, err
	})
	return nil
}

// actOfEach is an act that is of several sites, as one of each: whoever reads the acts of a
// site finds it there.
func actOfEach(sites []string, a handoff.Act) (acts []handoff.Act) {
	for _, site := range sites {
		a.Site = site
		acts = append(acts, a)
	}
	return acts
}

// filterWords say what a list is narrowed by beside its site. What is looked for, and a
// source, which a link can name as it likes, are left out: they may be of a person.
func (q query) filterWords() string {
	var out []string
	for _, one := range [][2]string{{"stage", string(q.stage)}, {"service", q.service}, {"from", q.from}, {"to", q.to}} {
		if one[1] != "" {
			out = append(out, one[0]+" "+one[1])
		}
	}
	if q.source != "" {
		out = append(out, "a source")
	}
	if q.search != "" {
		out = append(out, "with a text")
	}
	return cmp.Or(strings.Join(out, ", "), "all leads")
}

// download sends a file piece by piece, each as it is read. If one cannot be had, or
// sent, the connection is broken off, so that half a file is not taken for a whole one.
func (d *Desk) download(w http.ResponseWriter, r *http.Request, name, ext, contentType string, piece func() (more bool, err error)) {
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+"-"+d.Now().UTC().Format(time.DateOnly)+"."+ext+`"`)
	connection := http.NewResponseController(w)
	for more := true; more; {
		// Of each piece: the whole may take longer than an answer may. A test's recorder has none.
		_ = connection.SetWriteDeadline(time.Now().Add(streamWrite))
		var err error
		if more, err = piece(); err == nil {
			continue
		}
		if r.Context().Err() == nil { // a client that is gone is no fault
			d.Log.Error("desk: a download was broken off", "file", name, "err", err)
		}
		panic(http.ErrAbortHandler)
	}
}

// writeRows writes a list as comma separated values. A cell that a spreadsheet would take
// for a formula begins with an apostrophe: visitors write into these cells.
func writeRows[T any](out *csv.Writer, list []T, row func(T) []string) error {
	for _, one := range list {
		cells := row(one)
		for i := range cells {
			cells[i] = inert(cells[i])
		}
		_ = out.Write(cells) // Error says what went wrong
	}
	out.Flush()
	return out.Error()
}

// inert keeps spreadsheets from taking a text for a formula: at its beginning, and behind
// what some of them take for the end of a cell, which is a semicolon where numbers have
// a decimal comma.
func inert(cell string) string {
	var b strings.Builder
	begins := true
	for i, r := range cell {
		if begins && strings.ContainsRune("=+-@＝＋－＠", r) || i == 0 && strings.ContainsRune("\t\r\n", r) {
			b.WriteByte('\'')
		}
		b.WriteRune(r)
		begins = strings.ContainsRune(";\t\r\n", r) || begins && r == ' '
	}
	return b.String()
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
	return []string{
		string(l.ID), l.Site, l.Service, string(l.Stage), l.Name, l.Email, l.Phone, l.Source,
		at(l.CreatedAt), next, fmt.Sprint(len(l.Bookings)), at(l.UpdatedAt),
	}
}
