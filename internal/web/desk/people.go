package desk

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"handoff"
	"handoff/internal/store"
)

type peoplePage struct {
	frame
	People      []person
	Invitations []invitationRow
	Grant       grant // of the form for another invitation
	Mails       bool  // an invitation can be sent by mail
	Email       string
	Notice      string
	Problem     string // with the invitation
}

// A person is an operator in the list.
type person struct {
	Email, Name, Access string
	Self                bool
	Seen                moment
	Sessions, Passkeys  int
	Grant               grant
}

// A grant is a choice of a role and sites, as a form shows it.
type grant struct {
	ID    string // tells the forms of a page apart
	Role  handoff.Role
	All   bool
	Sites []siteChoice
	Many  bool // there are several sites
}

type siteChoice struct {
	ID, Name string
	Chosen   bool
}

type invitationRow struct {
	Email, Access, By string
	Until             moment
}

// access says what somebody may do, in words.
func (d *Desk) access(u store.User) string { return d.grantWords(u.Role, u.Sites) }

func (d *Desk) grantWords(role handoff.Role, sites []string) string {
	words := label(string(role))
	if sites == nil {
		if len(d.Sites) > 1 {
			words += " of all sites"
		}
		return words
	}
	var names []string
	for _, id := range sites {
		names = append(names, d.siteOf(id).Name)
	}
	return words + " of " + strings.Join(names, ", ")
}

// grant is a form's choice as it stands. Sites that the configuration does not name any
// more can still be chosen by who has them.
func (d *Desk) grant(id string, role handoff.Role, sites []string) grant {
	g := grant{ID: id, Role: role, All: sites == nil, Many: len(d.Sites) > 1}
	for _, s := range d.Sites {
		g.Sites = append(g.Sites, siteChoice{s.ID, s.Name, slices.Contains(sites, s.ID)})
	}
	for _, s := range sites {
		if _, known := d.sites[s]; !known {
			g.Sites, g.Many = append(g.Sites, siteChoice{s, s, true}), true
		}
	}
	return g
}

// readGrant reads a form's choice.
func (d *Desk) readGrant(r *http.Request) (handoff.Role, []string, error) {
	role := handoff.Role(r.PostForm.Get("role"))
	if role == handoff.RoleOwner || r.PostForm.Get("of") == "all" {
		return role, nil, handoff.CheckGrant(role, nil)
	}
	sites := append([]string{}, r.PostForm["site"]...)
	for _, s := range sites {
		if len(s) > 100 {
			return role, nil, fmt.Errorf("site: %w", handoff.ErrInvalid)
		}
	}
	return role, sites, handoff.CheckGrant(role, sites)
}

// people lists who may sign in, and who is invited.
func (d *Desk) people(w http.ResponseWriter, r *http.Request) error {
	return d.peoplePage(w, r, http.StatusOK, peoplePage{Grant: d.grant("invite", handoff.RoleOperator, nil)})
}

func (d *Desk) peoplePage(w http.ResponseWriter, r *http.Request, status int, page peoplePage) (err error) {
	if page.frame, err = d.frame(r.Context(), r, "people", "People"); err != nil {
		return err
	}
	page.Notice = said[r.URL.Query().Get("done")]
	if page.Problem != "" {
		page.Title, page.Notice = "Error: People", ""
	}
	page.Live, page.Mails = false, d.Mail != nil // what is filled in must stay as it is
	users, err := d.Store.Users(r.Context())
	if err != nil {
		return err
	}
	see := d.as(r)
	for i, u := range users {
		sessions, err := d.Store.Sessions(r.Context(), u.Email)
		if err != nil {
			return err
		}
		keys, err := d.Store.Passkeys(r.Context(), u.Email)
		if err != nil {
			return err
		}
		p := person{
			Email: u.Email, Name: u.Name, Access: d.access(u), Self: u.Email == operatorOf(r).Email, Sessions: len(sessions), Passkeys: len(keys),
			Seen: see.when(u.SeenAt), Grant: d.grant(fmt.Sprint("person-", i), u.Role, u.Sites),
		}
		page.People = append(page.People, p)
	}
	invitations, err := d.Store.Invitations(r.Context())
	if err != nil {
		return err
	}
	for _, l := range invitations {
		page.Invitations = append(page.Invitations, invitationRow{l.Email, d.grantWords(l.Role, l.Sites), l.By, see.when(l.ExpiresAt)})
	}
	return d.render(w, status, "people", page)
}

// about reads a form that is about a person.
func about(w http.ResponseWriter, r *http.Request) (email string, err error) {
	if _, err := readForm(w, r); err != nil {
		return "", err
	}
	return NormalizeEmail(clip(r.PostForm.Get("email"), handoff.MaxEmail)), nil
}

// setAccess gives a person another role and sites.
//
//	303  changed
//	409  nobody would be an owner then
func (d *Desk) setAccess(w http.ResponseWriter, r *http.Request) error {
	email, err := about(w, r)
	if err != nil {
		return err
	}
	role, sites, err := d.readGrant(r)
	if err != nil {
		return err
	}
	if err := d.Store.SetAccess(r.Context(), actorOf(r), email, role, sites); err != nil {
		return err
	}
	return done(w, r, "/desk/people", "access")
}

// signOutPerson ends all sessions of a person, of oneself all but this one.
func (d *Desk) signOutPerson(w http.ResponseWriter, r *http.Request) error {
	email, err := about(w, r)
	if err != nil {
		return err
	}
	keep := ""
	if o := operatorOf(r); o.Email == email {
		keep = o.session.ID
	}
	if _, err := d.Store.EndSessions(r.Context(), actorOf(r), email, keep); err != nil {
		return err
	}
	return done(w, r, "/desk/people", "out")
}

// removePasskeys takes all passkeys of a person away.
func (d *Desk) removePasskeys(w http.ResponseWriter, r *http.Request) error {
	email, err := about(w, r)
	if err != nil {
		return err
	}
	if _, err := d.Store.RemovePasskeys(r.Context(), actorOf(r), email); err != nil {
		return err
	}
	return done(w, r, "/desk/people", "no-keys")
}

// removePerson takes a person's account away.
func (d *Desk) removePerson(w http.ResponseWriter, r *http.Request) error {
	email, err := about(w, r)
	if err != nil {
		return err
	}
	if r.PostForm.Get("sure") == "" {
		return handoff.Refuse(handoff.ErrInvalid, "To remove an account, tick that you are sure.")
	}
	if err := d.Store.RemoveUser(r.Context(), actorOf(r), email); err != nil {
		return err
	}
	return done(w, r, "/desk/people", "removed")
}

// revoke takes an invitation back.
func (d *Desk) revoke(w http.ResponseWriter, r *http.Request) error {
	email, err := about(w, r)
	if err != nil {
		return err
	}
	if err := d.Store.RevokeInvitation(r.Context(), actorOf(r), email); err != nil {
		return err
	}
	return done(w, r, "/desk/people", "revoked")
}

// A linkPage shows a link once: the store keeps its digest only.
type linkPage struct {
	frame
	Email string
	Link  string
	For   string // "a week" or "an hour"
	Reset bool
	Sent  bool // by mail too
	Lost  bool // it should have been, and was not
}

// mailTime bounds how long an owner waits for the mail server.
const mailTime = 10 * time.Second

// mail sends an invitation's link.
func (d *Desk) mail(r *http.Request, page *linkPage, role handoff.Role, sites []string) {
	ctx, cancel := context.WithTimeout(r.Context(), mailTime)
	defer cancel()
	o := operatorOf(r)
	err := d.Mail(ctx, page.Email, "You are invited to the desk of "+d.namesOf(sites), fmt.Sprintf(
		"%s (%s) invites you to the desk of %s, as %s.\n\nOpen this link within %s to choose a password or a passkey:\n\n%s\n\nIt can be used once. If you do not know what this is, leave it.\n",
		o.Name, o.Email, d.namesOf(sites), strings.ToLower(label(string(role))), page.For, page.Link))
	if page.Sent = err == nil; err != nil {
		page.Lost = true
		d.Log.Error("desk: an invitation was not sent", "err", err)
	}
}

// namesOf are the names of sites (nil: all) in a row.
func (d *Desk) namesOf(sites []string) string {
	var names []string
	for _, s := range d.Sites {
		if sites == nil || slices.Contains(sites, s.ID) {
			names = append(names, s.Name)
		}
	}
	return strings.Join(names, ", ")
}

// invite makes an invitation, and shows its link.
//
//	200  with the link, which is shown this once
//	422  with the form: no address, nothing to grant, or somebody who is here already
func (d *Desk) invite(w http.ResponseWriter, r *http.Request) error {
	email, err := about(w, r)
	if err != nil {
		return err
	}
	role, sites, err := d.readGrant(r)
	token := ""
	if err == nil {
		token, err = d.Store.Invite(r.Context(), actorOf(r), email, role, sites)
	}
	if words := handoff.WordsOf(err); words != "" {
		return d.peoplePage(w, r, http.StatusUnprocessableEntity, peoplePage{Grant: d.grant("invite", role, sites), Email: email, Problem: words})
	}
	if err != nil {
		return err
	}
	page := linkPage{Email: email, Link: d.origin(r) + "/desk/invitations/" + token, For: "a week"}
	if d.Mail != nil && r.PostForm.Get("mail") != "" {
		d.mail(r, &page, role, sites)
	}
	return d.showLink(w, r, page, "An invitation")
}

// resetPerson makes a link with which a person sets a new password, and shows it.
func (d *Desk) resetPerson(w http.ResponseWriter, r *http.Request) error {
	email, err := about(w, r)
	if err != nil {
		return err
	}
	token, err := d.Store.Reset(r.Context(), actorOf(r), email)
	if err != nil {
		return err
	}
	return d.showLink(w, r, linkPage{Email: email, Link: d.origin(r) + "/desk/resets/" + token, For: "an hour", Reset: true}, "A link to a new password")
}

func (d *Desk) showLink(w http.ResponseWriter, r *http.Request, page linkPage, title string) (err error) {
	if page.frame, err = d.frame(r.Context(), r, "people", title); err != nil {
		return err
	}
	page.Live, page.Copies = false, true // it could not be fetched again
	return d.render(w, http.StatusOK, "link", page)
}

// A letInPage is where somebody comes who followed a link.
type letInPage struct {
	frame
	Reset   bool
	Address string // where the form goes
	Email   string
	Access  string
	Name    string
	Here    bool // passkeys can be made for the host of this page
	Problem string
}

// linked turns that a link is not there into the page for it.
func linked(err error) error {
	if err != nil && handoff.WordsOf(err) == "" && errors.Is(err, handoff.ErrNotFound) {
		return errLink
	}
	return err
}

// invitation shows an invitation to who has its link.
func (d *Desk) invitation(w http.ResponseWriter, r *http.Request) error {
	l, err := d.Store.Invitation(r.Context(), r.PathValue("token"))
	if err != nil {
		return linked(err)
	}
	return d.letIn(w, r, http.StatusOK, l, letInPage{frame: frame{Title: "You are invited"}})
}

// accept takes an invitation up with a name and a password, and signs in.
//
//	303  an operator from now on
//	404  the link leads nowhere any more
//	422  with the form: no name, or the password is no good
func (d *Desk) accept(w http.ResponseWriter, r *http.Request) error {
	token := r.PathValue("token")
	l, err := d.Store.Invitation(r.Context(), token)
	if err != nil {
		return linked(err)
	}
	if _, err := readForm(w, r); err != nil {
		return err
	}
	name := strings.TrimSpace(r.PostForm.Get("name"))
	err = handoff.CheckPerson(name, l.Email)
	hash := ""
	if err == nil {
		hash, err = HashPassword(r.PostForm.Get("password"))
	}
	if words := handoff.WordsOf(err); words != "" {
		return d.letIn(w, r, http.StatusUnprocessableEntity, l, letInPage{frame: frame{Title: "Error: You are invited"}, Name: clip(name, 4*handoff.MaxName), Problem: words})
	}
	u, err := d.Store.AcceptInvitation(r.Context(), token, name, hash, nil)
	if err != nil {
		return linked(err)
	}
	return d.enter(w, r, store.SignIn{Email: u.Email, With: "an invitation", Invited: true})
}

// enter opens a session for who followed a link.
func (d *Desk) enter(w http.ResponseWriter, r *http.Request, in store.SignIn) error {
	if err := d.openSession(w, r, in); err != nil {
		return err
	}
	http.Redirect(w, r, "/desk/", http.StatusSeeOther)
	return nil
}

func (d *Desk) letIn(w http.ResponseWriter, r *http.Request, status int, l store.Link, page letInPage) error {
	page.Address, page.Email, page.Access = r.URL.EscapedPath(), l.Email, d.grantWords(l.Role, l.Sites)
	if !page.Reset {
		_, page.Here = d.party(r)
		page.Keys = page.Here
	}
	return d.render(w, status, "letin", page)
}

// resetPage shows the form for a new password to who has a link to it.
func (d *Desk) resetPage(w http.ResponseWriter, r *http.Request) error {
	l, err := d.Store.ResetLink(r.Context(), r.PathValue("token"))
	if err != nil {
		return linked(err)
	}
	return d.letIn(w, r, http.StatusOK, l, letInPage{frame: frame{Title: "A new password"}, Reset: true})
}

// reset sets a new password, ends all sessions of its operator and signs in.
//
//	303  signed in
//	404  the link leads nowhere any more
//	422  with the form: the password is no good
func (d *Desk) reset(w http.ResponseWriter, r *http.Request) error {
	token := r.PathValue("token")
	l, err := d.Store.ResetLink(r.Context(), token)
	if err != nil {
		return linked(err)
	}
	if _, err := readForm(w, r); err != nil {
		return err
	}
	hash, err := HashPassword(r.PostForm.Get("password"))
	if err != nil {
		return d.letIn(w, r, http.StatusUnprocessableEntity, l, letInPage{frame: frame{Title: "Error: A new password"}, Reset: true, Problem: handoff.WordsOf(err)})
	}
	u, err := d.Store.UseReset(r.Context(), token, hash)
	if err != nil {
		return linked(err)
	}
	return d.enter(w, r, store.SignIn{Email: u.Email, With: "a link to a new password", PasswordHash: hash})
}
