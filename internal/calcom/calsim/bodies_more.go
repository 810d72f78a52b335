package calsim

import (
	"fmt"
	"time"
)

// cancelled is BOOKING_CANCELLED. The direct generations have no metadata at
// all; requestReschedule exists since January 2026, so [2512] lacks it (bodies
// 07, 08; calcom.md §1.5). The row's iCalSequence is already counted up in f.
//
// When one seat leaves, attendees holds only the leaver, the answers stay the
// row's own, which are the first booker's (inference from getCalEventResponses),
// and nothing names the seat.
func (f facts) cancelled() object {
	f.old = nil
	if !f.gen.direct() {
		return f.queued(sheet{
			status: Cancelled, metadata: f.carried(true), location: f.et.Location, meeting: true,
			more: []member{
				{"cancelledBy", maybe(f.b.CancelledBy != "", f.b.CancelledBy)},
				{"cancellationReason", f.b.CancelReason},
				{"requestReschedule", f.b.AskedToMove},
			},
		})
	}
	return object{
		{"bookerUrl", f.origin},
		{"title", f.b.Title},
		{"length", int(f.et.Length.Minutes())},
		{"type", f.et.Slug},
		{"additionalNotes", f.b.Notes},
		{"description", f.b.Notes},
		{"customInputs", object{}},
		{"eventTypeId", f.et.ID},
		{"userFieldsResponses", f.userResponses()},
		{"responses", f.bookersResponses()},
		{"startTime", f.start(timeOffset)},
		{"endTime", f.end(timeOffset)},
		{"organizer", f.organizer()},
		{"attendees", f.guests(true)},
		{"uid", f.b.UID},
		{"bookingId", f.b.ID},
		{"location", f.instantLocation()},
		{"destinationCalendar", []string{}},
		{"recurringEvent", f.recurrence()},
		{"cancellationReason", f.b.CancelReason},
		{"seatsPerTimeSlot", f.seatsPerSlot()},
		{"seatsShowAttendees", true},
		{"iCalUID", f.b.ICalUID},
		{"iCalSequence", f.b.ICalSequence},
		{"hideOrganizerEmail", false},
		{"customReplyToEmail", nil},
		{"schedulingType", nil},
		{"hideBranding", false},
		{"eventTitle", f.et.Title},
		{"eventDescription", f.et.Description},
		{"price", nil},
		{"currency", f.et.Currency},
		{"requiresConfirmation", nil},
		{"status", Cancelled},
		{"cancelledBy", maybe(f.b.CancelledBy != "", f.b.CancelledBy)},
		{"requestReschedule", maybe(f.gen == CalDIY, false)},
	}
}

// bookersResponses are the row's answers, whoever the body names as attendee.
func (f facts) bookersResponses() object {
	f.who = f.b.Attendees
	return f.responses()
}

// askedToMove is BOOKING_CANCELLED because the host asks to reschedule. In
// [2512] it has no status, iCalSequence, eventTypeId or requestReschedule
// (calcom.md §9.2, §1.5); body 09 is [DIY]'s.
func (f facts) askedToMove() object {
	if !f.gen.direct() {
		return f.cancelled()
	}
	diy := f.gen == CalDIY
	host := object{
		{"id", f.host.ID},
		{"email", f.host.Email},
		{"name", f.host.Name},
		{"timeZone", f.host.TimeZone},
		{"username", f.host.Username},
		{"language", english},
		{"utcOffset", utcOffset(f.host.TimeZone, f.b.Start)},
	}
	return object{
		{"bookingId", f.b.ID},
		{"type", f.et.Slug},
		{"title", f.b.Title},
		{"description", f.b.Notes},
		{"customInputs", object{}},
		{"responses", f.responses()},
		{"userFieldsResponses", f.userResponses()},
		{"startTime", f.start(timeOffset)},
		{"endTime", f.end(timeOffset)},
		{"organizer", host},
		{"attendees", f.guests(false, member{"username", ""})},
		{"uid", f.b.UID},
		{"location", f.et.Location},
		{"destinationCalendar", []string{}},
		{"iCalUID", f.b.ICalUID},
		{"cancelledBy", f.b.CancelledBy},
		{"cancellationReason", f.b.CancelReason},
		{"status", maybe(diy, Cancelled)},
		{"eventTypeId", maybe(diy, f.et.ID)},
		{"length", int(f.et.Length.Minutes())},
		{"iCalSequence", maybe(diy, f.b.ICalSequence)},
		{"eventTitle", f.et.Title},
		{"requestReschedule", maybe(diy, true)},
	}
}

// paid is BOOKING_PAID: the payment's metadata replaces the booking's (body 12).
func (f facts) paid() object {
	info := f.typeInfo()
	o := object{
		{"type", f.et.Slug},
		{"title", f.b.Title},
		{"bookerUrl", f.origin},
		{"description", f.b.Notes},
		{"startTime", f.start(timeMillis)},
		{"endTime", f.end(timeMillis)},
		{"customInputs", object{}},
		{"userFieldsResponses", f.userResponses()},
		{"responses", f.responses()},
		{"organizer", f.organizer()},
		{"hideOrganizerEmail", false},
		{"attendees", f.guests(false)},
		{"location", f.et.Location},
		{"uid", f.b.UID},
		{"destinationCalendar", []string{}},
		{"recurringEvent", nil},
		{"customReplyToEmail", nil},
		{"seatsPerTimeSlot", f.seatsPerSlot()},
		{"seatsShowAttendees", true},
		{"hideBranding", false},
		{"disableCancelling", false},
		{"disableRescheduling", false},
	}
	o = append(o, info...)
	booker := ""
	if len(f.who) > 0 {
		booker = f.who[0].Email
	}
	return append(o, object{
		{"requiresConfirmation", nil},
		{"bookingId", f.b.ID},
		{"eventTypeId", f.et.ID},
		{"status", f.b.Status},
		{"paymentId", f.b.PaymentID},
		{"metadata", object{
			{"identifier", "cal.com"},
			{"bookingId", f.b.ID},
			{"eventTypeId", f.et.ID},
			{"bookerEmail", booker},
			{"eventTitle", f.et.Title},
			{"externalId", fmt.Sprintf("pi_standin%d", f.b.PaymentID)},
		}},
	}...)
}

// noShow is BOOKING_NO_SHOW_UPDATED: the uid is called bookingUid, and the key
// order differs between versions (body 13).
func (f facts) noShow(marked bool) object {
	people, names := []object{}, ""
	for i, a := range f.who {
		if i > 0 {
			names += ", "
		}
		names += a.Email
		people = append(people, object{{"email", a.Email}, {"noShow", marked}})
	}
	verb := " marked as no-show"
	if !marked {
		verb = " unmarked as no-show"
	}
	o := object{{"attendees", people}, {"message", names + verb}}
	if f.gen == SelfHosted2025 {
		o[0], o[1] = o[1], o[0]
	}
	return append(o, member{"bookingUid", f.b.UID}, member{"bookingId", f.b.ID})
}

// meeting is MEETING_STARTED or MEETING_ENDED: the booking row itself, without
// payload; createdAt is the booking's (bodies 14, 15; calcom.md §1.5 B).
func (f facts) meeting(trigger string) object {
	b := f.b
	host := object{
		{"uuid", "b7b2f0a2-5a54-4f5e-8f43-3d1a5f1f6c02"},
		{"email", f.host.Email},
		{"name", f.host.Name},
		{"timeZone", f.host.TimeZone},
		{"username", f.host.Username},
		{"isPlatformManaged", false},
	}
	return object{
		{"triggerEvent", trigger},
		{"id", b.ID},
		{"uid", b.UID},
		{"idempotencyKey", "7c1c6a5e-52a4-5f0e-9c5b-6a1f0b4d9e20"},
		{"userId", f.host.ID},
		{"userPrimaryEmail", f.host.Email},
		{"eventTypeId", f.et.ID},
		{"title", b.Title},
		{"description", b.Notes},
		{"customInputs", object{}},
		{"responses", f.responses()},
		{"startTime", f.start(timeMillis)},
		{"endTime", f.end(timeMillis)},
		{"location", f.et.Location},
		{"createdAt", b.CreatedAt.Format(timeMillis)},
		{"updatedAt", b.UpdatedAt.Format(timeMillis)},
		{"status", b.Status},
		{"paid", b.Paid},
		{"destinationCalendarId", nil},
		{"cancellationReason", nullable(b.CancelReason)},
		{"rejectionReason", nullable(b.RejectReason)},
		{"reassignReason", nil},
		{"reassignById", nil},
		{"dynamicEventSlugRef", nil},
		{"dynamicGroupSlugRef", nil},
		{"rescheduled", nil},
		{"fromReschedule", nullable(b.RescheduledFrom)},
		{"recurringEventId", nullable(b.RecurringID)},
		{"smsReminderNumber", nil},
		{"scheduledJobs", []string{}},
		{"metadata", ordered(b.Metadata)},
		{"isRecorded", false},
		{"iCalUID", b.ICalUID},
		{"iCalSequence", b.ICalSequence},
		{"rating", nil},
		{"ratingFeedback", nil},
		{"noShowHost", false},
		{"oneTimePassword", b.OneTimePassword},
		{"cancelledBy", nullable(b.CancelledBy)},
		{"rescheduledBy", nullable(b.RescheduledBy)},
		{"creationSource", "WEBAPP"},
		{"user", host},
		{"attendees", f.attendeeRows()},
		{"payment", []string{}},
		{"references", []string{}},
	}
}

// guestsMissing is AFTER_GUESTS_CAL_VIDEO_NO_SHOW: it echoes the webhook's
// configuration back (body 19).
func (f facts) guestsMissing(url string) object {
	guests := []object{}
	for i := range f.who {
		f.who[i].NoShow = true
		guests = append(guests, object{{"email", f.who[i].Email}, {"name", f.who[i].Name}})
	}
	const trigger = "AFTER_GUESTS_CAL_VIDEO_NO_SHOW"
	hook := object{
		{"id", "2bdfc20b-aa4a-4863-a499-932cb1d4e69a"},
		{"subscriberUrl", url},
		{"appId", nil},
		{"time", 5},
		{"timeUnit", "MINUTE"},
		{"eventTriggers", []string{trigger}},
		{"payloadTemplate", nil},
		{"version", webhookVersion},
	}
	return object{
		{"title", f.b.Title},
		{"bookingId", f.b.ID},
		{"bookingUid", f.b.UID},
		{"startTime", f.start(timeMillis)},
		{"attendees", f.attendeeRows()},
		{"endTime", f.end(timeMillis)},
		{"participants", []string{}},
		{"guests", guests},
		{"eventType", object{{"id", f.et.ID}, {"teamId", nil}, {"parentId", nil}, {"calVideoSettings", nil}}},
		{"webhook", hook},
		{"message", "Guest didn't join the call or didn't join before " +
			f.b.Start.Add(5*time.Minute).UTC().Format("2006-01-02 15:04:05 -07:00")},
	}
}

// recording is RECORDING_READY: no bookingId, no metadata; downloadLink is a
// bearer secret (body 21).
func (f facts) recording() object {
	host := object{
		{"email", f.host.Email},
		{"name", f.host.Name},
		{"timeZone", f.host.TimeZone},
		{"language", english},
		{"utcOffset", utcOffset(f.host.TimeZone, f.b.Start)},
	}
	people := []object{}
	for _, a := range f.who {
		people = append(people, object{
			{"id", a.ID},
			{"name", a.Name},
			{"email", a.Email},
			{"timeZone", a.TimeZone},
			{"language", english},
			{"utcOffset", utcOffset(a.TimeZone, f.b.Start)},
		})
	}
	return object{
		{"type", f.b.Title},
		{"title", f.b.Title},
		{"startTime", f.start(timeMillis)},
		{"endTime", f.end(timeMillis)},
		{"organizer", host},
		{"attendees", people},
		{"uid", f.b.UID},
		{"customReplyToEmail", nil},
		{"downloadLink", f.origin + "/api/video/recording?token=stand-in-" + f.b.UID},
	}
}

// ping is what the UI's test button sends (body 16): no uid, no metadata.
func ping(at time.Time) object {
	zone := "Europe/London"
	person := func(email, name string) object {
		return object{{"email", email}, {"name", name}, {"timeZone", zone}, {"language", english}, {"utcOffset", utcOffset(zone, at)}}
	}
	host := person("no-reply@cal.com", "Cal")
	host[0], host[1] = host[1], host[0]
	return object{
		{"type", "Test"},
		{"title", "Test trigger event"},
		{"startTime", at.Format(timeMillis)},
		{"endTime", at.Format(timeMillis)},
		{"attendees", []object{person("jdoe@example.com", "John Doe")}},
		{"organizer", host},
	}
}

// outOfOffice is OOO_CREATED (body 22). The emoji is outside the basic plane on
// purpose: signatures are over UTF-8 bytes.
func (s *Sim) outOfOffice(at time.Time) object {
	o := s.cfg.Organizer
	from := at.Truncate(24*time.Hour).AddDate(0, 0, 14)
	return object{{"oooEntry", object{
		{"id", 100},
		{"start", from.Format(timeOffset)},
		{"end", from.AddDate(0, 0, 3).Add(-time.Second).Format(timeOffset)},
		{"createdAt", at.Format(timeMillis)},
		{"updatedAt", at.Format(timeMillis)},
		{"notes", "Holiday"},
		{"reason", object{{"emoji", "🌴"}, {"reason", "ooo_reasons_vacation"}}},
		{"reasonId", 5},
		{"user", object{{"id", o.ID}, {"name", o.Name}, {"username", o.Username}, {"email", o.Email}, {"timeZone", o.TimeZone}}},
		{"toUser", nil},
		{"uuid", "00000000-0000-4000-8000-000000000000"},
	}}}
}

// formSubmitted is FORM_SUBMITTED: the answers at the root and again, wrapped,
// in payload (body 20). It has no link to any booking.
func formSubmitted(at time.Time, name, service string) object {
	return object{
		{"name", name},
		{"service", []string{service}},
		{"triggerEvent", "FORM_SUBMITTED"},
		{"createdAt", at.Format(timeMillis)},
		{"payload", object{
			{"formId", "9f0c9d0e-0a0b-4c0d-8e0f-1a2b3c4d5e6f"},
			{"formName", "Quote request"},
			{"teamId", nil},
			{"responses", object{
				{"name", object{{"value", name}, {"response", name}}},
				{"service", object{{"value", []string{service}}, {"response", []object{{{"label", service}, {"id", "0e5b"}}}}}},
			}},
		}},
	}
}
