package desk

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/store"
)

// maxFailures is how many failures of each kind a list shows, maxBody how many
// bytes of a body and maxReceived how many deliveries a failure's page does.
const (
	maxFailures = 200
	maxBody     = 64 << 10
	maxReceived = 20
)

type failuresPage struct {
	frame
	Groups  []failureGroup
	Settled bool // also the settled ones are shown
	Empty   bool
	Many    bool // there are several sites
}

// A failureGroup is the failures whose deliveries Cal.com signed, or the others.
type failureGroup struct {
	ID       string
	Title    string
	What     string
	None     string
	Failures []failureRow
	Cut      bool // there are more
}

type failureRow struct {
	ID          handoff.FailureID
	Title       string
	Detail      string
	UID         string // of the booking; empty if it is not about one
	Site        string
	Times       string
	First, Last moment
	Settled     moment
}

// failures lists the failure queue: first what Cal.com vouches for.
func (d *Desk) failures(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	f, err := d.frame(ctx, r, "failures", "Failures")
	if err != nil {
		return err
	}
	page := failuresPage{frame: f, Settled: r.URL.Query().Has("settled"), Many: d.as(r).many(), Empty: true}
	for _, kind := range []struct {
		group  failureGroup
		filter store.FailureFilter
	}{
		{failureGroup{
			ID: "connection", Title: "The connection with Cal.com",
			What: "Something is wrong with how this site and Cal.com talk. Each of these settles itself once it is well.",
		}, store.FailureFilter{Kind: handoff.FailedSite}},
		{failureGroup{
			ID: "signed", Title: "Signed by Cal.com", None: "Nothing here.",
			What: "Cal.com really sent these, but no lead was changed. Each waits for a person.",
		}, store.FailureFilter{Kind: handoff.FailedEvent}},
		{failureGroup{
			ID: "unverified", Title: "Not verified", None: "Nothing here.",
			What: "Anybody can send these to the webhook address. None of them changed anything; look at one only if your own bookings are missing.",
		}, store.FailureFilter{Kind: handoff.FailedDelivery}},
	} {
		kind.filter.Sites, kind.filter.Settled, kind.filter.Limit = actorOf(r).Sites, page.Settled, maxFailures+1
		found, err := d.Store.Failures(ctx, kind.filter)
		if err != nil {
			return err
		}
		g := kind.group
		if g.Cut = len(found) > maxFailures; g.Cut {
			found = found[:maxFailures]
		}
		for _, v := range found {
			g.Failures = append(g.Failures, d.failureRow(v))
			page.Empty = false
		}
		if len(found) > 0 || g.None != "" {
			page.Groups = append(page.Groups, g)
		}
	}
	return d.render(w, http.StatusOK, "failures", page)
}

func (d *Desk) failureRow(v store.FailureView) failureRow {
	site, now := d.siteOf(v.Site), d.Now()
	row := failureRow{
		ID: v.ID, Title: failureTitle(v), Detail: visible(v.Detail), UID: v.UID, Site: site.Name, Times: times(v.Deliveries),
		First: soon(v.ReceivedAt, now, site.TimeZone), Last: soon(v.LastAt, now, site.TimeZone),
	}
	if v.SettledAt != nil {
		row.Settled = soon(*v.SettledAt, now, site.TimeZone)
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

type failurePage struct {
	frame
	Site        string // empty with one site
	Detail      string
	Times       string
	Settled     moment
	Reason      handoff.Reason
	What, Do    string
	Verified    bool
	UID, Seat   string
	Lead        handoff.LeadID
	SettledBy   string
	First, Last moment
	Received    []received
	More        int // deliveries that are not shown
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

// failure shows one failure: what happened, what to do, and what was received.
func (d *Desk) failure(w http.ResponseWriter, r *http.Request) error {
	v, err := d.as(r).oneFailure(r.Context(), handoff.FailureID(clip(r.PathValue("id"), 60)))
	if err != nil {
		return err
	}
	f, err := d.frame(r.Context(), r, "failures", failureTitle(v.FailureView))
	if err != nil {
		return err
	}
	site, text := d.siteOf(v.Site), v.Text()
	page := failurePage{
		frame: f, Detail: visible(v.Detail), Times: times(v.Deliveries), Reason: v.Reason, What: text.What, Do: text.Do,
		Verified: v.Verified, UID: v.UID, Seat: v.Seat, Lead: v.Lead, SettledBy: v.SettledBy,
		First: full(v.ReceivedAt, site.TimeZone), Last: full(v.LastAt, site.TimeZone),
	}
	if d.as(r).many() {
		page.Site = site.Name
	}
	if v.SettledAt != nil {
		page.Settled = full(*v.SettledAt, site.TimeZone)
	}
	if page.More = max(0, len(v.Received)-maxReceived); page.More > 0 {
		v.Received = v.Received[:maxReceived]
	}
	for _, one := range v.Received {
		page.Received = append(page.Received, viewReceived(site, one))
	}
	return d.render(w, http.StatusOK, "failure", page)
}

func viewReceived(site Site, v store.ReceivedView) received {
	out := received{
		Trigger: visible(v.Trigger), ContentType: visible(v.ContentType), Times: times(v.Count),
		First: full(v.At, site.TimeZone), Last: full(v.LastAt, site.TimeZone), Bytes: len(v.Body),
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
