package desk

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"handoff"
	"handoff/internal/store"
)

// auditPageSize is how many acts a page shows.
const auditPageSize = 100

type auditPage struct {
	frame
	Acts     []actRow
	Actions  []string // to filter by
	Actor    string
	Action   string
	Subject  string
	Filtered bool
	All      bool // also what is of no site is shown
	Many     bool // there are several sites
	Newest   string
	Older    string
	CSV      string
	Lines    string
}

// An actRow is one act in the list.
type actRow struct {
	At      moment
	Actor   string
	Action  string
	Site    string
	Subject string
	Link    string // to the subject; empty: it has no page
	Detail  string
}

// acts lists acts: owners see all, others what was done to the sites that they see.
func (q reader) acts(ctx context.Context, f store.AuditFilter) ([]handoff.Act, error) {
	if !q.actor.May(handoff.RoleOwner) || q.actor.Sites != nil {
		f.Sites = []string{}
		for _, s := range q.seen() {
			f.Sites = append(f.Sites, s.ID)
		}
	}
	return q.Store.Audit(ctx, f)
}

func readAuditFilter(v url.Values) (store.AuditFilter, error) {
	f := store.AuditFilter{
		Actor: strings.TrimSpace(v.Get("actor")), Action: v.Get("action"), Subject: strings.TrimSpace(v.Get("subject")), Before: v.Get("before"),
	}
	for _, s := range []string{f.Actor, f.Action, f.Subject, f.Before} {
		if len(s) > handoff.MaxEmail || strings.ContainsRune(s, 0) {
			return f, fmt.Errorf("filter: %w", handoff.ErrInvalid)
		}
	}
	return f, nil
}

// auditAddress is where the log is shown, or exported, with a filter.
func auditAddress(path string, f store.AuditFilter) string {
	v := url.Values{}
	for name, value := range map[string]string{"actor": f.Actor, "action": f.Action, "subject": f.Subject, "before": f.Before} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if len(v) == 0 {
		return path
	}
	return path + "?" + v.Encode()
}

// audit shows what people did, the newest first.
func (d *Desk) audit(w http.ResponseWriter, r *http.Request) error {
	f, err := readAuditFilter(r.URL.Query())
	if err != nil {
		return err
	}
	see := d.as(r)
	f.Limit = auditPageSize + 1
	acts, err := see.acts(r.Context(), f)
	if err != nil {
		return err
	}
	page := auditPage{Actor: f.Actor, Action: f.Action, Subject: f.Subject, Many: see.many(), All: see.actor.May(handoff.RoleOwner)}
	if page.frame, err = d.frame(r.Context(), r, "audit", "Audit log"); err != nil {
		return err
	}
	page.Live = false // what is filled in must stay as it is
	if page.Actions, err = d.Store.AuditActions(r.Context()); err != nil {
		return err
	}
	if f.Before != "" {
		first := f
		first.Before = ""
		page.Newest = auditAddress("/desk/audit", first)
	}
	if len(acts) > auditPageSize {
		acts = acts[:auditPageSize]
		f.Before = acts[auditPageSize-1].ID
		page.Older = auditAddress("/desk/audit", f)
	}
	f.Before = ""
	page.Filtered = f.Actor+f.Action+f.Subject != ""
	page.CSV, page.Lines = auditAddress("/desk/audit/export.csv", f), auditAddress("/desk/audit/export.jsonl", f)
	for _, a := range acts {
		page.Acts = append(page.Acts, see.actRow(a))
	}
	return d.render(w, http.StatusOK, "audit", page)
}

func (q reader) actRow(a handoff.Act) actRow {
	row := actRow{At: q.when(a.At), Actor: visible(a.Actor), Action: a.Action, Subject: visible(a.Subject), Detail: visible(a.Detail)}
	if a.Site != "" {
		row.Site = q.siteOf(a.Site).Name
	}
	switch kind, _, _ := strings.Cut(a.Subject, "_"); kind {
	case "lead":
		row.Link = "/desk/leads/" + url.PathEscape(a.Subject)
	case "fail":
		row.Link = "/desk/failures/" + url.PathEscape(a.Subject)
	}
	return row
}

// auditCSV sends the log as a table.
func (d *Desk) auditCSV(w http.ResponseWriter, r *http.Request) error {
	out := csv.NewWriter(w)
	_ = out.Write([]string{"id", "at", "actor", "action", "site", "subject", "detail"}) // it waits in the buffer for the first rows
	return d.exportAudit(w, r, "csv", "text/csv; charset=utf-8", func(acts []handoff.Act) error {
		return writeRows(out, acts, func(a handoff.Act) []string {
			return []string{a.ID, a.At.Format(time.RFC3339Nano), a.Actor, a.Action, a.Site, a.Subject, a.Detail}
		})
	})
}

// auditLines sends the log as JSON, an act a line.
func (d *Desk) auditLines(w http.ResponseWriter, r *http.Request) error {
	out := json.NewEncoder(w)
	return d.exportAudit(w, r, "jsonl", "application/jsonl; charset=utf-8", func(acts []handoff.Act) error {
		for _, a := range acts {
			if err := out.Encode(a); err != nil {
				return err
			}
		}
		return nil
	})
}

// exportAudit sends all acts that the filter of an address chooses, and is an act itself.
func (d *Desk) exportAudit(w http.ResponseWriter, r *http.Request, ext, contentType string, write func([]handoff.Act) error) error {
	f, err := readAuditFilter(r.URL.Query())
	if err != nil {
		return err
	}
	by, sites := actorOf(r), []string{""} // of no site
	if by.Sites != nil {
		sites = by.Sites
	}
	if err := d.Store.Note(r.Context(), by, actOfEach(sites, handoff.Act{Action: "audit.export", Detail: ext})...); err != nil {
		return err
	}
	f.Limit, f.Before = exportPage, ""
	acts, err := d.as(r).acts(r.Context(), f)
	if err != nil {
		return err
	}
	d.download(w, r, "handoff-audit", ext, contentType, func() (more bool, err error) {
		if err := write(acts); err != nil || len(acts) < exportPage {
			return false, err
		}
		f.Before = acts[len(acts)-1].ID
		acts, err = d.as(r).acts(r.Context(), f)
		return true, err
	})
	return nil
}
