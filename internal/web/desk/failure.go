package desk

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/store"
)

// How many bytes of a body, and how many deliveries, a failure's page shows.
const (
	maxBody     = 64 << 10
	maxReceived = 20
)

type failurePage struct {
	frame
	ID          handoff.FailureID
	Site        string // empty with one site
	SiteID      string
	Detail      string
	Times       string
	Settled     moment
	Reason      handoff.Reason
	What, Do    string
	Verified    bool
	UID, Seat   string
	Who, Host   string // of the booking
	Call        moment
	Visitor     string // the call's time for the visitor; empty: the same
	Lead        handoff.LeadID
	SettledBy   string
	First, Last moment
	Received    []received
	More        int // deliveries that are not shown

	Attach, Dismiss, Verify, Ask bool // what can be done by who looks
	Suggested                    []suggestion
	Resolution                   *store.Resolution
	Asked                        *store.Asked
	AskedAt                      moment
	Acts                         []actRow
	Next                         *failureRow // another that waits
	Notice, Problem              string
	Fixture                      bool // its body can be given to others
}

// A suggestion is a lead that a booking may belong to.
type suggestion struct {
	leadRow
	Reasons string
}

// A received is one delivery as it was stored.
type received struct {
	Trigger     string
	ContentType string
	Times       string
	First, Last moment
	Pretty      string // indented; empty if it is no JSON, or Deep
	Deep        bool   // nested too deep to be indented
	Raw         string
	Cut         bool
	Bytes       int
}

// failure shows one failure: what happened, what was received, and what can be done.
func (d *Desk) failure(w http.ResponseWriter, r *http.Request) error {
	return d.showFailure(w, r, http.StatusOK, "")
}

// showFailure shows a failure, with what went wrong when it was to be settled.
func (d *Desk) showFailure(w http.ResponseWriter, r *http.Request, status int, problem string) error {
	see := d.as(r)
	v, err := see.oneFailure(r)
	if err != nil {
		return err
	}
	f, err := d.frame(r.Context(), r, "failures", failureTitle(v.FailureView))
	if err != nil {
		return err
	}
	site, text := see.siteOf(v.Site), v.Text()
	page := failurePage{
		frame: f, ID: v.ID, SiteID: v.Site, Detail: visible(v.Detail), Times: times(v.Deliveries), Reason: v.Reason, What: text.What, Do: text.Do,
		Verified: v.Verified, UID: v.UID, Seat: v.Seat, Lead: v.Lead, SettledBy: visible(v.SettledBy), Resolution: v.Resolution,
		First: full(v.ReceivedAt, site.zone), Last: full(v.LastAt, site.zone), Notice: said[r.URL.Query().Get("done")], Problem: problem,
	}
	if b := v.Booking(); b != nil {
		page.Who, page.Host, page.Call = who(b.Attendee), who(b.Host), span(b.Start, b.End, site.zone)
		page.Visitor = visitorTime(b, site.zone)
	}
	if problem != "" {
		page.Title, page.Notice, page.Live = "Error: "+page.Title, "", false // it could not be fetched again
	}
	if see.many() {
		page.Site = site.Name
	}
	if page.Asked = v.Asked; v.Asked != nil {
		page.AskedAt = full(v.Asked.At, site.zone)
	}
	if v.SettledAt != nil {
		page.Settled = full(*v.SettledAt, site.zone)
	}
	if page.More = max(0, len(v.Received)-maxReceived); page.More > 0 {
		v.Received = v.Received[:maxReceived]
	}
	for _, one := range v.Received {
		page.Received = append(page.Received, viewReceived(site, one))
		page.Fixture = page.Fixture || page.Received[len(page.Received)-1].Pretty != ""
	}
	if err := see.remedies(r, &page, v, site); err != nil {
		return err
	}
	return d.render(w, status, "failure", page)
}

// remedies fills in what can be done, what was, and what is next.
func (q reader) remedies(r *http.Request, page *failurePage, v store.FailureDetail, site Site) error {
	ctx, actor := r.Context(), q.actor
	if actor.May(handoff.RoleOperator) {
		can := func(remedy handoff.Remedy) bool { return slices.Contains(v.FailureView.Remedies(), remedy) }
		page.Attach, page.Dismiss = can(handoff.Attach), can(handoff.Dismiss)
		page.Verify, page.Ask = can(handoff.Verify) && site.Read != nil, can(handoff.AskCal) && site.Asks
	}
	if page.Attach {
		leads, err := q.Store.Suggestions(ctx, v.FailureView)
		if err != nil {
			return err
		}
		for _, s := range leads {
			page.Suggested = append(page.Suggested, suggestion{q.row(store.LeadSummary{Lead: s.Lead}, false), strings.Join(s.Reasons, ", ")})
		}
	}
	acts, err := q.Store.Audit(ctx, store.AuditFilter{Sites: []string{v.Site}, Subject: string(v.ID)})
	if err != nil {
		return err
	}
	for _, a := range acts {
		page.Acts = append(page.Acts, q.actRow(a))
	}
	waiting, err := q.Store.Failures(ctx, store.FailureFilter{Sites: actor.Sites, Limit: 2})
	if err != nil {
		return err
	}
	for _, f := range waiting {
		if f.ID != v.ID && page.Next == nil {
			row := q.failureRow(f)
			page.Next = &row
		}
	}
	return nil
}

// fixture gives the newest body of a failure with placeholders for all that is
// personal: to report it, or to test with.
func (d *Desk) fixture(w http.ResponseWriter, r *http.Request) error {
	v, err := d.as(r).oneFailure(r)
	if err != nil {
		return err
	}
	for _, one := range slices.Backward(v.Received) {
		body, err := calcom.Fixture([]byte(one.Body))
		if err != nil {
			continue
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Disposition", `attachment; filename="body.json"`)
		_, _ = w.Write(body) // the client may be gone
		return nil
	}
	return handoff.ErrNotFound
}

func viewReceived(site Site, v store.ReceivedView) received {
	out := received{
		Trigger: visible(v.Trigger), ContentType: visible(v.ContentType), Times: times(v.Count),
		First: full(v.At, site.zone), Last: full(v.LastAt, site.zone), Bytes: len(v.Body),
	}
	var pretty bytes.Buffer
	if out.Deep = calcom.Deeper(v.Body, maxIndented); !out.Deep && json.Indent(&pretty, []byte(strings.TrimSpace(v.Body)), "", "  ") == nil {
		out.Pretty, out.Cut = cut(pretty.String())
	}
	var rawCut bool
	out.Raw, rawCut = cut(v.Body)
	out.Cut = out.Cut || rawCut
	return out
}

// maxIndented is how deep a body may be nested to be shown indented. Cal.com's own
// are less than ten deep; 16 KiB of brackets would become 134 MB of spaces.
const maxIndented = 32

// cut bounds what is shown of a body.
func cut(s string) (string, bool) {
	if len(s) <= maxBody {
		return visible(s), false
	}
	return visible(s[:maxBody]), true
}
