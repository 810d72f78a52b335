package public

import (
	"net/url"
	"strings"
	"time"
)

// When says a time as people do, in a zone: "Tue 1 Dec, 10:00–10:30". A call past
// midnight has the second day too.
func When(start, end time.Time, zone *time.Location) string {
	start, end = start.In(zone), end.In(zone)
	last := end.Format("15:04")
	if start.Format(time.DateOnly) != end.Format(time.DateOnly) {
		last = end.Format("Mon 2 Jan, 15:04")
	}
	return start.Format("Mon 2 Jan, 15:04") + "–" + last
}

// Zone names a zone beside a time: "Europe/London (GMT)".
func Zone(at time.Time, zone *time.Location) string {
	abbreviation, _ := at.In(zone).Zone()
	if strings.HasPrefix(abbreviation, "+") || strings.HasPrefix(abbreviation, "-") {
		abbreviation = "UTC" + abbreviation // zones without letters, such as Asia/Dubai
	}
	if abbreviation == zone.String() {
		return abbreviation
	}
	return zone.String() + " (" + abbreviation + ")"
}

// GoogleCalendar returns the address that puts an event into Google Calendar.
func GoogleCalendar(title, details, location string, start, end time.Time) string {
	const form = "20060102T150405Z"
	return "https://calendar.google.com/calendar/render?" + url.Values{
		"action": {"TEMPLATE"}, "text": {title}, "details": {details}, "location": {location},
		"dates": {start.UTC().Format(form) + "/" + end.UTC().Format(form)},
	}.Encode()
}

// OutlookCalendar returns the address that puts an event into Outlook on the web.
func OutlookCalendar(title, details, location string, start, end time.Time) string {
	return "https://outlook.office.com/calendar/0/deeplink/compose?" + strings.ReplaceAll(url.Values{
		"path": {"/calendar/action/compose"}, "rru": {"addevent"}, "subject": {title}, "body": {details}, "location": {location},
		"startdt": {start.UTC().Format(time.RFC3339)}, "enddt": {end.UTC().Format(time.RFC3339)},
	}.Encode(), "+", "%20") // Outlook shows a plus sign as it is
}
