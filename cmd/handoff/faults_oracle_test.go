package main

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// settled waits until no fact is left to apply, and returns what is left if that
// never comes. Asking Cal.com is not waited for: it has a time of its own.
func (tr *trial) settled() error {
	db, err := tr.looker()
	if err != nil {
		return err
	}
	defer db.Close()
	return until(func() error {
		due, facts, err := unapplied(db)
		if err == nil && due+facts > 0 {
			err = fmt.Errorf("%d pieces of work and %d facts are left", due, facts)
		}
		return err
	})
}

// errTooFew says that what is waited for has not happened often enough yet.
var errTooFew = errors.New("too few")

// unapplied counts what was acknowledged and no lead shows yet.
func unapplied(db *sql.DB) (due, facts int, err error) {
	err = db.QueryRow(`
		SELECT (SELECT count(*) FROM due WHERE kind = 'reconcile'), (SELECT count(*) FROM observations WHERE reconciled_at IS NULL)`).Scan(&due, &facts)
	return due, facts, err
}

// check ends a load: it waits until all is applied, and counts what was
// acknowledged, lost and doubled. allowed are reasons that failures may have
// beside those that the stories explain.
func (tr *trial) check(l *load, tales []*tale, allowed ...string) {
	tr.t.Helper()
	if err := tr.settled(); err != nil {
		tr.t.Fatalf("%v\n%s", err, tr.lastWords())
	}
	rows, err := tr.leads()
	if err != nil {
		tr.t.Fatal(err)
	}
	leads := map[string]leadJSON{}
	for _, row := range rows {
		if _, twice := leads[row.Email]; twice {
			tr.formsDoubled++
			tr.t.Errorf("two leads of %s", row.Email)
		}
		leads[row.Email] = row
	}
	for _, v := range l.forms {
		tales = append(tales, tr.arrived(v, leads)...)
	}
	if err := tr.account(&tr.tally, tales, leads); err != nil {
		tr.t.Fatal(err)
	}
	if err := tr.explainFailures(allowed); err != nil {
		tr.t.Error(err)
	}
	tr.alive()
}

// arrived counts a form, and returns its lead's tale, if it has one.
func (tr *trial) arrived(v *visit, leads map[string]leadJSON) []*tale {
	row, found := leads[emailOf(v.tale.name)]
	if v.acked.Load() > 0 {
		tr.formsSent++
	}
	switch {
	case found && len(row.Submissions) != 1:
		tr.formsDoubled++
		tr.t.Errorf("%s: %d submissions", v.tale.name, len(row.Submissions))
	case !found && v.acked.Load() > 0:
		tr.formsLost++
		tr.t.Errorf("%s: the form was answered with 303, and there is no lead", v.tale.name)
	}
	if !found || len(v.tale.parts) == 0 {
		return nil
	}
	tr.tales = append(tr.tales, v.tale)
	return []*tale{v.tale}
}

// account judges tales by what the store holds; without leads only whether the
// bodies are there.
func (tr *trial) account(to *tally, tales []*tale, leads map[string]leadJSON) error {
	db, err := tr.looker()
	if err != nil {
		return err
	}
	defer db.Close()
	var all []error
	for _, ta := range tales {
		all = append(all, to.judge(db, ta, leads))
	}
	return nilOr(tr.t, errors.Join(all...))
}

// nilOr reports what was found, and is no error of looking.
func nilOr(t *testing.T, err error) error {
	var found verdict
	if errors.As(err, &found) {
		t.Helper()
		t.Error(err)
		return nil
	}
	return err
}

// A verdict is a promise that was broken.
type verdict string

func (v verdict) Error() string { return string(v) }

// judge looks for all parts of a tale, and for their effect on its lead.
func (to *tally) judge(db *sql.DB, ta *tale, leads map[string]leadJSON) error {
	var all []error
	var h heard
	acked, missing := 0, 0
	for _, p := range ta.parts {
		count, err := p.counted(db)
		if err != nil {
			return err
		}
		if count > 0 {
			h |= 1 << p.step
		}
		sent, taken := int(p.sent.Load()), int(p.acked.Load())
		if taken > 0 {
			acked++
		}
		switch {
		case taken > 0 && count == 0:
			missing++
			all = append(all, verdict(fmt.Sprintf("%s (%s): %c was acknowledged and is not there", ta.name, ta.story.name, 'a'+p.step)))
		case count < taken:
			to.lost += taken - count
			all = append(all, verdict(fmt.Sprintf("%s: %c was acknowledged %d times and counted %d times", ta.name, 'a'+p.step, taken, count)))
		case count > sent:
			to.doubled += count - sent
			all = append(all, verdict(fmt.Sprintf("%s: %c was sent %d times and counted %d times", ta.name, 'a'+p.step, sent, count)))
		}
	}
	if leads != nil {
		if err := ta.took(leads[emailOf(ta.name)], h); err != nil {
			missing = acked
			all = append(all, err)
		}
		moved, err := to.doubles(db, ta, leads[emailOf(ta.name)], h)
		if err != nil {
			return err
		}
		all = append(all, moved...)
	}
	to.acknowledged += acked
	to.lost += missing
	return errors.Join(all...)
}

// counted is how often a body was received, by the store's account.
func (p *part) counted(db *sql.DB) (count int, err error) {
	err = db.QueryRow(`SELECT count FROM deliveries WHERE site = 'main' AND digest = $1 AND verified`, p.digest).Scan(&count)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return count, err
}

// took reports a lead that does not show what was heard of it.
func (ta *tale) took(l leadJSON, h heard) error {
	var want []string
	for i, rules := range ta.bookings {
		if status := first(rules, h, ""); status != "" {
			want = append(want, ta.uid(i)+"="+status)
		}
	}
	if stage := ta.stageOf(h); l.Stage != stage || !slices.Equal(l.bookings(), want) {
		return verdict(fmt.Sprintf("%s (%s): after %s it stands at %q with %q, not at %q with %q; %q",
			ta.name, ta.story.name, h, l.Stage, l.bookings(), stage, want, l.moves()))
	}
	return nil
}

// doubles counts what was applied twice: a stage change that the facts do not
// explain, and a fact that is there more than once.
func (to *tally) doubles(db *sql.DB, ta *tale, l leadJSON, h heard) ([]error, error) {
	var all []error
	var stages []string
	for _, row := range l.History {
		stages = append(stages, row.To)
	}
	if len(stages) > 0 && ta.stageOf(h) == l.Stage && !ta.explains(stages, h) {
		to.doubled++
		all = append(all, verdict(fmt.Sprintf("%s (%s): after %s no order explains %q", ta.name, ta.story.name, h, l.moves())))
	}
	facts := 0
	for _, uid := range ta.uids() {
		n := 0
		if err := db.QueryRow(`SELECT count(*) FROM observations WHERE site = 'main' AND uid = $1`, uid).Scan(&n); err != nil {
			return nil, err
		}
		facts += n
	}
	if want := len(h.String()); facts != want {
		to.doubled += max(0, facts-want)
		all = append(all, verdict(fmt.Sprintf("%s (%s): %d facts of %s", ta.name, ta.story.name, facts, h)))
	}
	return all, nil
}

// String is the letters of the steps.
func (h heard) String() string {
	var out []rune
	for i := range 8 {
		if h&(1<<i) != 0 {
			out = append(out, 'a'+rune(i))
		}
	}
	return string(out)
}

// explainFailures reports open failures that nobody caused: a booking may wait for a
// person only while all that was heard of it names no lead.
func (tr *trial) explainFailures(allowed []string) error {
	open, err := tr.failures()
	if err != nil {
		return err
	}
	db, err := tr.looker()
	if err != nil {
		return err
	}
	defer db.Close()
	for _, f := range open {
		if slices.Contains(allowed, f.Reason) {
			continue
		}
		var named int
		if err := db.QueryRow(`SELECT count(*) FROM observations WHERE site = 'main' AND uid = $1 AND doc LIKE '%"carried"%'`, f.UID).Scan(&named); err != nil {
			return err
		}
		if f.Reason != "no_reference" || f.UID == "" || named > 0 {
			return fmt.Errorf("a failure that nobody caused: %+v", f)
		}
	}
	return nil
}
