package desk

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"handoff"
	"handoff/internal/store"
)

// A timelineDay is a day in the site's zone, with what we heard on it.
type timelineDay struct {
	Day   string
	Items []timelineItem
}

// A timelineItem is a form that was sent, a fact that we heard, or a change of
// stage.
type timelineItem struct {
	Kind    string // "form", "fact" or "move"
	Anchor  string // its own
	At      time.Time
	Heard   moment
	Said    moment // Cal.com's time of a fact
	Title   string
	Detail  []string
	Booking *bookingLink
	Code    string // Cal.com's name of the event
	Raw     string // ID of a fact whose body is kept; empty: none is
	// Of a change of stage:
	From, To    badge
	Cause       string // in words
	CauseAnchor string // of the item that caused it, if it is shown
}

// rank orders what has the same time: the form, then the fact, then what it moved.
var rank = map[string]int{"form": 0, "fact": 1, "move": 2}

// timeline merges everything that happened to a lead, the newest first.
func timeline(site Site, l store.LeadDetail) []timelineDay {
	causes := map[string]timelineItem{} // by ID
	var items []timelineItem
	for _, s := range l.Submissions {
		item := sentItem(site, s, s.ID == l.Submissions[0].ID)
		causes[string(s.ID)], items = item, append(items, item)
	}
	for _, f := range l.Facts {
		item := factItem(site, l.ID, f)
		causes[f.ID], items = item, append(items, item)
	}
	for _, r := range l.Reminders {
		items = append(items, reminderItem(site, r))
	}
	for _, c := range l.History {
		items = append(items, moveItem(site, c, causes[c.Cause]))
	}
	slices.SortStableFunc(items, func(a, b timelineItem) int {
		// The store keeps microseconds in some places and more in others.
		return cmp.Or(a.At.Truncate(time.Microsecond).Compare(b.At.Truncate(time.Microsecond)), cmp.Compare(rank[a.Kind], rank[b.Kind]))
	})
	var days []timelineDay
	for _, item := range slices.Backward(items) {
		day := item.At.In(site.zone).Format("Monday 2 January 2006")
		if len(days) == 0 || days[len(days)-1].Day != day {
			days = append(days, timelineDay{Day: day})
		}
		last := &days[len(days)-1]
		last.Items = append(last.Items, item)
	}
	return days
}

func clock(t time.Time, site Site) moment {
	return newMoment(t, t.In(site.zone).Format("15:04:05"))
}

func sentItem(site Site, s handoff.Submission, first bool) timelineItem {
	item := timelineItem{Kind: "form", Anchor: anchor("sent", string(s.ID)), At: s.At, Heard: clock(s.At, site), Title: "Form sent"}
	if !first {
		item.Title = "Form sent again, with other answers"
	}
	item.Detail = append(item.Detail, site.service(s.Service))
	if from := s.Context.Source(); from != handoff.DirectSource {
		item.Detail = append(item.Detail, "from "+from)
	}
	return item
}

// reminders say in words how a reminder ended.
var reminders = map[handoff.ReminderState]string{
	handoff.ReminderSending: "is being sent", handoff.ReminderSent: "sent", handoff.ReminderRetry: "not taken by the mail server yet; it is tried again",
	handoff.ReminderRefused: "refused by the mail server", handoff.ReminderUnknown: "may have been sent; it is not sent again",
}

// reminderItem shows a reminder.
func reminderItem(site Site, r store.SentReminder) timelineItem {
	return timelineItem{
		Kind: "form", Anchor: anchor("reminder", strconv.Itoa(r.Number)), At: r.At, Heard: clock(r.At, site),
		Title: fmt.Sprintf("Reminder %d: %s", r.Number, reminders[r.State]),
	}
}

// moveItem shows a change of stage; cause is the item that caused it, if it is shown.
func moveItem(site Site, c handoff.Change, cause timelineItem) timelineItem {
	return timelineItem{
		Kind: "move", Anchor: anchor("move", string(c.To)+"\n"+c.Cause), At: c.At, Heard: clock(c.At, site),
		Title: "Stage", From: site.stage(c.From), To: site.stage(c.To), Cause: cmp.Or(cause.Title, c.Note, "not noted"), CauseAnchor: cause.Anchor,
	}
}

func factItem(site Site, lead handoff.LeadID, f store.Fact) timelineItem {
	item := timelineItem{
		Kind: "fact", Anchor: anchor("fact", f.ID), At: f.ReceivedAt, Heard: clock(f.ReceivedAt, site), Code: f.Trigger,
		Title: factTitle(f, lead), Detail: factDetail(site, f.Observation),
	}
	if !f.At.IsZero() && f.Source != handoff.FromOperator {
		item.Said = clock(f.At, site)
		if f.At.In(site.zone).Format(time.DateOnly) != f.ReceivedAt.In(site.zone).Format(time.DateOnly) {
			item.Said.Text = f.At.In(site.zone).Format("2 Jan 2006, 15:04:05")
		}
	}
	if f.Source == handoff.FromEvent {
		item.Raw = f.ID
	}
	if f.UID != "" {
		item.Booking = &bookingLink{f.UID, anchor("booking", handoff.BookingKey{UID: f.UID, Seat: f.Seat}.String())}
	}
	return item
}

// triggerWords are Cal.com's events in plain words. Where the content says more
// than the name, factTitle reads the content.
var triggerWords = map[string]string{
	"BOOKING_CREATED":                "Call booked",
	"BOOKING_REQUESTED":              "Call requested",
	"BOOKING_RESCHEDULED":            "Call moved to another time",
	"BOOKING_CANCELLED":              "Call cancelled",
	"BOOKING_REJECTED":               "Request declined by the host",
	"BOOKING_PAYMENT_INITIATED":      "Payment begun",
	"BOOKING_PAID":                   "Paid",
	"BOOKING_NO_SHOW_UPDATED":        "Presence noted",
	"MEETING_STARTED":                "Call started",
	"MEETING_ENDED":                  "Call ended",
	"AFTER_HOSTS_CAL_VIDEO_NO_SHOW":  "The host did not come",
	"AFTER_GUESTS_CAL_VIDEO_NO_SHOW": "The visitor did not come",
}

func factTitle(f store.Fact, lead handoff.LeadID) string {
	by := cmp.Or(visible(f.By), "An operator")
	switch {
	case f.Source == handoff.FromOperator && f.Withdraws != "":
		return by + " took back whose the booking is"
	case f.Source == handoff.FromOperator && f.Lead == lead:
		return by + " decided that the booking is this lead’s"
	case f.Source == handoff.FromOperator:
		return by + " decided whose the booking is"
	case f.Source == handoff.FromAPI:
		return "Cal.com’s answer when asked"
	case f.Status == handoff.RescheduleRequested:
		return "Host asked for another time"
	case f.Status == handoff.Requested && f.Predecessor != "":
		return "Another time requested"
	case f.Trigger == "BOOKING_CREATED" && f.Predecessor != "":
		return triggerWords["BOOKING_RESCHEDULED"]
	case triggerWords[f.Trigger] != "":
		return triggerWords[f.Trigger]
	}
	return "Cal.com: " + strings.ToLower(strings.ReplaceAll(f.Trigger, "_", " "))
}

// factDetail says what a fact tells, as far as it tells it.
func factDetail(site Site, o handoff.Observation) []string {
	var out []string
	if o.Source == handoff.FromAPI && o.Status != "" {
		out = append(out, statusWords[o.Status])
	}
	if !o.Start.IsZero() {
		out = append(out, "for "+span(o.Start, o.End, site.zone).Text)
	}
	if o.Predecessor != "" && o.Predecessor != o.UID {
		out = append(out, "instead of "+o.Predecessor)
	}
	if o.Reason != "" {
		out = append(out, "“"+o.Reason+"”")
	}
	if o.HostAbsent != nil && *o.HostAbsent {
		out = append(out, "host marked as absent")
	}
	for _, p := range o.Attendees {
		switch {
		case p.NoShow != nil && *p.NoShow:
			out = append(out, cmp.Or(p.Name, p.Email, "a guest")+" marked as absent")
		case p.NoShow != nil && o.Trigger == "BOOKING_NO_SHOW_UPDATED":
			out = append(out, cmp.Or(p.Name, p.Email, "a guest")+" not absent any more")
		}
	}
	if slices.ContainsFunc(o.Carried, func(c handoff.Carried) bool { return c.Verdict == handoff.Forged }) {
		out = append(out, "carried a reference that we did not sign") // said once: both carriers are one person's doing
	}
	return out
}
