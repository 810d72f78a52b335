package web_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/store"
)

var ann = handoff.Actor{Name: "ann@example.com", Role: handoff.RoleOperator}

// A delivery that came while the site had another secret is read again once that is
// put right, and moves its lead; until then nothing does. What cannot be verified is not
// believed, whoever asks.
func TestReadAgain(t *testing.T) {
	in := newInstall(t)
	lead, reference := in.lead("brightwater", "f", "Dana", "dana@example.com")
	_, otherReference := in.lead("brightwater", "g", "Omar", "omar@example.com")
	const turned = "whsec_that_only_calcom_has"
	body := []byte(`{"triggerEvent":"BOOKING_CREATED","createdAt":"2026-11-23T08:59:59.000Z","payload":{"uid":"abcdefghijklmnopqrstuv","status":"ACCEPTED",` +
		`"startTime":"2026-11-25T10:00:00Z","endTime":"2026-11-25T11:00:00Z","oneTimePassword":"6f9619ff-8b86-d011-b42d-00c04fc964ff","metadata":{"submissionId":"` + reference + `"}}}`)
	if got := in.deliver("brightwater", body, sign(turned, body)); got != 401 {
		t.Fatal(got)
	}
	forged := []byte(strings.Replace(string(body), reference, otherReference, 1))
	if got := in.deliver("brightwater", forged, sign("whsec_of_somebody_else", forged)); got != 401 {
		t.Fatal(got)
	}
	unread := []byte(`{"triggerEvent":"BOOKING_OF_THE_FUTURE","createdAt":"2026-11-23T08:59:59.000Z","payload":{}}`)
	if got := in.deliver("brightwater", unread, sign(secret, unread)); got != 422 {
		t.Fatal(got)
	}
	list, err := in.db.Failures(t.Context(), store.FailureFilter{})
	if err != nil || len(list) != 3 {
		t.Fatal(list, err)
	}
	again := func() map[handoff.Reason]error {
		t.Helper()
		out := map[handoff.Reason]error{}
		for _, f := range list {
			d, err := in.db.Failure(t.Context(), nil, f.ID)
			if err != nil || len(d.Received) != 1 || strings.Contains(d.Received[0].Body, "6f9619ff") {
				t.Fatalf("%+v, %v", d, err)
			}
			name := f.Reason
			if strings.Contains(d.Received[0].Body, otherReference) {
				name = "forged"
			}
			_, out[name] = in.db.ReadAgain(t.Context(), ann, "brightwater", f.ID, in.sites[0].Reader(in.keys, func() time.Time { return in.now }))
		}
		in.work()
		return out
	}
	var refusal *calcom.Refusal
	for name, err := range again() {
		if !errors.As(err, &refusal) || len(in.failures()) != 3 || in.read(lead).Stage != "new" {
			t.Errorf("%s, with the old secret: %v, %s", name, err, in.read(lead).Stage)
		}
	}
	in.newSecret = turned
	got := again()
	if got[handoff.SignatureWrong] != nil || !errors.Is(got["forged"], handoff.ErrUnverified) || !errors.Is(got[handoff.UnknownTrigger], handoff.ErrInvalid) {
		t.Errorf("with the new secret: %v", got)
	}
	if d := in.read(lead); d.Stage != "booked" || len(d.History) != 2 {
		t.Errorf("%s, %+v", d.Stage, d.History)
	}
	if got := in.failures(); len(got) != 2 {
		t.Errorf("waits: %v", got)
	}
	// One that is larger than any of Cal.com's was not kept whole.
	large := append([]byte(`{"triggerEvent":"BOOKING_OF_THE_FUTURE","createdAt":"2026-11-23T08:59:59.000Z","payload":{"a":"`), strings.Repeat("x", 17<<10)+`"}}`...)
	if got := in.deliver("brightwater", large, sign(secret, large)); got != 422 {
		t.Fatal(got)
	}
	list, err = in.db.Failures(t.Context(), store.FailureFilter{Reason: handoff.UnknownTrigger, Limit: 1})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if _, err := in.db.ReadAgain(t.Context(), ann, "brightwater", list[0].ID, in.sites[0].Reader(in.keys, func() time.Time { return in.now })); !errors.Is(err, handoff.ErrNotFound) {
		t.Errorf("a large one: %v", err)
	}
	if got := in.deliver("brightwater", body, sign(turned, body)); got != 200 || len(in.read(lead).History) != 2 {
		t.Errorf("delivered once more: %d, %+v", got, in.read(lead).History)
	}
}

// What proved nothing, and proves to be signed once a secret was put right, waits from then
// on as what Cal.com signed, though it cannot be read; looked at again nothing changes.
func TestReadAgainSignedAndUnreadable(t *testing.T) {
	in := newInstall(t)
	const turned = "whsec_that_only_calcom_has"
	body := []byte(`{"triggerEvent":"BOOKING_OF_THE_FUTURE","createdAt":"2026-11-23T08:59:59.000Z","payload":{"oneTimePassword":"6f9619ff-8b86-d011-b42d-00c04fc964ff"}}`)
	if got := in.deliver("brightwater", body, sign(turned, body)); got != 401 {
		t.Fatal(got)
	}
	read := in.sites[0].Reader(in.keys, func() time.Time { return in.now })
	one := func(reason handoff.Reason, verified bool) store.FailureView {
		t.Helper()
		list, err := in.db.Failures(t.Context(), store.FailureFilter{})
		if err != nil || len(list) != 1 || list[0].Reason != reason || list[0].Verified != verified {
			t.Fatalf("there waits %+v, %v", list, err)
		}
		return list[0]
	}
	before := one(handoff.SignatureWrong, false)
	in.newSecret = turned
	if waits, err := in.db.ReadAgain(t.Context(), ann, "brightwater", before.ID, read); err != nil || waits != handoff.UnknownTrigger {
		t.Fatalf("%q, %v", waits, err)
	}
	after := one(handoff.UnknownTrigger, true)
	d, err := in.db.Failure(t.Context(), nil, after.ID)
	if err != nil || len(d.Received) == 0 || strings.Contains(d.Received[0].Body, "6f9619ff") {
		t.Errorf("%+v, %v", d.Received, err)
	}
	if was, err := in.db.Failure(t.Context(), nil, before.ID); err != nil || was.SettledBy != "the same body came with a right signature" {
		t.Errorf("%+v, %v", was, err)
	}
	if acts, err := in.db.Audit(t.Context(), store.AuditFilter{Subject: string(before.ID)}); err != nil || len(acts) != 1 || acts[0].Detail != "signed, and waits now for unknown_trigger" {
		t.Errorf("%+v, %v", acts, err)
	}
	if waits, err := in.db.ReadAgain(t.Context(), ann, "brightwater", after.ID, read); !errors.Is(err, handoff.ErrInvalid) || waits != "" {
		t.Errorf("once more: %q, %v", waits, err)
	}
	if again := one(handoff.UnknownTrigger, true); again.ID != after.ID || again.Deliveries != 1 {
		t.Errorf("once more: %+v", again)
	}
}

// The same bytes that came with a right signature before are read again as well: what waited
// for its signature waits for it no more, and the page is told for what it waits now.
func TestReadAgainSignedBefore(t *testing.T) {
	for name, c := range map[string]struct {
		later time.Duration
		want  handoff.Reason
	}{
		"at once":    {time.Minute, handoff.UnknownTrigger},
		"days later": {handoff.ReplayAfter + time.Hour, handoff.Replayed},
	} {
		t.Run(name, func(t *testing.T) {
			in := newInstall(t)
			const turned = "whsec_that_only_calcom_has"
			body := []byte(`{"triggerEvent":"BOOKING_OF_THE_FUTURE","createdAt":"2026-11-23T08:59:59.000Z","payload":{}}`)
			if got := in.deliver("brightwater", body, sign(secret, body)); got != 422 {
				t.Fatal(got)
			}
			in.now = in.now.Add(c.later)
			if got := in.deliver("brightwater", body, sign(turned, body)); got != 401 {
				t.Fatal(got)
			}
			list, err := in.db.Failures(t.Context(), store.FailureFilter{Reason: handoff.SignatureWrong})
			if err != nil || len(list) != 1 {
				t.Fatal(list, err)
			}
			in.newSecret = turned
			read := in.sites[0].Reader(in.keys, func() time.Time { return in.now })
			if waits, err := in.db.ReadAgain(t.Context(), ann, "brightwater", list[0].ID, read); err != nil || waits != c.want {
				t.Errorf("%q, %v", waits, err)
			}
			if open := in.failures(); slices.Contains(open, string(handoff.SignatureWrong)) || !slices.Contains(open, string(c.want)) {
				t.Errorf("there waits %v", open)
			}
		})
	}
}

// That a delivery proves to be Cal.com's settles no warning that the same bytes were sent
// again.
func TestReadAgainLeavesReplays(t *testing.T) {
	in := newInstall(t)
	const turned = "whsec_that_only_calcom_has"
	_, reference := in.lead("brightwater", "f", "Dana", "dana@example.com")
	body := fixtures(t, reference, reference)[0].body
	deliver := func(secret string, want int) {
		t.Helper()
		if got := in.deliver("brightwater", body, sign(secret, body)); got != want {
			t.Fatalf("answered %d, want %d", got, want)
		}
	}
	deliver(secret, 200)
	in.now = in.now.Add(handoff.ReplayAfter + time.Hour)
	deliver(secret, 200)
	deliver(turned, 401)
	in.newSecret = turned
	open := func() (reasons []handoff.Reason, wrong handoff.FailureID) {
		t.Helper()
		list, err := in.db.Failures(t.Context(), store.FailureFilter{})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range list {
			if reasons = append(reasons, f.Reason); f.Reason == handoff.SignatureWrong {
				wrong = f.ID
			}
		}
		slices.Sort(reasons)
		return reasons, wrong
	}
	before, wrong := open()
	if !slices.Equal(before, []handoff.Reason{handoff.Replayed, handoff.SignatureWrong}) {
		t.Fatalf("there wait %v", before)
	}
	if _, err := in.db.ReadAgain(t.Context(), ann, "brightwater", wrong, in.sites[0].Reader(in.keys, func() time.Time { return in.now })); err != nil {
		t.Fatal(err)
	}
	if after, _ := open(); !slices.Equal(after, []handoff.Reason{handoff.Replayed}) {
		t.Errorf("there wait %v", after)
	}
}
