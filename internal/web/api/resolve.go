package api

import (
	"errors"
	"fmt"
	"slices"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/store"
)

// failureOf finds the site of the failure of a call; resolution, if it is not empty, is
// what must have settled it.
func (a *API) failureOf(c *call, resolution handoff.ResolutionID) (Site, handoff.FailureID, error) {
	ids, err := a.siteIDs(c)
	if err != nil {
		return Site{}, "", err
	}
	failure := handoff.FailureID(c.given["failure"])
	id, err := a.Store.SiteOfFailure(c, ids, failure, resolution)
	if err != nil {
		return Site{}, "", err
	}
	i := slices.IndexFunc(a.Sites, func(s Site) bool { return s.ID == id })
	return a.Sites[i], failure, nil
}

// remedies are what the API does about failures, in the order of the document.
var remedies = []handoff.Remedy{handoff.Dismiss, handoff.Attach, handoff.AskCal, handoff.Verify}

// resolve does something about a failure.
func (a *API) resolve(c *call) (answer, error) {
	site, failure, err := a.failureOf(c, "")
	if err != nil {
		return answer{}, err
	}
	var in resolution
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if faults := in.faults(site); faults != nil {
		return answer{}, invalid{errContent, faults}
	}
	switch in.Remedy {
	case handoff.Dismiss:
		_, err = a.Store.Dismiss(c, c.actor, site.ID, []handoff.FailureID{failure}, in.Note)
	case handoff.Attach:
		_, err = a.Store.Attach(c, c.actor, site.ID, failure, in.Lead, in.Note)
	case handoff.AskCal:
		err = a.Store.AskAbout(c, c.actor, site.ID, failure)
	case handoff.Verify:
		err = a.Store.ReadAgain(c, c.actor, site.ID, failure, site.Reader)
	}
	return answer{}, notPossible(err)
}

// A resolution is what the body of resolve says.
type resolution struct {
	Remedy handoff.Remedy `json:"remedy"`
	Lead   handoff.LeadID `json:"lead"`
	Note   string         `json:"note"`
}

// faults are what is wrong with it, for a failure of a site.
func (in resolution) faults(site Site) (faults []fault) {
	if !slices.Contains(remedies, in.Remedy) {
		faults = append(faults, fault{Pointer: "#/remedy", Detail: fmt.Sprintf("it is one of %v", remedies)})
	}
	if _, err := handoff.ParseLeadID(string(in.Lead)); in.Remedy == handoff.Attach && err != nil {
		faults = append(faults, fault{Pointer: "#/lead", Detail: "say which lead the booking belongs to, by its ID"})
	}
	if in.Remedy != handoff.Attach && in.Lead != "" {
		faults = append(faults, fault{Pointer: "#/lead", Detail: "only attach names a lead"})
	}
	if err := handoff.CheckRemark(in.Note); err != nil {
		faults = append(faults, fault{Pointer: "#/note", Detail: fmt.Sprintf("it has %d characters at most, and no control characters", handoff.MaxRemark)})
	}
	if in.Note != "" && in.Remedy != handoff.Attach && in.Remedy != handoff.Dismiss {
		faults = append(faults, fault{Pointer: "#/note", Detail: "only dismiss and attach keep one"})
	}
	if in.Remedy == handoff.AskCal && !site.Asks {
		faults = append(faults, fault{Pointer: "#/remedy", Detail: "the site has no API of Cal.com that could be asked"})
	}
	return faults
}

// notPossible says what keeps a remedy from being done.
func notPossible(err error) error {
	var refused *calcom.Refusal
	switch {
	case errors.Is(err, store.ErrNoLead):
		return invalid{errContent, []fault{{Pointer: "#/lead", Detail: "the failure's site has no such lead"}}}
	case errors.As(err, &refused):
		return invalid{errContent, []fault{{Pointer: "#/remedy", Detail: "the delivery is still not believed or not understood: " + string(refused.Reason)}}}
	case errors.Is(err, handoff.ErrInvalid):
		return invalid{errContent, []fault{{Pointer: "#/remedy", Detail: "it is none of the failure's remedies; reading the failure lists them"}}}
	}
	return err
}

// undoResolution takes back what somebody did about a failure.
func (a *API) undoResolution(c *call) (answer, error) {
	id := handoff.ResolutionID(c.given["resolution"])
	site, _, err := a.failureOf(c, id)
	if err != nil {
		return answer{}, err
	}
	return answer{}, a.Store.Undo(c, c.actor, site.ID, id)
}
