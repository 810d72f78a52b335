package calsim_test

// sampleKeys are the keys, in order, of the payload (14, 15 and 20: of the
// whole body) of the sample bodies, which were made with Cal.com's own code.
// The number is the sample's.
var sampleKeys = map[string]string{
	"01": `bookerUrl title startTime endTime additionalNotes type description eventTypeId hideCalendarNotes
		hideCalendarEventDetails hideOrganizerEmail schedulingType seatsPerTimeSlot seatsShowAttendees
		seatsShowAvailabilityCount customReplyToEmail disableRescheduling disableCancelling organizer attendees
		customInputs responses userFieldsResponses location destinationCalendar iCalUID iCalSequence
		requiresConfirmation oneTimePassword organizationId hashedLink uid videoCallData conferenceData
		appsStatus eventTitle eventDescription price currency length bookingId metadata status`,
	"02": `bookerUrl title startTime endTime additionalNotes type description eventTypeId hideCalendarNotes
		hideCalendarEventDetails hideOrganizerEmail schedulingType seatsPerTimeSlot seatsShowAttendees
		seatsShowAvailabilityCount customReplyToEmail disableRescheduling disableCancelling organizer attendees
		customInputs responses userFieldsResponses location destinationCalendar iCalUID iCalSequence
		requiresConfirmation oneTimePassword organizationId hashedLink uid videoCallData appsStatus
		platformClientId platformRescheduleUrl platformCancelUrl platformBookingUrl bookingId status eventTitle
		eventDescription price currency length assignmentReason metadata`,
	"03": `bookerUrl title startTime endTime additionalNotes type description eventTypeId hideCalendarNotes
		hideCalendarEventDetails hideOrganizerEmail schedulingType seatsPerTimeSlot seatsShowAttendees
		seatsShowAvailabilityCount customReplyToEmail disableRescheduling disableCancelling organizer attendees
		customInputs responses userFieldsResponses location destinationCalendar iCalUID iCalSequence
		requiresConfirmation oneTimePassword organizationId hashedLink uid platformClientId platformRescheduleUrl
		platformCancelUrl platformBookingUrl bookingId status eventTitle eventDescription price currency length
		assignmentReason metadata`,
	"04": `type title description bookerUrl userFieldsResponses responses customInputs startTime endTime organizer
		attendees location uid destinationCalendar requiresConfirmation hideOrganizerEmail hideCalendarNotes
		hideCalendarEventDetails eventTypeId customReplyToEmail seatsPerTimeSlot seatsShowAttendees
		disableCancelling disableRescheduling organizationId additionalNotes assignmentReason hideBranding
		eventTitle eventDescription price currency length bookingId status metadata`,
	"05": `bookerUrl title startTime endTime additionalNotes type description eventTypeId hideCalendarNotes
		hideCalendarEventDetails hideOrganizerEmail schedulingType seatsPerTimeSlot seatsShowAttendees
		seatsShowAvailabilityCount customReplyToEmail disableRescheduling disableCancelling organizer attendees
		customInputs responses userFieldsResponses location destinationCalendar iCalSequence requiresConfirmation
		oneTimePassword organizationId hashedLink uid videoCallData conferenceData appsStatus eventTitle
		eventDescription price currency length bookingId rescheduleId rescheduleUid rescheduleStartTime
		rescheduleEndTime metadata status rescheduledBy`,
	"06": `bookerUrl title startTime endTime additionalNotes type description eventTypeId hideCalendarNotes
		hideCalendarEventDetails hideOrganizerEmail schedulingType seatsPerTimeSlot seatsShowAttendees
		seatsShowAvailabilityCount customReplyToEmail disableRescheduling disableCancelling organizer attendees
		customInputs responses userFieldsResponses location destinationCalendar iCalUID iCalSequence
		requiresConfirmation oneTimePassword organizationId hashedLink uid videoCallData appsStatus
		platformClientId platformRescheduleUrl platformCancelUrl platformBookingUrl bookingId status eventTitle
		eventDescription price currency length assignmentReason rescheduleId rescheduleUid rescheduleStartTime
		rescheduleEndTime rescheduledBy metadata`,
	"07": `bookerUrl title length type additionalNotes description customInputs eventTypeId userFieldsResponses
		responses startTime endTime organizer attendees uid bookingId location destinationCalendar
		cancellationReason seatsPerTimeSlot seatsShowAttendees iCalUID iCalSequence hideOrganizerEmail
		customReplyToEmail schedulingType hideBranding eventTitle eventDescription price currency
		requiresConfirmation status cancelledBy requestReschedule`,
	"08": `bookerUrl title startTime endTime additionalNotes type description eventTypeId hideCalendarNotes
		hideCalendarEventDetails hideOrganizerEmail schedulingType seatsPerTimeSlot seatsShowAttendees
		seatsShowAvailabilityCount customReplyToEmail disableRescheduling disableCancelling organizer attendees
		customInputs responses userFieldsResponses location destinationCalendar iCalUID iCalSequence
		requiresConfirmation oneTimePassword organizationId hashedLink uid videoCallData appsStatus
		platformClientId platformRescheduleUrl platformCancelUrl platformBookingUrl bookingId status eventTitle
		eventDescription price currency length assignmentReason cancelledBy cancellationReason requestReschedule
		metadata`,
	"09": `bookingId type title description customInputs responses userFieldsResponses startTime endTime organizer
		attendees uid location destinationCalendar iCalUID cancelledBy cancellationReason status eventTypeId
		length iCalSequence eventTitle requestReschedule`,
	"10": `type title description bookerUrl userFieldsResponses responses customInputs startTime endTime organizer
		attendees location uid destinationCalendar requiresConfirmation hideOrganizerEmail hideCalendarNotes
		hideCalendarEventDetails eventTypeId customReplyToEmail organizationId additionalNotes assignmentReason
		rejectionReason eventTitle eventDescription price currency length bookingId status`,
	"11": `bookerUrl title startTime endTime additionalNotes type description eventTypeId hideCalendarNotes
		hideCalendarEventDetails hideOrganizerEmail schedulingType seatsPerTimeSlot seatsShowAttendees
		seatsShowAvailabilityCount customReplyToEmail disableRescheduling disableCancelling organizer attendees
		customInputs responses userFieldsResponses location destinationCalendar iCalUID iCalSequence
		requiresConfirmation oneTimePassword organizationId hashedLink uid videoCallData conferenceData
		appsStatus eventTitle eventDescription price currency length bookingId metadata status paymentId`,
	"12": `type title bookerUrl description startTime endTime customInputs userFieldsResponses responses organizer
		hideOrganizerEmail attendees location uid destinationCalendar recurringEvent customReplyToEmail
		seatsPerTimeSlot seatsShowAttendees hideBranding disableCancelling disableRescheduling eventTitle
		eventDescription price currency length requiresConfirmation bookingId eventTypeId status paymentId
		metadata`,
	"13": `attendees message bookingUid bookingId`,
	"14": `triggerEvent id uid idempotencyKey userId userPrimaryEmail eventTypeId title description customInputs
		responses startTime endTime location createdAt updatedAt status paid destinationCalendarId
		cancellationReason rejectionReason reassignReason reassignById dynamicEventSlugRef dynamicGroupSlugRef
		rescheduled fromReschedule recurringEventId smsReminderNumber scheduledJobs metadata isRecorded iCalUID
		iCalSequence rating ratingFeedback noShowHost oneTimePassword cancelledBy rescheduledBy creationSource
		user attendees payment references`,
	"16": `type title startTime endTime attendees organizer`,
	"17": `bookerUrl title startTime endTime additionalNotes type description eventTypeId hideCalendarNotes
		hideCalendarEventDetails hideOrganizerEmail schedulingType seatsPerTimeSlot seatsShowAttendees
		seatsShowAvailabilityCount customReplyToEmail disableRescheduling disableCancelling organizer attendees
		customInputs responses userFieldsResponses location destinationCalendar iCalUID iCalSequence
		requiresConfirmation oneTimePassword organizationId hashedLink uid videoCallData conferenceData
		appsStatus eventTitle eventDescription price currency length bookingId attendeeSeatId metadata status`,
	"18": `bookerUrl title startTime endTime additionalNotes type description eventTypeId hideCalendarNotes
		hideCalendarEventDetails hideOrganizerEmail schedulingType seatsPerTimeSlot seatsShowAttendees
		seatsShowAvailabilityCount customReplyToEmail disableRescheduling disableCancelling organizer attendees
		customInputs responses userFieldsResponses location destinationCalendar iCalUID iCalSequence
		requiresConfirmation oneTimePassword organizationId hashedLink uid videoCallData conferenceData
		appsStatus recurringEvent eventTitle eventDescription price currency length bookingId metadata status`,
	"19": `title bookingId bookingUid startTime attendees endTime participants guests eventType webhook message`,
	"20": `name service triggerEvent createdAt payload`,
	"21": `type title startTime endTime organizer attendees uid customReplyToEmail downloadLink`,
	"22": `oooEntry`,
}
