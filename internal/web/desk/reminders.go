package desk

import "net/http"

// A Letter is a reminder as its readers get it, with made-up values filled in.
type Letter struct {
	Number  int
	After   string // how long after the form: "3 hours"; empty: it is not sent
	From    string
	Subject string
	Text    string
}

type remindersPage struct {
	frame
	Sites []reminderSite
	Many  bool
}

type reminderSite struct {
	ID, Name, Quiet string
	Sent            bool
	Letters         []Letter
}

// reminders shows the letters to leads that did not book, as their readers get them.
func (d *Desk) reminders(w http.ResponseWriter, r *http.Request) error {
	f, err := d.frame(r.Context(), r, "reminders", "Reminders")
	if err != nil {
		return err
	}
	page := remindersPage{frame: f, Many: d.as(r).many()}
	for _, s := range d.as(r).seen() {
		page.Sites = append(page.Sites, reminderSite{s.ID, s.Name, s.Quiet, s.Reminds, s.Letters})
	}
	return d.render(w, http.StatusOK, "reminders", page)
}
