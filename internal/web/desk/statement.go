package desk

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"handoff"
)

// statementDays is how many days the list of statements has.
const statementDays = 14

type statementsPage struct {
	frame
	Sites []statementSite
	Many  bool // there are several sites
}

// A statementSite is the newest statements of one site.
type statementSite struct {
	ID, Name, Zones string
	Swept           bool   // Cal.com's list is read
	Read            moment // when last; empty: never
	Asked           bool   // somebody just asked for it to be read
	Since           moment // from when on; days before it are left out
	Days            []statementDay
}

// A statementDay is the statement of one day in a row.
type statementDay struct {
	Label, Address string
	State          badge
	Statement      *handoff.Statement
	Tied, Queued   int
	Ignored, Other int
	Never          int
}

// statements lists the newest statements of each site.
func (d *Desk) statements(w http.ResponseWriter, r *http.Request) error {
	f, err := d.frame(r.Context(), r, "statements", "Statements")
	if err != nil {
		return err
	}
	page := statementsPage{frame: f, Many: d.as(r).many()}
	for _, s := range d.as(r).seen() {
		site := statementSite{ID: s.ID, Name: s.Name, Zones: s.zones(), Swept: s.Swept, Asked: r.URL.Query().Get("asked") == s.ID}
		first, end := handoff.DayOf(s.TimeZone, d.Now(), 1-statementDays), handoff.DayOf(s.TimeZone, d.Now(), 1)
		all, err := d.Store.Statement(r.Context(), s.ID, first, end, s.rules())
		if err != nil {
			return err
		}
		if !all.AsOf.IsZero() {
			site.Read, site.Since = soon(all.AsOf, d.Now(), s.zone), soon(all.Since, d.Now(), s.zone)
		}
		for i := range statementDays {
			st := all.Part(handoff.DayOf(s.TimeZone, d.Now(), -i), handoff.DayOf(s.TimeZone, d.Now(), 1-i))
			if !st.Read() && len(st.Listed) == 0 {
				break
			}
			site.Days = append(site.Days, d.statementRow(s, &st))
		}
		page.Sites = append(page.Sites, site)
	}
	return d.render(w, http.StatusOK, "statements", page)
}

// rules are those of a site's rules that a statement goes by.
func (s Site) rules() handoff.Rules {
	return handoff.Rules{Ignore: s.Ignore, EventTypes: slices.Collect(maps.Keys(s.EventTypes))}
}

func (d *Desk) statementRow(s Site, st *handoff.Statement) statementDay {
	return statementDay{
		Label: day(st.From, d.Now(), s.TimeZone), Address: "/desk/statements/" + url.PathEscape(s.ID) + "/" + st.From.In(s.TimeZone).Format(time.DateOnly),
		State: statementState(st), Statement: st,
		Tied: st.Count(handoff.AccountTied), Queued: st.Count(handoff.AccountQueued), Ignored: st.Count(handoff.AccountIgnored) + st.Count(handoff.AccountDismissed),
		Other: st.Count(handoff.AccountOtherType), Never: st.Untold(handoff.ToldNever),
	}
}

// statementState says in a word whether a statement holds.
func statementState(st *handoff.Statement) badge {
	switch {
	case st.Unread != "" || len(st.Unlisted) > 0:
		return badge{"Not whole", "care"}
	case st.Accounted() < st.Bookings():
		return badge{"Not accounted for", "wait"}
	case !st.Covered():
		return badge{"Read in part", "wait"}
	case st.Complete():
		return badge{"Complete", "good"}
	}
	return badge{"So far", "new"}
}

type statementPage struct {
	frame
	Site     string // empty with one site
	Sentence string
	Notes    []string
	Rows     []accountRow
	More     int // that are not shown
	Unlisted []accountRow
	Rules    []handoff.IgnoreRule // that ignore something here
	Zone     string
}

// maxAccounts is how many bookings a statement's page shows.
const maxAccounts = 1000

// An accountRow is where one booking has gone.
type accountRow struct {
	UID     string // empty for one of another event type
	Name    string // of the lead that it is tied to
	Made    moment
	Type    string
	Account badge
	Lead    handoff.LeadID
	Failure handoff.FailureID
	Rule    string
	Webhook string
}

var accounts = map[handoff.Account]badge{
	handoff.AccountTied: {"Tied to a lead", "good"}, handoff.AccountQueued: {"In the failure queue", "care"},
	handoff.AccountIgnored: {"Ignored by a rule", "end"}, handoff.AccountDismissed: {"Dismissed by a person", "end"}, handoff.AccountOtherType: {"Another event type", "plain"},
	handoff.AccountOpen: {"Not accounted for, or not yet", "wait"},
}

var told = map[handoff.Told]string{handoff.ToldInTime: "in time", handoff.ToldLate: "late", handoff.ToldNever: "none came"}

// statement shows the statement of one day, with the booking behind each number.
//
//	404  no such site, or no such day
func (d *Desk) statement(w http.ResponseWriter, r *http.Request) error {
	s, err := d.as(r).site(handoff.RoleViewer, r.PathValue("site"))
	if err != nil {
		return err
	}
	t, err := handoff.ParseDay(s.TimeZone, r.PathValue("day"))
	if err != nil {
		return fmt.Errorf("%w: %w", err, handoff.ErrNotFound)
	}
	st, err := d.Store.Statement(r.Context(), s.ID, t, handoff.DayOf(s.TimeZone, t, 1), s.rules())
	if err != nil {
		return err
	}
	f, err := d.frame(r.Context(), r, "statements", "Bookings made on "+t.Format("Monday 2 January 2006"))
	if err != nil {
		return err
	}
	page := statementPage{frame: f, Sentence: visible(st.Sentence()), Notes: st.Notes(s.TimeZone), Zone: zoneWords(s.TimeZone)}
	if d.as(r).many() {
		page.Site = s.Name
	}
	rules := st.ByRule()
	for _, rule := range s.Ignore {
		if rules[rule.Name] > 0 {
			page.Rules = append(page.Rules, rule)
		}
	}
	for i := range st.Listed[:min(len(st.Listed), maxAccounts)] {
		page.Rows = append(page.Rows, accountOf(s, &st.Listed[i]))
	}
	page.More = len(st.Listed) - len(page.Rows)
	for _, u := range st.Unlisted {
		page.Unlisted = append(page.Unlisted, accountRow{UID: u.UID, Made: madeAt(u.Made, s), Lead: u.Lead})
	}
	return d.render(w, http.StatusOK, "statement", page)
}

func accountOf(s Site, l *handoff.Listed) accountRow {
	row := accountRow{
		UID: l.UID, Name: l.Name(), Made: madeAt(l.Made, s), Account: accounts[l.Account()], Lead: l.Lead(), Failure: l.Failure, Rule: l.Rule(), Webhook: told[l.Told()],
	}
	if l.EventType != 0 {
		row.Type = "event type " + strconv.FormatInt(l.EventType, 10)
	}
	if slug, ours := s.EventTypes[l.EventType]; ours {
		row.Type = s.service(slug)
	}
	if l.UID == "" {
		row.Webhook = ""
	}
	return row
}

func madeAt(t time.Time, s Site) moment { return newMoment(t, t.In(s.TimeZone).Format("15:04")) }

// sweepNow makes it due to read Cal.com's list of a site's bookings at once.
//
//	303  back to the statements
//	404  no such site, or its list is not read
func (d *Desk) sweepNow(w http.ResponseWriter, r *http.Request) error {
	s, err := d.as(r).site(handoff.RoleOperator, r.PathValue("site"))
	if err != nil {
		return err
	}
	if !s.Swept {
		return handoff.ErrNotFound
	}
	if err := d.Store.Note(r.Context(), actorOf(r), handoff.Act{Action: "sweep.start", Site: s.ID}); err != nil {
		return err
	}
	if err := d.Store.StartSweep(r.Context(), s.ID); err != nil {
		return err
	}
	http.Redirect(w, r, "/desk/statements?asked="+url.QueryEscape(s.ID), http.StatusSeeOther)
	return nil
}
