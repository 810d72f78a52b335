package desk

import (
	"fmt"
	"net/http"
	"net/url"

	"handoff"
)

// maxForm bounds a form of the desk, in bytes: a note and what is around it.
const maxForm = 64 << 10

// readForm reads a form. The error is ErrInvalid.
func readForm(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		return nil, fmt.Errorf("form: %w: %w", handoff.ErrInvalid, err)
	}
	return r.PostForm, allText(r.PostForm)
}

// leadForm reads a form about a lead, which names the lead's site.
func (d *Desk) leadForm(w http.ResponseWriter, r *http.Request) (handoff.LeadID, Site, url.Values, error) {
	v, err := readForm(w, r)
	if err != nil {
		return "", Site{}, nil, err
	}
	id, err := handoff.ParseLeadID(r.PathValue("id"))
	if err != nil {
		return "", Site{}, nil, handoff.ErrNotFound
	}
	site := d.siteOf(v.Get("site"))
	return id, site, v, actorOf(r).Need(handoff.RoleOperator, site.ID)
}

// setStage moves a lead by an operator's word.
//
//	303  to where it was asked from: the lead's page, the board or the first page
//	400  the site has no such stage
//	404  no such lead
//	409  the lead was moved since the page was made
func (d *Desk) setStage(w http.ResponseWriter, r *http.Request) error {
	id, site, v, err := d.leadForm(w, r)
	if err != nil {
		return err
	}
	if from, to := handoff.Stage(v.Get("from")), handoff.Stage(v.Get("to")); from != to { // who presses the button and chose nothing wants nothing
		if _, err := d.Store.SetStage(r.Context(), actorOf(r), site.ID, id, from, to, site.Pipeline); err != nil {
			return err
		}
	}
	http.Redirect(w, r, backTo(v, site, id), http.StatusSeeOther)
	return nil
}

// backTo is the page that a form about a lead was sent from.
func backTo(v url.Values, site Site, id handoff.LeadID) string {
	switch v.Get("back") {
	case "board":
		return boardAddress(site.ID)
	case "today":
		return "/desk/"
	}
	return leadAddress(id)
}

// undoStage takes back the stage that was set by hand last.
//
//	303  to the lead's page
//	404  no such lead
//	409  the lead was moved since
func (d *Desk) undoStage(w http.ResponseWriter, r *http.Request) error {
	id, site, v, err := d.leadForm(w, r)
	if err != nil {
		return err
	}
	if _, err := d.Store.UndoStage(r.Context(), actorOf(r), site.ID, id, v.Get("cause"), site.Pipeline); err != nil {
		return err
	}
	http.Redirect(w, r, leadAddress(id), http.StatusSeeOther)
	return nil
}

// wantCalls says that a lead wants all its calls ahead, which the form names as the page
// showed them.
//
//	303  to where it was asked from: the lead's page or the first page
//	400  it has no more than one call ahead
//	404  no such lead
//	409  other calls are ahead since the page was made
func (d *Desk) wantCalls(w http.ResponseWriter, r *http.Request) error {
	id, site, v, err := d.leadForm(w, r)
	if err != nil {
		return err
	}
	uids, seats := v["uid"], v["seat"]
	if len(uids) != len(seats) {
		return fmt.Errorf("%d uids and %d seats: %w", len(uids), len(seats), handoff.ErrInvalid)
	}
	var seen []handoff.BookingKey
	for i := range uids {
		seen = append(seen, handoff.BookingKey{UID: uids[i], Seat: seats[i]})
	}
	if _, err := d.Store.WantCalls(r.Context(), actorOf(r), site.ID, id, seen); err != nil {
		return err
	}
	http.Redirect(w, r, backTo(v, site, id), http.StatusSeeOther)
	return nil
}

// undoCallsWanted takes back that a lead wants all its calls ahead.
//
//	303  to the lead's page
//	404  no such lead
//	409  it was taken back since
func (d *Desk) undoCallsWanted(w http.ResponseWriter, r *http.Request) error {
	id, site, _, err := d.leadForm(w, r)
	if err != nil {
		return err
	}
	if _, err := d.Store.UndoCallsWanted(r.Context(), actorOf(r), site.ID, id); err != nil {
		return err
	}
	http.Redirect(w, r, leadAddress(id), http.StatusSeeOther)
	return nil
}

// addNote writes down a note about a lead.
//
//	303  to the lead's notes
//	400  it is empty or too long
//	404  no such lead
func (d *Desk) addNote(w http.ResponseWriter, r *http.Request) error {
	id, site, v, err := d.leadForm(w, r)
	if err != nil {
		return err
	}
	if _, err := d.Store.AddNote(r.Context(), actorOf(r), site.ID, id, v.Get("text")); err != nil {
		return err
	}
	http.Redirect(w, r, leadAddress(id)+"#notes", http.StatusSeeOther)
	return nil
}

// deleteNote deletes a note.
//
//	303  to the lead's notes
//	403  it is somebody else's, and who asks is no owner
//	404  no such note
func (d *Desk) deleteNote(w http.ResponseWriter, r *http.Request) error {
	id, site, _, err := d.leadForm(w, r)
	if err != nil {
		return err
	}
	if err := d.Store.DeleteNote(r.Context(), actorOf(r), site.ID, id, r.PathValue("note")); err != nil {
		return err
	}
	http.Redirect(w, r, leadAddress(id)+"#notes", http.StatusSeeOther)
	return nil
}

func leadAddress(id handoff.LeadID) string { return "/desk/leads/" + string(id) }

type receivedPage struct {
	frame
	Lead     handoff.LeadID
	Name     string
	Code     string // Cal.com's name of the event
	None     string // why nothing is kept
	Received []received
}

// received shows what was received that told a fact about a lead, as it was stored.
//
//	404  no such lead, or no such fact about it
func (d *Desk) received(w http.ResponseWriter, r *http.Request) error {
	id, err := handoff.ParseLeadID(r.PathValue("id"))
	if err != nil {
		return handoff.ErrNotFound
	}
	l, fact, found, err := d.Store.FactReceived(r.Context(), actorOf(r).Sites, id, clip(r.PathValue("fact"), 100))
	if err != nil {
		return err
	}
	f, err := d.frame(r.Context(), r, "leads", "What was received")
	if err != nil {
		return err
	}
	page := receivedPage{frame: f, Lead: id, Name: l.Name, Code: fact.Trigger, None: fact.WhyNoBody()}
	for _, one := range found {
		page.Received = append(page.Received, viewReceived(d.as(r).siteOf(l.Site), one))
	}
	return d.render(w, http.StatusOK, "received", page)
}

// keys says which keys do what, for whoever has no dialog.
func (d *Desk) keys(w http.ResponseWriter, r *http.Request) error {
	f, err := d.frame(r.Context(), r, "", "Keyboard")
	if err != nil {
		return err
	}
	return d.render(w, http.StatusOK, "keys", f)
}
