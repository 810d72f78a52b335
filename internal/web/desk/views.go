package desk

import (
	"net/http"
	"net/url"

	"handoff"
	"handoff/internal/store"
)

// viewLinks are the views of an operator, as the list shows them.
func viewLinks(views []store.View, q query) []viewLink {
	var out []viewLink
	for _, v := range views {
		address := "/desk/leads"
		if v.Query != "" {
			address += "?" + v.Query
		}
		out = append(out, viewLink{v.Name, address, v.Query == q.first().values().Encode()})
	}
	return out
}

// saveView keeps the list that is shown, under a name.
//
//	303  to the list
//	400  no name, or too many views
func (d *Desk) saveView(w http.ResponseWriter, r *http.Request) error {
	v, err := readForm(w, r)
	if err != nil {
		return err
	}
	asked, err := url.ParseQuery(v.Get("query"))
	if err != nil {
		return handoff.ErrInvalid
	}
	q, err := readQuery(asked)
	if err != nil {
		return err
	}
	q = q.first()
	if err := d.Store.PutView(r.Context(), actorOf(r), store.View{Name: v.Get("view"), Query: q.values().Encode()}); err != nil {
		return err
	}
	http.Redirect(w, r, q.address(), http.StatusSeeOther)
	return nil
}

// deleteView forgets a view of who is signed in.
//
//	303  to all leads
//	404  no such view
func (d *Desk) deleteView(w http.ResponseWriter, r *http.Request) error {
	v, err := readForm(w, r)
	if err != nil {
		return err
	}
	if err := d.Store.DeleteView(r.Context(), actorOf(r), v.Get("view")); err != nil {
		return err
	}
	http.Redirect(w, r, "/desk/leads", http.StatusSeeOther)
	return nil
}
