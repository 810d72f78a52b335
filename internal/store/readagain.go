package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"handoff"
)

// A Reader opens a delivery that was kept again: it unseals its body, verifies it with
// the secrets of today, and decodes it. The delivery it returns has its body redacted. The
// error is an *Unread if Cal.com did sign it.
type Reader func(d handoff.Delivery) (handoff.Delivery, handoff.Event, error)

// Unread is the error of what Cal.com signed and that cannot be read all the same.
type Unread struct {
	Reason handoff.Reason
	Detail string // in plain words
	Err    error  // the same, as who reads it says it
}

func (u *Unread) Error() string { return u.Err.Error() }

// Unwrap returns the error of who read it.
func (u *Unread) Unwrap() error { return u.Err }

// ReadAgain lets a failure's delivery come once more, as if Cal.com had sent it now: if
// it can be read its event enters through the same door as every other, and the failure
// is settled. One that proved nothing and proves to be signed, though it cannot be read,
// waits from now on for that reason, which is returned. The error is the reader's if
// nothing changed, or one of those of Dismiss; ErrNotFound also where the body was not
// kept whole.
func (db *DB) ReadAgain(ctx context.Context, by handoff.Actor, site string, id handoff.FailureID, read Reader) (waits handoff.Reason, err error) {
	if err := by.Need(handoff.RoleOperator, site); err != nil {
		return "", err
	}
	var v *verified
	err = db.tx(ctx, func(tx *txn) error {
		h, err := db.holdFor(ctx, tx, site, id, handoff.Verify)
		if err != nil {
			return err
		}
		d, err := sealedDelivery(ctx, tx, site, h)
		if err != nil {
			return err
		}
		d, event, err := read(d)
		var unread *Unread
		if errors.As(err, &unread) && !h.signed {
			v = &verified{Delivery: d, packed: compress(d.Body), reason: unread.Reason, detail: unread.Detail}
			waits, err = db.provedAgain(ctx, tx, by, h, v)
			return err
		}
		if err != nil {
			return err
		}
		v = &verified{Delivery: d, packed: compress(d.Body), event: &event}
		if event.Observation != nil {
			if v.fact, err = newFact(event.Observation); err != nil {
				return err
			}
		}
		return db.admitAgain(ctx, tx, by, h, v)
	})
	if err != nil {
		return "", err
	}
	db.tellAll(TopicLeads)
	db.tellKept([]*verified{v})
	return waits, nil
}

// MaxReadAgain is how many failures are read again at once: as many as a site has of
// those that proved nothing, so that no forged one can stand before a right one.
const MaxReadAgain = maxUnverifiedPerSite

// ReadAllAgain does ReadAgain for the newest open failures of a site and reason, at most
// MaxReadAgain, each for itself: after a secret was put right. It returns how many were
// read, and how many that it looked at were not. The error is ErrInvalid for a reason of
// which looking again changes nothing.
func (db *DB) ReadAllAgain(ctx context.Context, by handoff.Actor, site string, reason handoff.Reason, read Reader) (done, left int, err error) {
	if err := by.Need(handoff.RoleOperator, site); err != nil {
		return 0, 0, err
	}
	list, err := db.Failures(ctx, FailureFilter{Sites: []string{site}, Reason: reason, Limit: MaxReadAgain})
	if err != nil {
		return 0, 0, err
	}
	for _, f := range list {
		refused := false
		waits, err := db.ReadAgain(ctx, by, site, f.ID, func(d handoff.Delivery) (handoff.Delivery, handoff.Event, error) {
			d, event, err := read(d)
			refused = err != nil
			return d, event, err
		})
		switch {
		case err == nil && waits == "":
			done++
		case refused, errors.Is(err, handoff.ErrNotFound), errors.Is(err, handoff.ErrConflict): // as before, not kept whole, or somebody was before
			left++
		default:
			return done, left, err
		}
	}
	return done, left, nil
}

// provedAgain keeps that what proved nothing is signed, and why it cannot be read, or that it
// is a replay of what was, which is why it waits now.
func (db *DB) provedAgain(ctx context.Context, tx *txn, by handoff.Actor, h settling, v *verified) (waits handoff.Reason, err error) {
	batch := []*verified{v}
	if err := db.countVerified(ctx, tx, batch); err != nil {
		return "", err
	}
	if err := proved(ctx, tx, [][]any{{v.Site, v.subject()}}, db.now()); err != nil { // also where the same came with a right signature before
		return "", err
	}
	if err := db.failVerified(ctx, tx, batch); err != nil {
		return "", err
	}
	waits = v.failure()
	return waits, db.audit(ctx, tx, by, handoff.Act{Action: "failure.verify", Site: v.Site, Subject: string(h.id), Detail: "signed, and waits now for " + string(waits)})
}

// sealedDelivery reads the delivery of a failure as it came.
func sealedDelivery(ctx context.Context, tx *txn, site string, h settling) (handoff.Delivery, error) {
	d := handoff.Delivery{Site: site, Digest: h.digest}
	var at stamp
	err := tx.QueryRowContext(ctx, `
		SELECT signature, content_type, source, received_at, sealed FROM deliveries WHERE site = $1 AND digest = $2 AND verified = $3`,
		site, h.digest, h.signed).Scan(&d.Signature, &d.ContentType, &d.Source, &at, &d.Sealed)
	d.ReceivedAt = at.Time
	if errors.Is(err, sql.ErrNoRows) || err == nil && len(d.Sealed) == 0 {
		return d, fmt.Errorf("the body of failure %s was not kept whole: %w", h.id, handoff.ErrNotFound)
	}
	if err != nil {
		return d, fmt.Errorf("delivery: %w", err)
	}
	return d, nil
}

// admitAgain keeps what a delivery says that could not be read when it came.
func (db *DB) admitAgain(ctx context.Context, tx *txn, by handoff.Actor, h settling, v *verified) error {
	batch := []*verified{v}
	if !h.signed { // as a signed one it comes for the first time
		if err := db.countVerified(ctx, tx, batch); err != nil {
			return err
		}
	}
	if err := db.keepFacts(ctx, tx, batch); err != nil {
		return err
	}
	for _, step := range []struct {
		query string
		args  []any
	}{
		{
			// A replay of the same bytes stays: that they can be read says nothing of who sent them again.
			`UPDATE failures SET settled_at = $3, settled_by = $4 WHERE site = $1 AND settled_at IS NULL AND subject = $2 AND (id = $5 OR NOT verified)`,
			[]any{v.Site, v.subject(), stamp{db.now()}, "read again by " + by.Name, h.id},
		},
		{`UPDATE deliveries SET sealed = NULL, trigger_name = $3 WHERE site = $1 AND digest = $2`, []any{v.Site, v.Digest, v.Trigger}},
	} {
		if _, err := tx.ExecContext(ctx, step.query, step.args...); err != nil {
			return fmt.Errorf("failure: %w", err)
		}
	}
	return db.audit(ctx, tx, by, handoff.Act{Action: "failure.verify", Site: v.Site, Subject: string(h.id), Detail: "read: " + v.Trigger})
}
