package api

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"handoff"
	"handoff/internal/store"
)

// listLeads lists leads, the newest first.
func (a *API) listLeads(c *call) (answer, error) {
	sites, err := a.siteIDs(c)
	if err != nil {
		return answer{}, err
	}
	if err := a.checkStage(c); err != nil {
		return answer{}, err
	}
	f := store.LeadFilter{
		Sites: sites, Stage: handoff.Stage(c.given["stage"]), Service: c.given["service"], Source: c.given["source"],
		From: c.time("from"), To: c.time("to"), Search: c.given["search"], Limit: c.number("limit") + 1,
	}
	mark, err := c.after(2)
	if err != nil {
		return answer{}, err
	}
	if mark[1] != "" {
		if f.BeforeAt, err = parseCursorTime(mark[0]); err != nil {
			return answer{}, err
		}
		if f.Before, err = handoff.ParseLeadID(mark[1]); err != nil {
			return answer{}, badCursor
		}
	}
	found, err := a.Store.Leads(c, f)
	if errors.Is(err, handoff.ErrInvalid) {
		return answer{}, invalid{errParameter, []fault{{Parameter: "search", Detail: "it is too much to look for at once"}}}
	}
	if err != nil {
		return answer{}, err
	}
	return paged(c, found, viewSummary, func(l store.LeadSummary) []string {
		return []string{l.CreatedAt.UTC().Format(cursorTime), string(l.ID)}
	}), nil
}

// checkStage refuses a stage that none of the call's sites has: who mistypes one would
// believe that no lead is in it.
func (a *API) checkStage(c *call) error {
	sites, err := a.sites(c)
	if err != nil || c.given["stage"] == "" {
		return err
	}
	var there []handoff.Stage
	for _, s := range sites {
		for _, stage := range s.Pipeline.Stages {
			if !slices.Contains(there, stage) {
				there = append(there, stage)
			}
		}
	}
	if slices.Contains(there, handoff.Stage(c.given["stage"])) {
		return nil
	}
	return invalid{errParameter, []fault{{Parameter: "stage", Detail: "it is one of: " + stageNames(there)}}}
}

// lead reads the lead that a call names. The error is ErrNotFound also for one of a site
// that the key does not see.
func (a *API) lead(c *call) (store.LeadDetail, error) {
	sites, err := a.siteIDs(c)
	if err != nil {
		return store.LeadDetail{}, err
	}
	return a.Store.Lead(c, sites, handoff.LeadID(c.given["lead"]))
}

// getLead answers with one lead, whole.
func (a *API) getLead(c *call) (answer, error) {
	d, err := a.lead(c)
	if err != nil {
		return answer{}, err
	}
	related, err := a.Store.Related(c, d.Lead)
	if err != nil {
		return answer{}, err
	}
	return answer{body: ViewLead(d, related)}, nil
}

// listFailures lists the failure queue, by when each came last.
func (a *API) listFailures(c *call) (answer, error) {
	sites, err := a.siteIDs(c)
	if err != nil {
		return answer{}, err
	}
	f := store.FailureFilter{
		Sites: sites, Settled: c.given["state"] == "all", Kind: handoff.FailureKind(c.given["kind"]), Reason: handoff.Reason(c.given["reason"]), UID: c.given["uid"],
		Limit: c.number("limit") + 1,
	}
	if f.After, err = c.failurePlace(); err != nil {
		return answer{}, err
	}
	found, err := a.Store.Failures(c, f)
	if err != nil {
		return answer{}, err
	}
	return paged(c, found, shown, func(f store.FailureView) []string {
		at := f.Place()
		return []string{strconv.FormatBool(at.Verified), at.LastAt.UTC().Format(cursorTime), string(at.ID)}
	}), nil
}

// failurePlace reads where a list of failures goes on.
func (c *call) failurePlace() (at store.FailurePlace, err error) {
	mark, err := c.after(3)
	if err != nil || mark[2] == "" {
		return at, err
	}
	if at.LastAt, err = parseCursorTime(mark[1]); err != nil {
		return at, err
	}
	if at.ID, err = handoff.ParseFailureID(mark[2]); err != nil {
		return at, badCursor
	}
	if at.Verified, err = strconv.ParseBool(mark[0]); err != nil {
		return at, badCursor
	}
	return at, nil
}

// shown is a failure without what must not be passed on.
func shown(f store.FailureView) store.FailureView {
	f.Detail = handoff.HideSignatures(f.Detail)
	return f
}

// getFailure answers with one failure, what was received, and whom it may be about.
func (a *API) getFailure(c *call) (answer, error) {
	sites, err := a.siteIDs(c)
	if err != nil {
		return answer{}, err
	}
	f, err := a.Store.Failure(c, sites, handoff.FailureID(c.given["failure"]))
	if err != nil {
		return answer{}, err
	}
	suggested, err := a.Store.Suggestions(c, f.FailureView)
	if err != nil {
		return answer{}, err
	}
	f.FailureView = shown(f.FailureView)
	f.Received = shownBodies(f.Received)
	return answer{body: ViewFailure(f, suggested)}, nil
}

// shownBodies are deliveries without what must not be passed on.
func shownBodies(received []store.ReceivedView) []store.ReceivedView {
	out := append([]store.ReceivedView{}, received...)
	for i := range out {
		out[i].Body = strings.ToValidUTF8(handoff.HideSignatures(out[i].Body), "\uFFFD")
	}
	return out
}

// A SiteView is a site.
type SiteView struct {
	ID       string          `json:"id"`
	Name     string          `json:"name"`
	URL      string          `json:"url"`
	TimeZone string          `json:"time_zone"`
	Stages   []handoff.Stage `json:"stages"`
}

func viewSite(s Site) SiteView {
	return SiteView{s.ID, s.Name, s.URL, s.zone().String(), append([]handoff.Stage{}, s.Pipeline.Stages...)}
}

// listSites lists the sites that the key sees, in the order of the configuration.
func (a *API) listSites(c *call) (answer, error) {
	sites, err := a.sites(c)
	if err != nil {
		return answer{}, err
	}
	out := struct {
		Items []SiteView `json:"items"`
	}{[]SiteView{}}
	for _, s := range sites {
		out.Items = append(out.Items, viewSite(s))
	}
	return answer{body: out}, nil
}

// A HealthView is a site with how it does, as far as the store knows.
type HealthView struct {
	SiteView
	Well    bool `json:"well"` // no alarm is open
	Webhook struct {
		LastAt *time.Time `json:"last_at"`
	} `json:"webhook"`
	Sweep struct {
		On     bool       `json:"on"`
		Number int        `json:"number"`
		LastAt *time.Time `json:"last_at"`
		Since  *time.Time `json:"since"`
	} `json:"sweep"`
	OpenFailures []WaitingView       `json:"open_failures"`
	Alarms       []store.FailureView `json:"alarms"`
}

// A WaitingView is how many open failures have one reason.
type WaitingView struct {
	Reason handoff.Reason      `json:"reason"`
	Kind   handoff.FailureKind `json:"kind"`
	Count  int                 `json:"count"`
	More   bool                `json:"more"` // there are more than were counted
}

// getSite answers with how a site does.
func (a *API) getSite(c *call) (answer, error) {
	site, err := a.site(c)
	if err != nil {
		return answer{}, err
	}
	h, err := a.Store.Health(c, site.ID)
	if err != nil {
		return answer{}, err
	}
	v := HealthView{
		SiteView: viewSite(site), Well: len(h.Alarms) == 0,
		OpenFailures: []WaitingView{}, Alarms: []store.FailureView{},
	}
	for _, w := range h.Open {
		v.OpenFailures = append(v.OpenFailures, WaitingView{w.Reason, w.Reason.Text().Kind, w.Count, w.More})
	}
	slices.SortFunc(v.OpenFailures, func(a, b WaitingView) int { return cmp.Compare(a.Reason, b.Reason) })
	for _, f := range h.Alarms {
		v.Alarms = append(v.Alarms, shown(f))
	}
	v.Webhook.LastAt = known(h.WebhookAt)
	v.Sweep.On, v.Sweep.Number, v.Sweep.LastAt, v.Sweep.Since = site.Swept, h.Sweeps, known(h.SweptAt), known(h.SweptSince)
	return answer{body: v}, nil
}

// listStatements answers with the statement of each of the last days.
func (a *API) listStatements(c *call) (answer, error) {
	site, err := a.site(c)
	if err != nil {
		return answer{}, err
	}
	days, err := Statements(c, a.Store, site, a.Now(), c.number("days"))
	if err != nil {
		return answer{}, err
	}
	out := struct {
		Items []StatementSummary `json:"items"`
	}{}
	for i := range days {
		out.Items = append(out.Items, days[i].StatementSummary)
	}
	return answer{body: out}, nil
}

// getStatement answers with the statement of one day, and the bookings behind it.
func (a *API) getStatement(c *call) (answer, error) {
	site, err := a.site(c)
	if err != nil {
		return answer{}, err
	}
	day, err := handoff.ParseDay(site.zone(), c.given["day"])
	if err != nil {
		return answer{}, handoff.ErrNotFound
	}
	days, err := Statements(c, a.Store, site, day, 1)
	if err != nil {
		return answer{}, err
	}
	return answer{body: days[0]}, nil
}

// listAudit lists what people and keys did, the newest first.
func (a *API) listAudit(c *call) (answer, error) {
	mark, err := c.after(1)
	if err != nil {
		return answer{}, err
	}
	if mark[0] != "" && handoff.CheckActID(mark[0]) != nil {
		return answer{}, badCursor
	}
	found, err := a.Store.Audit(c, store.AuditFilter{
		Sites: c.actor.Sites, Subject: c.given["subject"], Actor: c.given["actor"], Action: c.given["action"], Since: c.time("since"),
		Before: mark[0], Limit: c.number("limit") + 1,
	})
	if err != nil {
		return answer{}, err
	}
	return paged(c, found, func(act handoff.Act) handoff.Act { return act }, func(act handoff.Act) []string { return []string{act.ID} }), nil
}
