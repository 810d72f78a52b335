package jobs_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/calcom/calsim"
	"handoff/internal/jobs"
	"handoff/internal/store"
)

// newSweeper is an office that has the key of its Cal.com account.
func newSweeper(t *testing.T) *office {
	f := newOffice(t, calsim.SelfHosted2025, 0)
	f.runner.Sites[site].API.Key = apiKey
	return f
}

func (f *office) sweep(changed, missed int) {
	f.t.Helper()
	got, err := f.runner.Sweep(f.t.Context(), site, time.Time{})
	if err != nil || got.Changed != changed || got.Missed != missed || got.Unread != 0 {
		f.t.Errorf("swept %+v, %v; want %d changed, %d missed", got, err, changed, missed)
	}
}

// bookMany makes leads that book, most of them at one moment, and whose webhooks are
// lost.
func (f *office) bookMany(n int) (leads []handoff.LeadID, uids []string) {
	f.t.Helper()
	first := f.now().Add(100 * time.Hour)
	for i := range n {
		lead, ref := f.submit(fmt.Sprint("lead", i))
		b, err := f.sim.Book(calsim.BookRequest{
			EventType: survey, Start: first.Add(time.Duration(i) * time.Hour), Name: "A", Email: "a@example.com", TimeZone: "Europe/London",
			Metadata: map[string]string{"submissionId": ref}, Answers: map[string]string{"submissionId": ref},
		})
		if err != nil {
			f.t.Fatal(err)
		}
		leads, uids = append(leads, lead), append(uids, b.UID)
		if i >= calcom.PageSize+20 {
			f.pass(time.Second)
		}
	}
	return leads, uids
}

// Whatever Cal.com's webhooks lost, a sweep finds: every lead is booked, once, also
// where more bookings than a page has changed at one moment.
func TestSweepFindsWhatWasLost(t *testing.T) {
	f := newSweeper(t)
	const n = 2*calcom.PageSize + 30
	leads, uids := f.bookMany(n)
	f.book(foreign, "mallory", "")
	f.sweep(n+1, n)
	for i, id := range leads {
		d, err := f.db.Lead(t.Context(), nil, id)
		if err != nil || d.Stage != "booked" || len(d.Bookings) != 1 || d.Bookings[0].UID != uids[i] || len(d.History) != 2 {
			t.Fatalf("lead %d: %s %+v, %v", i, d.Stage, d.Bookings, err)
		}
	}
	f.sweep(n+1, 0) // all of it is within the overlap
	if list, err := f.db.Failures(t.Context(), store.FailureFilter{}); err != nil || len(list) != 0 {
		t.Errorf("failures %+v, %v", list, err)
	}

	// What happens to known bookings is found as well. After that, what is older than
	// the overlap is not asked for again.
	f.pass(time.Hour)
	if err := f.sim.Cancel(uids[0], "", ""); err != nil {
		t.Fatal(err)
	}
	moved, err := f.sim.Reschedule(uids[1], f.now().Add(1000*time.Hour).Truncate(time.Hour), calsim.CarryNothing, "")
	if err != nil {
		t.Fatal(err)
	}
	f.sweep(n+2, 1)
	f.sweep(3, 0)
	f.want(leads[0], "rebook", handoff.Cancelled)
	f.want(leads[1], "booked", handoff.Accepted, handoff.Rescheduled)
	f.want(leads[2], "booked", handoff.Accepted)
	if d, _ := f.db.Lead(t.Context(), nil, leads[1]); d.Bookings[0].UID != moved.UID && d.Bookings[1].UID != moved.UID {
		t.Errorf("bookings %+v, want %s among them", d.Bookings, moved.UID)
	}
}

// The sweep is done again while Cal.com is away, and begins of itself every few
// minutes.
func TestSweepsOfThemselves(t *testing.T) {
	f := newSweeper(t)
	dana, ref := f.submit("dana")
	f.book(survey, "dana", ref)
	if err := f.db.StartSweep(t.Context(), f.runner.Swept()...); err != nil {
		t.Fatal(err)
	}
	back := f.runner.Sites[site]
	away := back
	away.API = &calcom.API{Base: "http://127.0.0.1:1", Key: apiKey}
	f.runner.Sites[site] = away
	if n := f.runner.Once(t.Context(), store.KindSweep); n != 0 {
		t.Errorf("%d pages of nobody", n)
	}
	f.runner.Sites[site] = back
	f.pass(time.Second)
	if n := f.runner.Once(t.Context(), store.KindSweep); n != 1 {
		t.Errorf("%d pages once Cal.com is back, want 1", n)
	}
	f.work()
	f.want(dana, "booked", handoff.Accepted)

	omar, ref := f.submit("omar")
	f.pass(time.Hour)
	f.book(survey, "omar", ref)
	f.pass(jobs.SweepEvery)
	if n := f.runner.Once(t.Context(), store.KindSweep); n != 1 {
		t.Errorf("%d pages after a while, want 1", n)
	}
	f.work()
	f.want(omar, "booked", handoff.Accepted)
	if n := f.runner.Once(t.Context(), store.KindSweep); n != 0 {
		t.Errorf("%d pages at once again", n)
	}
}

// Without a key nothing is swept, and what is due is left to a process that has one.
func TestNothingIsSweptWithoutAKey(t *testing.T) {
	f := newOffice(t, calsim.SelfHosted2025, 0)
	if s := f.runner.Swept(); len(s) != 0 {
		t.Errorf("swept: %v", s)
	}
	if _, err := f.runner.Sweep(t.Context(), site, time.Time{}); !errors.Is(err, handoff.ErrInvalid) {
		t.Errorf("a sweep without a key: %v", err)
	}
	if err := f.db.StartSweep(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	if n := f.runner.Once(t.Context(), store.KindSweep); n != 0 {
		t.Errorf("%d pages", n)
	}
	f.runner.Sites[site].API.Key = apiKey
	if n := f.runner.Once(t.Context(), store.KindSweep); n != 1 {
		t.Errorf("%d pages of whom has a key, want 1", n)
	}
}

// breaks has something else come in place of some of Cal.com's answers.
func (f *office) breaks(which func(answer []byte) bool, instead func(http.ResponseWriter)) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := httptest.NewRecorder()
		f.sim.ServeHTTP(answer, r)
		if which(answer.Body.Bytes()) {
			instead(w)
			return
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	}))
	f.t.Cleanup(proxy.Close)
	f.runner.Sites[site].API.Base = proxy.URL + "/v2"
}

// One booking that breaks every page it is on is passed over once it stands alone, and
// all others are heard of; a Cal.com that is away is waited for.
func TestOneOddBookingStopsNoSweep(t *testing.T) {
	for name, broken := range map[string]func(w http.ResponseWriter){
		"breaks the answer": func(w http.ResponseWriter) { http.Error(w, "{}", http.StatusInternalServerError) },
		"is too large":      func(w http.ResponseWriter) { _, _ = w.Write(bytes.Repeat([]byte(" "), 5<<20)) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newSweeper(t)
			leads, uids := f.bookMany(20)
			odd, away := uids[7], true
			f.breaks(func(answer []byte) bool { return away || bytes.Contains(answer, []byte(odd)) }, broken)
			if err := f.db.StartSweep(t.Context(), site); err != nil {
				t.Fatal(err)
			}
			for range 12 {
				if n := f.runner.Once(t.Context(), store.KindSweep); n != 0 {
					t.Fatal("a page of a Cal.com that is away")
				}
				f.pass(10 * time.Minute)
			}
			away = false
			for range 40 {
				f.runner.Once(t.Context(), store.KindSweep)
				f.pass(10 * time.Second)
			}
			for f.runner.Once(t.Context(), store.KindReconcile) > 0 {
			}
			for i, id := range leads {
				want := handoff.Stage("booked")
				if uids[i] == odd {
					want = "new"
				}
				if d, err := f.db.Lead(t.Context(), nil, id); err != nil || d.Stage != want {
					t.Errorf("lead %d: %s, %v; want %s", i, d.Stage, err, want)
				}
			}
		})
	}
}

// A booking that breaks every page it is on is one thing to look at: that the list
// itself cannot be read is not said of it.
func TestOneOddBookingIsOneFailure(t *testing.T) {
	f := newSweeper(t)
	_, uids := f.bookMany(20)
	f.breaks(func(answer []byte) bool { return bytes.Contains(answer, []byte(uids[7])) }, func(w http.ResponseWriter) { http.Error(w, "{}", http.StatusInternalServerError) })
	if err := f.db.StartSweep(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	for range 60 {
		f.runner.Once(t.Context(), store.KindSweep)
		f.pass(time.Minute)
		for _, w := range f.waiting() {
			if w.Reason == handoff.SweepFailing {
				t.Fatalf("%+v", w)
			}
		}
	}
	odd := 0
	for _, w := range f.waiting() {
		if w.Reason == handoff.BookingUnreadable {
			odd++
		}
	}
	if odd != 1 {
		t.Errorf("%d such bookings wait, want the one", odd)
	}
}

// Two that sweep at once do not do it twice.
func TestOneSweepsAtATime(t *testing.T) {
	f := newSweeper(t)
	if err := f.db.StartSweep(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	if claimed, err := f.db.Claim(t.Context(), site, store.KindSweep, 1); err != nil || len(claimed) != 1 {
		t.Fatal(claimed, err)
	}
	if _, err := f.runner.Sweep(t.Context(), site, time.Time{}); !errors.Is(err, jobs.ErrSweeping) {
		t.Errorf("swept beside another: %v", err)
	}
}

// Whoever sweeps at once, and however they take one another's pages, each lead is
// booked, once.
func TestManySweepAtOnce(t *testing.T) {
	f := newSweeper(t)
	leads, _ := f.bookMany(2*calcom.PageSize + 30)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			if _, err := f.runner.Sweep(t.Context(), site, time.Time{}); err != nil && !errors.Is(err, jobs.ErrSweeping) {
				t.Error(err)
			}
		})
		all.Go(func() {
			for range 20 {
				f.runner.Once(t.Context(), store.KindSweep)
				f.runner.Once(t.Context(), store.KindReconcile)
			}
		})
	}
	all.Wait()
	for f.runner.Once(t.Context(), store.KindSweep) > 0 {
	}
	f.work()
	for i, id := range leads {
		if d, err := f.db.Lead(t.Context(), nil, id); err != nil || d.Stage != "booked" || len(d.Bookings) != 1 || len(d.History) != 2 {
			t.Fatalf("lead %d: %s %+v, %v", i, d.Stage, d.History, err)
		}
	}
}

// A Cal.com that is away for a moment, and back when the next booking is asked for,
// takes no booking with it.
func TestFlappingCalcomLosesNothing(t *testing.T) {
	f := newSweeper(t)
	leads, _ := f.bookMany(5)
	broken := 0 // questions that break from now on
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if broken > 0 {
			broken--
			w.WriteHeader(http.StatusInternalServerError)
			return
		}
		f.sim.ServeHTTP(w, r)
	}))
	defer proxy.Close()
	f.runner.Sites[site].API.Base = proxy.URL + "/v2"
	if err := f.db.StartSweep(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	broken = 7 // down to one booking, and the first question about that one
	for range 8 {
		f.runner.Once(t.Context(), store.KindSweep)
		f.pass(10 * time.Minute)
	}
	for range 40 {
		f.runner.Once(t.Context(), store.KindSweep)
		f.pass(10 * time.Second)
	}
	f.work()
	for i, id := range leads {
		if d, err := f.db.Lead(t.Context(), nil, id); err != nil || d.Stage != "booked" {
			t.Errorf("lead %d: %s, %v", i, d.Stage, err)
		}
	}
	for _, w := range f.waiting() {
		if w.Reason == handoff.BookingUnreadable {
			t.Errorf("%+v", w)
		}
	}
}

func (f *office) waiting() []store.FailureView {
	f.t.Helper()
	list, err := f.db.Failures(f.t.Context(), store.FailureFilter{})
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

// Who cannot read Cal.com's list at all, because the key is no longer good, hears of it
// within minutes; and no more of it once the key is.
func TestDeadSweepIsTold(t *testing.T) {
	f := newSweeper(t)
	good := f.runner.Sites[site].API
	bad := *good
	bad.Key = "cal_revoked"
	s := f.runner.Sites[site]
	s.API = &bad
	f.runner.Sites[site] = s
	if err := f.db.StartSweep(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	for range 180 {
		f.runner.Once(t.Context(), store.KindSweep)
		f.pass(time.Second)
		if len(f.waiting()) > 0 {
			break
		}
	}
	list := f.waiting()
	if len(list) != 1 || list[0].Reason != handoff.SweepFailing || list[0].Detail != "the API refuses our key (401)" {
		t.Fatalf("%+v", list)
	}
	s.API = good
	f.runner.Sites[site] = s
	f.pass(10 * time.Minute)
	if n := f.runner.Once(t.Context(), store.KindSweep); n != 1 || len(f.waiting()) != 0 {
		t.Errorf("%d pages, %+v", n, f.waiting())
	}
}

// What keeps Cal.com from being asked too often is kept: a page waits as long as it says.
func TestSweepWaitsAsLongAsCalcomSays(t *testing.T) {
	f := newSweeper(t)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-RateLimit-Reset-Default", "40")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	defer proxy.Close()
	f.runner.Sites[site].API.Base = proxy.URL
	if err := f.db.StartSweep(t.Context(), site); err != nil {
		t.Fatal(err)
	}
	f.runner.Once(t.Context(), store.KindSweep)
	f.pass(39 * time.Second)
	if claimed, err := f.db.Claim(t.Context(), site, store.KindSweep, 1); err != nil || len(claimed) != 0 {
		t.Errorf("asked again too early: %+v, %v", claimed, err)
	}
	f.pass(2 * time.Second)
	if claimed, err := f.db.Claim(t.Context(), site, store.KindSweep, 1); err != nil || len(claimed) != 1 {
		t.Errorf("not asked again: %+v, %v", claimed, err)
	}
}
