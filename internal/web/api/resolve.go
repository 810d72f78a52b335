package api

import (
	"errors"
	"fmt"
	"slices"
	"time"

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
		_, err = a.Store.ReadAgain(c, c.actor, site.ID, failure, site.Reader)
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
	faults = append(faults, noteFaults(in.Note)...)
	if in.Note != "" && in.Remedy != handoff.Attach && in.Remedy != handoff.Dismiss {
		faults = append(faults, fault{Pointer: "#/note", Detail: "only dismiss and attach keep one"})
	}
	if in.Remedy == handoff.AskCal && !site.Asks {
		faults = append(faults, fault{Pointer: "#/remedy", Detail: "the site has no API of Cal.com that could be asked"})
	}
	return faults
}

func noteFaults(note string) []fault {
	if handoff.CheckRemark(note) == nil {
		return nil
	}
	return []fault{{Pointer: "#/note", Detail: fmt.Sprintf("it has %d characters at most, and no control characters", handoff.MaxRemark)}}
}

// resolveMany dismisses several failures of a site at once, or asks Cal.com about them.
func (a *API) resolveMany(c *call) (answer, error) {
	site, err := a.site(c)
	if err != nil {
		return answer{}, err
	}
	var in resolutionOfMany
	if err := c.decode(&in); err != nil {
		return answer{}, err
	}
	if faults := in.faults(site); faults != nil {
		return answer{}, invalid{errContent, faults}
	}
	cannot := fault{Pointer: "#", Detail: "one of them cannot be dismissed: it settles itself once it is well"}
	switch {
	case in.Remedy == handoff.AskCal:
		_, err = a.Store.AskAll(c, c.actor, site.ID, in.Reason)
		cannot = fault{Pointer: "#/reason", Detail: "Cal.com is not asked about what waits for it"}
	case in.Reason != "":
		_, err = a.Store.DismissAll(c, c.actor, site.ID, in.Reason, in.Seen, in.Note)
	default:
		_, err = a.Store.Dismiss(c, c.actor, site.ID, in.Failures, in.Note)
	}
	if errors.Is(err, handoff.ErrInvalid) {
		return answer{}, invalid{errContent, []fault{cannot}}
	}
	return answer{}, err
}

// A resolutionOfMany is what the body of resolveMany says.
type resolutionOfMany struct {
	Remedy   handoff.Remedy      `json:"remedy"`
	Failures []handoff.FailureID `json:"failures"`
	Reason   handoff.Reason      `json:"reason"`
	Seen     time.Time           `json:"seen"`
	Note     string              `json:"note"`
}

// noSuchReason is what is wrong with the name of a reason that there is not.
var noSuchReason = fault{Pointer: "#/reason", Detail: "there is none of this name; docs/failures.md lists them"}

func (in resolutionOfMany) faults(site Site) (faults []fault) {
	switch {
	case in.Remedy == handoff.AskCal:
		return in.faultsOfAsking(site)
	case in.Remedy != handoff.Dismiss:
		faults = append(faults, fault{Pointer: "#/remedy", Detail: "of several at once it is dismiss or ask"})
	}
	switch {
	case (in.Reason == "") == (len(in.Failures) == 0):
		faults = append(faults, fault{Pointer: "#", Detail: "name either failures or a reason"})
	case in.Reason != "" && in.Reason.Text().Reason == "":
		faults = append(faults, noSuchReason)
	case in.Reason != "" && in.Seen.IsZero():
		faults = append(faults, fault{Pointer: "#/seen", Detail: "say when you read them: what came later is left alone"})
	case in.Reason == "" && !in.Seen.IsZero():
		faults = append(faults, fault{Pointer: "#/seen", Detail: "only a reason has it"})
	case len(in.Failures) > store.MaxAtOnce:
		faults = append(faults, fault{Pointer: "#/failures", Detail: fmt.Sprintf("at most %d at once", store.MaxAtOnce)})
	}
	for i, id := range in.Failures {
		if _, err := handoff.ParseFailureID(string(id)); err != nil {
			return append(faults, fault{Pointer: fmt.Sprintf("#/failures/%d", i), Detail: "it is no failure's ID"})
		}
	}
	return append(faults, noteFaults(in.Note)...)
}

func (in resolutionOfMany) faultsOfAsking(site Site) []fault {
	faults := resolution{Remedy: in.Remedy, Note: in.Note}.faults(site)
	switch {
	case in.Reason == "" || in.Failures != nil || !in.Seen.IsZero():
		faults = append(faults, fault{Pointer: "#", Detail: "to ask, name a reason and nothing else: asking settles nothing"})
	case in.Reason.Text().Reason == "":
		faults = append(faults, noSuchReason)
	}
	return faults
}

// getResolution answers with what somebody did about failures of a site.
func (a *API) getResolution(c *call) (answer, error) {
	site, err := a.site(c)
	if err != nil {
		return answer{}, err
	}
	r, err := a.Store.Resolution(c, site.ID, handoff.ResolutionID(c.given["resolution"]))
	return answer{body: r}, err
}

// undoResolutionOfMany takes it back.
func (a *API) undoResolutionOfMany(c *call) (answer, error) {
	site, err := a.site(c)
	if err != nil {
		return answer{}, err
	}
	return answer{}, a.Store.Undo(c, c.actor, site.ID, handoff.ResolutionID(c.given["resolution"]))
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
