package handoff

import "time"

// A Reason says why something changed nothing and waits for a person. The names
// are stored, shown, counted and documented; they are never renamed or reused.
type Reason string

// Reasons of a delivery that proved nothing. It may come from anybody.
const (
	SignatureMissing   Reason = "signature_missing"
	NoSecretProvided   Reason = "no_secret_provided"
	SignatureWrong     Reason = "signature_wrong"
	SignatureRetired   Reason = "signature_retired_secret"
	SignatureOtherSite Reason = "signature_other_site"
	BodyAltered        Reason = "body_altered"
	BodyReencoded      Reason = "body_reencoded"
	UnverifiedFlood    Reason = "unverified_flood"
)

// Reasons of a delivery that Cal.com signed but that we do not understand, or
// that came when none should.
const (
	NotJSON        Reason = "not_json"
	UnknownShape   Reason = "unknown_shape"
	UnknownTrigger Reason = "unknown_trigger"
	UnknownVersion Reason = "unknown_version"
	Replayed       Reason = "delivery_replayed"
)

// Reasons of a site's connections. They settle themselves once they are well,
// all but the last.
const (
	WebhookSilent     Reason = "webhook_silent"     // Cal.com shows bookings, and no webhook told of them
	WebhookLossy      Reason = "webhook_lossy"      // or not of too many
	BookingUnreadable Reason = "booking_unreadable" // Cal.com's list held what we could not read
	SweepFailing      Reason = "sweep_failing"      // Cal.com's list cannot be read at all
	MailFailing       Reason = "mail_failing"       // the mail server takes nothing from us
	TellingFailing    Reason = "telling_failing"    // a channel on which people are told takes no message
	CalendarHidden    Reason = "calendar_hidden"    // a booking page cannot be shown in the site's page
	BodyChanged       Reason = "body_changed"       // a trigger's bodies have other fields than before
)

// Reasons of a booking that Cal.com told us of and that belongs to no lead we can prove.
const (
	NoReference        Reason = "no_reference"
	ReferenceForged    Reason = "reference_forged"
	ReferenceOtherSite Reason = "reference_other_site"
	SubmissionUnknown  Reason = "submission_unknown"
	OtherLead          Reason = "booking_of_another_lead"
	OtherEventType     Reason = "event_type_of_no_service"
)

// A FailureKind says what waits.
type FailureKind string

const (
	FailedDelivery FailureKind = "delivery" // a request that proved nothing
	FailedEvent    FailureKind = "event"    // a verified body, or a booking, that changed nothing
	FailedSite     FailureKind = "site"     // something about a site's connections: with Cal.com, the mail server, its people
)

// ReasonText explains a reason to a person who has to act on it.
type ReasonText struct {
	Reason Reason
	Kind   FailureKind
	Title  string // a few words, for lists
	What   string // what happened
	Do     string // what to do
}

// ReasonTexts documents every reason; docs/failures.md is written from it.
var ReasonTexts = []ReasonText{
	{
		SignatureMissing, FailedDelivery, "No signature",
		"A request came to the webhook address without a signature. Cal.com always sends one, so this was most likely somebody else.",
		"Nothing, if it happens now and then. If all your bookings arrive so, a proxy in front of Handoff removes the header X-Cal-Signature-256.",
	},
	{
		NoSecretProvided, FailedDelivery, "The webhook has no secret",
		"Cal.com sent a webhook whose settings there have no secret, so nothing proves that it came from Cal.com.",
		"Open the webhook in Cal.com, enter this site's webhook secret and save. It was not applied: handoff sweep --since with the day of the booking finds it at Cal.com.",
	},
	{
		SignatureWrong, FailedDelivery, "Wrong signature",
		"The signature does not fit the body under any secret of this site: another secret was used, or the body was changed on its way, or somebody forged it.",
		"Compare the secret in Cal.com's webhook settings with this site's. If they are the same, this was a forgery and needs nothing.",
	},
	{
		SignatureRetired, FailedDelivery, "Signed with a retired secret",
		"The body was signed with a secret that this site used before and no longer accepts.",
		"Enter the current secret in Cal.com's webhook settings. If Cal.com already has it, somebody else knows the old one: it is right that it no longer counts.",
	},
	{
		SignatureOtherSite, FailedDelivery, "Signed with another site's secret",
		"The body was signed with the secret of another site of this install.",
		"Correct the webhook's address in Cal.com: it names the wrong site.",
	},
	{
		BodyAltered, FailedDelivery, "Body altered",
		"The signature is a real one, but of another body that we already have. Somebody took a delivery of yours and changed it.",
		"Nothing was applied. Find out who can read your webhook traffic, and change the secret.",
	},
	{
		BodyReencoded, FailedDelivery, "Body re-encoded on its way",
		"The signature fits once the JSON is written as Cal.com writes it: something between Cal.com and Handoff re-encodes bodies.",
		"Let the proxy or function in between pass the raw body on unchanged.",
	},
	{
		UnverifiedFlood, FailedDelivery, "More unverified deliveries than are kept",
		"So many unverified deliveries came that further ones are only counted here. Verified deliveries are not affected.",
		"Limit the sender in your firewall or proxy. Settle old unverified entries to make room.",
	},
	{
		NotJSON, FailedEvent, "Signed, but not JSON",
		"Cal.com signed the body, but it is not JSON: the webhook has a custom payload template.",
		"Remove the custom payload template from the webhook in Cal.com. A template lets a visitor's input change what the body says, so it is never trusted.",
	},
	{
		UnknownShape, FailedEvent, "Signed, but of an unknown shape",
		"Cal.com signed the body, but it is not of Cal.com's own form: a custom payload template, another app's webhook, or a change at Cal.com.",
		"Remove the custom payload template from the webhook in Cal.com. If there is none, report this entry: Cal.com may have changed.",
	},
	{
		UnknownTrigger, FailedEvent, "Unknown kind of event",
		"Cal.com signed an event of a kind that this version of Handoff does not know.",
		"Update Handoff and read this entry again, or switch this trigger off in the webhook's settings.",
	},
	{
		UnknownVersion, FailedEvent, "Unknown webhook version",
		"Cal.com says that the body is of a webhook version that this version of Handoff does not know.",
		"Choose version 2021-10-20 in the webhook's settings, or update Handoff and read this entry again.",
	},
	{
		Replayed, FailedEvent, "Sent again long after",
		"A body that we had read was sent again, byte for byte, more than a day later. Cal.com does not do that. It changed nothing.",
		"Nothing was applied twice. If you did not replay it yourself, somebody recorded your webhook traffic: change the secret.",
	},
	{
		WebhookSilent, FailedSite, "Cal.com's webhook is silent",
		"Cal.com shows new bookings, and no webhook told of them. The leads are right all the same, since Cal.com was asked; but minutes later than they could be.",
		"Run handoff calcom connect, which finds what is wrong with the webhook and mends it. The entry settles itself when webhooks come again.",
	},
	{
		WebhookLossy, FailedSite, "Cal.com's webhook loses bookings",
		"Of one in five of the newest bookings, or more, no webhook told. The leads are right all the same, since Cal.com was asked.",
		"Look whether this server was away, or slow to answer; then run handoff calcom connect. The entry settles itself when webhooks come again.",
	},
	{
		BookingUnreadable, FailedSite, "Bookings at Cal.com that could not be read",
		"Cal.com's list of bookings has something that this version of Handoff cannot read, or that Cal.com itself fails to show. It was passed over, and changed nothing.",
		"Look through the bookings in Cal.com for one that is not among your leads, and report this entry. It settles itself once the list can be read: handoff sweep --since reads it again.",
	},
	{
		SweepFailing, FailedSite, "Cal.com's list of bookings cannot be read",
		"Handoff cannot ask Cal.com which bookings changed. A booking whose webhook is lost is not found meanwhile.",
		"If the key is refused, make a new one in Cal.com (Settings, Developer, API keys) and run handoff calcom connect --new-key. Otherwise look whether Cal.com's API can be reached from this server. The entry settles itself.",
	},
	{
		MailFailing, FailedSite, "The mail server does not take our letters",
		"The mail server cannot be reached, refuses the password, or does not let us send as the site's address. Reminders wait; each is tried again for a day.",
		"Look at mail and at the site's address in handoff.yaml and site.yaml, and at the log, which has the mail server's code. The entry settles itself.",
	},
	{
		TellingFailing, FailedSite, "Messages to your people are refused",
		"Slack, a webhook of yours or the mail server did not take what Handoff wanted to tell: a call that was booked, an entry that waits, an alarm, the day before. Nothing of it is lost: it is told in the next message that is taken.",
		"Look at that line of notify in handoff.yaml: a channel may be gone, an address or a secret may have changed. The entry settles itself with the next message, and when the line is taken out and the server started again.",
	},
	{
		CalendarHidden, FailedSite, "A calendar cannot be shown on the site",
		"Cal.com's booking page leads elsewhere, forbids frames, is gone, or speaks another protocol, so visitors get a link to Cal.com's own page instead.",
		"Look at the detail, and run handoff check. The entry settles itself.",
	},
	{
		BodyChanged, FailedSite, "Cal.com's webhooks look different",
		"The bodies of a trigger have a field that is new, have lost one that they always had, or have one of another kind. They were read all the same, and nothing was lost; but Cal.com, or an app in between, may be changing.",
		"Look at the detail and at the body below. Report this entry, with handoff failures fixture, which writes the body without anything personal; then settle it. It is told once.",
	},
	{
		NoReference, FailedEvent, "Booked without a reference",
		"Somebody booked at Cal.com, but the booking carries no reference of a form that was sent here: it was made directly at Cal.com, or the reference was lost.",
		"Decide which lead it belongs to, or that it belongs to none.",
	},
	{
		ReferenceForged, FailedEvent, "Reference not signed by us",
		"The booking carries a reference that we did not sign, or that was altered. The person who booked chose it.",
		"Decide which lead it belongs to, or dismiss it. It was not applied to the lead it names.",
	},
	{
		ReferenceOtherSite, FailedEvent, "Reference of another site",
		"The booking carries a reference of another site of this install.",
		"Check that each site's booking page uses its own Cal.com event type, and decide which lead the booking belongs to.",
	},
	{
		SubmissionUnknown, FailedEvent, "Submission unknown or erased",
		"The reference is ours, but the submission that it names is not here: it was erased, or it is of another database.",
		"If the person asked to be erased, dismiss it. Otherwise decide which lead it belongs to.",
	},
	{
		OtherLead, FailedEvent, "Booking already tied to another lead",
		"A booking that belongs to one lead was rescheduled with the reference of another lead. It stays with the first.",
		"Confirm the lead it belongs to.",
	},
	{
		OtherEventType, FailedEvent, "Booked at an event type that no service has",
		"Cal.com lists a booking that carries a reference of ours, but no service of the site has its event type. A number in the content may be wrong; or somebody used the reference at a calendar of their own and invited you.",
		"If it is yours, correct event_type in content/services, start the server again, and run handoff sweep --since with the day of the booking.",
	},
}

// Text finds the explanation of a reason; the zero value for an unknown one.
func (r Reason) Text() ReasonText {
	for _, t := range ReasonTexts {
		if t.Reason == r {
			return t
		}
	}
	return ReasonText{}
}

// ReplayAfter is how long after the first receipt the same verified bytes count
// as replayed. Cal.com's own repetitions come within minutes (calcom.md §1.6).
const ReplayAfter = 24 * time.Hour

// A Failure is one entry of the failure queue.
type Failure struct {
	ID         FailureID
	Site       string
	Kind       FailureKind
	Reason     Reason
	Detail     string // what exactly, in plain words; may be empty
	Booking    BookingKey
	Lead       LeadID // the lead it is about, where one is proved; usually empty
	Deliveries int    // how often it came
	ReceivedAt time.Time
	LastAt     time.Time
	SettledAt  time.Time // zero while it is open
	SettledBy  string    // who or what settled it
}
