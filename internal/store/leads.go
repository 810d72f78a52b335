package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"handoff"
)

// maxPerForm is how many different submissions one rendered form may make: a
// visitor who goes back and corrects something, not a machine.
const maxPerForm = 10

// CreateLead stores a submission and the lead it opens. The same form sent twice
// with the same content is one submission. Sent again with other content it is a
// second submission of the same lead, whose name and addresses it corrects.
//
// It returns the submission with its ID and lead. The error is ErrInvalid if the
// form was sent too often.
func (db *DB) CreateLead(ctx context.Context, s handoff.Submission, pipeline handoff.Pipeline) (handoff.Submission, error) {
	f := &form{sent: s, stage: pipeline.On[handoff.Submitted]}
	if err := db.forms.enter(ctx, f); err != nil {
		return handoff.Submission{}, fmt.Errorf("submission: %w", err)
	}
	if f.refused != nil {
		return handoff.Submission{}, fmt.Errorf("submission: %w", f.refused)
	}
	return f.kept, nil
}

// A form is a submission on its way to the disk.
type form struct {
	sent    handoff.Submission
	stage   handoff.Stage // of a lead that it opens
	digest  string        // of what was sent
	kept    handoff.Submission
	known   bool  // the same was kept before
	follows bool  // the same form opened its lead before
	refused error // it changed nothing, and others are kept all the same
}

func (f *form) turn() string { return "form/" + f.sent.Site + "/" + f.sent.Form }

// keepForms stores forms in one transaction.
func (db *DB) keepForms(ctx context.Context, batch []*form) error {
	err := db.tx(ctx, func(tx *txn) error {
		for _, step := range []func(context.Context, *txn, []*form) error{db.findForms, db.openLeads, db.keepSubmissions} {
			if err := step(ctx, tx, batch); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		db.wrote(len(batch))
		db.tellAll(TopicLeads)
	}
	return err
}

// findForms finds what each rendered form made before: the same submission, or at
// least its lead. A double click sends two at once, so forms of one name wait for
// one another.
func (db *DB) findForms(ctx context.Context, tx *txn, batch []*form) error {
	var turns []string
	for _, f := range batch {
		turns = append(turns, f.turn())
	}
	slices.Sort(turns)
	turns = slices.Compact(turns)
	if err := db.turn(ctx, tx, turns...); err != nil {
		return err
	}
	var rows [][]any
	for _, f := range batch {
		rows = append(rows, []any{f.sent.Site, f.sent.Form})
	}
	made := map[string][]handoff.Submission{}
	digests := map[handoff.SubmissionID]string{}
	err := many(ctx, tx, `SELECT site, form, id, lead_id, digest FROM submissions WHERE (site, form) IN?`, nil, rows, func(r *sql.Rows) error {
		var s handoff.Submission
		var digest string
		err := r.Scan(&s.Site, &s.Form, &s.ID, &s.Lead, &digest)
		if digests[s.ID] == "" {
			f := form{sent: s}
			made[f.turn()] = append(made[f.turn()], s)
		}
		digests[s.ID] = digest
		return err
	})
	if err != nil {
		return fmt.Errorf("submissions: %w", err)
	}
	for _, f := range batch {
		if err := f.decide(made[f.turn()], digests, db.now().UTC()); err != nil {
			return err
		}
		if !f.known && f.refused == nil {
			made[f.turn()] = append(made[f.turn()], f.kept)
			digests[f.kept.ID] = f.digest
		}
	}
	return nil
}

// decide gives a submission its ID and lead, after those that the same form made.
func (f *form) decide(made []handoff.Submission, digests map[handoff.SubmissionID]string, now time.Time) (err error) {
	f.kept, f.known, f.follows, f.refused = f.sent, false, len(made) > 0, nil
	f.kept.At = now
	if f.digest, err = digestOf(f.kept); err != nil {
		return err
	}
	for _, m := range made {
		if f.kept.Lead = m.Lead; digests[m.ID] == f.digest {
			f.kept.ID, f.known = m.ID, true
			return nil
		}
	}
	if len(made) >= maxPerForm {
		f.refused = fmt.Errorf("this form was sent %d times: %w", len(made), handoff.ErrInvalid)
		return nil
	}
	f.kept.ID = handoff.SubmissionID(newID("sub"))
	if !f.follows {
		f.kept.Lead = handoff.LeadID(newID("lead"))
	}
	return nil
}

// openLeads opens the leads of new forms, and corrects those of forms that were
// sent again.
func (db *DB) openLeads(ctx context.Context, tx *txn, batch []*form) error {
	var rows, changes, words [][]any
	for _, f := range batch {
		if s := f.kept; !f.known && !f.follows && f.refused == nil {
			own := wordsOf(s.Name, s.Email, s.Phone)
			rows = append(rows, []any{s.Site, s.Lead, s.Service, s.Name, s.Email, s.Phone, s.Context.Source(), folded(own), f.stage, stamp{s.At}, stamp{s.At}})
			words = append(words, wordRows(s.Site, s.Lead, own)...)
			changes = append(changes, changeRow(s.Site, s.Lead, 0, handoff.Change{At: s.At, To: f.stage, Cause: string(s.ID), Note: "the form was sent"}))
		}
	}
	err := many(ctx, tx, `INSERT INTO leads (site, id, service, name, email, phone, source, folded, stage, created_at, updated_at) VALUES?`, nil, rows, nil)
	if err != nil {
		return fmt.Errorf("leads: %w", err)
	}
	if err := writeWords(ctx, tx, words); err != nil {
		return err
	}
	for _, f := range batch {
		if !f.known && f.follows && f.refused == nil {
			if err := db.correctLead(ctx, tx, f.kept); err != nil {
				return err
			}
		}
	}
	return writeChanges(ctx, tx, changes)
}

// correctLead gives a lead the name and addresses of a form that was sent again.
func (db *DB) correctLead(ctx context.Context, tx *txn, s handoff.Submission) error {
	words, err := db.changeWords(ctx, tx, s.Site, s.Lead, wordsOf(s.Name, s.Email, s.Phone))
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `
		UPDATE leads SET name = $3, email = $4, phone = $5, folded = $6, updated_at = $7 WHERE site = $1 AND id = $2`,
		s.Site, s.Lead, s.Name, s.Email, s.Phone, words, stamp{s.At}); err != nil {
		return fmt.Errorf("lead: %w", err)
	}
	return nil
}

func (db *DB) keepSubmissions(ctx context.Context, tx *txn, batch []*form) error {
	var rows [][]any
	for _, f := range batch {
		s := f.kept
		if f.known || f.refused != nil {
			continue
		}
		doc, err := json.Marshal(s)
		if err != nil {
			return fmt.Errorf("submission: %w", err)
		}
		rows = append(rows, []any{s.Site, s.ID, s.Lead, s.Service, s.Form, f.digest, string(doc), stamp{s.At}})
	}
	err := many(ctx, tx, `INSERT INTO submissions (site, id, lead_id, service, form, digest, doc, submitted_at) VALUES?`, nil, rows, nil)
	if err != nil {
		return fmt.Errorf("submissions: %w", err)
	}
	return nil
}

// changeRow is the change of a lead's stage that follows so many others, as a row of
// writeChanges.
func changeRow(site string, lead handoff.LeadID, before int, c handoff.Change) []any {
	return []any{site, lead, before + 1, stamp{c.At}, c.From, c.To, c.Cause, c.Note, c.Booking.UID, c.Booking.Seat}
}

func writeChanges(ctx context.Context, tx *txn, rows [][]any) error {
	err := many(ctx, tx, `INSERT INTO history (site, lead_id, seq, at, from_stage, to_stage, cause, note, uid, seat) VALUES?`, nil, rows, nil)
	if err != nil {
		return fmt.Errorf("stage history: %w", err)
	}
	return nil
}

// digestOf is of what was sent, without what differs between two sends of the
// same: the time. Context and the wording of consent belong to the document only.
func digestOf(s handoff.Submission) (string, error) {
	sent, err := json.Marshal([]any{s.Service, s.Name, s.Email, s.Phone, s.Message, s.Answers, s.Consent.Given})
	if err != nil {
		return "", fmt.Errorf("submission: %w", err)
	}
	sum := sha256.Sum256(sent)
	return hex.EncodeToString(sum[:]), nil
}

const leadColumns = `id, site, service, name, email, phone, source, stage, manual_stage, manual_ruled, created_at, updated_at`

func scanLead(r interface{ Scan(...any) error }) (handoff.Lead, error) {
	var l handoff.Lead
	var manual handoff.Manual
	var created, updated stamp
	err := r.Scan(&l.ID, &l.Site, &l.Service, &l.Name, &l.Email, &l.Phone, &l.Source, &l.Stage, opt(&manual.Stage), opt(&manual.Ruled), &created, &updated)
	if manual.Stage != "" {
		l.Manual = &manual
	}
	l.CreatedAt, l.UpdatedAt = created.Time, updated.Time
	return l, err
}

// leadOf finds the lead of a submission; empty if there is none.
func leadOf(ctx context.Context, q querier, site string, id handoff.SubmissionID) (lead handoff.LeadID, err error) {
	err = q.QueryRowContext(ctx, `SELECT lead_id FROM submissions WHERE site = $1 AND id = $2`, site, id).Scan(&lead)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return lead, err
}

func bookingsOf(ctx context.Context, q querier, site string, lead handoff.LeadID) ([]handoff.Booking, error) {
	rows, err := q.QueryContext(ctx, `
		SELECT doc FROM bookings WHERE site = $1 AND lead_id = $2 ORDER BY start_at, uid, seat`, site, lead)
	return collect(rows, err, func(r *sql.Rows) (b handoff.Booking, err error) {
		var doc string
		if err := r.Scan(&doc); err != nil {
			return b, err
		}
		return b, decodeDoc(doc, &b)
	})
}

// A LeadDetail is everything that is known of one lead.
type LeadDetail struct {
	handoff.Lead
	Submissions []handoff.Submission // oldest first
	Bookings    []handoff.Booking    // by their start
	History     []handoff.Change     // oldest first
	Prior       *handoff.Manual      `json:"-"` // what a person had set before what they set last; nil: nothing
	Notes       []handoff.Note       // oldest first
	Wanted      *handoff.CallsWanted // nil: nobody said that all calls ahead are wanted
	Reminders   []SentReminder       // by number
	Facts       []Fact               // oldest first, by when we heard them; the newest 500
}

// A Fact is an observation about a lead's booking, with when we heard it.
type Fact struct {
	handoff.Observation
	ReceivedAt time.Time
}

// WhyNoBody says why nothing is kept that was received for the fact; empty: a webhook told
// it, of which the body is kept.
func (f Fact) WhyNoBody() string {
	switch f.Source {
	case handoff.FromAPI:
		return "Cal.com’s API answered this when it was asked: of such an answer only the fact is kept, and no body."
	case handoff.FromOperator:
		return "An operator decided this: nothing was received."
	}
	return ""
}

// LeadBySubmission reads the lead that a submission opened or belongs to. The
// error is ErrNotFound if there is none.
func (db *DB) LeadBySubmission(ctx context.Context, site string, id handoff.SubmissionID) (LeadDetail, error) {
	lead, err := leadOf(ctx, db.read, site, id)
	if err != nil {
		return LeadDetail{}, unavailable(err)
	}
	if lead == "" {
		return LeadDetail{}, fmt.Errorf("submission %s: %w", id, handoff.ErrNotFound)
	}
	return db.LeadOfSite(ctx, site, lead)
}

// Lead reads one lead of some sites; nil is all. The error is ErrNotFound if there is
// none.
func (db *DB) Lead(ctx context.Context, sites []string, id handoff.LeadID) (LeadDetail, error) {
	sites, err := db.sitesOf(ctx, "leads", sites)
	if err != nil {
		return LeadDetail{}, err
	}
	for _, site := range sites {
		d, err := db.LeadOfSite(ctx, site, id)
		if !errors.Is(err, handoff.ErrNotFound) {
			return d, err
		}
	}
	return LeadDetail{}, fmt.Errorf("lead %s: %w", id, handoff.ErrNotFound)
}

// LeadOfSite reads one lead of a site. The error is ErrNotFound if there is none.
func (db *DB) LeadOfSite(ctx context.Context, site string, id handoff.LeadID) (LeadDetail, error) {
	lead, err := scanLead(db.read.QueryRowContext(ctx, `SELECT `+leadColumns+` FROM leads WHERE site = $1 AND id = $2`, site, id))
	if errors.Is(err, sql.ErrNoRows) {
		return LeadDetail{}, fmt.Errorf("lead %s: %w", id, handoff.ErrNotFound)
	}
	if err != nil {
		return LeadDetail{}, unavailable(err)
	}
	d := LeadDetail{Lead: lead}
	if err := errors.Join(db.readSubmissions(ctx, &d), db.readHistory(ctx, &d), db.readFacts(ctx, &d), db.readReminders(ctx, &d), db.readNotes(ctx, &d), db.readWanted(ctx, &d)); err != nil {
		return LeadDetail{}, unavailable(err)
	}
	if d.Bookings, err = bookingsOf(ctx, db.read, site, id); err != nil {
		return LeadDetail{}, unavailable(err)
	}
	return d, nil
}

func (db *DB) readSubmissions(ctx context.Context, d *LeadDetail) error {
	rows, err := db.read.QueryContext(ctx, `
		SELECT id, lead_id, doc FROM submissions WHERE site = $1 AND lead_id = $2 ORDER BY submitted_at, id`, d.Site, d.ID)
	d.Submissions, err = collect(rows, err, func(r *sql.Rows) (s handoff.Submission, err error) {
		var id handoff.SubmissionID
		var lead handoff.LeadID
		var doc string
		if err := r.Scan(&id, &lead, &doc); err != nil {
			return s, err
		}
		err = decodeDoc(doc, &s)
		s.ID, s.Lead = id, lead
		return s, err
	})
	return err
}

func (db *DB) readHistory(ctx context.Context, d *LeadDetail) error {
	rows, err := db.read.QueryContext(ctx, `
		SELECT at, from_stage, to_stage, cause, note, uid, seat FROM history WHERE site = $1 AND lead_id = $2 ORDER BY seq`, d.Site, d.ID)
	d.History, err = collect(rows, err, func(r *sql.Rows) (c handoff.Change, err error) {
		var at stamp
		err = r.Scan(&at, &c.From, &c.To, &c.Cause, &c.Note, &c.Booking.UID, &c.Booking.Seat)
		c.At = at.Time
		return c, err
	})
	if err == nil && d.Manual != nil {
		d.Prior, err = manualBefore(ctx, db.read, d.Site, d.ID)
	}
	return err
}

func (db *DB) readFacts(ctx context.Context, d *LeadDetail) error {
	rows, err := db.read.QueryContext(ctx, `
		SELECT DISTINCT `+factColumns+`, o.received_at FROM observations o JOIN bookings b ON b.site = o.site AND b.uid = o.uid AND (o.seat = '' OR o.seat = b.seat)
		WHERE b.site = $1 AND b.lead_id = $2 ORDER BY o.received_at DESC, o.id DESC LIMIT 500`, d.Site, d.ID)
	d.Facts, err = collect(rows, err, func(r *sql.Rows) (f Fact, err error) {
		var at stamp
		f.Observation, err = scanFact(r, &at)
		f.ReceivedAt = at.Time
		return f, err
	})
	slices.Reverse(d.Facts)
	return err
}

// FactReceived reads a fact about a booking of a lead of some sites (nil: all), and the
// deliveries that told it, as they were stored. The error is ErrNotFound if there is no
// such lead, or no such fact about it.
func (db *DB) FactReceived(ctx context.Context, sites []string, lead handoff.LeadID, fact string) (handoff.Lead, Fact, []ReceivedView, error) {
	d, err := db.Lead(ctx, sites, lead)
	if err != nil {
		return d.Lead, Fact{}, nil, err
	}
	i := slices.IndexFunc(d.Facts, func(f Fact) bool { return f.ID == fact })
	if i < 0 {
		return d.Lead, Fact{}, nil, fmt.Errorf("fact %s: %w", fact, handoff.ErrNotFound)
	}
	f := d.Facts[i]
	rows, err := db.read.QueryContext(ctx, `
		SELECT `+receivedColumns+` FROM deliveries d
		WHERE d.site = $1 AND d.verified AND d.digest IN (
			SELECT o.delivery FROM observations o WHERE o.site = $1 AND o.uid = $2 AND o.id = $3
			UNION SELECT again.digest FROM deliveries again WHERE again.site = $1 AND again.event_id = $3)
		ORDER BY d.received_at LIMIT 20`, d.Site, f.UID, f.ID)
	found, err := collect(rows, err, scanReceived)
	if err != nil {
		return d.Lead, f, nil, unavailable(err)
	}
	return d.Lead, f, found, nil
}

const receivedColumns = `d.received_at, d.last_at, d.count, d.trigger_name, d.content_type, d.verified, d.body`

func scanReceived(r *sql.Rows) (v ReceivedView, err error) {
	var at, last stamp
	var body []byte
	if err := r.Scan(&at, &last, &v.Count, &v.Trigger, &v.ContentType, &v.Verified, &body); err != nil {
		return v, err
	}
	v.At, v.LastAt = at.Time, last.Time
	body, err = decompress(body)
	v.Body = string(body)
	return v, err
}
