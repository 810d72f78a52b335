package calsim

// The bodies of the booking events that share one long field list
// (CalendarEvent; calcom.md §1.5 A). Names, order and time formats are those of
// the sample bodies 01, 02, 03, 05, 06, 08, 11, 17 and 18, which were made by
// running Cal.com's own sendPayload and BookingPayloadBuilder.

// A sheet says how one event fills the shared field list.
type sheet struct {
	status   any // a Status, or absent
	metadata any // an object, or absent
	location string
	meeting  bool     // the video call exists already
	secret   bool     // oneTimePassword is told
	noICal   bool     // iCalUID is missing
	more     []member // the event's own fields
}

// shared is the part from bookerUrl to the video call, equal in both paths
// except for the format of times.
func (f facts) shared(sh sheet, layout string) object {
	video := object{
		{"type", "daily_video"},
		{"id", "aB3dE5fG7h"},
		{"password", "stand-in-room-token"},
		{"url", f.origin + "/video/room/" + f.b.UID},
	}
	return object{
		{"bookerUrl", f.origin},
		{"title", f.b.Title},
		{"startTime", f.start(layout)},
		{"endTime", f.end(layout)},
		{"additionalNotes", f.b.Notes},
		{"type", f.et.Slug},
		{"description", f.b.Notes},
		{"eventTypeId", f.et.ID},
		{"hideCalendarNotes", false},
		{"hideCalendarEventDetails", false},
		{"hideOrganizerEmail", false},
		{"schedulingType", nil},
		{"seatsPerTimeSlot", f.seatsPerSlot()},
		{"seatsShowAttendees", true},
		{"seatsShowAvailabilityCount", true},
		{"customReplyToEmail", nil},
		{"disableRescheduling", false},
		{"disableCancelling", false},
		{"organizer", f.organizer()},
		{"attendees", f.invitees()},
		{"customInputs", object{}},
		{"responses", f.responses()},
		{"userFieldsResponses", f.userResponses()},
		{"location", sh.location},
		{"destinationCalendar", nil},
		{"iCalUID", maybe(!sh.noICal, f.b.ICalUID)},
		{"iCalSequence", f.b.ICalSequence},
		{"requiresConfirmation", f.et.RequiresConfirmation},
		{"oneTimePassword", secretOrNull(sh.secret, f.b.OneTimePassword)},
		{"organizationId", nil},
		{"hashedLink", nil},
		{"uid", f.b.UID},
		{"videoCallData", maybe(sh.meeting && f.video(), video)},
	}
}

func secretOrNull(told bool, secret string) any {
	if told {
		return secret
	}
	return nil
}

var appsStatus = []object{{{"appName", "daily-video"}, {"type", "daily_video"}, {"success", 1}, {"failures", 0}, {"errors", []string{}}}}

func (f facts) typeInfo() object {
	return object{
		{"eventTitle", f.et.Title},
		{"eventDescription", f.et.Description},
		{"price", f.et.Price},
		{"currency", f.et.Currency},
		{"length", int(f.et.Length.Minutes())},
	}
}

// direct is RegularBookingService's webhookData as sendPayload sends it.
func (f facts) direct(sh sheet) object {
	o := f.shared(sh, timeZ)
	conference := object{{"createRequest", object{{"requestId", "1d0e0b9e-4a4d-53a2-9a4a-2b8f6a5b1c11"}}}}
	o = append(o,
		member{"conferenceData", maybe(sh.meeting && f.video(), conference)},
		member{"appsStatus", maybe(sh.meeting && f.video(), appsStatus)},
		member{"recurringEvent", f.recurrence()})
	o = append(o, f.typeInfo()...)
	o = append(o, member{"bookingId", f.b.ID})
	o = append(o, f.movedFrom(timeZ)...)
	o = append(o,
		member{"attendeeSeatId", maybe(f.seat != "", f.seat)},
		member{"metadata", sh.metadata},
		member{"status", sh.status},
		member{"rescheduledBy", maybe(f.old != nil && f.b.RescheduledBy != "", f.b.RescheduledBy)})
	return append(o, sh.more...)
}

// queued is BookingPayloadBuilder's shape: Cloud2026's, and CalDIY's for
// BOOKING_REQUESTED.
func (f facts) queued(sh sheet) object {
	o := f.shared(sh, timeMillis)
	o = append(o,
		member{"appsStatus", maybe(sh.meeting && f.video(), appsStatus)},
		member{"recurringEvent", f.recurrence()},
		member{"platformClientId", ""}, member{"platformRescheduleUrl", ""},
		member{"platformCancelUrl", ""}, member{"platformBookingUrl", ""},
		member{"bookingId", f.b.ID}, member{"attendeeSeatId", maybe(f.seat != "", f.seat)},
		member{"status", sh.status})
	o = append(o, f.typeInfo()...)
	o = append(o, member{"assignmentReason", []string{}})
	o = append(o, f.movedFrom(timeMillis)...)
	o = append(o, member{"rescheduledBy", maybe(f.old != nil && f.b.RescheduledBy != "", f.b.RescheduledBy)})
	o = append(o, sh.more...)
	return append(o, member{"metadata", sh.metadata})
}

// movedFrom names the replaced booking.
func (f facts) movedFrom(layout string) object {
	if f.old == nil {
		return nil
	}
	return object{
		{"rescheduleId", f.old.ID},
		{"rescheduleUid", f.old.UID},
		{"rescheduleStartTime", f.old.Start.UTC().Format(layout)},
		{"rescheduleEndTime", f.old.End.UTC().Format(layout)},
	}
}

// path is direct or queued, as the generation sends most events.
func (f facts) path(sh sheet) object {
	if f.gen.direct() {
		return f.direct(sh)
	}
	return f.queued(sh)
}

// created is BOOKING_CREATED of a booking accepted at once: bodies 01, 02, 17
// (a later seat, whose location the direct path has not replaced) and 18.
func (f facts) created() object {
	sh := sheet{status: Accepted, metadata: f.carried(true), location: f.instantLocation(), meeting: true}
	if f.seat != "" {
		sh.location = f.et.Location
	}
	return f.path(sh)
}

// rescheduled is BOOKING_RESCHEDULED: a new uid, the old one in rescheduleUid.
// The direct path keeps only what the reschedule's own URL carried and has no
// iCalUID (bodies 05, 06; calcom.md §1.5, §9.2).
func (f facts) rescheduled() object {
	return f.path(sheet{
		status: Accepted, metadata: f.carried(true), location: f.instantLocation(), meeting: true,
		noICal: f.gen.direct(),
	})
}

// requested is BOOKING_REQUESTED (body 03). It is also what a reschedule sends
// when the type needs confirmation: then f.old is set (calcom.md §9.2). Only
// [2512] sends it in the direct shape.
func (f facts) requested() object {
	sh := sheet{status: Pending, metadata: f.carried(false), location: f.et.Location, secret: true}
	return f.requestedShape(sh)
}

// requestedAfterPayment is handleBookingRequested's: no metadata, no status in
// the direct generations (calcom.md §1.5 table; for the cloud it is inference
// that the queued path keeps both).
func (f facts) requestedAfterPayment() object {
	if !f.gen.direct() {
		return f.requested()
	}
	return f.requestedShape(sheet{status: absent{}, metadata: absent{}, location: f.et.Location, secret: true})
}

func (f facts) requestedShape(sh sheet) object {
	if f.gen == SelfHosted2025 {
		return f.direct(sh)
	}
	return f.queued(sh)
}

// paymentInitiated is BOOKING_PAYMENT_INITIATED: it says ACCEPTED although the
// row is still unpaid (body 11).
func (f facts) paymentInitiated() object {
	return f.path(sheet{
		status: Accepted, metadata: f.carried(false), location: f.et.Location, meeting: true,
		more: []member{{"paymentId", f.b.PaymentID}},
	})
}

// confirmed is BOOKING_CREATED after the host accepted, or after a payment. The
// direct generations lose metadata, iCalUID, iCalSequence and rescheduleUid:
// metadata is {videoCallUrl} for a video call, else absent (body 04; calcom.md
// §1.5, §9.2). The cloud rebuilds it from the row.
func (f facts) confirmed() object {
	f.old = nil
	if !f.gen.direct() {
		return f.queued(sheet{status: Accepted, metadata: f.carried(true), location: f.et.Location, meeting: true})
	}
	o := f.decided(Accepted, absent{})
	return o.set("metadata", maybe(f.video(), object{{"videoCallUrl", f.videoURL()}}))
}

// rejected is BOOKING_REJECTED: no metadata in any generation (body 10).
func (f facts) rejected() object { return f.decided(Rejected, f.b.RejectReason) }

// decided is what confirm.handler.ts builds for both decisions.
func (f facts) decided(status Status, rejection any) object {
	accepted := status == Accepted
	o := object{
		{"type", f.et.Slug},
		{"title", f.b.Title},
		{"description", f.b.Notes},
		{"bookerUrl", f.origin},
		{"userFieldsResponses", f.userResponses()},
		{"responses", f.responses()},
		{"customInputs", object{}},
		{"startTime", f.start(timeMillis)},
		{"endTime", f.end(timeMillis)},
		{"organizer", f.organizer()},
		{"attendees", f.guests(true)},
		{"location", f.et.Location},
		{"uid", f.b.UID},
		{"destinationCalendar", []string{}},
		{"requiresConfirmation", f.et.RequiresConfirmation},
		{"hideOrganizerEmail", false},
		{"hideCalendarNotes", false},
		{"hideCalendarEventDetails", false},
		{"eventTypeId", f.et.ID},
		{"customReplyToEmail", nil},
		{"seatsPerTimeSlot", maybe(accepted, f.seatsPerSlot())},
		{"seatsShowAttendees", maybe(accepted, true)},
		{"disableCancelling", maybe(accepted, false)},
		{"disableRescheduling", maybe(accepted, false)},
		{"organizationId", nil},
		{"additionalNotes", f.b.Notes},
		{"assignmentReason", nil},
		{"hideBranding", maybe(accepted, false)},
		{"rejectionReason", rejection},
	}
	o = append(o, f.typeInfo()...)
	return append(o, member{"bookingId", f.b.ID}, member{"status", status})
}
