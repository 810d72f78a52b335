package handoff

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"
)

// A Remedy is what a person can do about a failure. The names are stable: they are
// stored, and the API's.
type Remedy string

const (
	Attach  Remedy = "attach"  // say which lead the booking belongs to
	Dismiss Remedy = "dismiss" // say that it needs nobody
	Verify  Remedy = "verify"  // read the delivery again, with today's secrets and today's program
	AskCal  Remedy = "ask"     // ask Cal.com about the booking: its answer is a fact
)

// Remedies are what can be done about a failure of a kind and reason, the most likely
// first. What settles itself once it is well cannot be dismissed: it would only come
// again.
func Remedies(kind FailureKind, reason Reason, booking BookingKey) []Remedy {
	switch {
	case slices.Contains([]Reason{SignatureMissing, NoSecretProvided, UnverifiedFlood, Replayed, OtherEventType, BodyChanged}, reason):
		return []Remedy{Dismiss} // to look again would find the same, whatever the secret
	case kind == FailedSite:
		return nil
	case booking.UID != "":
		return []Remedy{Attach, AskCal, Dismiss}
	}
	return []Remedy{Verify, Dismiss}
}

// A Reply is what came of asking Cal.com about a booking. The names are stored.
type Reply string

// What can come of it.
const (
	ReplyHeard   Reply = "heard"    // it told what it knows
	ReplyNone    Reply = "none"     // it has no such booking
	ReplyFailed  Reply = "failed"   // it could not be asked, or understood; that is tried again
	ReplyGivenUp Reply = "given_up" // and again, too often
)

// Text says it in words; empty for one that there is not.
func (r Reply) Text() string {
	return map[Reply]string{
		ReplyHeard:   "It told what it knows of the booking. If this still waits, nothing in that settles it.",
		ReplyNone:    "It has no booking with this uid.",
		ReplyFailed:  "It could not be asked, or its answer not be read. That is tried again by itself.",
		ReplyGivenUp: "It could not be asked, or its answer not be read, too often. That is not tried again by itself.",
	}[r]
}

// A ResolutionID names what a person did about failures: "res_" and 26 characters.
type ResolutionID string

// MaxRemark is the longest reason that a person gives, in characters.
const MaxRemark = 500

// A Suggestion is a lead that a booking may belong to. It is for a person to judge, and
// never followed by itself.
type Suggestion struct {
	Lead    Lead
	Reasons []string // why, the strongest first, in words
	weight  int
}

// How long before a booking its form may have been sent to say anything.
const (
	soonBefore = time.Hour
	longBefore = 30 * 24 * time.Hour
)

// Suggest ranks leads by how likely a booking is theirs: the same e-mail address, the
// same telephone number, a similar name, and, beside one of these or alone where it is
// short, the time since their form was sent. Leads of which nothing speaks for it are
// left out.
func Suggest(b Booking, leads []Lead) []Suggestion {
	var out []Suggestion
	for _, lead := range leads {
		if s := likely(b, lead); s.weight > 0 {
			out = append(out, s)
		}
	}
	slices.SortFunc(out, func(a, b Suggestion) int {
		return cmp.Or(cmp.Compare(b.weight, a.weight), b.Lead.CreatedAt.Compare(a.Lead.CreatedAt), cmp.Compare(a.Lead.ID, b.Lead.ID))
	})
	alone := slices.IndexFunc(out, func(s Suggestion) bool { return s.weight == 1 })
	if alone >= 0 {
		out = out[:min(len(out), alone+fewByTime)]
	}
	return out[:min(len(out), maxSuggested)]
}

// maxSuggested is how many are suggested: a person looks at each.
const maxSuggested = 8

// fewByTime is how many are suggested of whom only the time speaks: the newest.
const fewByTime = 3

// likely weighs one lead. A weight is worth more than all those below it together.
func likely(b Booking, lead Lead) Suggestion {
	s := Suggestion{Lead: lead}
	add := func(weight int, reason string) {
		s.weight += weight
		s.Reasons = append(s.Reasons, reason)
	}
	if b.Attendee.Email != "" && sameEmail(b.Attendee.Email) == sameEmail(lead.Email) {
		add(16, "the same e-mail address")
	}
	if samePhone(b.Attendee.Phone, lead.Phone) {
		add(8, "the same phone number")
	}
	switch some, all := sharedWords(b.Attendee.Name, lead.Name); {
	case all:
		add(4, "the same name")
	case some:
		add(2, "a similar name")
	}
	switch since := b.MadeAt().Sub(lead.CreatedAt); {
	case b.MadeAt().IsZero() || since < 0 || since > longBefore:
	case since <= soonBefore:
		add(1, "the form was sent within the hour before the booking")
	case s.weight > 0:
		s.Reasons = append(s.Reasons, "the form was sent in the month before the booking")
	}
	return s
}

// samePhone compares telephone numbers by their last nine digits: the beginning is
// written in several ways (+44 20…, 020…).
func samePhone(a, b string) bool {
	x, y := lastDigits(a), lastDigits(b)
	return x != "" && x == y
}

func lastDigits(s string) string {
	const enough, compared = 7, 9
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
	if len(digits) < enough {
		return ""
	}
	return digits[max(0, len(digits)-compared):]
}

// sharedWords tells whether two names have a word of at least three letters in common,
// and whether they have the same words.
func sharedWords(a, b string) (some, all bool) {
	x, y := nameWords(a), nameWords(b)
	for _, w := range x {
		some = some || len(w) >= 3 && slices.Contains(y, w)
	}
	return some, len(x) > 0 && slices.Equal(x, y)
}

func nameWords(name string) []string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) })
	slices.Sort(words)
	return slices.Compact(words)
}

// CheckRemark returns ErrInvalid, with words, for a reason that cannot be kept. An empty
// one is none, and fine.
func CheckRemark(note string) error {
	if tooLong(note, MaxRemark) || !printable(note, true) {
		return Refuse(ErrInvalid, "A reason has %d characters at most, and no control characters.", MaxRemark)
	}
	return nil
}
