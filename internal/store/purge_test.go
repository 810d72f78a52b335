package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/store"
)

// What proved nothing is forgotten a month after somebody settled it, whatever there is of
// it, and nothing else is: not what waits, was settled later, came again, or Cal.com signed.
func TestPurgeBodies(t *testing.T) {
	onEachEngine(t, func(t *testing.T, h *harness) {
		ctx := t.Context()
		kept := func(digest string) string {
			return h.Setting(ctx, `SELECT CAST(count(*) AS TEXT) || '/' || CAST(count(sealed) AS TEXT) FROM deliveries WHERE digest = '`+digest+`'`)
		}
		forge := func(digest string, reason handoff.Reason) {
			t.Helper()
			d := h.delivery(digest)
			d.Sealed, d.Source = []byte("sealed "+digest), "source of "+digest
			if err := h.KeepUnverified(ctx, d, reason, ""); err != nil {
				t.Error(err)
			}
		}
		dismiss := func(reason handoff.Reason) store.Resolution {
			t.Helper()
			r, err := h.DismissAll(ctx, handoff.CommandLine, site, reason, h.now(), "")
			h.must(err)
			return r
		}
		forge("event", handoff.SignatureMissing) // the bytes of a real one, before it came
		const many = 450                         // more than are looked at in one go, all settled at one moment
		var all sync.WaitGroup
		for i := range many {
			all.Go(func() { forge(fmt.Sprint("old", i), handoff.SignatureMissing) })
		}
		all.Wait()
		forge("again", handoff.SignatureWrong)
		signed := h.delivery("signed")
		signed.Sealed = []byte("sealed")
		h.must(h.KeepNotUnderstood(ctx, signed, handoff.NotJSON, ""))
		old := dismiss(handoff.SignatureMissing)
		if old.Failures != many+1 {
			t.Fatalf("%d were dismissed", old.Failures)
		}
		h.pass(time.Second)
		dismiss(handoff.SignatureWrong)
		dismiss(handoff.NotJSON)
		h.keep(h.event("evt_1", "u1", handoff.Accepted, ""), "event")
		h.work()
		_, err := h.Dismiss(ctx, handoff.CommandLine, site, []handoff.FailureID{h.waits().ID}, "")
		h.must(err)
		forge("waits", handoff.SignatureWrong)
		h.pass(store.KeepBodies - time.Minute)
		forge("again", handoff.SignatureWrong)
		forge("late", handoff.NoSecretProvided)
		dismiss(handoff.NoSecretProvided)

		var from time.Time
		purge := func() {
			t.Helper()
			for more := true; more; {
				var err error
				from, more, err = h.PurgeBodies(ctx, from)
				h.must(err)
			}
		}
		purge()
		for digest, want := range map[string]string{"old0": "1/1", "signed": "1/1", "again": "1/1", "late": "1/1", "event": "2/1", "waits": "1/1"} {
			if got := kept(digest); got != want {
				t.Errorf("a minute before: of %s there is %s, want %s", digest, got, want)
			}
		}
		h.pass(2 * time.Minute)
		purge()
		for digest, want := range map[string]string{"old0": "0/0", "old449": "0/0", "signed": "1/0", "again": "1/1", "late": "1/1", "event": "1/0", "waits": "1/1"} {
			if got := kept(digest); got != want {
				t.Errorf("a month after: of %s there is %s, want %s", digest, got, want)
			}
		}
		if got := h.Setting(ctx, `SELECT CAST(count(*) AS TEXT) FROM deliveries WHERE digest LIKE 'old%'`); got != "0" {
			t.Errorf("%s are left", got)
		}
		entries, err := h.Failures(ctx, store.FailureFilter{Settled: true, Reason: handoff.SignatureMissing, Limit: 1000})
		h.must(err)
		if len(entries) != many+1 || !strings.HasPrefix(entries[0].SettledBy, "dismissed by") {
			t.Errorf("%d entries are left", len(entries))
		}
		if f, err := h.Failure(ctx, nil, entries[0].ID); err != nil || len(f.Received) != 0 {
			t.Errorf("%+v, %v", f, err)
		}
		// Undone they wait, without a body; what is sent again is kept again.
		h.must(h.Undo(ctx, handoff.CommandLine, site, old.ID))
		forge("old7", handoff.SignatureMissing)
		if got := kept("old7"); got != "1/1" {
			t.Errorf("sent again, there is %s", got)
		}
	})
}
