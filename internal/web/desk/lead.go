package desk

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"handoff"
	"handoff/internal/store"
)

type leadPage struct {
	frame
	ID          handoff.LeadID
	Name        string
	Email       string
	Phone       string
	Service     string
	Site        string // empty with one site
	Stage       badge
	Next        moment
	NextNote    string
	Submitted   moment
	Zone        string
	SiteID      string
	StageID     handoff.Stage
	Work        bool     // who asks may change it
	Stages      []option // to move it to
	Undo        string   // the cause of the change that can be undone; empty: none can
	UndoTo      string   // to what stage that leads
	Link        string   // where its visitor books; empty: it is not known
	Remarks     []note
	Want        *wantForm   // to say that all calls ahead are wanted; nil: there is one, somebody did, or who asks may not
	Wanted      *wantedView // that somebody did
	Notes       []noteView
	Related     []leadRow
	Chains      []chain
	Submissions []submission
	Days        []timelineDay
	Cut         bool // more facts are known than are shown
}

// A submission is a form that was sent.
type submission struct {
	Anchor  string
	Service string
	At      moment
	Fields  []handoff.Answer // what differs from the lead, the message, the answers
	Consent handoff.Consent
	Agreed  moment
	Context []handoff.Answer
}

// maxFacts is how many facts the store gives of one lead.
const maxFacts = 500

// lead shows one lead, whole.
//
//	404  no such lead; also for what is no lead's ID
func (d *Desk) lead(w http.ResponseWriter, r *http.Request) error {
	id, err := handoff.ParseLeadID(r.PathValue("id"))
	if err != nil {
		return handoff.ErrNotFound
	}
	l, err := d.as(r).oneLead(r.Context(), id)
	if err != nil {
		return err
	}
	f, err := d.frame(r.Context(), r, "leads", l.Name)
	if err != nil {
		return err
	}
	related, err := d.Store.Related(r.Context(), l.Lead)
	if err != nil {
		return err
	}
	return d.render(w, http.StatusOK, "lead", d.as(r).leadPage(f, l, related))
}

// A noteView is a note as it is shown.
type noteView struct {
	ID, Text, Author string
	At               moment
	Delete           bool // who asks may delete it
}

// A wantedView says that a lead wants all its calls ahead.
type wantedView struct {
	All string // how many they are, in words
	By  string
	At  moment
}

// fillCalls shows what is said, or can be, of a lead with several calls ahead.
func (p *leadPage) fillCalls(site Site, l store.LeadDetail, now time.Time) {
	doubled := len(handoff.Doubled(l.Bookings, now))
	switch all := allWords(doubled); {
	case doubled == 0:
	case l.Wanted.Covers(l.Bookings, now):
		p.Wanted = &wantedView{all, l.Wanted.By, full(l.Wanted.At, site.zone)}
	case p.Work:
		p.Want = &wantForm{Lead: l.ID, Name: l.Name, Site: l.Site, All: all}
		for _, b := range handoff.CallsAhead(l.Bookings, now) {
			p.Want.Seen = append(p.Want.Seen, b.BookingKey)
		}
	}
}

// leadPage derives what is shown of a lead.
func (q reader) leadPage(f frame, l store.LeadDetail, related []store.RelatedLead) leadPage {
	site, now := q.siteOf(l.Site), q.Now()
	page := leadPage{
		frame: f, ID: l.ID, Name: l.Name, Email: l.Email, Phone: l.Phone,
		Service: site.service(l.Service), Stage: site.stage(l.Stage), Submitted: full(l.CreatedAt, site.zone),
		Zone: zoneWords(site.zone), Remarks: notes(site, l, now), Chains: chains(site, l, now),
		Days: timeline(site, l), Cut: len(l.Facts) >= maxFacts,
	}
	page.SiteID, page.StageID, page.Work = l.Site, l.Stage, q.actor.May(handoff.RoleOperator)
	for _, stage := range site.Pipeline.Stages {
		page.Stages = append(page.Stages, option{string(stage), label(string(stage)), stage == l.Stage})
	}
	page.fillCalls(site, l, now)
	page.Undo, page.UndoTo = undoable(site.Pipeline, l)
	if n := len(l.Submissions); n > 0 && site.BookingLink != nil && page.Work {
		page.Link = site.BookingLink(l.Submissions[n-1].ID)
	}
	for _, n := range l.Notes {
		page.Notes = append(page.Notes, noteView{n.ID, n.Text, n.Author, full(n.At, site.zone), page.Work && (n.Author == q.actor.Name || q.actor.May(handoff.RoleOwner))})
	}
	for _, one := range related {
		page.Related = append(page.Related, q.row(store.LeadSummary{Lead: one.Lead}, false))
	}
	if q.many() {
		page.Site = site.Name
	}
	if next := nextCall(l.Bookings, now); next != nil {
		page.Next = span(next.Start, next.End, site.zone)
		page.NextNote = statusWords[next.Status]
		if next.Start.Before(now) {
			page.NextNote = "taking place now"
		}
	}
	for _, s := range slices.Backward(l.Submissions) {
		page.Submissions = append(page.Submissions, q.submission(site, l.Lead, s))
	}
	return page
}

// undoable is the cause of a lead's last change, if a person's word is what holds it
// there, and the stage in which it would stand without; empty if there is nothing to undo.
func undoable(p handoff.Pipeline, l store.LeadDetail) (cause, to string) {
	if len(l.History) == 0 || l.Manual == nil {
		return "", ""
	}
	last, without := l.History[len(l.History)-1], p.Progress(l.Prior, l.Bookings).Stage
	if last.To != l.Stage || l.Manual.Stage != l.Stage || !strings.HasPrefix(last.Cause, "act_") || without == l.Stage {
		return "", ""
	}
	return last.Cause, label(string(without))
}

func (q reader) submission(site Site, l handoff.Lead, s handoff.Submission) submission {
	out := submission{
		Anchor: anchor("form", string(s.ID)), Service: site.service(s.Service), At: full(s.At, site.zone),
		Consent: s.Consent, Agreed: full(s.Consent.At, site.zone),
	}
	field := func(list *[]handoff.Answer, label, value string) {
		if value != "" {
			*list = append(*list, handoff.Answer{Label: label, Value: value})
		}
	}
	if s.Name != l.Name {
		field(&out.Fields, "Name", s.Name)
	}
	if !strings.EqualFold(s.Email, l.Email) {
		field(&out.Fields, "E-mail", s.Email)
	}
	if s.Phone != l.Phone {
		field(&out.Fields, "Phone", s.Phone)
	}
	for _, a := range s.Answers {
		field(&out.Fields, a.Label, a.Value)
	}
	field(&out.Fields, "Message", s.Message)
	field(&out.Context, "First page", s.Context.Landing)
	field(&out.Context, "Came from", s.Context.Referrer)
	for _, name := range sortedKeys(s.Context.Campaign) {
		field(&out.Context, name, s.Context.Campaign[name])
	}
	return out
}

// A chain is bookings that followed one another, the first one first.
type chain struct {
	Bookings []bookingView
}

// A bookingView is one booking of a chain.
type bookingView struct {
	Anchor   string
	UID      string
	Seat     string
	Status   badge
	Current  bool // nothing replaced it
	Time     moment
	Visitor  string // the same time in the visitor's zone, if that differs
	Host     string
	Attendee string
	Location string
	Link     string // to the location, if it is a web address
	Reason   string
	Marks    []string // what else was said of it
	Next     []bookingLink
}

type bookingLink struct{ UID, Anchor string }

var statusWords = map[handoff.Status]string{
	handoff.AwaitingPayment:     "Waiting for payment",
	handoff.Requested:           "Waiting for the host",
	handoff.Accepted:            "Confirmed",
	handoff.Cancelled:           "Cancelled",
	handoff.Rejected:            "Declined by the host",
	handoff.RescheduleRequested: "Host asked for another time",
	handoff.Rescheduled:         "Moved",
}

// chains puts a lead's bookings into chains, the chain with the newest fact first.
func chains(site Site, l store.LeadDetail, now time.Time) []chain {
	bookings := slices.Clone(l.Bookings)
	slices.SortStableFunc(bookings, func(a, b handoff.Booking) int { return a.FirstAt.Compare(b.FirstAt) })
	root := make([]int, len(bookings))
	newest := make([]time.Time, len(bookings))
	for i := range bookings {
		root[i] = i
	}
	for i := range bookings {
		for j := range bookings {
			if i != j && root[i] != root[j] && follows(&bookings[j], &bookings[i]) {
				from, to := max(root[i], root[j]), min(root[i], root[j])
				for k := range root {
					if root[k] == from {
						root[k] = to
					}
				}
			}
		}
	}
	members := make([]chain, len(bookings))
	for i := range bookings {
		b := &bookings[i]
		members[root[i]].Bookings = append(members[root[i]].Bookings, viewBooking(site, b, now))
		if b.LastAt.After(newest[root[i]]) {
			newest[root[i]] = b.LastAt
		}
	}
	var order []int
	for i := range members {
		if len(members[i].Bookings) > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return newest[b].Compare(newest[a]) })
	out := make([]chain, len(order))
	for i, m := range order {
		out[i] = members[m]
	}
	return out
}

// follows reports that a replaced b.
func follows(a, b *handoff.Booking) bool {
	return slices.Contains(b.Successors, a.BookingKey) || a.Predecessor == b.UID && a.UID != b.UID && a.Seat == b.Seat
}

func viewBooking(site Site, b *handoff.Booking, now time.Time) bookingView {
	v := bookingView{
		Anchor: anchor("booking", b.String()), UID: b.UID, Seat: b.Seat,
		Status: badge{bookingWords(b, now), bookingTone(b)}, Current: b.Status != handoff.Rescheduled,
		Time: span(b.Start, b.End, site.zone), Visitor: visitorTime(b, site.zone),
		Host: who(b.Host), Attendee: who(b.Attendee), Reason: b.Reason,
	}
	v.Location, v.Link = location(b.Location)
	for _, m := range []struct {
		said  bool
		words string
	}{
		{b.NoShow, "The visitor did not come"},
		{b.HostAbsent, "The host did not come"},
		{b.Paid, "Paid"},
		{b.Recurring, "One of several occurrences"},
		{b.Started && !b.Ended, "Started"},
	} {
		if m.said {
			v.Marks = append(v.Marks, m.words)
		}
	}
	for _, next := range b.Successors {
		v.Next = append(v.Next, bookingLink{next.UID, anchor("booking", next.String())})
	}
	return v
}

func bookingWords(b *handoff.Booking, now time.Time) string {
	switch {
	case b.Status == handoff.Accepted && b.NoShow:
		return "Missed"
	case b.Status == handoff.Accepted && b.Ended:
		return "Took place"
	case b.Status == handoff.Accepted && !b.End.IsZero() && b.End.Before(now):
		return "Confirmed, its time is over"
	}
	if words := statusWords[b.Status]; words != "" {
		return words
	}
	return "Nothing certain heard yet"
}

func bookingTone(b *handoff.Booking) string {
	switch {
	case b.Status == handoff.Rescheduled || b.Status == "":
		return "plain"
	case b.Status == handoff.Accepted && b.NoShow:
		return "care"
	case b.Status == handoff.Accepted && b.Ended:
		return "done"
	case b.Status == handoff.Accepted:
		return "good"
	case b.Live():
		return "wait"
	}
	return "care"
}

// visitorTime is the call's time in the visitor's zone; empty if that is not
// known or shows the same clock.
func visitorTime(b *handoff.Booking, in *time.Location) string {
	if b.Attendee.TimeZone == "" || b.Start.IsZero() {
		return ""
	}
	zone, err := time.LoadLocation(b.Attendee.TimeZone)
	if err != nil || b.Attendee.TimeZone == "Local" {
		return ""
	}
	at, here := b.Start.In(zone), b.Start.In(in)
	ends := b.End.In(zone).Format(time.DateTime) == b.End.In(in).Format(time.DateTime)
	if at.Format(time.DateTime) == here.Format(time.DateTime) && (ends || !b.End.After(b.Start)) {
		return ""
	}
	layout := "15:04"
	if at.Format(time.DateOnly) != here.Format(time.DateOnly) {
		layout = "Mon 2 Jan, 15:04"
	}
	return at.Format(layout) + until(b.Start, b.End, zone, false) + " " + zoneWords(zone)
}

// who names a person: name and address, or what there is.
func who(p handoff.Person) string {
	switch {
	case p.Name == "":
		return p.Email
	case p.Email == "":
		return p.Name
	}
	return p.Name + " <" + p.Email + ">"
}
