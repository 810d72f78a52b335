package calsim

import (
	"cmp"
	"strings"
	"time"
)

// facts is all that the body of one event is built from: a copy, so that a body
// can be built after the row has moved on, or before it does.
type facts struct {
	gen    Generation
	origin string
	et     EventType
	host   Organizer
	b      Booking
	old    *Booking   // the replaced booking of a reschedule; else nil
	who    []Attendee // the attendees the body names
	seat   string     // attendeeSeatId; "" for none

	// sent is the metadata of the request itself. Direct generations put it into
	// the body; Cloud2026 reads the row's (calcom.md §2.2).
	sent    map[string]string
	answers map[string]string
	reason  string // of the reschedule
}

// about collects the facts of r as it is now. It needs mu.
func (s *Sim) about(r *row) facts {
	et, _ := s.eventType(r.EventType)
	b := r.Booking.clone()
	return facts{
		gen: s.gen, origin: s.cfg.Origin, et: et, host: s.cfg.Organizer,
		b: b, who: b.Attendees, answers: b.Answers, reason: b.RescheduleReason,
	}
}

// The three ways Cal.com writes a time, depending on the path (calcom.md §1.5).
const (
	timeZ      = "2006-01-02T15:04:05Z"      // the request's own text, in the direct path
	timeMillis = "2006-01-02T15:04:05.000Z"  // Date.toISOString
	timeOffset = "2006-01-02T15:04:05-07:00" // dayjs().format() on a server in UTC
)

func (f facts) start(layout string) string { return f.b.Start.UTC().Format(layout) }
func (f facts) end(layout string) string   { return f.b.End.UTC().Format(layout) }

func (f facts) video() bool      { return f.et.Location == "integrations:daily" }
func (f facts) videoURL() string { return f.origin + "/video/" + f.b.UID }

// instantLocation is payload.location of a booking accepted at once: the direct
// generations have replaced the location by the video's URL by then.
func (f facts) instantLocation() string {
	if f.video() && f.gen.direct() {
		return f.videoURL()
	}
	return f.et.Location
}

// carried is the metadata of an event that keeps it: the request's behind
// videoCallUrl, which a visitor can overwrite (direct), or the row's, whose
// videoCallUrl is the real one (queued). withVideo is false as long as there is
// no meeting.
func (f facts) carried(withVideo bool) object {
	withVideo = withVideo && f.video()
	var o object
	if f.gen.direct() {
		if withVideo {
			o = object{{"videoCallUrl", f.videoURL()}}
		}
		for _, m := range ordered(f.sent) {
			o = o.set(m.key, m.value)
		}
	} else {
		o = ordered(f.b.Metadata)
		if withVideo {
			o = o.set("videoCallUrl", f.videoURL())
		}
	}
	if o == nil {
		return object{}
	}
	return o
}

// seconds east of UTC become Cal.com's utcOffset in minutes.
func utcOffset(zone string, at time.Time) int {
	loc, err := time.LoadLocation(zone)
	if err != nil {
		return 0
	}
	_, seconds := at.In(loc).Zone()
	return seconds / 60
}

var english = object{{"locale", "en"}}

func (f facts) organizer() object {
	return object{
		{"id", f.host.ID},
		{"name", f.host.Name},
		{"email", f.host.Email},
		{"username", f.host.Username},
		{"timeZone", f.host.TimeZone},
		{"language", english},
		{"timeFormat", "h:mma"},
		{"utcOffset", utcOffset(f.host.TimeZone, f.b.Start)},
	}
}

// invitees are the attendees as the booking request names them.
func (f facts) invitees() []object {
	out := []object{}
	for _, a := range f.who {
		first, last, _ := strings.Cut(a.Name, " ")
		out = append(out, object{
			{"email", a.Email},
			{"name", a.Name},
			{"firstName", first},
			{"lastName", last},
			{"timeZone", a.TimeZone},
			{"language", english},
			{"phoneNumber", maybe(a.Phone != "", a.Phone)},
			{"utcOffset", utcOffset(a.TimeZone, f.b.Start)},
		})
	}
	return out
}

// guests are the attendees as they are read from the database. phone is false
// for the bodies that leave the number out.
func (f facts) guests(phone bool, more ...member) []object {
	out := []object{}
	for _, a := range f.who {
		o := object{
			{"name", a.Name},
			{"email", a.Email},
			{"timeZone", a.TimeZone},
			{"phoneNumber", maybe(phone, nullable(a.Phone))},
		}
		o = append(o, more...)
		out = append(out, append(o, member{"language", english}, member{"utcOffset", utcOffset(a.TimeZone, f.b.Start)}))
	}
	return out
}

// attendeeRows are the attendees as database rows (MEETING_*, AFTER_*).
func (f facts) attendeeRows() []object {
	out := []object{}
	for _, a := range f.who {
		out = append(out, object{
			{"id", a.ID},
			{"email", a.Email},
			{"name", a.Name},
			{"timeZone", a.TimeZone},
			{"phoneNumber", nullable(a.Phone)},
			{"locale", "en"},
			{"bookingId", f.b.ID},
			{"noShow", a.NoShow},
		})
	}
	return out
}

// answer is one entry of responses: value is missing when nothing was answered.
func answer(label string, value any, hidden bool) object {
	return object{{"label", label}, {"value", value}, {"isHidden", hidden}}
}

// responses are all booking questions of the type: Cal.com's own, then the
// type's. Every booking event carries them, all from getCalEventResponses, so a
// hidden question survives where metadata does not (calcom.md §2.2, §9.7).
func (f facts) responses() object {
	var who Attendee
	if len(f.who) > 0 {
		who = f.who[0]
	}
	place := object{{"optionValue", ""}, {"value", f.et.Location}}
	own := object{
		{"name", answer("your_name", who.Name, false)},
		{"email", answer("email_address", who.Email, false)},
		{"attendeePhoneNumber", answer("phone_number", maybe(who.Phone != "", who.Phone), true)},
		{"location", answer("location", place, false)},
		{"title", answer("what_is_this_meeting_about", absent{}, true)},
		{"notes", answer("additional_notes", maybe(f.b.Notes != "", f.b.Notes), false)},
		{"guests", answer("additional_guests", []string{}, false)},
		{"rescheduleReason", answer("reason_for_reschedule", maybe(f.reason != "", f.reason), false)},
	}
	return append(own, f.userResponses()...)
}

// userResponses are the answers to the type's own questions.
func (f facts) userResponses() object {
	o := object{}
	for _, q := range f.et.Questions {
		v := f.answers[q.Slug]
		o = append(o, member{q.Slug, answer(cmp.Or(q.Label, q.Slug), maybe(v != "", v), q.Hidden)})
	}
	return o
}

// recurrence is Cal.com's recurringEvent: freq 2 is weekly.
func (f facts) recurrence() any {
	return maybe(f.b.RecurringID != "", object{{"freq", 2}, {"count", f.et.Recurring}, {"interval", 1}})
}

func (f facts) seatsPerSlot() any {
	if f.et.Seats > 1 {
		return f.et.Seats
	}
	return nil
}
