package handoff

import (
	"fmt"
	"slices"
	"strings"
)

// An IgnoreRule names bookings that need nobody, such as a team's own trial calls.
// A booking fits if it fits every kind of condition that the rule has, and of each
// kind one; a rule without a condition fits none.
//
// A rule speaks of bookings that carry no reference. It never keeps a lead from
// moving, and what carries a reference that is forged or of another site waits in
// the failure queue whatever a rule says: the visitor chooses the name and the
// address in a booking.
type IgnoreRule struct {
	Name            string   // as statements show it
	Reason          string   // why, for whoever reads the statement
	EventTypes      []int64  // Cal.com's numbers
	OtherEventTypes bool     // event types that none of the site's services has
	Hosts           []string // e-mail addresses; "*@example.com" is all of a domain
	Attendees       []string // the same, of who booked
}

// empty reports that the rule has no condition.
func (r *IgnoreRule) empty() bool {
	return len(r.EventTypes)+len(r.Hosts)+len(r.Attendees) == 0 && !r.OtherEventTypes
}

// CheckIgnore reports the first fault of rules, in words for whoever wrote them.
func CheckIgnore(rules []IgnoreRule) error {
	names := map[string]bool{}
	for i := range rules {
		r := &rules[i]
		name := fmt.Sprintf("ignore[%d]", i)
		switch {
		case r.Name == "" || tooLong(r.Name, MaxRuleName) || !printable(r.Name, false):
			return fmt.Errorf("%s.name: give it a name of at most %d characters; statements show it", name, MaxRuleName)
		case names[r.Name]:
			return fmt.Errorf("%s.name: %q is there twice", name, r.Name)
		case strings.TrimSpace(r.Reason) == "":
			return fmt.Errorf("%s.reason: say why these bookings need nobody", name)
		case r.empty():
			return fmt.Errorf("%s: it has no condition; name event_types, other_event_types, hosts or attendees", name)
		}
		for _, address := range slices.Concat(r.Hosts, r.Attendees) {
			if local, domain, ok := strings.Cut(sameEmail(address), "@"); !ok || domain == "" || local == "" || (strings.Contains(local, "*") && local != "*") || strings.ContainsAny(domain, "@*") {
				return fmt.Errorf("%s: %q; write an e-mail address, or *@example.com for all of a domain", name, address)
			}
		}
		names[r.Name] = true
	}
	return nil
}

// MaxRuleName is the longest name of a rule, in characters.
const MaxRuleName = 60

// fits reports that a booking meets the rule. own are the site's event types.
func (r *IgnoreRule) fits(b *Booking, own []int64) bool {
	switch {
	case r.empty():
		return false
	case len(r.EventTypes) > 0 && !slices.Contains(r.EventTypes, b.EventType):
		return false
	case r.OtherEventTypes && (b.EventType == 0 || slices.Contains(own, b.EventType)):
		return false
	case len(r.Hosts) > 0 && !anyAddress(r.Hosts, b.Host.Email):
		return false
	}
	return len(r.Attendees) == 0 || anyAddress(r.Attendees, b.Attendee.Email)
}

// anyAddress reports that an address is one of a list, or of a domain in it.
func anyAddress(list []string, email string) bool {
	email = sameEmail(email)
	return email != "" && slices.ContainsFunc(list, func(s string) bool {
		s = sameEmail(s)
		if domain, all := strings.CutPrefix(s, "*@"); all {
			return strings.HasSuffix(email, "@"+domain)
		}
		return s == email
	})
}

// OtherTypesRule names the rule by which bookings of event types that no service of the
// site has need nobody, whoever is in them; empty if there is none. Of such a booking
// nothing but its event type is kept, so no rule with another condition can speak of it.
func (r *Rules) OtherTypesRule() string {
	for i := range r.Ignore {
		if rule := &r.Ignore[i]; rule.OtherEventTypes && len(rule.EventTypes)+len(rule.Hosts)+len(rule.Attendees) == 0 {
			return rule.Name
		}
	}
	return ""
}

// Rules are what a site has decided: where each situation puts a lead, which event
// types at Cal.com are its services', and which bookings need nobody.
type Rules struct {
	Pipeline   Pipeline
	EventTypes []int64 // Cal.com's numbers
	Ignore     []IgnoreRule
}

// Ignored names the first rule by which a booking needs nobody; empty if it is tied
// to a lead or waits for another reason than that it carries no reference.
func (r *Rules) Ignored(b *Booking, tie Tie) string {
	if tie.Lead != "" || tie.Reason != NoReference {
		return ""
	}
	for i := range r.Ignore {
		if r.Ignore[i].fits(b, r.EventTypes) {
			return r.Ignore[i].Name
		}
	}
	return ""
}
