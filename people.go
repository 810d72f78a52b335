package handoff

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A Role says what an operator or a key of the API may do. The names are stored.
type Role string

const (
	RoleOwner    Role = "owner"    // everything, also who else may do what
	RoleOperator Role = "operator" // works leads and settles failures
	RoleViewer   Role = "viewer"   // reads
)

// Roles lists them, the mightiest first.
var Roles = []Role{RoleOwner, RoleOperator, RoleViewer}

// An Actor is who does something: an operator at the desk, a key of the API, or the
// command line. The zero value may do nothing.
type Actor struct {
	Name  string // as the audit log has it: an e-mail address, "key " and a key's name, "command line"
	Role  Role
	Sites []string // the only ones that it sees; nil: all
}

// CommandLine acts for whoever can run commands beside the store.
var CommandLine = Actor{Name: "command line", Role: RoleOwner}

// Sees reports whether the actor may read what is of a site.
func (a Actor) Sees(site string) bool {
	return slices.Contains(Roles, a.Role) && (a.Sites == nil || slices.Contains(a.Sites, site))
}

// SeenOf keeps, of a list of sites, those that the actor sees.
func (a Actor) SeenOf(sites []string) []string {
	return slices.DeleteFunc(slices.Clone(sites), func(site string) bool { return !a.Sees(site) })
}

// May reports whether the actor has at least a role.
func (a Actor) May(least Role) bool {
	has, needs := slices.Index(Roles, a.Role), slices.Index(Roles, least)
	return has >= 0 && needs >= 0 && has <= needs
}

// Need returns ErrForbidden unless the actor has at least a role, and ErrNotFound for
// a site that it does not see: what is there is not for it to know.
func (a Actor) Need(least Role, site string) error {
	if !a.Sees(site) {
		return fmt.Errorf("site %s: %w", site, ErrNotFound)
	}
	if !a.May(least) {
		return fmt.Errorf("it takes the role %s: %w", least, ErrForbidden)
	}
	return nil
}

// CheckGrant returns ErrInvalid, with words, unless somebody can be given a role on sites
// (nil: all). Who decides over others sees all that they can.
func CheckGrant(role Role, sites []string) error {
	switch {
	case !slices.Contains(Roles, role):
		return Refuse(ErrInvalid, "There is no role %q: choose owner, operator or viewer.", role)
	case sites == nil:
		return nil
	case role == RoleOwner:
		return Refuse(ErrInvalid, "An owner sees all sites. Choose another role, or all sites.")
	case len(sites) == 0:
		return Refuse(ErrInvalid, "Choose at least one site, or all sites.")
	}
	for i, site := range sites {
		if site == "" || strings.ContainsFunc(site, unicode.IsSpace) || slices.Contains(sites[:i], site) {
			return Refuse(ErrInvalid, "The sites are not a list of different site IDs.")
		}
	}
	return nil
}

// CheckPerson returns ErrInvalid, with words, unless somebody can have a name and an
// e-mail address to sign in with.
func CheckPerson(name, email string) error {
	switch {
	case !validEmail(email):
		return Refuse(ErrInvalid, "Enter an e-mail address in the correct format, like name@example.com.")
	case strings.TrimSpace(name) == "" || tooLong(name, MaxName) || !printable(name, false):
		return Refuse(ErrInvalid, "Enter a name of %d characters or fewer.", MaxName)
	}
	return nil
}

// An Act is one row of the audit log: what somebody did. It names things by their IDs
// and holds nothing personal of a visitor, so that it can outlive them.
type Act struct {
	ID      string    `json:"id"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"`
	Action  string    `json:"action"` // one of Actions
	Site    string    `json:"site,omitempty"`
	Subject string    `json:"subject,omitempty"` // the ID of what it was done to
	Detail  string    `json:"detail,omitempty"`  // before and after, in plain words
}

// Actions are the names of all acts. They are stable: they are stored and shown in JSON.
var Actions = []string{
	"audit.export", "failure.ask", "failure.attach", "failure.dismiss", "failure.undo", "failure.verify",
	"invitation.make", "invitation.revoke", "key.create", "key.revoke", "lead.calls", "lead.calls.undo",
	"lead.export", "lead.stage", "lead.stage.undo", "note.add", "note.delete", "passkey.add", "passkey.refused",
	"passkey.remove", "reset.make", "session.end", "session.leave", "session.open", "session.refused",
	"sweep.start", "user.access", "user.add", "user.password", "user.remove", "user.zone",
	"view.delete", "view.save",
}
