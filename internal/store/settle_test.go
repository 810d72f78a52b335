package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

var (
	ann = handoff.Actor{Name: "ann@example.com", Role: handoff.RoleOperator}
	bob = handoff.Actor{Name: "bob@example.com", Role: handoff.RoleOperator}
)

// reasons are why failures wait, sorted.
func (h *harness) reasons() string {
	h.t.Helper()
	var out []string
	for _, f := range h.waiting() {
		out = append(out, string(f.Reason))
	}
	slices.Sort(out)
	return strings.Join(out, " ")
}

// waits is the one failure that waits.
func (h *harness) waits() store.FailureView {
	h.t.Helper()
	list := h.waiting()
	if len(list) != 1 {
		h.t.Fatalf("%d failures wait: %+v", len(list), list)
	}
	return list[0]
}

// done are what people did to a subject, the newest first.
func (h *harness) done(subject string) (out []string) {
	h.t.Helper()
	acts, err := h.Audit(h.t.Context(), store.AuditFilter{Subject: subject})
	h.must(err)
	for _, a := range acts {
		out = append(out, a.Actor+" "+a.Action)
	}
	return out
}

// A booking that replaced another is the same call: who says of one that it needs nobody
// has said it of the whole chain, also of what replaces it later; until another reason
// comes, or it is taken back.
func TestDismissingAChain(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		follow := func(uid, replaced string, o func(*handoff.Observation)) {
			t.Helper()
			e := h.event("evt_"+uid, uid, handoff.Accepted, "")
			if e.Observation.Predecessor = replaced; o != nil {
				o(e.Observation)
			}
			h.keep(e, uid)
			h.work()
		}
		open := func() string {
			t.Helper()
			var out []string
			for _, f := range h.waiting() {
				out = append(out, f.UID+" "+string(f.Reason))
			}
			slices.Sort(out)
			return strings.Join(out, ", ")
		}
		id := func(uid string) handoff.FailureID {
			t.Helper()
			list, err := h.Failures(ctx, store.FailureFilter{UID: uid})
			h.must(err)
			return list[0].ID
		}
		follow("u1", "", nil)
		follow("u2", "u1", nil)
		follow("other", "", nil)
		first := id("u1")
		r, err := h.Dismiss(ctx, ann, site, []handoff.FailureID{id("u2")}, "a friend")
		h.must(err)
		h.work()
		if got := open(); got != "other no_reference" || r.Failures != 1 {
			t.Errorf("there waits %q; %+v", got, r)
		}
		if f, err := h.Failure(ctx, nil, first); err != nil || f.SettledBy != "dismissed with another booking of its chain" || f.Resolution == nil || f.Resolution.ID != r.ID {
			t.Errorf("%+v, %v", f, err)
		}
		if all, err := h.Resolution(ctx, site, r.ID); err != nil || all.Failures != 2 {
			t.Errorf("with its chain the resolution settled %+v, %v", all, err)
		}
		follow("u3", "u2", nil)
		if got := open(); got != "other no_reference" {
			t.Errorf("moved once more, and there waits %q", got)
		}
		h.must(h.Undo(ctx, ann, site, r.ID))
		h.work()
		if got := open(); got != "other no_reference, u1 no_reference, u2 no_reference, u3 no_reference" {
			t.Errorf("taken back, and there waits %q", got)
		}
		if f, err := h.Failure(ctx, nil, first); err != nil || f.ID != id("u1") || f.SettledAt != nil || f.Resolution != nil {
			t.Errorf("taken back, the first is %+v, %v", f, err)
		}
		_, err = h.Dismiss(ctx, ann, site, []handoff.FailureID{id("u1")}, "")
		h.must(err)
		h.work()
		if got := open(); got != "other no_reference" {
			t.Errorf("of the first one said, and there waits %q", got)
		}
		follow("u4", "u3", func(o *handoff.Observation) {
			o.Carried = []handoff.Carried{{From: handoff.InMetadata, Verdict: handoff.Forged}}
		})
		if got := open(); !strings.Contains(got, "u4 reference_forged") {
			t.Errorf("of another reason there waits %q", got)
		}

		// Of a chain that has a lead, each of the others that are named waits for itself.
		lead, rival := h.submit("f", "Dana"), h.submit("g", "Omar")
		carry := func(s handoff.Submission) func(*handoff.Observation) {
			return func(o *handoff.Observation) {
				o.Carried = []handoff.Carried{{From: handoff.InMetadata, Verdict: handoff.Valid, Submission: s.ID}}
			}
		}
		follow("w1", "", carry(lead))
		follow("w2", "w1", carry(rival))
		_, err = h.Dismiss(ctx, ann, site, []handoff.FailureID{id("w1")}, "")
		h.must(err)
		h.work()
		if got := open(); !strings.Contains(got, "w2 booking_of_another_lead") || strings.Contains(got, "w1") {
			t.Errorf("of a chain with a lead there waits %q", got)
		}

		// Nor does it hide a booking that carries a lead's own reference: the submission that
		// the chain began with is gone, and somebody moved the call with the reference of another.
		follow("g1", "", carry(handoff.Submission{ID: "sub_gone"}))
		_, err = h.Dismiss(ctx, ann, site, []handoff.FailureID{id("g1")}, "asked to be erased")
		h.must(err)
		h.work()
		follow("g2", "g1", carry(handoff.Submission{ID: "sub_gone"}))
		if got := open(); strings.Contains(got, "g1") || strings.Contains(got, "g2") {
			t.Errorf("with the reference that is gone there waits %q", got)
		}
		follow("g3", "g2", carry(lead))
		if got := open(); !strings.Contains(got, "g3 submission_unknown") || strings.Contains(got, "g1") || strings.Contains(got, "g2") {
			t.Errorf("with a lead's reference there waits %q", got)
		}
		_, err = h.Dismiss(ctx, ann, site, []handoff.FailureID{id("g3")}, "")
		h.must(err)
		h.work()
		if got := open(); strings.Contains(got, "g3") {
			t.Errorf("said of it itself, and there waits %q", got)
		}

		// An entry of a booking can be settled with its chain, and a later one of the same
		// booking by itself. Where both come to go back with one resolution, one of them waits.
		follow("k1", "", carry(handoff.Submission{ID: "sub_gone"}))
		follow("k2", "k1", carry(handoff.Submission{ID: "sub_gone"}))
		earlier := id("k2")
		whole, err := h.Dismiss(ctx, ann, site, []handoff.FailureID{id("k1")}, "")
		h.must(err)
		h.work()
		h.keep(h.event("evt_k2_again", "k2", handoff.Cancelled, lead.ID), "k2_again")
		h.work()
		later := id("k2")
		own, err := h.Dismiss(ctx, ann, site, []handoff.FailureID{later}, "")
		h.must(err)
		h.work()
		if later == earlier {
			t.Fatal("of a booking that carries a lead's reference by now no other entry waits")
		}
		for _, r := range []store.Resolution{whole, own} {
			h.must(h.Undo(ctx, ann, site, r.ID))
			h.work()
		}
		if got := open(); strings.Count(got, "k1 submission_unknown") != 1 || strings.Count(got, "k2 submission_unknown") != 1 {
			t.Errorf("with both taken back there waits %q", got)
		}
	})
}

// A booking is tied to the lead that somebody named, with all of its chain, and the
// lead moves, once. Taken back, all is as it was.
func TestAttach(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		lead := h.submit("f", "Dana").Lead
		h.keep(h.event("e1", "u1", handoff.Accepted, ""), "d1")
		moved := h.event("e2", "u2", handoff.Accepted, "")
		moved.Observation.Predecessor = "u1"
		h.keep(moved, "d2")
		h.work()
		list := h.waiting()
		if len(list) != 2 || h.lead(lead).Stage != "new" {
			t.Fatalf("%+v", list)
		}
		r, err := h.Attach(ctx, ann, site, list[0].ID, lead, " she rang ")
		if err != nil || r.Failures != 1 || r.Lead != lead || r.Note != "she rang" || r.By != ann.Name || r.Remedy != handoff.Attach {
			t.Fatalf("%+v, %v", r, err)
		}
		f, err := h.Failure(ctx, nil, list[0].ID)
		if err != nil || f.SettledAt == nil || f.SettledBy != "tied to a lead by ann@example.com: she rang" || f.Resolution == nil || f.Resolution.ID != r.ID || len(f.Remedies) != 0 {
			t.Errorf("settled at once: %+v, %v", f, err)
		}
		h.work()
		if d := h.lead(lead); d.Stage != "booked" || len(d.Bookings) != 2 || len(d.History) != 2 {
			t.Errorf("%s, %d bookings, history %+v", d.Stage, len(d.Bookings), d.History)
		}
		if got := h.waiting(); len(got) != 0 {
			t.Errorf("the rest of the chain waits: %+v", got)
		}
		rest, err := h.Failure(ctx, nil, list[1].ID)
		if err != nil || rest.SettledBy != "tied to a lead with another booking of its chain" || rest.Resolution == nil || rest.Resolution.ID != r.ID || rest.Resolution.Failures != 2 {
			t.Errorf("the rest of the chain: %+v, %v", rest, err)
		}
		if got := h.done(string(list[0].ID)); !slices.Equal(got, []string{"ann@example.com failure.attach"}) {
			t.Error(got)
		}

		// Nobody settles it again.
		for name, err := range map[string]error{
			"attach":  second(h.Attach(ctx, bob, site, list[0].ID, lead, "")),
			"dismiss": second(h.Dismiss(ctx, bob, site, []handoff.FailureID{list[0].ID}, "")),
			"ask":     h.AskAbout(ctx, bob, site, list[0].ID),
		} {
			if !errors.Is(err, handoff.ErrConflict) || !strings.Contains(err.Error(), "tied to a lead by ann@example.com") {
				t.Errorf("%s: %v", name, err)
			}
		}

		h.pass(time.Minute)
		if err := h.Undo(ctx, bob, site, r.ID); err != nil {
			t.Fatal(err)
		}
		h.work()
		if got := h.done(string(list[0].ID)); !slices.Equal(got, []string{"bob@example.com failure.undo", "ann@example.com failure.attach"}) {
			t.Errorf("of the failure the log says %v", got)
		}
		if d := h.lead(lead); d.Stage != "new" || len(d.Bookings) != 0 {
			t.Errorf("taken back: %s, %+v", d.Stage, d.Bookings)
		}
		if got := h.reasons(); got != "no_reference no_reference" {
			t.Errorf("waits: %s", got)
		}
		if err := h.Undo(ctx, ann, site, r.ID); !errors.Is(err, handoff.ErrConflict) || !strings.Contains(err.Error(), bob.Name) {
			t.Errorf("taken back twice: %v", err)
		}
		// And decided anew, although the clock was set back: the last decision counts.
		other := h.submit("g", "Omar").Lead
		h.pass(-time.Hour)
		for _, to := range []handoff.LeadID{lead, other} {
			for _, f := range h.waiting() {
				if f.UID == "u1" {
					r, err = h.Attach(ctx, ann, site, f.ID, to, "")
					h.must(err)
				}
			}
			h.work()
			if d := h.lead(to); d.Stage != "booked" {
				t.Errorf("decided anew: %s", d.Stage)
			}
			if to == lead {
				h.must(h.Undo(ctx, ann, site, r.ID))
				h.work()
			}
		}
	})
}

func second[T any](_ T, err error) error { return err }

// What is dismissed does not come back with the same reason, and does with another; it
// ends where a reference proves a lead. Taken back, it waits again.
func TestDismiss(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		lead := h.submit("f", "Dana")
		h.keep(h.event("e1", "u1", handoff.Accepted, ""), "d1")
		h.work()
		f := h.waits()
		r, err := h.Dismiss(ctx, ann, site, []handoff.FailureID{f.ID}, "a friend")
		h.must(err)
		h.work()
		h.keep(h.event("e2", "u1", handoff.Cancelled, ""), "d2") // about the same booking
		h.work()
		if got := h.reasons(); got != "" {
			t.Errorf("waits again: %s", got)
		}
		dismissed := func() string { return h.Setting(ctx, `SELECT dismissed FROM bookings`) }
		if got := dismissed(); got != "no_reference" {
			t.Errorf("the booking is dismissed for %q", got)
		}

		h.must(h.Undo(ctx, ann, site, r.ID))
		for range 2 { // at once, and once it was worked
			if got := h.waits(); got.ID != f.ID {
				t.Errorf("another failure: %+v", got)
			}
			h.work()
		}
		if got := dismissed(); got != "" {
			t.Errorf("the booking is dismissed for %q", got)
		}

		_, err = h.Dismiss(ctx, ann, site, []handoff.FailureID{f.ID}, "")
		h.must(err)
		forged := h.event("e3", "u1", handoff.Cancelled, "")
		forged.Observation.Carried = []handoff.Carried{{From: handoff.InAnswer, Verdict: handoff.Forged}}
		h.keep(forged, "d3")
		h.work()
		if got := h.reasons(); got != "reference_forged" {
			t.Errorf("another reason: %s", got)
		}
		proved := h.event("e4", "u1", handoff.Cancelled, lead.ID)
		h.keep(proved, "d4")
		h.work()
		if got := h.reasons(); got != "" || h.lead(lead.Lead).Stage != "rebook" || dismissed() != "" {
			t.Errorf("a reference that came later: %q, %s", got, h.lead(lead.Lead).Stage)
		}
	})
}

// All are dismissed or none, and nobody dismisses what is not theirs, does not exist,
// heals by itself, or was settled meanwhile.
func TestDismissAllOrNone(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		for n := range 3 {
			h.must(h.KeepUnverified(ctx, h.delivery(fmt.Sprint("forged", n)), handoff.SignatureWrong, ""))
		}
		h.must(h.SiteFails(ctx, site, store.MailSubject, handoff.MailFailing, ""))
		var ids []handoff.FailureID
		var ill handoff.FailureID
		for _, f := range h.waiting() {
			if f.Kind == handoff.FailedSite {
				ill = f.ID
			} else {
				ids = append(ids, f.ID)
			}
		}
		before := h.reasons()
		long := strings.Repeat("é", handoff.MaxRemark+1)
		for _, c := range []struct {
			name string
			err  error
			want error
		}{
			{"none", second(h.Dismiss(ctx, ann, site, nil, "")), handoff.ErrInvalid},
			{"one does not exist", second(h.Dismiss(ctx, ann, site, append(slices.Clone(ids), "fail_none"), "")), handoff.ErrNotFound},
			{"one heals by itself", second(h.Dismiss(ctx, ann, site, append(slices.Clone(ids), ill), "")), handoff.ErrInvalid},
			{"of another site", second(h.Dismiss(ctx, ann, "other", ids, "")), handoff.ErrNotFound},
			{"too many", second(h.Dismiss(ctx, ann, site, make([]handoff.FailureID, store.MaxAtOnce+1), "")), handoff.ErrInvalid},
			{"too long a reason", second(h.Dismiss(ctx, ann, site, ids, long)), handoff.ErrInvalid},
			{"a reason that is no text", second(h.Dismiss(ctx, ann, site, ids, "a\x00b")), handoff.ErrInvalid},
			{"a viewer", second(h.Dismiss(ctx, handoff.Actor{Name: "v", Role: handoff.RoleViewer}, site, ids, "")), handoff.ErrForbidden},
			{"who does not see the site", second(h.Dismiss(ctx, handoff.Actor{Name: "v", Role: handoff.RoleOwner, Sites: []string{"other"}}, site, ids, "")), handoff.ErrNotFound},
			{"a viewer, all", second(h.DismissAll(ctx, handoff.Actor{Name: "v", Role: handoff.RoleViewer}, site, handoff.SignatureWrong, h.now(), "")), handoff.ErrForbidden},
			{"all of what heals by itself", second(h.DismissAll(ctx, ann, site, handoff.MailFailing, h.now(), "")), handoff.ErrInvalid},
			{"all of none", second(h.DismissAll(ctx, ann, site, handoff.NotJSON, h.now(), "")), handoff.ErrNotFound},
			{"undo of none", h.Undo(ctx, ann, site, "res_none"), handoff.ErrNotFound},
			{"a viewer's undo", h.Undo(ctx, handoff.Actor{Name: "v", Role: handoff.RoleViewer}, site, "res_none"), handoff.ErrForbidden},
			{"attach what is no booking", second(h.Attach(ctx, ann, site, ids[0], "lead_none", "")), handoff.ErrInvalid},
			{"ask about what is no booking", h.AskAbout(ctx, ann, site, ids[0]), handoff.ErrInvalid},
			{"a viewer asks", h.AskAbout(ctx, handoff.Actor{Name: "v", Role: handoff.RoleViewer}, site, ids[0]), handoff.ErrForbidden},
		} {
			if !errors.Is(c.err, c.want) {
				t.Errorf("%s: %v, want %v", c.name, c.err, c.want)
			}
		}
		if got := h.reasons(); got != before || len(h.done("")) != 0 {
			t.Errorf("changed: %s, was %s; %v", got, before, h.done(""))
		}

		// What came after somebody looked, they did not see.
		seen := h.now()
		h.pass(time.Minute)
		h.must(h.KeepUnverified(ctx, h.delivery("forged0"), handoff.SignatureWrong, ""))
		h.must(h.KeepUnverified(ctx, h.delivery("new"), handoff.SignatureWrong, ""))
		r, err := h.DismissAll(ctx, ann, site, handoff.SignatureWrong, seen, "noise")
		if err != nil || r.Failures != 2 || h.reasons() != "mail_failing signature_wrong signature_wrong" {
			t.Errorf("%+v, %v: %s", r, err, h.reasons())
		}
		if got := h.done(string(r.ID)); !slices.Equal(got, []string{"ann@example.com failure.dismiss"}) {
			t.Error(got)
		}
		// Of several reasons, the log says how many of each.
		h.must(h.KeepUnverified(ctx, h.delivery("unsigned"), handoff.SignatureMissing, ""))
		var mixed []handoff.FailureID
		for _, f := range h.waiting() {
			if f.Reason != handoff.MailFailing {
				mixed = append(mixed, f.ID)
			}
		}
		both, err := h.Dismiss(ctx, ann, site, mixed, "")
		h.must(err)
		if acts, err := h.Audit(ctx, store.AuditFilter{Subject: string(both.ID)}); err != nil || len(acts) != 1 || acts[0].Detail != "2 of signature_wrong, 1 of signature_missing" {
			t.Errorf("%+v, %v", acts, err)
		}
		h.must(h.Undo(ctx, ann, site, both.ID))
		if r, err := h.Resolution(ctx, site, both.ID); err != nil || r.Failures != 3 || r.UndoneAt == nil {
			t.Errorf("what it settled is forgotten: %+v, %v", r, err)
		}
		// Each of them remembers both, also now that it waits again.
		for _, id := range mixed {
			if got := h.done(string(id)); !slices.Equal(got, []string{"ann@example.com failure.undo", "ann@example.com failure.dismiss"}) {
				t.Errorf("of one of several the log says %v", got)
			}
		}
		h.must(second(h.DismissAll(ctx, ann, site, handoff.SignatureMissing, h.now(), "")))
		// One of them comes again and waits; the other returns with the undo, and only it.
		var gone []handoff.FailureID
		for _, id := range ids {
			if f, err := h.Failure(ctx, nil, id); err != nil || f.SettledAt != nil {
				gone = append(gone, id)
			}
		}
		digest := map[bool]string{true: "forged1", false: "forged2"}[len(gone) == 2]
		h.must(h.KeepUnverified(ctx, h.delivery(digest), handoff.SignatureWrong, ""))
		if got := h.reasons(); got != "mail_failing signature_wrong signature_wrong signature_wrong" {
			t.Errorf("came again: %s", got)
		}
		h.must(h.Undo(ctx, ann, site, r.ID))
		if got := h.reasons(); got != "mail_failing signature_wrong signature_wrong signature_wrong signature_wrong" {
			t.Errorf("undone: %s", got)
		}
		came := 0
		for _, id := range gone {
			f, err := h.Failure(ctx, nil, id)
			h.must(err)
			if f.SettledAt == nil {
				continue
			}
			if came++; f.Resolution != nil || f.SettledBy != "taken back; the same came again and waits" {
				t.Errorf("in whose place another waits: %+v", f)
			}
		}
		if came != 1 {
			t.Errorf("%d of %v stay settled", came, gone)
		}
	})
}

// A call that was moved since somebody read the list they have not seen: neither its entry
// nor that of the booking it replaced, with which it would go, is dismissed with the others.
func TestLaterMoveOfAWaitingBooking(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		hear := func(id, uid, replaced string, status handoff.Status) {
			e := h.event(id, uid, status, "")
			e.Observation.Predecessor = replaced
			h.keep(e, id)
			h.work()
			h.pass(time.Minute)
		}
		left := func(what string) {
			t.Helper()
			r, err := h.DismissAll(ctx, ann, site, handoff.NoReference, h.now().Add(-90*time.Second), "")
			h.work()
			waits := map[string]bool{}
			for _, f := range h.waiting() {
				waits[f.UID] = true
			}
			if err == nil && r.Failures != 1 || !waits["u1"] || !waits["u2"] {
				t.Errorf("%s: %d were dismissed, %v; there waits %v", what, r.Failures, err, waits)
			}
		}
		hear("e1", "u1", "", handoff.Accepted)
		hear("e2", "other", "", handoff.Accepted)
		hear("e3", "u2", "u1", handoff.Accepted)
		left("moved")
		h.pass(time.Hour)
		hear("e4", "u2", "", handoff.Cancelled)
		left("moved, and then cancelled")
	})
}

// What Cal.com tells later of a booking whose failure waits, who saw it before has not
// seen: it is not dismissed with the others.
func TestLaterEventOfAWaitingBooking(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		h.keep(h.event("e1", "u", handoff.Accepted, ""), "d1")
		h.work()
		first := h.waits()
		h.pass(time.Minute)
		seen := h.now()
		h.pass(time.Minute)
		h.keep(h.event("e2", "u", handoff.Cancelled, ""), "d2")
		h.work()
		if f := h.waits(); f.ID != first.ID || f.Deliveries != 2 || !f.ReceivedAt.Equal(first.ReceivedAt) || !f.LastAt.After(seen) {
			t.Errorf("%+v, was %+v", f, first)
		}
		if _, err := h.DismissAll(ctx, ann, site, handoff.NoReference, seen, ""); !errors.Is(err, handoff.ErrNotFound) {
			t.Error(err)
		}
		last := h.waits().LastAt
		h.pass(time.Minute)
		h.must(second(h.Dismiss(ctx, ann, site, []handoff.FailureID{first.ID}, "")))
		f, err := h.Failure(ctx, nil, first.ID)
		h.must(err)
		h.must(h.Undo(ctx, ann, site, f.Resolution.ID))
		h.work()
		if f := h.waits(); !f.LastAt.Equal(last) {
			t.Errorf("came last %s, was %s: nothing came", f.LastAt, last)
		}
	})
}

// A site can have a hundred thousand entries, and as many that people settled: neither what
// is settled with its chain, nor what is taken back, is found by reading all of them.
func TestSettlingByIndexes(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		if !strings.HasPrefix(h.url, "sqlite:") {
			return // its plans follow from what is in the tables
		}
		lead := h.submit("f", "Dana").Lead
		for range 2 { // a statement is prepared once it was used
			h.keep(h.event("e1", "u1", handoff.Accepted, ""), "d1")
			moved := h.event("e2", "u2", handoff.Accepted, "")
			moved.Observation.Predecessor = "u1"
			h.keep(moved, "d2")
			h.work()
			r, err := h.Attach(t.Context(), ann, site, h.waiting()[0].ID, lead, "")
			h.must(err)
			h.work()
			h.must(h.Undo(t.Context(), ann, site, r.ID))
			h.work()
		}
		plans, err := h.PreparedPlans(t.Context(), "resolution")
		h.must(err)
		if len(plans) < 8 {
			t.Errorf("there are few: %v", plans)
		}
		for query, plan := range plans {
			if strings.Contains(plan, "(site=?)") || strings.Contains(plan, "SCAN") {
				t.Errorf("%s\n%s", query, plan)
			}
		}
	})
}

// Two who settle one failure at once: one does, the other is told, nothing is doubled.
func TestTwoSettleAtOnce(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		leads := []handoff.LeadID{h.submit("f", "Dana").Lead, h.submit("g", "Omar").Lead}
		for round := range 5 {
			uid := fmt.Sprint("u", round)
			h.keep(h.event("e"+uid, uid, handoff.Accepted, ""), "d"+uid)
			h.work()
			f := h.waits()
			var wg sync.WaitGroup
			errs := make([]error, 6)
			for i := range errs {
				wg.Go(func() {
					switch i % 3 {
					case 0:
						errs[i] = second(h.Attach(ctx, ann, site, f.ID, leads[0], ""))
					case 1:
						errs[i] = second(h.Attach(ctx, bob, site, f.ID, leads[1], ""))
					case 2:
						errs[i] = second(h.Dismiss(ctx, bob, site, []handoff.FailureID{f.ID}, ""))
					}
				})
			}
			wg.Go(func() {
				if _, err := h.Reconcile(ctx, site, handoff.Rules{Pipeline: handoff.DefaultPipeline()}, 10); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			done := 0
			for _, err := range errs {
				switch {
				case err == nil:
					done++
				case !errors.Is(err, handoff.ErrConflict):
					t.Error(err)
				}
			}
			if got := h.done(string(f.ID)); done != 1 || len(got) != 1 {
				t.Errorf("%d settled it: %v", done, got)
			}
			h.work()
			if got := h.reasons(); got != "" {
				t.Errorf("waits: %s", got)
			}
		}
	})
}

// Cal.com is asked at once, and the failure waits for its answer.
func TestAskAbout(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		h.keep(h.event("e1", "u1", handoff.Accepted, ""), "d1")
		h.work()
		h.pass(store.AskAfter)
		for _, w := range h.claim(store.KindAsk) {
			h.must(h.Drop(t.Context(), w))
		}
		f := h.waits()
		h.must(h.AskAbout(t.Context(), ann, site, f.ID))
		claimed := h.claim(store.KindAsk)
		if len(claimed) != 1 || claimed[0].Key != "u1" || h.waits().ID != f.ID || len(h.done(string(f.ID))) != 1 {
			t.Errorf("%+v", claimed)
		}
	})
}

// All of a cause are read again, also those before which others stand that anybody can
// have sent.
func TestReadAllAgain(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		keep := func(id, source string) {
			d := h.delivery(id)
			d.Sealed, d.Source = []byte(id), source
			h.must(h.KeepUnverified(ctx, d, handoff.SignatureWrong, ""))
		}
		keep("right", "Cal.com")
		h.pass(time.Minute)
		for i := range 220 {
			keep(fmt.Sprint("forged", i), fmt.Sprint("source", i%4))
		}
		done, left, err := h.ReadAllAgain(ctx, ann, site, handoff.SignatureWrong, func(d handoff.Delivery) (handoff.Delivery, handoff.Event, error) {
			if string(d.Sealed) != "right" {
				return d, handoff.Event{}, errors.New("as before")
			}
			d.Body, d.Trigger = []byte(`{"read":1}`), "BOOKING_CREATED"
			return d, h.event("evt", "u", handoff.Accepted, ""), nil
		})
		if err != nil || done != 1 || left != 220 {
			t.Errorf("%d read, %d left: %v", done, left, err)
		}
	})
}

// Cal.com is asked about all that wait for a reason, each booking once, and nothing is
// settled by asking.
func TestAskAll(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		for _, uid := range []string{"u1", "u2", "u3"} {
			h.keep(h.event("evt_"+uid, uid, handoff.Accepted, ""), uid)
		}
		seat := h.event("evt_seat", "u1", handoff.Accepted, "")
		seat.Observation.Seat = "s1"
		h.keep(seat, "seat")
		h.work()
		settled, err := h.Failures(ctx, store.FailureFilter{UID: "u3"})
		h.must(err)
		_, err = h.Dismiss(ctx, ann, site, []handoff.FailureID{settled[0].ID}, "")
		h.must(err)
		h.work()
		before := h.reasons()
		h.pass(time.Hour) // what is asked by itself was asked long ago
		asked := func() (uids []string) {
			t.Helper()
			for {
				claimed, err := h.Claim(ctx, site, store.KindAsk, 10)
				h.must(err)
				if len(claimed) == 0 {
					slices.Sort(uids)
					return uids
				}
				for _, w := range claimed {
					uids = append(uids, w.Key)
					h.must(h.Drop(ctx, w))
				}
			}
		}
		asked()
		viewer := handoff.Actor{Name: "v", Role: handoff.RoleViewer}
		for name, c := range map[string]struct {
			by     handoff.Actor
			site   string
			reason handoff.Reason
			want   error
		}{
			"a viewer":                    {viewer, site, handoff.NoReference, handoff.ErrForbidden},
			"nothing of the reason waits": {ann, site, handoff.ReferenceForged, handoff.ErrNotFound},
			"another site":                {ann, "other", handoff.NoReference, handoff.ErrNotFound},
			"nothing to ask about":        {ann, site, handoff.SignatureWrong, handoff.ErrInvalid},
			"no reason":                   {ann, site, "", handoff.ErrInvalid},
		} {
			if n, err := h.AskAll(ctx, c.by, c.site, c.reason); n != 0 || !errors.Is(err, c.want) {
				t.Errorf("%s: %d, %v", name, n, err)
			}
		}
		if got := asked(); len(got) != 0 {
			t.Errorf("asked about %v", got)
		}
		if n, err := h.AskAll(ctx, ann, site, handoff.NoReference); err != nil || n != 2 {
			t.Errorf("%d, %v", n, err)
		}
		if got := asked(); !slices.Equal(got, []string{"u1", "u2"}) {
			t.Errorf("asked about %v", got)
		}
		if got := h.reasons(); got != before {
			t.Errorf("there waits %s; before %s", got, before)
		}
		acts, err := h.Audit(ctx, store.AuditFilter{Action: "failure.ask", Limit: 10})
		if err != nil || len(acts) != 1 || acts[0].Detail != "2 bookings of no_reference" || acts[0].Actor != ann.Name {
			t.Errorf("%+v, %v", acts, err)
		}
	})
}

// What was not believed is read again, and then enters like every event; what cannot be
// read changes nothing.
func TestReadAgain(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		lead := h.submit("f", "Dana")
		for _, signed := range []bool{false, true} {
			id := fmt.Sprint("signed ", signed)
			d := h.delivery(id)
			d.Sealed = []byte("sealed " + id)
			if signed {
				h.must(h.KeepNotUnderstood(ctx, d, handoff.UnknownShape, ""))
			} else {
				h.must(h.KeepUnverified(ctx, d, handoff.SignatureWrong, ""))
			}
			f := h.waits()
			refused := errors.New("not yet")
			if _, err := h.ReadAgain(ctx, ann, site, f.ID, func(handoff.Delivery) (handoff.Delivery, handoff.Event, error) {
				return handoff.Delivery{}, handoff.Event{}, refused
			}); !errors.Is(err, refused) || h.waits().ID != f.ID || len(h.done(string(f.ID))) != 0 {
				t.Errorf("%s: %v", id, err)
			}
			read := func(got handoff.Delivery) (handoff.Delivery, handoff.Event, error) {
				if got.Digest != d.Digest || string(got.Sealed) != "sealed "+id || got.Signature != d.Signature || got.ContentType != d.ContentType {
					t.Errorf("%+v", got)
				}
				got.Body, got.Trigger = []byte(`{"read":1}`), "BOOKING_CREATED"
				return got, h.event("evt "+id, "uid"+fmt.Sprint(signed), handoff.Accepted, lead.ID), nil
			}
			if _, err := h.ReadAgain(ctx, handoff.Actor{Name: "v", Role: handoff.RoleViewer}, site, f.ID, read); !errors.Is(err, handoff.ErrForbidden) {
				t.Error(err)
			}
			if _, err := h.ReadAgain(ctx, ann, "other", f.ID, read); !errors.Is(err, handoff.ErrNotFound) {
				t.Error(err)
			}
			h.must(second(h.ReadAgain(ctx, ann, site, f.ID, read)))
			if got := h.reasons(); got != "" || len(h.done(string(f.ID))) != 1 {
				t.Errorf("%s: %s", id, got)
			}
			h.work()
			if _, err := h.ReadAgain(ctx, bob, site, f.ID, read); !errors.Is(err, handoff.ErrConflict) {
				t.Errorf("read twice: %v", err)
			}
			if n := h.Setting(ctx, `SELECT count(*) FROM deliveries WHERE sealed IS NOT NULL`); n != "0" {
				t.Errorf("%s sealed bodies are left", n)
			}
			if n := h.Setting(ctx, `SELECT sum(count) FROM deliveries WHERE digest = '`+d.Digest+`' AND verified`); n != "1" {
				t.Errorf("the delivery came %s times", n)
			}
			if isNew := h.keep(h.event("evt "+id, "uid"+fmt.Sprint(signed), handoff.Accepted, lead.ID), "other bytes "+id); isNew {
				t.Error("the event is not known")
			}
		}
		if d := h.lead(lead.Lead); d.Stage != "booked" || len(d.Bookings) != 2 || len(d.History) != 2 {
			t.Errorf("%+v", d)
		}
		// A body that was cut cannot be read again.
		large := h.delivery("large")
		large.Body, large.Sealed = make([]byte, 20<<10), []byte("sealed")
		h.must(h.KeepUnverified(ctx, large, handoff.SignatureWrong, ""))
		if _, err := h.ReadAgain(ctx, ann, site, h.waits().ID, nil); !errors.Is(err, handoff.ErrNotFound) {
			t.Error(err)
		}
	})
}

// Lists go on where they ended, by site and reason, and counts have an end.
func TestFailureListsGoOn(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		for n := range 9 {
			h.pass(time.Second)
			d := h.delivery(fmt.Sprint("d", n))
			d.Site = []string{"a", "b", "c"}[n%3]
			if n < 5 {
				h.must(h.KeepNotUnderstood(ctx, d, []handoff.Reason{handoff.NotJSON, handoff.UnknownShape}[n%2], ""))
			} else {
				h.must(h.KeepUnverified(ctx, d, handoff.SignatureWrong, ""))
			}
		}
		for _, c := range []struct {
			filter store.FailureFilter
			want   int
		}{
			{store.FailureFilter{}, 9},
			{store.FailureFilter{Sites: []string{"a", "c"}}, 6},
			{store.FailureFilter{Sites: []string{}}, 0},
			{store.FailureFilter{Sites: []string{"none"}}, 0},
			{store.FailureFilter{Reason: handoff.NotJSON}, 3},
			{store.FailureFilter{Reason: handoff.NotJSON, Settled: true}, 3},
			{store.FailureFilter{Kind: handoff.FailedDelivery}, 4},
			{store.FailureFilter{Kind: handoff.FailedEvent, Settled: true}, 5},
			{store.FailureFilter{Settled: true}, 9},
			{store.FailureFilter{Reason: "' OR 1 = 1"}, 0},
		} {
			var all []store.FailureView
			c.filter.Limit = 2
			for {
				some, err := h.Failures(ctx, c.filter)
				h.must(err)
				if len(some) == 0 || len(all) > 20 {
					break
				}
				all = append(all, some...)
				c.filter.After = some[len(some)-1].Place()
			}
			seen := map[handoff.FailureID]bool{}
			for i, f := range all {
				if seen[f.ID] || i > 0 && all[i-1].Verified == f.Verified && all[i-1].LastAt.Before(f.LastAt) || i > 0 && !c.filter.Settled && f.Verified && !all[i-1].Verified {
					t.Errorf("%+v: %s at %d", c.filter, f.ID, i)
				}
				seen[f.ID] = true
			}
			if len(all) != c.want {
				t.Errorf("%+v: %d, want %d", c.filter, len(all), c.want)
			}
		}
		counts := map[string]int{}
		of, err := h.Waiting(ctx, []string{"a", "b"})
		h.must(err)
		for _, w := range of {
			counts[w.Site+" "+string(w.Reason)] = w.Count
			if w.More {
				t.Errorf("%+v", w)
			}
		}
		if len(of) != 6 || counts["a not_json"] != 1 || counts["b signature_wrong"] != 1 || counts["a signature_wrong"] != 1 {
			t.Errorf("%+v", of)
		}
		for _, f := range h.waiting() {
			for _, site := range []string{"a", "b", "c"} {
				if _, err := h.Failure(ctx, []string{site}, f.ID); (err == nil) != (site == f.Site) || err != nil && !errors.Is(err, handoff.ErrNotFound) {
					t.Errorf("%s of %s, seen from %s: %v", f.ID, f.Site, site, err)
				}
			}
		}
	})
}

// Suggested is who may have booked: by address, telephone number and name however many
// sent a form since, by time among the last. Nobody of another site.
func TestSuggestions(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		send := func(s handoff.Submission) handoff.LeadID {
			s.Service, s.Form = "s", s.Name+s.Site
			s, err := h.CreateLead(ctx, s, handoff.DefaultPipeline())
			h.must(err)
			return s.Lead
		}
		submit := func(site, name, email string) handoff.LeadID {
			return send(handoff.Submission{Site: site, Name: name, Email: email})
		}
		old := submit(site, "Somebody", "DANA@example.com")
		called := send(handoff.Submission{Site: site, Name: "Her Office", Email: "office@example.com", Phone: "020 7946 0104"})
		similar := submit(site, "D. Reyes", "reyes@example.com")
		submit("other", "Dana Reyes", "dana@example.com")
		h.pass(40 * 24 * time.Hour)
		for i := range 200 {
			submit(site, fmt.Sprint("Visitor ", i), "v@example.com")
		}
		namesake := submit(site, "Dana Reyes", "d@example.com")
		h.pass(2 * time.Hour)
		submit(site, "Nobody", "n@example.com")
		h.pass(2 * time.Hour)
		e := h.event("e", "u", handoff.Accepted, "")
		e.Observation.Attendees = []handoff.Person{{Name: "Dana Reyes", Email: "dana@example.com", Phone: "+44 20 7946 0104"}}
		h.keep(e, "d")
		h.pass(time.Minute)
		submit(site, "Dana Later", "l@example.com")
		h.work()
		got, err := h.Suggestions(ctx, h.waits())
		var ids []handoff.LeadID
		for _, s := range got {
			ids = append(ids, s.Lead.ID)
		}
		if want := []handoff.LeadID{old, called, namesake, similar}; err != nil || !slices.Equal(ids[:min(len(ids), 4)], want) || len(ids) > 5 {
			t.Errorf("%+v, %v", got, err)
		}
		h.must(h.KeepUnverified(ctx, h.delivery("forged"), handoff.SignatureWrong, ""))
		for _, f := range h.waiting() {
			if got, err := h.Suggestions(ctx, f); err != nil || f.UID == "" && len(got) != 0 {
				t.Errorf("%+v: %+v, %v", f, got, err)
			}
		}
	})
}

// What comes again, or is settled by a fact, while all of a reason are being dismissed is
// left alone, as what came after they were seen is. On SQLite a writer is alone.
func TestDismissAllBesideWhatComes(t *testing.T) {
	h := &harness{t: t, at: time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), url: newPostgres(t)}
	h.open()
	defer h.Close()
	ctx := t.Context()
	for _, digest := range []string{"again", "proved", "third"} {
		h.must(h.KeepUnverified(ctx, h.delivery(digest), handoff.SignatureWrong, ""))
	}
	seen := h.now()
	other, err := sql.Open("pgx", h.url)
	h.must(err)
	defer other.Close()
	tx, err := other.BeginTx(ctx, nil)
	h.must(err)
	var pid int
	h.must(tx.QueryRowContext(ctx, `SELECT pg_backend_pid()`).Scan(&pid))
	for _, query := range []string{
		`UPDATE failures SET count = count + 1, last_at = last_at + interval '1 second' WHERE digest = 'again'`,
		`UPDATE failures SET settled_at = last_at, settled_by = 'a fact' WHERE digest = 'proved'`,
	} {
		_, err := tx.ExecContext(ctx, query)
		h.must(err)
	}
	done := make(chan error, 1)
	go func() {
		r, err := h.DismissAll(context.Background(), ann, site, handoff.SignatureWrong, seen, "")
		if err == nil && r.Failures != 1 {
			err = fmt.Errorf("%d were dismissed", r.Failures)
		}
		done <- err
	}()
	for waits, deadline := false, time.Now().Add(10*time.Second); !waits; time.Sleep(10 * time.Millisecond) {
		err := other.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))`, pid).Scan(&waits)
		if err != nil || time.Now().After(deadline) {
			t.Fatalf("it does not wait: %v", err)
		}
	}
	h.must(tx.Commit())
	if err := <-done; err != nil {
		t.Error(err)
	}
	if left := h.waiting(); len(left) != 1 || left[0].Deliveries != 2 {
		t.Errorf("there waits %+v", left)
	}
}
