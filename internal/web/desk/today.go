package desk

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"handoff"
	"handoff/internal/store"
)

// UnbookedWithin is how far back leads are looked for that did not book: who sent a form
// longer ago waits for nobody any more.
const UnbookedWithin = 30 * 24 * time.Hour

// readLate is how long after Cal.com's list of bookings was read last somebody has to
// know that it is not read any more: it is every five minutes.
const readLate = 20 * time.Minute

type todayPage struct {
	frame
	Day      string
	Zone     string // in which times are shown; empty if it differs by row
	Many     bool   // rows are of several sites
	Work     bool   // who asks may change leads
	Causes   []failureCause
	Waiting  []failureRow // of these, those that wait longest
	Unproved string       // how many deliveries proved nothing; empty: none

	Unbooked     []unbookedRow
	UnbookedMore string // how many there are, if not all are shown

	Doubled  []doubledRow
	Others   string // which calls of theirs may not be wanted
	Calls    []callRow
	Moved    []movedCount
	Moves    []moveRow
	Looked   string // what was looked at, in words
	Readings []reading
}

// Nothing reports that nothing needs a person.
func (p todayPage) Nothing() bool {
	return len(p.Causes)+len(p.Unbooked)+len(p.Doubled) == 0
}

// Sure reports that what was looked at is all that there is to look at.
func (p todayPage) Sure() bool {
	return !slices.ContainsFunc(p.Readings, func(r reading) bool { return r.Care })
}

// A reading says how far the bookings of a site are known.
type reading struct {
	Site string // empty with one site
	Text string
	Care bool // they are not known as they should be
}

type unbookedRow struct {
	leadRow
	SiteID  string
	StageID handoff.Stage
	Phone   string
	Asked   string        // whether they were reminded, in words
	Link    string        // where they book; empty: it is not shown
	Worked  handoff.Stage // the stage for who was talked to; empty: the site has none
	Mark    string        // that, in words
}

type doubledRow struct {
	leadRow
	Calls []callRow
	Want  *wantForm // nil: who asks may not change leads
}

// A wantForm is what a form has that says that a lead wants all its calls ahead.
type wantForm struct {
	Lead     handoff.LeadID
	Name     string
	Site     string
	All      string               // how many they are, in words
	Seen     []handoff.BookingKey // of all that is ahead
	FromHere string               // names the page to come back to; empty: the lead's
}

// allWords are so many calls, in words that begin a sentence.
func allWords(n int) string {
	if n == 2 {
		return "Both"
	}
	return "All " + number(n)
}

type callRow struct {
	When     moment
	Visitor  string // the same time in the visitor's zone, if that differs
	Lead     handoff.LeadID
	Name     string
	About    string // service, site and host
	Note     string // what else is to be said of it
	Host     string
	Location string
	Link     string
	Address  string // of the lead, or of what waits because of the call
}

type movedCount struct {
	Badge badge
	Count string
	First bool

	n    int
	more bool
}

type moveRow struct {
	At       moment
	Lead     handoff.LeadID
	Name     string
	Site     string
	From, To badge
	Note     string
}

// today shows what needs a person, the next calls, and what moved since yesterday.
//
//	200  also if there is nothing
//	303  to the list of leads, which had this address once
func (d *Desk) today(w http.ResponseWriter, r *http.Request) error {
	for _, name := range []string{"site", "stage", "service", "source", "q", "from", "to", "before"} {
		if r.URL.Query().Has(name) {
			http.Redirect(w, r, "/desk/leads?"+r.URL.Query().Encode(), http.StatusSeeOther)
			return nil
		}
	}
	ctx, see := r.Context(), d.as(r)
	f, err := d.frame(ctx, r, "today", "Today")
	if err != nil {
		return err
	}
	sites, now := see.seen(), d.Now()
	page := todayPage{frame: f, Zone: oneZone(sites, ""), Many: see.many(), Work: see.actor.May(handoff.RoleOperator)}
	zone := time.UTC
	if len(sites) > 0 {
		zone = sites[0].zone
	}
	page.Day = now.In(zone).Format("Monday 2 January")
	if err := d.causes(ctx, &page, see); err != nil {
		return err
	}
	var all []store.Today
	for _, s := range sites {
		t, err := d.Store.Today(ctx, s.ID, s.todayFilter(now))
		if err != nil {
			return err
		}
		all = append(all, t)
		page.Readings = append(page.Readings, d.reading(s, t.Reading, page.Many))
	}
	page.Looked = lookedAt(sites)
	see.fillToday(&page, all)
	return d.render(w, http.StatusOK, "today", page)
}

// todayFilter is what the first page asks of a site.
func (s Site) todayFilter(now time.Time) store.TodayFilter {
	f := store.TodayFilter{
		Stage: s.Pipeline.On[handoff.Submitted], UnbookedFrom: now.Add(-UnbookedWithin), UnbookedTo: now.Add(-s.UnbookedAfter),
		Over: now.Add(-s.Reminding.Over()), Since: handoff.DayOf(s.zone, now, -1),
	}
	if s.UnbookedAfter == 0 {
		f.UnbookedTo = f.UnbookedFrom
	}
	if s.Reminding != nil {
		f.LastReminder = len(s.Reminding.After)
	}
	return f
}

// causes counts what waits in the failure queue. What anybody can send needs nobody.
func (d *Desk) causes(ctx context.Context, page *todayPage, see reader) error {
	ids := []string{}
	for _, s := range see.seen() {
		ids = append(ids, s.ID)
	}
	counts, err := d.Store.Waiting(ctx, ids)
	if err != nil {
		return err
	}
	of, more := map[handoff.Reason]int{}, map[handoff.Reason]bool{}
	for _, c := range counts {
		of[c.Reason] += c.Count
		more[c.Reason] = more[c.Reason] || c.More
	}
	unproved, many := 0, false
	for _, text := range handoff.ReasonTexts {
		switch n := of[text.Reason]; {
		case n == 0:
		case text.Kind == handoff.FailedDelivery:
			unproved, many = unproved+n, many || more[text.Reason]
		default:
			page.Causes = append(page.Causes, failureCause{
				Reason: text.Reason, Title: text.Title, Count: counted(n, more[text.Reason]), Address: failureQuery{reason: text.Reason}.address(),
			})
		}
	}
	if unproved > 0 {
		page.Unproved = counted(unproved, many)
	}
	return nil
}

// fillToday merges what was read of each site.
func (q reader) fillToday(page *todayPage, all []store.Today) {
	var failures []store.FailureView
	var unbooked []store.Unbooked
	var doubled []store.DoubledLead
	var calls []sited[store.Call]
	var moves []sited[store.LeadMove]
	count := 0
	for _, t := range all {
		failures, unbooked, doubled = append(failures, t.Waiting...), append(unbooked, t.Unbooked...), append(doubled, t.Doubled...)
		count = min(count+t.UnbookedCount, store.MaxCount+1)
		for _, c := range t.Calls {
			calls = append(calls, sited[store.Call]{q.siteOf(t.Site), c})
		}
		for _, m := range t.Moves {
			moves = append(moves, sited[store.LeadMove]{q.siteOf(t.Site), m})
		}
		page.countMoved(q.siteOf(t.Site), t.Moved)
	}
	slices.SortFunc(failures, func(a, b store.FailureView) int { return a.LastAt.Compare(b.LastAt) })
	for _, f := range first(failures, failuresFew) {
		page.Waiting = append(page.Waiting, q.failureRow(f))
	}
	slices.SortStableFunc(unbooked, func(a, b store.Unbooked) int { return b.CreatedAt.Compare(a.CreatedAt) })
	for _, u := range first(unbooked, store.TodayShown) {
		page.Unbooked = append(page.Unbooked, q.unbookedRow(u, page.Work))
	}
	if count > len(page.Unbooked) {
		page.UnbookedMore = countWords(count)
	}
	slices.SortStableFunc(doubled, func(a, b store.DoubledLead) int { return a.Calls[0].Start.Compare(b.Calls[0].Start) })
	page.Others = others(2)
	for _, one := range first(doubled, store.TodayShown) {
		if len(one.Calls) > 2 {
			page.Others = others(len(one.Calls))
		}
		row := doubledRow{leadRow: q.row(store.LeadSummary{Lead: one.Lead}, false)}
		if page.Work {
			row.Want = &wantForm{one.ID, one.Name, one.Site, allWords(len(one.Calls)), one.Ahead, "today"}
		}
		for i := range one.Calls {
			row.Calls = append(row.Calls, page.callRow(q.siteOf(one.Site), store.Call{Booking: one.Calls[i], Lead: one.ID}, q.Now()))
		}
		page.Doubled = append(page.Doubled, row)
	}
	slices.SortStableFunc(calls, func(a, b sited[store.Call]) int { return a.of.Start.Compare(b.of.Start) })
	for _, c := range first(calls, store.TodayShown) {
		page.Calls = append(page.Calls, page.callRow(c.site, c.of, q.Now()))
	}
	slices.SortStableFunc(moves, func(a, b sited[store.LeadMove]) int { return b.of.At.Compare(a.of.At) })
	for _, m := range first(moves, store.TodayShown) {
		page.Moves = append(page.Moves, moveRow{
			At: soon(m.of.At, q.Now(), m.site.zone), Lead: m.of.Lead, Name: m.of.Name, Site: m.site.Name,
			From: m.site.stage(m.of.From), To: m.site.stage(m.of.To), Note: m.of.Note,
		})
	}
}

// sited is something of a site.
type sited[T any] struct {
	site Site
	of   T
}

func first[T any](all []T, n int) []T { return all[:min(len(all), n)] }

// countMoved adds how many leads of a site moved where.
func (p *todayPage) countMoved(s Site, moved []store.Moved) {
	for _, m := range moved {
		n, label := m.Count, s.stage(m.To)
		if m.First {
			label.Label = "New leads"
		}
		i := slices.IndexFunc(p.Moved, func(c movedCount) bool { return c.Badge == label && c.First == m.First })
		if i < 0 {
			p.Moved = append(p.Moved, movedCount{Badge: label, First: m.First})
			i = len(p.Moved) - 1
		}
		p.Moved[i].n += n
		p.Moved[i].more = p.Moved[i].more || m.More
		p.Moved[i].Count = counted(p.Moved[i].n, p.Moved[i].more)
	}
}

func (q reader) unbookedRow(u store.Unbooked, work bool) unbookedRow {
	site := q.siteOf(u.Site)
	row := unbookedRow{leadRow: q.row(store.LeadSummary{Lead: u.Lead}, false), SiteID: u.Site, StageID: u.Stage, Phone: u.Phone}
	switch {
	case u.Stopped:
		row.Asked = "wants no reminders"
	case u.Reminded > 0:
		row.Asked = "reminded " + times(u.Reminded)
	case site.Reminding != nil:
		row.Asked = "not reminded"
	}
	if !work {
		return row
	}
	if site.BookingLink != nil && u.Submission != "" {
		row.Link = site.BookingLink(u.Submission)
	}
	if row.Worked = site.Pipeline.Worked(); row.Worked != "" {
		row.Mark = "Mark as " + strings.ToLower(label(string(row.Worked)))
	}
	return row
}

// callRow shows a call.
func (p *todayPage) callRow(site Site, c store.Call, now time.Time) callRow {
	row := callRow{
		When: soon(c.Start, now, site.zone), Visitor: visitorTime(&c.Booking, site.zone), Lead: c.Lead, Name: cmp.Or(c.Name, c.Attendee.Name, c.Attendee.Email),
		Host: cmp.Or(c.Host.Name, c.Host.Email), Address: leadAddress(c.Lead) + "#" + anchor("booking", c.BookingKey.String()),
	}
	if c.Lead == "" {
		row.Address = ofBooking(c.UID)
	}
	row.When.Text += until(c.Start, c.End, site.zone, p.Zone == "")
	about := []string{cmp.Or(site.service(cmp.Or(c.Service, site.EventTypes[c.EventType])), c.Title)}
	if p.Many {
		about = append(about, site.Name)
	}
	if row.Host != "" {
		about = append(about, "with "+row.Host)
	}
	row.About = strings.Join(slices.DeleteFunc(about, func(s string) bool { return s == "" }), " · ")
	row.Location, row.Link = location(c.Booking.Location)
	switch {
	case c.Status == handoff.Requested:
		row.Note = "not confirmed"
	case c.Status == handoff.AwaitingPayment:
		row.Note = "not paid"
	case c.Start.Before(now):
		row.Note = "now"
	}
	return row
}

// lookedAt says what the first page looked at.
func lookedAt(sites []Site) string {
	var waits []string
	for _, s := range sites {
		if words := hoursWords(s.UnbookedAfter); s.UnbookedAfter > 0 && !slices.Contains(waits, words) {
			waits = append(waits, words)
		}
	}
	if len(waits) == 0 {
		return "Looked at: the failure queue, and leads with more than one call ahead, unless somebody said that all are wanted."
	}
	return fmt.Sprintf("Looked at: the failure queue, leads of the last %d days that sent a form %s ago or longer and did not book, and leads with more than one call ahead, unless somebody said that all are wanted.",
		UnbookedWithin/(24*time.Hour), strings.Join(waits, " or "))
}

// hoursWords says a time span in words.
func hoursWords(d time.Duration) string {
	n, unit := int(d/time.Hour), "hour"
	if d >= 48*time.Hour && d%(24*time.Hour) == 0 {
		n, unit = n/24, "day"
	}
	if n != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", n, unit)
}

// reading says how far the bookings of a site are known.
func (d *Desk) reading(s Site, r store.Reading, many bool) reading {
	out := reading{Care: true}
	if many {
		out.Site = s.Name
	}
	now := d.Now()
	at := func(t time.Time) string { return soon(t, now, s.zone).Text }
	switch failing := r.Attempts > 1; { // one is the attempt that is being made
	case !s.Swept:
		out.Text = "Cal.com’s list of bookings is not read, since there is no key of its API: a booking of which no webhook came is missing here."
	case r.EndedAt.IsZero() && failing:
		out.Text = "Cal.com’s list of bookings could not be read so far: a booking of which no webhook came is missing here."
	case r.EndedAt.IsZero():
		out.Text = "Cal.com’s list of bookings was not read yet."
	case failing:
		out.Text = "Reading Cal.com’s list of bookings fails at the moment. It is known as of " + at(r.AsOf) + "."
	case now.Sub(r.EndedAt) > readLate:
		out.Text = "Cal.com’s list of bookings was read last " + at(r.EndedAt) + ", which is longer ago than it should be."
	default:
		out.Text, out.Care = "Cal.com’s list of bookings is known as of "+at(r.AsOf)+".", false
	}
	return out
}

// ofBooking is where what waits because of a booking is listed.
func ofBooking(uid string) string { return "/desk/failures?" + url.Values{"uid": {uid}}.Encode() }
