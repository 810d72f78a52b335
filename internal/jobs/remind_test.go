package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"handoff"
	"handoff/internal/jobs"
	"handoff/internal/notify"
	"handoff/internal/store"
)

// A bag takes letters, or answers with an error.
type bag struct {
	mu     sync.Mutex
	taken  []string
	tried  int
	answer error
}

func (b *bag) Send(_ context.Context, m notify.Mail) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tried++
	if b.answer == nil {
		b.taken = append(b.taken, m.ID)
	}
	return b.answer
}

// newReminder is an office that reminds after an hour.
func newReminder(t *testing.T) (*office, *bag) {
	f, b := newSweeper(t), &bag{}
	s := f.runner.Sites[site]
	s.Reminders = &jobs.Reminders{
		Reminding: handoff.Reminding{After: []time.Duration{time.Hour, 48 * time.Hour}}, Zone: time.UTC, Mailer: b,
		Serves: func(service string) bool { return service != "sold-no-more" },
		Write:  func(r store.Reminder) (notify.Mail, error) { return notify.Mail{ID: string(r.ID)}, nil },
	}
	f.runner.Sites[site] = s
	return f, b
}

// fresh has Cal.com's list read.
func (f *office) fresh() {
	f.t.Helper()
	if _, err := f.runner.Sweep(f.t.Context(), site, time.Time{}); err != nil {
		f.t.Fatal(err)
	}
}

func (f *office) reminded(n int) {
	f.t.Helper()
	if got := f.runner.Remind(f.t.Context()); got != n {
		f.t.Errorf("%d reminded, want %d", got, n)
	}
}

// Each lead is reminded once, whoever tries at once, and not who has booked: not even
// where the webhook that says so is lost.
func TestRemindsOnce(t *testing.T) {
	f, b := newReminder(t)
	dana, _ := f.submit("dana")
	_, omarsRef := f.submit("omar")
	f.reminded(0)
	f.pass(time.Hour)
	f.book(survey, "omar", omarsRef) // its webhook is lost
	f.reminded(0)                    // Cal.com's list was not read: somebody may have booked
	f.fresh()
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() { f.runner.Remind(t.Context()) })
	}
	all.Wait()
	f.reminded(0)
	if len(b.taken) != 1 || b.taken[0] != string(dana) {
		t.Errorf("%v, want Dana, once", b.taken)
	}
	f.pass(20 * time.Minute)
	f.reminded(0)
	f.pass(47 * time.Hour)
	f.fresh()
	f.reminded(1)
	f.reminded(0)
	f.pass(30 * 24 * time.Hour)
	f.fresh()
	f.reminded(0)
	if len(b.taken) != 2 {
		t.Errorf("%v", b.taken)
	}
}

// What the mail server says decides whether a reminder is sent again.
func TestMailServerDecides(t *testing.T) {
	for name, tt := range map[string]struct {
		answer error
		state  handoff.ReminderState
		again  int // of those sent later, once the server takes everything
	}{
		"not now": {errors.New("busy"), handoff.ReminderRetry, 1},
		"never":   {notify.ErrRefused, handoff.ReminderRefused, 0},
		"unknown": {notify.ErrUnknown, handoff.ReminderUnknown, 0},
	} {
		t.Run(name, func(t *testing.T) {
			f, b := newReminder(t)
			dana, _ := f.submit("dana")
			f.pass(time.Hour)
			f.fresh()
			b.answer = tt.answer
			f.reminded(0)
			f.reminded(0)
			if d, err := f.db.Lead(t.Context(), nil, dana); err != nil || len(d.Reminders) != 1 || d.Reminders[0].State != tt.state {
				t.Errorf("%+v, %v", d.Reminders, err)
			}
			b.answer = nil
			f.pass(5 * time.Minute)
			f.reminded(tt.again)
			f.reminded(0)
		})
	}
}

// A mail server that lets nobody send is no fault of the letters: one letter in five
// minutes finds out whether it is well again, somebody is told at the second, once, and
// then all are sent.
func TestMailServerThatSendsNothing(t *testing.T) {
	f, b := newReminder(t)
	for _, name := range []string{"dana", "omar", "ines"} {
		f.submit(name)
		f.pass(time.Second)
	}
	f.pass(time.Hour)
	f.fresh()
	b.answer = notify.ErrServer
	for range 3 {
		f.reminded(0)
		f.pass(time.Minute)
	}
	if b.tried != 1 || len(f.waiting()) != 0 {
		t.Errorf("%d letters were tried within minutes, want one; %+v", b.tried, f.waiting())
	}
	for range 2 {
		f.pass(5 * time.Minute)
		f.reminded(0)
		if list := f.waiting(); len(list) != 1 || list[0].Reason != handoff.MailFailing || list[0].Deliveries != 1 {
			t.Fatalf("%+v", list)
		}
	}
	b.answer = nil
	f.fresh()
	f.pass(10 * time.Minute)
	f.reminded(3)
	if list := f.waiting(); len(list) != 0 || len(b.taken) != 3 || f.told(handoff.MailFailing) != 1 {
		t.Errorf("%v were sent; there waits %+v; told %d times", b.taken, list, f.told(handoff.MailFailing))
	}
}

// Letters that are refused one by one hold up no other, and are told of when there are
// three in a row; a day later that is over, if there was none since.
func TestLettersThatAreRefused(t *testing.T) {
	for _, answer := range []error{notify.ErrRefused, errors.New("its rules are against it")} {
		f, b := newReminder(t)
		for i := range 4 {
			f.submit(fmt.Sprint("lead", i))
		}
		f.pass(time.Hour)
		f.fresh()
		b.answer = answer
		f.reminded(0)
		list := f.waiting()
		if b.tried != 4 || len(list) != 1 || list[0].Reason != handoff.MailFailing {
			t.Errorf("%v: %d tried, %+v", answer, b.tried, list)
		}
		f.pass(25 * time.Hour)
		f.runner.Remind(t.Context())
		if list := f.waiting(); len(list) != 0 {
			t.Errorf("%v, a day later: %+v", answer, list)
		}
	}
}

// Two failures with a letter that was sent between them are two moments, and no news.
func TestMailServerThatIsMostlyWell(t *testing.T) {
	f, b := newReminder(t)
	for i := range 3 {
		f.submit(fmt.Sprint("lead", i))
		f.pass(time.Hour)
		f.fresh()
		b.answer = notify.ErrServer
		f.reminded(0)
		f.pass(6 * time.Minute)
		f.fresh()
		b.answer = nil
		f.reminded(1)
	}
	if n := f.told(handoff.MailFailing); n != 0 {
		t.Errorf("it was told of %d times", n)
	}
}

// told counts how often there was something of a reason to tell.
func (f *office) told(reason handoff.Reason) (n int) {
	f.t.Helper()
	list, err := f.db.Failures(f.t.Context(), store.FailureFilter{Settled: true})
	if err != nil {
		f.t.Fatal(err)
	}
	for _, w := range list {
		if w.Reason == reason {
			n++
		}
	}
	return n
}

// Of a service that is sold no more nobody is reminded.
func TestNobodyIsRemindedOfWhatIsSoldNoMore(t *testing.T) {
	f, b := newReminder(t)
	if _, err := f.db.CreateLead(t.Context(), handoff.Submission{Site: site, Service: "sold-no-more", Form: "f", Name: "Dana", Email: "dana@example.com"}, handoff.DefaultPipeline()); err != nil {
		t.Fatal(err)
	}
	f.pass(time.Hour)
	f.fresh()
	f.reminded(0)
	if b.tried != 0 {
		t.Error("a letter was written")
	}
}

// A site sends so many an hour, and no more; the others wait, and all get theirs.
func TestRemindersAreLimited(t *testing.T) {
	const many, hourly = 9, 6
	f, b := newReminder(t)
	f.runner.Sites[site].Reminders.Hourly = hourly
	for i := range many {
		f.submit(fmt.Sprint("lead", i))
	}
	f.pass(time.Hour)
	f.fresh()
	f.reminded(hourly)
	for range 5 {
		f.pass(10 * time.Minute)
		f.fresh()
		f.reminded(0)
	}
	f.pass(10*time.Minute + time.Second)
	f.fresh()
	f.reminded(many - hourly)
	if len(b.taken) != many {
		t.Errorf("%d were sent", len(b.taken))
	}
}
