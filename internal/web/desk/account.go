package desk

import (
	"net/http"
	"time"

	"handoff"
	"handoff/internal/store"
)

// done leads back to a page, which says what was done.
func done(w http.ResponseWriter, r *http.Request, page, what string) error {
	http.Redirect(w, r, page+"?done="+what, http.StatusSeeOther)
	return nil
}

// said are the sentences for what was done.
var said = map[string]string{
	"failure-attach":  "The booking is tied to that lead. The lead moves in a moment.",
	"failure-dismiss": "Dismissed. It does not come back for the same reason.",
	"failure-ask":     "Cal.com is being asked. If its answer ties the booking to a lead, this entry settles itself.",
	"failure-verify":  "It was read, and is what Cal.com sent: it has taken its effect.",
	"failure-signed":  "Cal.com did sign it, and it cannot be read all the same. It waits for that now, among what Cal.com signed.",
	"failure-undo":    "Taken back: it waits again, or the same does that came since.",

	"zone":     "Times are shown so from now on.",
	"password": "Your password is changed, and your other sessions are ended.",
	"session":  "The session is ended.",
	"others":   "Your other sessions are ended.",
	"key":      "The passkey is added. You can sign in with it from now on.",
	"no-key":   "The passkey is removed. Delete it in your browser or on your key too.",
	"no-keys":  "Their passkeys are removed. Sessions that were opened with them go on until you end them.",
	"access":   "The change counts from now on. Keys of the API that they made work on until you revoke them.",
	"out":      "Their sessions are ended.",
	"removed":  "The account is removed. Keys of the API that they made work on until you revoke them.",
	"revoked":  "The invitation is taken back: its link leads nowhere.",
}

type accountPage struct {
	frame
	Email       string
	Access      string // what they may do, in words
	HasPassword bool
	Sessions    []sessionRow
	Passkeys    []passkeyRow
	Zones       []zoneGroup
	SiteZone    string // in which times are without a choice; empty: it differs by site
	SiteZoneID  string // its IANA name
	Here        bool   // passkeys can be made for the host of this page
	Fresh       bool   // the sign-in was not long ago, so that one can be added
	Elsewhere   string // where they can; empty: nowhere
	Notice      string
	Problem     string // with the password
}

// A sessionRow is one session in a list.
type sessionRow struct {
	ID      string
	Agent   string
	Created moment
	Used    moment
	This    bool
}

// A passkeyRow is one passkey in a list.
type passkeyRow struct {
	ID, Name, Host string
	Created, Used  moment
}

// account shows who is signed in, where, and with what.
func (d *Desk) account(w http.ResponseWriter, r *http.Request) error {
	return d.accountPage(w, r, http.StatusOK, "")
}

func (d *Desk) accountPage(w http.ResponseWriter, r *http.Request, status int, problem string) error {
	o, see := operatorOf(r), d.as(r)
	f, err := d.frame(r.Context(), r, "account", "Your account")
	if err != nil {
		return err
	}
	page := accountPage{
		frame: f, Email: o.Email, Access: d.access(o.User), HasPassword: o.PasswordHash != "",
		Notice: said[r.URL.Query().Get("done")], Problem: problem,
	}
	if problem != "" {
		page.Title, page.Notice = "Error: "+page.Title, ""
	}
	page.Live = false // what is filled in must stay as it is
	sessions, err := d.Store.Sessions(r.Context(), o.Email)
	if err != nil {
		return err
	}
	for _, s := range sessions {
		page.Sessions = append(page.Sessions, see.sessionRow(s, o.session.ID))
	}
	keys, err := d.Store.Passkeys(r.Context(), o.Email)
	if err != nil {
		return err
	}
	for _, k := range keys {
		page.Passkeys = append(page.Passkeys, passkeyRow{k.ID, k.Name, k.Host, see.when(k.CreatedAt), see.when(k.UsedAt)})
	}
	sites := reader{d, see.actor, nil}.seen()
	page.Zones, page.SiteZone = zoneChoices(o.Zone), oneZone(sites, "")
	if page.SiteZone != "" {
		page.SiteZoneID = commonZone(sites).String()
	}
	_, page.Here = d.party(r)
	page.Fresh = d.fresh(o)
	page.Keys, page.Elsewhere = page.Here, d.elsewhere(r)
	return d.render(w, status, "account", page)
}

func (q reader) sessionRow(s store.Session, this string) sessionRow {
	return sessionRow{ID: s.ID, Agent: visible(s.Agent), Created: q.when(s.CreatedAt), Used: q.when(s.UsedAt), This: s.ID == this}
}

// when is a time that is of no site.
func (q reader) when(t time.Time) moment {
	return soon(t, q.Now(), q.zoneOf(""))
}

// changePassword takes the present password and another one.
//
//	303  changed; all other sessions are ended
//	422  the present one is wrong, or the other one no good
func (d *Desk) changePassword(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(w, r); err != nil {
		return err
	}
	o := operatorOf(r)
	if o.PasswordHash == "" && !d.fresh(o) {
		return d.accountPage(w, r, http.StatusUnprocessableEntity, "To set a first password, sign out and sign in again: your sign-in was too long ago.")
	}
	if o.PasswordHash != "" {
		own := "session " + o.session.ID // who is signed in does not wait for strangers
		d.pause(r.Context(), d.slowness(own))
		same, err := d.verify(r.Context(), true, o.PasswordHash, r.PostForm.Get("current"))
		if err != nil {
			return err
		}
		if !same {
			if err := d.refused(r.Context(), own, o.Email); err != nil {
				return err
			}
			return d.accountPage(w, r, http.StatusUnprocessableEntity, "Your present password is not right.")
		}
	}
	hash, err := HashPassword(r.PostForm.Get("password"))
	if err != nil {
		return d.accountPage(w, r, http.StatusUnprocessableEntity, handoff.WordsOf(err))
	}
	if err := d.Store.SetPassword(r.Context(), o.Actor(), o.Email, hash, o.session.ID); err != nil {
		return err
	}
	return done(w, r, "/desk/account", "password")
}

// endSession ends one of one's own sessions.
func (d *Desk) endSession(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(w, r); err != nil {
		return err
	}
	o := operatorOf(r)
	if err := d.Store.EndSession(r.Context(), o.Actor(), o.Email, clip(r.PostForm.Get("id"), 64)); err != nil {
		return err
	}
	return done(w, r, "/desk/account", "session")
}

// endOtherSessions ends all of one's own sessions but this one.
func (d *Desk) endOtherSessions(w http.ResponseWriter, r *http.Request) error {
	o := operatorOf(r)
	if _, err := d.Store.EndSessions(r.Context(), o.Actor(), o.Email, o.session.ID); err != nil {
		return err
	}
	return done(w, r, "/desk/account", "others")
}
