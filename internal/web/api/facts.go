package api

import (
	"time"

	"handoff"
	"handoff/internal/store"
)

// A FactView is something that was heard about a lead's booking. Its JSON is stable. What
// it does not tell is empty, null or absent.
type FactView struct {
	ID         string         `json:"id"` // which the cause of a change names
	Source     handoff.Source `json:"source"`
	Trigger    string         `json:"trigger"` // Cal.com's name of the event; empty for other sources
	UID        string         `json:"uid"`
	Seat       string         `json:"seat"`
	At         *time.Time     `json:"at"` // Cal.com's time of it, or when it was decided
	ReceivedAt time.Time      `json:"received_at"`

	Status      handoff.Status   `json:"status"`
	Start       *time.Time       `json:"start"`
	End         *time.Time       `json:"end"`
	Predecessor string           `json:"predecessor,omitempty"`
	Reason      string           `json:"reason,omitempty"`
	HostAbsent  *bool            `json:"host_absent,omitempty"`
	Attendees   []AttendanceView `json:"attendees,omitempty"` // only those of whom it tells whether they came
	Forged      bool             `json:"forged,omitempty"`    // it carried a reference that we did not sign

	Lead      handoff.LeadID `json:"lead,omitempty"` // whose the booking is, by somebody's decision
	By        string         `json:"by,omitempty"`
	Withdraws string         `json:"withdraws,omitempty"` // the decision that this one takes back
}

// An AttendanceView says whether somebody came.
type AttendanceView struct {
	Name   string `json:"name"`
	Email  string `json:"email"`
	NoShow bool   `json:"no_show"`
}

// A FactDetailView is a fact with what was received that told it. Its JSON is stable.
type FactDetailView struct {
	FactView
	Received []store.ReceivedView `json:"received"` // empty for what no webhook told
}

// ViewFact makes the view of a fact.
func ViewFact(f store.Fact) FactView {
	v := FactView{
		ID: f.ID, Source: f.Source, Trigger: f.Trigger, UID: f.UID, Seat: f.Seat, At: known(f.At), ReceivedAt: f.ReceivedAt,
		Status: f.Status, Start: known(f.Start), End: known(f.End), Predecessor: f.Predecessor, Reason: handoff.HideSignatures(f.Reason), HostAbsent: f.HostAbsent,
		Lead: f.Lead, By: f.By, Withdraws: f.Withdraws,
	}
	for _, p := range f.Attendees {
		if p.NoShow != nil {
			v.Attendees = append(v.Attendees, AttendanceView{p.Name, p.Email, *p.NoShow})
		}
	}
	for _, c := range f.Carried {
		v.Forged = v.Forged || c.Verdict == handoff.Forged
	}
	return v
}

// ViewFactDetail makes the view of a fact with what told it, as it may be passed on.
func ViewFactDetail(f store.Fact, received []store.ReceivedView) FactDetailView {
	return FactDetailView{ViewFact(f), shownBodies(received)}
}

// listFacts answers with what was heard about a lead.
func (a *API) listFacts(c *call) (answer, error) {
	d, err := a.lead(c)
	if err != nil {
		return answer{}, err
	}
	out := struct {
		Items []FactView `json:"items"`
	}{[]FactView{}}
	for _, f := range d.Facts {
		out.Items = append(out.Items, ViewFact(f))
	}
	return answer{body: out}, nil
}

// getFact answers with one fact about a lead, and what was received that told it.
func (a *API) getFact(c *call) (answer, error) {
	sites, err := a.siteIDs(c)
	if err != nil {
		return answer{}, err
	}
	_, f, received, err := a.Store.FactReceived(c, sites, handoff.LeadID(c.given["lead"]), c.given["fact"])
	if err != nil {
		return answer{}, err
	}
	return answer{body: ViewFactDetail(f, received)}, nil
}
