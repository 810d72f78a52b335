package desk

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/store"
)

// settle does what an operator chose about one failure.
//
//	303  done; to the failure's page
//	404  no such failure, or no such lead
//	409  somebody was before; the page says who
//	422  not done, and the page says why
func (d *Desk) settle(w http.ResponseWriter, r *http.Request) error {
	v, err := readForm(w, r)
	if err != nil {
		return err
	}
	f, err := d.as(r).oneFailure(r)
	if err != nil {
		return err
	}
	remedy := handoff.Remedy(v.Get("remedy"))
	says, err := d.apply(r, f.FailureView, remedy, v)
	var refusal *calcom.Refusal
	switch {
	case err == nil:
		return done(w, r, failureAddress(f.ID), says)
	case errors.Is(err, handoff.ErrConflict):
		return d.showFailure(w, r, http.StatusConflict, "Nothing was changed by you: somebody, or a later fact, was before you.")
	case errors.As(err, &refusal):
		return d.showFailure(w, r, http.StatusUnprocessableEntity, refused(refusal))
	case errors.Is(err, store.ErrNoLead):
		return d.showFailure(w, r, http.StatusUnprocessableEntity, "There is no such lead in this site. Choose one of those below, or copy the address of a lead's page.")
	case errors.Is(err, handoff.ErrNotFound) && remedy == handoff.Verify:
		return d.showFailure(w, r, http.StatusUnprocessableEntity, "The body was not kept whole, so it cannot be verified again. If it was a booking, Cal.com can be asked for it: handoff sweep --since finds it.")
	case errors.Is(err, handoff.ErrInvalid):
		return d.showFailure(w, r, http.StatusUnprocessableEntity, cmp.Or(handoff.WordsOf(err), "That cannot be done about this entry."))
	}
	return err
}

// apply does it, as one call of the store, and returns what the page says then.
func (d *Desk) apply(r *http.Request, f store.FailureView, remedy handoff.Remedy, v url.Values) (says string, err error) {
	ctx, by, note := r.Context(), actorOf(r), v.Get("note")
	says = "failure-" + string(remedy)
	switch remedy {
	case handoff.Attach:
		lead, err := chosenLead(v)
		if err != nil {
			return "", err
		}
		_, err = d.Store.Attach(ctx, by, f.Site, f.ID, lead, note)
		return says, err
	case handoff.Dismiss:
		_, err := d.Store.Dismiss(ctx, by, f.Site, []handoff.FailureID{f.ID}, note)
		return says, err
	case handoff.AskCal:
		return says, d.Store.AskAbout(ctx, by, f.Site, f.ID)
	case handoff.Verify:
		if read := d.siteOf(f.Site).Read; read != nil {
			waits, err := d.Store.ReadAgain(ctx, by, f.Site, f.ID, read)
			if waits != "" {
				says = "failure-signed"
			}
			return says, err
		}
	}
	return "", fmt.Errorf("remedy %q: %w", clip(string(remedy), 20), handoff.ErrInvalid)
}

// chosenLead is the lead that was entered, by its ID or the address of its page, or else
// the one that was chosen. The error is store.ErrNoLead.
func chosenLead(v url.Values) (handoff.LeadID, error) {
	text := strings.TrimSpace(v.Get("other"))
	if text == "" {
		text = v.Get("lead")
	}
	if at := strings.LastIndex(text, "lead_"); at >= 0 { // in an address it can have something behind it, such as #notes
		text, _, _ = strings.Cut(text[at:], "#")
		text, _, _ = strings.Cut(text, "?")
		text, _, _ = strings.Cut(text, "/")
	}
	id, err := handoff.ParseLeadID(text)
	if err != nil {
		return "", store.ErrNoLead
	}
	return id, nil
}

// refused says why a delivery still cannot be read.
func refused(r *calcom.Refusal) string {
	why := r.Reason.Text().Title
	if r.Detail != "" {
		why += " (" + visible(r.Detail) + ")"
	}
	return "It was looked at again, and nothing was changed: " + strings.ToLower(why[:1]) + why[1:] + "."
}

// undoSettling takes a resolution back.
//
//	303  done; to where it was asked from
//	404  no such resolution
//	409  it was undone before
func (d *Desk) undoSettling(w http.ResponseWriter, r *http.Request) error {
	v, err := readForm(w, r)
	if err != nil {
		return err
	}
	if err := d.Store.Undo(r.Context(), actorOf(r), v.Get("site"), handoff.ResolutionID(clip(r.PathValue("resolution"), 60))); err != nil {
		return err
	}
	back := "/desk/failures"
	if id := v.Get("failure"); strings.HasPrefix(id, "fail_") {
		back = failureAddress(handoff.FailureID(id))
	}
	return done(w, r, back, "failure-undo")
}

// dismissMany dismisses the failures that were chosen, or all of a reason that somebody
// saw.
//
//	303  done; to the list, which offers to undo it
//	400  one settles itself once it is well
//	404  one is not there
//	409  one was settled before, or all of them; none is dismissed, and the page says which
//	422  none was chosen, or too long a note was written, and the page says so
func (d *Desk) dismissMany(w http.ResponseWriter, r *http.Request) error {
	v, err := readForm(w, r)
	if err != nil {
		return err
	}
	site, reason := v.Get("site"), handoff.Reason(v.Get("reason"))
	if _, err := d.as(r).site(handoff.RoleOperator, site); err != nil {
		return err
	}
	res, err := d.dismissChosen(r, site, reason, v)
	switch {
	case errors.Is(err, handoff.ErrConflict):
		return d.showFailures(w, r, http.StatusConflict, v, d.settledMeanwhile(r, v["id"]))
	case errors.Is(err, handoff.ErrInvalid) && handoff.WordsOf(err) != "":
		return d.showFailures(w, r, http.StatusUnprocessableEntity, v, handoff.WordsOf(err))
	case err != nil:
		return err
	}
	to := url.Values{"done": {strconv.Itoa(res.Failures)}, "undo": {string(res.ID)}, "of": {site}}
	if reason.Text().Reason != "" {
		to.Set("reason", string(reason))
	}
	http.Redirect(w, r, "/desk/failures?"+to.Encode(), http.StatusSeeOther)
	return nil
}

// dismissChosen does it. The error is ErrConflict also if none of those that the page showed
// waits any more.
func (d *Desk) dismissChosen(r *http.Request, site string, reason handoff.Reason, v url.Values) (store.Resolution, error) {
	ctx, by, note := r.Context(), actorOf(r), v.Get("note")
	if !v.Has("all") {
		var ids []handoff.FailureID
		for _, id := range v["id"] {
			ids = append(ids, handoff.FailureID(id))
		}
		return d.Store.Dismiss(ctx, by, site, ids, note)
	}
	seen, err := time.Parse(time.RFC3339Nano, v.Get("seen"))
	if err != nil {
		return store.Resolution{}, fmt.Errorf("seen: %w", handoff.ErrInvalid)
	}
	res, err := d.Store.DismissAll(ctx, by, site, reason, seen, note)
	if errors.Is(err, handoff.ErrNotFound) {
		err = fmt.Errorf("%w: %v", handoff.ErrConflict, err)
	}
	return res, err
}

// settledMeanwhile says which of those that were chosen is settled, the first of them, and by
// what.
func (d *Desk) settledMeanwhile(r *http.Request, ids []string) string {
	const nothing = "Nothing was dismissed: somebody, or a later fact, was before you."
	for _, id := range ids[:min(len(ids), failuresPage)] {
		f, err := d.Store.Failure(r.Context(), d.as(r).actor.Sites, handoff.FailureID(id))
		if err == nil && f.SettledAt != nil {
			return fmt.Sprintf("%s “%s” was settled meanwhile: %s. What is shown here waits.", nothing, failureTitle(f.FailureView), visible(f.SettledBy))
		}
	}
	return nothing
}

// causeOf reads of which site and reason all is meant, from the form of somebody who works
// that site.
func (d *Desk) causeOf(w http.ResponseWriter, r *http.Request) (Site, handoff.Reason, error) {
	v, err := readForm(w, r)
	if err != nil {
		return Site{}, "", err
	}
	site, err := d.as(r).site(handoff.RoleOperator, v.Get("site"))
	return site, handoff.Reason(v.Get("reason")), err
}

// readManyAgain verifies again what waits for a reason, after a secret was put right.
//
//	303  done; to the list, which says how many were read
//	400  a reason for which there is nothing to read again
//	404  no such site
func (d *Desk) readManyAgain(w http.ResponseWriter, r *http.Request) error {
	site, reason, err := d.causeOf(w, r)
	if err != nil {
		return err
	}
	if site.Read == nil {
		return fmt.Errorf("site %s: nothing is read again: %w", site.ID, handoff.ErrInvalid)
	}
	done, left, err := d.Store.ReadAllAgain(r.Context(), actorOf(r), site.ID, reason, site.Read)
	if err != nil {
		return err
	}
	to := url.Values{"reason": {string(reason)}, "site": {site.ID}, "read": {strconv.Itoa(done)}, "left": {strconv.Itoa(left)}}
	http.Redirect(w, r, "/desk/failures?"+to.Encode(), http.StatusSeeOther)
	return nil
}

// askAboutMany has Cal.com asked about the bookings that wait for a reason.
//
//	303  they are due; to the list, which says of how many
//	400  a reason for which Cal.com is not asked, or a site that cannot ask
//	404  no such site, or nothing waits
func (d *Desk) askAboutMany(w http.ResponseWriter, r *http.Request) error {
	site, reason, err := d.causeOf(w, r)
	if err != nil {
		return err
	}
	if !site.Asks {
		return fmt.Errorf("site %s: there is no API to ask: %w", site.ID, handoff.ErrInvalid)
	}
	n, err := d.Store.AskAll(r.Context(), actorOf(r), site.ID, reason)
	if err != nil {
		return err
	}
	to := url.Values{"reason": {string(reason)}, "site": {site.ID}, "asked": {strconv.Itoa(n)}}
	http.Redirect(w, r, "/desk/failures?"+to.Encode(), http.StatusSeeOther)
	return nil
}

// askedWords say about how many bookings Cal.com is asked.
func askedWords(v url.Values) string {
	switch n, err := strconv.Atoi(v.Get("asked")); {
	case err != nil:
		return ""
	case n == 1:
		return "Cal.com is asked about one booking. An answer that ties it to a lead settles the entry."
	default:
		return fmt.Sprintf("Cal.com is asked about %d bookings, one after the other. Answers that tie them to leads settle these entries.", n)
	}
}

// readWords say how many were read again.
func readWords(v url.Values) string {
	done, err := strconv.Atoi(v.Get("read"))
	left, other := strconv.Atoi(v.Get("left"))
	if err != nil || other != nil {
		return ""
	}
	return fmt.Sprintf("Looked at again: %d were what Cal.com sent, and have taken their effect; %d were not, or cannot be read, and wait.", done, left)
}

// An undoForm offers to take back what was just done.
type undoForm struct {
	Site       string
	Resolution handoff.ResolutionID // empty: there is nothing to undo
}

func readUndo(v url.Values) undoForm {
	id := v.Get("undo")
	if !strings.HasPrefix(id, "res_") || len(id) > 60 {
		return undoForm{}
	}
	return undoForm{v.Get("of"), handoff.ResolutionID(id)}
}

// doneSettling says what was done, where a page is come back to.
func doneSettling(v url.Values) string {
	n, err := strconv.Atoi(v.Get("done"))
	switch {
	case v.Has("read"):
		return readWords(v)
	case v.Has("asked"):
		return askedWords(v)
	case err != nil:
		return said[v.Get("done")]
	case n == 1:
		return "One entry is dismissed."
	}
	return fmt.Sprintf("%d entries are dismissed.", n)
}

func failureAddress(id handoff.FailureID) string {
	return "/desk/failures/" + url.PathEscape(string(id))
}
