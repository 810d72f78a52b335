package desk

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"handoff"
	"handoff/internal/store"
)

// How many failures of a cause the first page shows, and how many a list does.
const (
	failuresFew  = 5
	failuresPage = 50
)

// A failureRow is one failure in a list.
type failureRow struct {
	ID          handoff.FailureID
	Title       string
	Who         string // booked; empty: it is not about a booking, or nobody knows
	Call        moment
	Detail      string
	UID         string // of the booking; empty if it is not about one
	Site        string
	Times       string
	First, Last moment
	Settled     moment
	Select      bool // it can be dismissed with others
	Chosen      bool // and was, when that was refused
}

// A failureTable is rows as they are shown.
type failureTable struct {
	Failures []failureRow
	Many     bool // with their sites
	Settled  bool // with when they were settled
	Select   bool // some can be chosen
	Mixed    bool // with their reasons, which differ
}

// The queue is the failures that wait, by cause.
type queuePage struct {
	frame
	Groups []failureGroup
	Many   bool   // there are several sites
	Notice string // what was done
	Undo   undoForm
}

// A failureGroup is the failures that Cal.com vouches for, or the others, or those of the
// connection with it.
type failureGroup struct {
	ID     string
	Title  string
	What   string
	Causes []failureCause
}

// A failureCause is what waits for one reason.
type failureCause struct {
	Reason   handoff.Reason
	Title    string
	Count    string // "3", or "1,000+"
	Address  string // of all of them
	More     bool   // there are more than are shown
	Failures []failureRow
}

var failureGroups = []struct {
	kind  handoff.FailureKind
	group failureGroup
}{
	{handoff.FailedSite, failureGroup{
		ID: "connection", Title: "Connections of the sites",
		What: "Something is wrong with how a site talks with Cal.com, with the mail server or with your people. Most of these settle themselves once it is well.",
	}},
	{handoff.FailedEvent, failureGroup{
		ID: "signed", Title: "Signed by Cal.com",
		What: "Cal.com really sent these, but no lead was changed. Each waits for a person.",
	}},
	{handoff.FailedDelivery, failureGroup{
		ID: "unverified", Title: "Not verified",
		What: "Anybody can send these to the webhook address. None of them changed anything; look at one only if your own bookings are missing.",
	}},
}

// failures shows what waits, by cause, or the list that is asked for.
func (d *Desk) failures(w http.ResponseWriter, r *http.Request) error {
	if q := r.URL.Query(); q.Has("reason") || q.Has("settled") || q.Has("site") || q.Has("uid") {
		return d.failureList(w, r, q)
	}
	ctx, see := r.Context(), d.as(r)
	page := queuePage{Many: see.many(), Notice: doneSettling(r.URL.Query()), Undo: see.undo(r.URL.Query())}
	var err error
	if page.frame, err = d.frame(ctx, r, "failures", "Failures"); err != nil {
		return err
	}
	counts, err := d.Store.Waiting(ctx, see.actor.Sites)
	if err != nil {
		return err
	}
	of, more := map[handoff.Reason]int{}, map[handoff.Reason]bool{}
	for _, c := range counts {
		of[c.Reason] += c.Count
		more[c.Reason] = more[c.Reason] || c.More
	}
	for _, g := range failureGroups {
		group := g.group
		for _, text := range handoff.ReasonTexts {
			if text.Kind != g.kind || of[text.Reason] == 0 {
				continue
			}
			found, err := d.Store.Failures(ctx, store.FailureFilter{Sites: see.actor.Sites, Reason: text.Reason, Limit: failuresFew + 1})
			if err != nil {
				return err
			}
			cause := failureCause{
				Reason: text.Reason, Title: text.Title, Count: counted(of[text.Reason], more[text.Reason]),
				Address: failureQuery{reason: text.Reason}.address(), More: len(found) > failuresFew,
			}
			for _, f := range found[:min(len(found), failuresFew)] {
				cause.Failures = append(cause.Failures, see.failureRow(f))
			}
			group.Causes = append(group.Causes, cause)
		}
		if len(group.Causes) > 0 {
			page.Groups = append(page.Groups, group)
		}
	}
	return d.render(w, http.StatusOK, "failures", page)
}

// A failureQuery is what a list of failures is asked for.
type failureQuery struct {
	site    string
	reason  handoff.Reason
	uid     string // of a booking
	settled bool   // also the settled ones
	after   store.FailurePlace
}

// address is where a list is found.
func (q failureQuery) address() string {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("site", q.site)
	set("reason", string(q.reason))
	set("uid", q.uid)
	if q.settled {
		v.Set("settled", "1")
	}
	set("after", q.place())
	if len(v) == 0 {
		return "/desk/failures"
	}
	return "/desk/failures?" + v.Encode()
}

// place is where in the list it goes on; empty: at its beginning.
func (q failureQuery) place() string {
	if q.after.ID == "" {
		return ""
	}
	place := "-"
	if q.after.Verified {
		place = "+"
	}
	return place + q.after.LastAt.UTC().Format(beforeLayout) + "_" + string(q.after.ID)
}

// readFailureQuery reads an address. The error is ErrInvalid.
func readFailureQuery(v url.Values) (q failureQuery, err error) {
	q = failureQuery{site: v.Get("site"), reason: handoff.Reason(v.Get("reason")), uid: v.Get("uid"), settled: v.Has("settled")}
	if len(q.site)+len(q.reason)+len(q.uid) > 500 || strings.ContainsRune(q.uid, 0) || q.reason != "" && q.reason.Text().Reason == "" {
		return q, fmt.Errorf("a filter: %w", handoff.ErrInvalid)
	}
	after := v.Get("after")
	if after == "" {
		return q, nil
	}
	at, id, _ := strings.Cut(after[1:], "_")
	q.after.Verified, q.after.ID = after[0] == '+', handoff.FailureID(id)
	if q.after.LastAt, err = time.Parse(beforeLayout, at); err != nil || len(id) > 60 || !strings.HasPrefix(id, "fail_") || strings.ContainsRune(id, 0) {
		return q, fmt.Errorf("after: %w", handoff.ErrInvalid)
	}
	return q, nil
}

// A list is failures of one filter, page by page.
type failureListPage struct {
	frame
	Sites    []choice // to filter by; empty with one site
	Reason   handoff.Reason
	What, Do string
	Settled  bool   // also the settled ones are shown
	Switch   string // address of the list with the settled ones, or without
	Rows     []failureRow
	Many     bool   // failures of several sites are shown
	Bulk     bool   // they can be dismissed together
	All      bool   // and so can all of the reason: the list leaves none of them out
	Verify   bool   // and read again
	Ask      bool   // and Cal.com asked about them
	Site     string // whose they are then
	Seen     string // when they were read
	UID      string // the list is of this booking alone
	Place    string // and begins here
	Newest   string // address of the first page; empty on it
	Older    string // address of the next page; empty on the last
	Notice   string
	Undo     undoForm
	Problem  string
	Note     string // as it was entered
}

// failureList lists failures of a filter.
//
//	200  also if there are none
//	400  a filter that this desk does not make
//	404  no such site
func (d *Desk) failureList(w http.ResponseWriter, r *http.Request, v url.Values) error {
	return d.showFailures(w, r, http.StatusOK, v, "")
}

// showFailures shows such a list, with what went wrong when some of it was to be dismissed;
// then v is what was chosen.
func (d *Desk) showFailures(w http.ResponseWriter, r *http.Request, status int, v url.Values, problem string) error {
	q, err := readFailureQuery(v)
	if err != nil {
		return err
	}
	see, ctx := d.as(r), r.Context()
	if q.site != "" {
		if _, err := see.site(handoff.RoleViewer, q.site); err != nil {
			return err
		}
	}
	seen := d.Now() // before they are read: what comes after was not seen
	found, err := d.Store.Failures(ctx, store.FailureFilter{
		Sites: see.read(q.site), Reason: q.reason, UID: q.uid, Settled: q.settled, After: q.after, Limit: failuresPage + 1,
	})
	if err != nil {
		return err
	}
	text := q.reason.Text()
	page := failureListPage{
		Reason: q.reason, What: text.What, Do: text.Do, Settled: q.settled, Many: q.site == "" && see.many(), Site: q.site,
		Seen: seen.UTC().Format(time.RFC3339Nano), UID: q.uid, Place: q.place(), Notice: doneSettling(v), Undo: see.undo(v),
	}
	if page.frame, err = d.frame(ctx, r, "failures", cmp.Or(text.Title, "All failures")); err != nil {
		return err
	}
	if page.Problem = problem; problem != "" {
		page.Title, page.Note, page.Live = "Error: "+page.Title, v.Get("note"), false // it could not be fetched again
	}
	if len(see.seen()) == 1 {
		page.Site = see.seen()[0].ID
	}
	page.Sites = failureSites(see, q)
	turned := q
	turned.settled, turned.after = !q.settled, store.FailurePlace{}
	page.Switch = turned.address()
	if len(found) > failuresPage {
		older := q
		older.after = found[failuresPage-1].Place()
		page.Older, found = older.address(), found[:failuresPage]
	}
	if q.after.ID != "" {
		newest := q
		newest.after = store.FailurePlace{}
		page.Newest = newest.address()
	}
	for _, f := range found {
		row := see.failureRow(f)
		row.Select = page.Site != "" && see.actor.May(handoff.RoleOperator) && slices.Contains(f.Remedies(), handoff.Dismiss)
		row.Chosen = row.Select && slices.Contains(v["id"], string(f.ID))
		page.Bulk = page.Bulk || row.Select
		page.Rows = append(page.Rows, row)
	}
	page.All = q.reason != "" && q.uid == ""
	if page.Bulk && page.All {
		site, remedies := d.siteOf(page.Site), found[0].Remedies()
		page.Verify = site.Read != nil && slices.Contains(remedies, handoff.Verify)
		page.Ask = site.Asks && slices.Contains(remedies, handoff.AskCal)
	}
	return d.render(w, status, "failure-list", page)
}

func failureSites(see reader, q failureQuery) []choice {
	if !see.many() {
		return nil
	}
	of := func(label, site string) choice {
		other := q
		other.site, other.after = site, store.FailurePlace{}
		return choice{badge{label, ""}, "", other.address(), q.site == site}
	}
	out := []choice{of("All sites", "")}
	for _, s := range see.seen() {
		out = append(out, of(s.Name, s.ID))
	}
	return out
}

func (q reader) failureRow(v store.FailureView) failureRow {
	site, now := q.siteOf(v.Site), q.Now()
	row := failureRow{
		ID: v.ID, Title: failureTitle(v), Detail: visible(v.Detail), UID: v.UID, Site: site.Name, Times: times(v.Deliveries),
		First: soon(v.ReceivedAt, now, site.zone), Last: soon(v.LastAt, now, site.zone),
	}
	row.Who = visible(v.Attendee)
	if v.Start != nil {
		row.Call = soon(*v.Start, now, site.zone)
	}
	if v.SettledAt != nil {
		row.Settled = soon(*v.SettledAt, now, site.zone)
	}
	return row
}

// failureTitle is the reason in words; of one that this version does not know, its name.
func failureTitle(v store.FailureView) string {
	if v.Title != "" {
		return v.Title
	}
	return label(string(v.Reason))
}

// undo is what the actor may take back of what an address says was just done: anybody can
// be sent one.
func (q reader) undo(v url.Values) undoForm {
	u := readUndo(v)
	if _, err := q.site(handoff.RoleOperator, u.Site); err != nil {
		return undoForm{}
	}
	return u
}
