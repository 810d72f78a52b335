package desk

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"handoff"
	"handoff/internal/csp"
	"handoff/internal/store"
)

// How much of its deliveries a site's page shows.
const (
	hoursShown = 48
	daysShown  = 30
)

type sitesPage struct {
	frame
	Sites []siteRow
}

type siteRow struct {
	ID, Name, URL, Address string
	State                  badge
	Heard                  moment // the last delivery that was verified; empty: none
	Read                   string // how far Cal.com's list is known
}

// siteList lists the sites that are seen, with how each does.
func (d *Desk) siteList(w http.ResponseWriter, r *http.Request) error {
	f, err := d.frame(r.Context(), r, "sites", "Sites")
	if err != nil {
		return err
	}
	page := sitesPage{frame: f}
	for _, s := range d.as(r).seen() {
		v, err := d.Store.ViewSite(r.Context(), s.ID, d.Now().Add(-time.Hour))
		if err != nil {
			return err
		}
		row := siteRow{ID: s.ID, Name: s.Name, URL: s.URL, Address: siteAddress(s.ID), Read: d.reading(s, v.Reading, false).Text}
		if row.State = (badge{"Well", "good"}); len(v.Alarms) > 0 {
			row.State = badge{"Alarm", "care"}
		}
		if at := heardAt(v); !at.IsZero() {
			row.Heard = soon(at, d.Now(), s.zone)
		}
		page.Sites = append(page.Sites, row)
	}
	return d.render(w, http.StatusOK, "sites", page)
}

func siteAddress(id string) string { return "/desk/sites/" + url.PathEscape(id) }

// heardAt is when a delivery was verified last, as far as it is known.
func heardAt(v store.SiteView) time.Time {
	last := v.WebhookAt
	for sign, at := range v.Signs {
		if strings.HasPrefix(sign, store.SignSecret) && at.After(last) {
			last = at
		}
	}
	return last
}

type sitePage struct {
	frame
	ID, Name, URL string
	Zones         string // of times and days, in a sentence
	Health        []connection
	Other         []alarm // open, and of none of these connections
	Hours, Days   deliveries
	Secrets       []secretRow // for owners
	Policies      []policyText
	Settings      []SettingGroup // for owners
	File          string
}

// A connection is one of a site's with the world outside, and how it does.
type connection struct {
	Name   string
	State  badge
	What   []string
	AtOnce string // the command that looks at once; empty: there is none
	Alarms []alarm
}

type alarm struct {
	ID     handoff.FailureID
	Title  string
	Detail string
	Since  moment
}

// deliveries are how many came, as a picture and as a table.
type deliveries struct {
	chart
	Rows []deliveryRow // the newest first
}

type deliveryRow struct {
	When              string
	Verified, Refused int
}

type secretRow struct {
	Fingerprint string
	State       badge
	Used        moment // when it last signed a delivery; empty: it is not known to
	Until       moment
}

// A policyText is a header to paste where the booking step is served by somebody else.
type policyText struct{ ID, Name, Value, Why string }

// sitePage shows how one site does, and, to owners, how it is set up.
//
//	404  no such site
func (d *Desk) sitePage(w http.ResponseWriter, r *http.Request) error {
	s, err := d.as(r).site(handoff.RoleViewer, r.PathValue("site"))
	if err != nil {
		return err
	}
	now := d.Now()
	first := handoff.DayOf(s.TimeZone, now, 1-daysShown)
	v, err := d.Store.ViewSite(r.Context(), s.ID, first)
	if err != nil {
		return err
	}
	f, err := d.frame(r.Context(), r, "sites", s.Name)
	if err != nil {
		return err
	}
	page := sitePage{
		frame: f, ID: s.ID, Name: s.Name, URL: s.URL, Zones: s.zones(),
		Hours: d.byHour(s, v.Hours, now), Days: d.byDay(s, v.Hours, now), Policies: policies(s),
	}
	page.Health, page.Other = d.connections(s, v)
	if f.May(handoff.RoleOwner) {
		page.Secrets, page.Settings, page.File = d.secrets(s, v), s.Settings, s.File
	}
	return d.render(w, http.StatusOK, "site", page)
}

// alarms takes those of some reasons out of what is open.
func (d *Desk) alarms(s Site, open *[]store.FailureView, reasons ...handoff.Reason) []alarm {
	var out []alarm
	*open = slices.DeleteFunc(*open, func(f store.FailureView) bool {
		if len(reasons) > 0 && !slices.Contains(reasons, f.Reason) {
			return false
		}
		out = append(out, alarm{f.ID, failureTitle(f), visible(f.Detail), soon(f.ReceivedAt, d.Now(), s.zone)})
		return true
	})
	return out
}

// connections say how a site does with each that it has; and what else is alarming.
func (d *Desk) connections(s Site, v store.SiteView) ([]connection, []alarm) {
	now, open := d.Now(), slices.Clone(v.Alarms)
	at := func(t time.Time) string { return soon(t, now, s.zone).Text }
	list := []connection{d.webhook(s, v), d.list(s, v), {Name: "Calendars in the site’s pages"}, {Name: "Mail server"}, people(s)}
	webhook, sweep, calendars, mail, tells := &list[0], &list[1], &list[2], &list[3], &list[4]
	webhook.Alarms = d.alarms(s, &open, handoff.WebhookSilent, handoff.WebhookLossy, handoff.BodyChanged)
	sweep.Alarms = d.alarms(s, &open, handoff.SweepFailing, handoff.BookingUnreadable)
	calendars.Alarms, mail.Alarms = d.alarms(s, &open, handoff.CalendarHidden), d.alarms(s, &open, handoff.MailFailing)
	tells.Alarms = d.alarms(s, &open, handoff.TellingFailing)

	if looked := v.Signs[store.SignCalendars]; looked.IsZero() {
		calendars.State, calendars.What = badge{"Not looked at yet", "new"}, []string{"The server looks two minutes after its start, and then each day."}
	} else {
		calendars.State, calendars.What = badge{"Well", "good"}, []string{"Looked at last " + at(looked) + "; the server looks each day."}
	}
	calendars.AtOnce = "handoff check"
	switch {
	case !s.Mails:
		mail.State, mail.What = badge{"None", "plain"}, []string{"No mail server is configured: no reminder is sent, and nobody is told by mail."}
	case v.Letter == nil:
		mail.State, mail.What = badge{"Not used yet", "new"}, []string{"No reminder was sent so far."}
	default:
		mail.State, mail.What = badge{"Well", "good"}, []string{"The last reminder: " + reminders[v.Letter.State] + ", " + at(v.Letter.At) + "."}
	}
	for i := range list {
		if len(list[i].Alarms) > 0 {
			list[i].State = badge{"Alarm", "care"}
		}
	}
	return list, d.alarms(s, &open)
}

// people says where people of a site are told of what happens.
func people(s Site) connection {
	c := connection{Name: "Messages to your people", State: badge{"Well", "good"}}
	if len(s.Tells) == 0 {
		c.State, c.What = badge{"None", "plain"}, []string{"Nobody is told of bookings, failures and alarms: there is no notify in the configuration."}
		return c
	}
	c.What = []string{strings.Join(s.Tells, "; ") + ". One that takes no message three times in a row is an alarm."}
	return c
}

// webhook says when it was heard of last.
func (d *Desk) webhook(s Site, v store.SiteView) connection {
	c := connection{Name: "Webhook of Cal.com", State: badge{"Well", "good"}}
	at := func(t time.Time) string { return soon(t, d.Now(), s.zone).Text }
	if heard := heardAt(v); heard.IsZero() {
		c.State, c.What = badge{"Not heard yet", "new"}, []string{"No delivery was verified so far."}
	} else {
		c.What = []string{"The last delivery that was verified came " + at(heard) + "."}
	}
	if !v.RefusedAt.IsZero() {
		c.What = append(c.What, "The last that proved nothing, of those that wait, came "+at(v.RefusedAt)+".")
	}
	if s.Swept {
		c.What = append(c.What, "An alarm is raised once Cal.com’s list shows bookings of which no webhook told.")
	} else {
		c.What = append(c.What, "Silence raises no alarm: without a key of Cal.com’s API nobody knows what a webhook should have told.")
	}
	return c
}

// list says how Cal.com's list of bookings is read.
func (d *Desk) list(s Site, v store.SiteView) connection {
	how := d.reading(s, v.Reading, false)
	c := connection{Name: "Cal.com’s list of bookings", State: badge{"Well", "good"}, What: []string{how.Text}}
	switch {
	case !s.Swept:
		c.State = badge{"Not read", "plain"}
		return c
	case v.Reading.EndedAt.IsZero() && v.Reading.Attempts < 2:
		c.State = badge{"Not read yet", "new"}
	case how.Care:
		c.State = badge{"Fails", "care"}
	}
	switch next := v.Reading.DueAt; {
	case next.IsZero():
		c.What = append(c.What, "Nobody means to read it again: is a server running?")
	case next.After(d.Now()):
		c.What = append(c.What, "It is read again "+soon(next, d.Now(), s.zone).Text+".")
	default:
		c.What = append(c.What, "It is being read, or is next.")
	}
	if !v.SweptSince.IsZero() {
		c.What = append(c.What, "It is known without a gap from "+full(v.SweptSince, s.zone).Text+" on.")
	}
	return c
}

// byHour are the deliveries of the last hours.
func (d *Desk) byHour(s Site, hours map[string]store.Deliveries, now time.Time) deliveries {
	var rows []deliveryRow
	for i := range hoursShown {
		t := now.Truncate(time.Hour).Add(-time.Duration(i) * time.Hour)
		n := hours[store.Hour(t)]
		rows = append(rows, deliveryRow{soon(t, now, s.zone).Text, n.Verified, n.Refused})
	}
	return drawDeliveries("by-hour", "Deliveries of the last 48 hours, by the hour", rows)
}

// byDay are the deliveries of the last days, in the site's zone.
func (d *Desk) byDay(s Site, hours map[string]store.Deliveries, now time.Time) deliveries {
	var rows []deliveryRow
	for i := range daysShown {
		from, to := handoff.DayOf(s.TimeZone, now, -i), handoff.DayOf(s.TimeZone, now, 1-i)
		row := deliveryRow{When: day(from, now, s.TimeZone)}
		for t := from.Truncate(time.Hour); t.Before(to); t = t.Add(time.Hour) { // of a zone beside the full hour, to the hour
			n := hours[store.Hour(t)]
			row.Verified, row.Refused = row.Verified+n.Verified, row.Refused+n.Refused
		}
		rows = append(rows, row)
	}
	return drawDeliveries("by-day", "Deliveries of the last 30 days, by the day", rows)
}

func drawDeliveries(id, title string, rows []deliveryRow) deliveries {
	var values []barValue
	for _, r := range slices.Backward(rows) {
		values = append(values, barValue{r.When, r.Verified, r.Refused})
	}
	return deliveries{newChart(id, title, values), rows}
}

// secrets are a site's webhook secrets, the current one first.
func (d *Desk) secrets(s Site, v store.SiteView) []secretRow {
	if s.Secrets == nil {
		return nil
	}
	var out []secretRow
	now := d.Now()
	for _, secret := range s.Secrets() {
		row := secretRow{Fingerprint: strings.TrimPrefix(secret.Sign, store.SignSecret), State: badge{"Current", "good"}}
		if used := v.Signs[secret.Sign]; !used.IsZero() {
			row.Used = soon(used, now, s.zone)
		}
		if !secret.Until.IsZero() {
			row.Until = full(secret.Until, s.zone)
			if row.State = (badge{"Former, still accepted", "wait"}); !now.Before(secret.Until) {
				row.State = badge{"Former, only recognised", "end"}
			}
		}
		out = append(out, row)
	}
	return out
}

// policies are the headers of the page with the calendar, for who serves it elsewhere.
func policies(s Site) []policyText {
	policy, err := csp.Booking(s.Origins...)
	if err != nil {
		return nil // of a site without an origin
	}
	permissions, err := csp.PermissionsPolicy(s.Origins...)
	if err != nil {
		return nil
	}
	frames, _ := policy.Sources("frame-src")
	return []policyText{
		{"frames", "To add to a policy that you have", "frame-src " + strings.Join(frames, " "), "The least that lets the calendar stand in your page. Nothing else of Cal.com is needed."},
		{"policy", "Content-Security-Policy", policy.String(), "The whole policy that Handoff’s own page with the calendar has."},
		{"permissions", "Permissions-Policy", permissions, "Payment is for event types that are paid in the calendar."},
		{"referrer", "Referrer-Policy", "strict-origin", "A reference in the address lets its bearer see a booking: it goes to nobody else."},
		{"robots", "X-Robots-Tag", "noindex, nofollow", "Pages with a reference in their address belong into no search engine."},
	}
}
