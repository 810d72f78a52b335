package calsim

import (
	"net/http"
	"slices"
	"time"
)

// faultChoice is one switch of the control page.
type faultChoice struct {
	Name, Label, Says string
	set               func(*Faults)
	on                func(Faults) bool
}

// faultChoices are the switches, in the page's order.
var faultChoices = []faultChoice{
	{
		"duplicate", "Deliver twice", "Each delivery is sent a second time, byte for byte.",
		func(f *Faults) { f.Duplicate = 1 }, func(f Faults) bool { return f.Duplicate > 0 },
	},
	{
		"hold", "Hold back", "Deliveries are collected until you release them below.",
		func(f *Faults) { f.Hold = true }, func(f Faults) bool { return f.Hold },
	},
	{
		"drop", "Lose it", "The delivery is never sent, and nobody is told.",
		func(f *Faults) { f.Drop = true }, func(f Faults) bool { return f.Drop },
	},
	{
		"delay", "Send late", "The delivery leaves ten seconds later.",
		func(f *Faults) { f.Delay = 10 * time.Second }, func(f Faults) bool { return f.Delay > 0 },
	},
	{
		"forge", "Forge the signature", "It is signed with a secret nobody agreed on.",
		func(f *Faults) { f.Forge = true }, func(f Faults) bool { return f.Forge },
	},
	{
		"old-secret", "Sign with the old secret", "As a queued delivery does after the secret was changed.",
		func(f *Faults) { f.OldSecret = true }, func(f Faults) bool { return f.OldSecret },
	},
	{
		"unsigned", "Leave the signature out", "The signature header is missing.",
		func(f *Faults) { f.Unsigned = true }, func(f Faults) bool { return f.Unsigned },
	},
	{
		"no-secret", "No secret configured", "The signature header says no-secret-provided.",
		func(f *Faults) { f.NoSecret = true }, func(f Faults) bool { return f.NoSecret },
	},
	{
		"alter", "Alter the body", "One word is changed after signing, and the original never arrives.",
		func(f *Faults) { f.Alter = true }, func(f Faults) bool { return f.Alter },
	},
	{
		"reencode", "Re-encode the body", "A proxy writes the same JSON with other white space.",
		func(f *Faults) { f.Reencode = true }, func(f Faults) bool { return f.Reencode },
	},
	{
		"strip", "Strip the reference", "The webhook names no reference. Cal.com still has it, so Handoff asks after five seconds.",
		func(f *Faults) { f.StripMetadata = true }, func(f Faults) bool { return f.StripMetadata },
	},
	{
		"change-reference", "Change the reference", "The reference ends otherwise; the signature is right.",
		func(f *Faults) { f.ChangeReference = true }, func(f Faults) bool { return f.ChangeReference },
	},
}

// controlPage is what templates/control.html shows.
type controlPage struct {
	Did, Failed string
	Origin      string
	Host        Organizer
	Types       []EventType
	Generations []generationChoice
	Hooks       []hookView
	Faults      []faultView
	FaultsOn    []string
	Count       int // deliveries the faults still last; 0 until changed
	Held        int
	Bookings    []bookingRow
	Deliveries  []Delivery // newest first
	More        int        // older ones, not shown
	Slots       []slotChoice
}

type generationChoice struct {
	Value Generation
	Label string
	Now   bool
}

type hookView struct {
	URL, Type        string // Type: the event type that it is of; empty: of all
	HasSecret, IsOff bool
}

type faultView struct {
	faultChoice
	On bool
}

// bookingRow is one booking and what can be done with it now.
type bookingRow struct {
	Booking
	Type                                                      string
	State                                                     string // in the page's words
	CanDecide, CanPay, CanCancel, CanMeet, CanMove, AnyAbsent bool
	Reference                                                 string
	CancelRemaining                                           bool
}

type slotChoice struct {
	Value string
	Label string
}

var generationLabels = map[Generation]string{
	SelfHosted2025: "Self-hosted Cal.com, December 2025: direct, loses metadata",
	CalDIY:         "cal.diy, July 2026: direct, loses metadata",
	Cloud2026:      "Hosted Cal.com, spring 2026: queued, keeps metadata",
}

// shown is how many deliveries the control page lists.
const shown = 50

// showControl is the control page.
func (s *Sim) showControl(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	p := controlPage{Did: q.Get("did"), Failed: q.Get("failed"), Origin: s.cfg.Origin, Host: s.cfg.Organizer, Types: s.EventTypes()}
	gen, faults := s.Generation(), s.Faults()
	for _, g := range Generations() {
		p.Generations = append(p.Generations, generationChoice{g, generationLabels[g], g == gen})
	}
	for _, c := range faultChoices {
		p.Faults = append(p.Faults, faultView{c, c.on(faults)})
	}
	p.FaultsOn, p.Count = faults.names(), faults.Count
	s.mu.Lock()
	p.Held = len(s.held)
	for _, h := range s.hooks {
		if !h.removed() {
			et, _ := s.eventType(h.EventType) // 0 is none
			p.Hooks = append(p.Hooks, hookView{h.URL, et.Title, h.Secret != "", h.gone})
		}
	}
	s.mu.Unlock()
	p.Bookings = s.bookingRows()
	p.Slots = s.slotChoices()
	p.Deliveries = s.Deliveries()
	slices.Reverse(p.Deliveries)
	if len(p.Deliveries) > shown {
		p.More = len(p.Deliveries) - shown
		p.Deliveries = p.Deliveries[:shown]
	}
	s.render(w, http.StatusOK, "control.html", false, p)
}

// bookingRows are the bookings, newest first.
func (s *Sim) bookingRows() []bookingRow {
	var out []bookingRow
	for _, b := range s.Bookings() {
		et, _ := s.eventType(b.EventType)
		row := bookingRow{Booking: b, Type: et.Title, State: stateWords(b), Reference: b.Metadata[s.cfg.ReferenceKey]}
		row.CanPay = b.Status == Pending && b.AwaitsPayment()
		row.CanDecide = b.Status == Pending && !b.AwaitsPayment()
		row.CanCancel = b.Live()
		row.CanMeet = b.Status == Accepted
		row.CanMove = b.Live() || b.RescheduledTo != "" || b.AskedToMove
		row.CancelRemaining = b.Live() && b.RecurringID != ""
		row.AnyAbsent = slices.ContainsFunc(b.Attendees, func(a Attendee) bool { return a.NoShow })
		out = append(out, row)
	}
	slices.Reverse(out)
	return out
}

func stateWords(b Booking) string {
	switch {
	case b.Status == Cancelled && b.RescheduledTo != "":
		return "moved"
	case b.Status == Cancelled && b.AskedToMove:
		return "host asked to move"
	case b.Status == Cancelled:
		return "cancelled"
	case b.Status == Rejected:
		return "rejected"
	case b.AwaitsPayment():
		return "awaits payment"
	case b.Status == Pending:
		return "awaits the host"
	}
	return "accepted"
}

// slotChoices are the next free hours, for the page's reschedule forms.
func (s *Sim) slotChoices() []slotChoice {
	if len(s.cfg.EventTypes) == 0 {
		return nil
	}
	var out []slotChoice
	zone := location(s.cfg.Organizer.TimeZone)
	for _, at := range s.free(s.cfg.EventTypes[0], "") {
		if len(out) == 24 {
			break
		}
		out = append(out, slotChoice{at.Format(time.RFC3339), at.In(zone).Format("Mon 2 Jan, 15:04")})
	}
	return out
}
