package desk

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"handoff"
	"handoff/internal/store"
)

type apiKeysPage struct {
	frame
	Keys    []apiKeyRow
	Zone    string
	Scopes  []box
	Sites   []box // empty with one site
	Days    []box
	Name    string // as it was typed
	Problem string
	Token   string // of the key that was just made; empty: none was
	Made    string // its name
}

// A box is one thing to choose in a form.
type box struct {
	Value, Label string
	Chosen       bool
}

// An apiKeyRow is one key in the list.
type apiKeyRow struct {
	ID, Name, Scopes, Sites, By string
	Expires, Used               moment
	State                       badge
	Works                       bool
}

// scopeWords say what each scope is for.
var scopeWords = map[handoff.Scope]string{
	handoff.LeadsRead: "read leads and their bookings", handoff.LeadsWrite: "move leads, write notes",
	handoff.FailuresRead: "read the failure queue", handoff.FailuresWrite: "settle failures",
	handoff.SitesRead: "read how sites do, and statements", handoff.AuditRead: "read what people and keys did",
}

// apiKeys lists the keys of the API and has the form for another. It is for owners.
//
//	403  not an owner
func (d *Desk) apiKeys(w http.ResponseWriter, r *http.Request) error {
	return d.apiKeysPage(w, r, http.StatusOK, apiKeysPage{}, nil)
}

// apiKeysPage renders the page around what it says already; chosen is what the form had.
func (d *Desk) apiKeysPage(w http.ResponseWriter, r *http.Request, status int, page apiKeysPage, chosen map[string][]string) error {
	keys, err := d.Store.Keys(r.Context(), actorOf(r))
	if err != nil {
		return err
	}
	if page.frame, err = d.frame(r.Context(), r, "api-keys", "Keys of the API"); err != nil {
		return err
	}
	page.Live, page.Copies = false, page.Token != "" // what is shown once must not be replaced
	if page.Problem != "" {
		page.Title = "Error: " + page.Title
	}
	for _, k := range keys {
		page.Keys = append(page.Keys, d.as(r).apiKeyRow(k))
	}
	page.Zone = zoneWords(d.as(r).zoneOf(""))
	for _, s := range handoff.Scopes {
		page.Scopes = append(page.Scopes, box{string(s), scopeWords[s], slices.Contains(chosen["scope"], string(s))})
	}
	if sites := d.as(r).seen(); len(sites) > 1 {
		for _, s := range sites {
			page.Sites = append(page.Sites, box{s.ID, s.Name, slices.Contains(chosen["site"], s.ID)})
		}
	}
	for _, days := range []string{"30", "90", "365", "730"} {
		page.Days = append(page.Days, box{days, days + " days", days == "365"})
	}
	return d.render(w, status, "api-keys", page)
}

func (q reader) apiKeyRow(k store.Key) apiKeyRow {
	row := apiKeyRow{
		ID: k.ID, Name: visible(k.Name), By: k.CreatedBy, Scopes: strings.Join(handoff.ScopeNames(k.Scopes), ", "), Sites: "all sites", Works: k.Works(q.Now()),
		Expires: q.when(k.ExpiresAt), Used: q.when(k.LastUsedAt),
		State: badge{"Works", "good"},
	}
	var sites []string
	for _, s := range k.Sites {
		sites = append(sites, q.siteOf(s).Name)
	}
	if k.Sites != nil {
		row.Sites = strings.Join(sites, ", ")
	}
	switch {
	case !k.RevokedAt.IsZero():
		row.State = badge{"Revoked", "end"}
	case !row.Works:
		row.State = badge{"Expired", "plain"}
	}
	return row
}

// createAPIKey makes a key, and shows its token, which no other page can: so there is
// no redirect. The form sent again makes no second one, since its name is taken.
//
//	201  with the token
//	403  not an owner
//	422  the form says what is wrong
func (d *Desk) createAPIKey(w http.ResponseWriter, r *http.Request) error {
	v, err := readForm(w, r)
	if err != nil {
		return err
	}
	by := actorOf(r)
	k := handoff.APIKey{Name: strings.TrimSpace(v.Get("name")), Sites: by.Sites}
	for _, s := range v["scope"] {
		k.Scopes = append(k.Scopes, handoff.Scope(s))
	}
	for _, site := range v["site"] {
		if _, ok := d.sites[site]; !ok || !by.Sees(site) {
			return handoff.ErrNotFound
		}
		k.Sites = v["site"]
	}
	days, err := strconv.Atoi(v.Get("days"))
	if err != nil || days < 1 || days > 730 {
		return handoff.ErrInvalid
	}
	k.ExpiresAt = d.Now().Add(time.Duration(days) * 24 * time.Hour)
	made, token, err := d.Store.CreateKey(r.Context(), by, k)
	page, status := apiKeysPage{Token: token, Made: visible(made.Name)}, http.StatusCreated
	if words := handoff.WordsOf(err); words != "" {
		page, status = apiKeysPage{Name: k.Name, Problem: words}, http.StatusUnprocessableEntity
	} else if err != nil {
		return err
	}
	if err == nil {
		v = nil // the form is for another one
	}
	return d.apiKeysPage(w, r, status, page, v)
}

// revokeAPIKey ends a key.
//
//	303  back to the list
//	403  not an owner
//	404  no such key
func (d *Desk) revokeAPIKey(w http.ResponseWriter, r *http.Request) error {
	if err := d.Store.RevokeKey(r.Context(), actorOf(r), clip(r.PathValue("id"), 60)); err != nil {
		return err
	}
	http.Redirect(w, r, "/desk/api-keys", http.StatusSeeOther)
	return nil
}
