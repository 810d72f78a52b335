package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"handoff"
)

// MaxPasskeys is how many one operator may have.
const MaxPasskeys = 20

// CeremonyLife is how long an authenticator may take to answer.
const CeremonyLife = 5 * time.Minute

// A Passkey is a key pair of an operator's authenticator, of which we know the public
// part.
type Passkey struct {
	ID        string // the authenticator's, base64url
	Email     string
	Handle    string // names the operator to the authenticator, base64url
	Host      string // for which it was made
	Name      string // that its owner gave it
	Doc       string // public key and what the authenticator said of itself, JSON
	Count     uint32 // of its signatures, as it said last; 0: it does not count
	CreatedAt time.Time
	UsedAt    time.Time // zero: never
}

// passkeyColumns are of passkeys p and users u.
const passkeyColumns = `p.id, p.email, u.handle, p.host, p.name, p.doc, p.count, p.created_at, p.used_at`

func scanPasskey(r interface{ Scan(...any) error }) (p Passkey, err error) {
	var created, used stamp
	err = r.Scan(&p.ID, &p.Email, &p.Handle, &p.Host, &p.Name, &p.Doc, &p.Count, &created, &used)
	p.CreatedAt, p.UsedAt = created.Time, used.Time
	return p, err
}

// Passkeys lists an operator's, the oldest first.
func (db *DB) Passkeys(ctx context.Context, email string) ([]Passkey, error) {
	rows, err := db.read.QueryContext(ctx, `
		SELECT `+passkeyColumns+` FROM passkeys p JOIN users u ON u.email = p.email WHERE p.email = $1 ORDER BY p.created_at, p.id`, email)
	out, err := collect(rows, err, func(r *sql.Rows) (Passkey, error) { return scanPasskey(r) })
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

// Passkey finds one by its ID. The error is ErrNotFound if there is none.
func (db *DB) Passkey(ctx context.Context, id string) (Passkey, error) {
	p, err := scanPasskey(db.read.QueryRowContext(ctx, `SELECT `+passkeyColumns+` FROM passkeys p JOIN users u ON u.email = p.email WHERE p.id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return p, fmt.Errorf("passkey: %w", handoff.ErrNotFound)
	}
	if err != nil {
		return p, unavailable(err)
	}
	return p, nil
}

// Handle returns what names an operator to authenticators, drawn when it is first
// asked for. It says nothing of them.
func (db *DB) Handle(ctx context.Context, email string) (handle string, err error) {
	err = db.tx(ctx, func(tx *txn) error {
		if _, err := tx.ExecContext(ctx, `UPDATE users SET handle = $1 WHERE email = $2 AND handle = ''`, NewHandle(), email); err != nil {
			return err
		}
		err := tx.QueryRowContext(ctx, `SELECT handle FROM users WHERE email = $1`, email).Scan(&handle)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("user: %w", handoff.ErrNotFound)
		}
		return err
	})
	return handle, err
}

// NewHandle draws a name for authenticators, for who is not an operator yet.
func NewHandle() string { return newToken() }

// AddPasskey gives an operator one more. The error is ErrConflict, with words, if they
// have too many, or if it is known already.
func (db *DB) AddPasskey(ctx context.Context, by handoff.Actor, p Passkey) error {
	return db.tx(ctx, func(tx *txn) error {
		if _, err := db.userOf(ctx, tx, p.Email); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM passkeys WHERE email = $1`, p.Email).Scan(&n); err != nil {
			return err
		}
		if n >= MaxPasskeys {
			return handoff.Refuse(handoff.ErrConflict, "You have %d passkeys, and more are not kept. Remove one first.", n)
		}
		return db.addPasskey(ctx, tx, by, p)
	})
}

func (db *DB) addPasskey(ctx context.Context, tx *txn, by handoff.Actor, p Passkey) error {
	n, err := affected(tx.ExecContext(ctx, `
		INSERT INTO passkeys (id, email, host, name, doc, count, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO NOTHING`,
		p.ID, p.Email, p.Host, p.Name, p.Doc, p.Count, stamp{db.now()}))
	if err != nil {
		return fmt.Errorf("passkey: %w", err)
	}
	if n == 0 {
		return handoff.Refuse(handoff.ErrConflict, "This passkey is known already.")
	}
	return db.audit(ctx, tx, by, handoff.Act{Action: "passkey.add", Subject: p.Email, Detail: "“" + p.Name + "” for " + p.Host})
}

// usePasskey notes a signature. Of two that come at once with one count, the second is
// refused; so is one of a passkey that was removed in the meantime.
func usePasskey(ctx context.Context, tx *txn, p Passkey, now time.Time) error {
	n, err := affected(tx.ExecContext(ctx, `UPDATE passkeys SET count = $1, doc = $2, used_at = $3 WHERE id = $4 AND email = $5 AND (count < $1 OR count = 0 AND $1 = 0)`,
		p.Count, p.Doc, stamp{now}, p.ID, p.Email))
	if err == nil && n == 0 {
		err = fmt.Errorf("the passkey is gone, or signed in the meantime: %w", handoff.ErrForbidden)
	}
	return err
}

// RemovePasskey takes one away. The error is ErrNotFound if the operator has no such
// one, and ErrConflict, with words, if they could not sign in without it.
func (db *DB) RemovePasskey(ctx context.Context, by handoff.Actor, email, id string) error {
	if err := ownOr(by, email); err != nil {
		return err
	}
	return db.tx(ctx, func(tx *txn) error {
		if err := db.ownsOthersNow(ctx, tx, by, email); err != nil {
			return err
		}
		u, err := db.userOf(ctx, tx, email)
		if err != nil {
			return err
		}
		var name string
		err = tx.QueryRowContext(ctx, `DELETE FROM passkeys WHERE email = $1 AND id = $2 RETURNING name`, email, id).Scan(&name)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("passkey: %w", handoff.ErrNotFound)
		}
		if err != nil {
			return err
		}
		var left int
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM passkeys WHERE email = $1`, email).Scan(&left); err != nil {
			return err
		}
		if left == 0 && u.PasswordHash == "" {
			return handoff.Refuse(handoff.ErrConflict, "Without this passkey you could not sign in: you have no password. Add another passkey or set a password first.")
		}
		return db.audit(ctx, tx, by, handoff.Act{Action: "passkey.remove", Subject: email, Detail: "“" + name + "”"})
	})
}

// RemovePasskeys takes all passkeys of an operator away, for one whose account is or may
// be in wrong hands, and reports how many those were.
func (db *DB) RemovePasskeys(ctx context.Context, by handoff.Actor, email string) (n int, err error) {
	if err := owns(by); err != nil {
		return 0, err
	}
	err = db.tx(ctx, func(tx *txn) error {
		if err := db.ownsNow(ctx, tx, by); err != nil {
			return err
		}
		if _, err := db.userOf(ctx, tx, email); err != nil {
			return err
		}
		if n, err = affected(tx.ExecContext(ctx, `DELETE FROM passkeys WHERE email = $1`, email)); err != nil {
			return err
		}
		return db.audit(ctx, tx, by, handoff.Act{Action: "passkey.remove", Subject: email, Detail: fmt.Sprintf("all: %d", n)})
	})
	return n, err
}

// A Ceremony is what an authenticator was asked, until it answers.
type Ceremony struct {
	Session string // in which it was asked; empty: nobody is signed in
	Doc     string
}

// BeginCeremony keeps a ceremony for CeremonyLife and returns the token that ends it.
func (db *DB) BeginCeremony(ctx context.Context, c Ceremony) (token string, err error) {
	token = newToken()
	err = db.tx(ctx, func(tx *txn) error {
		now := db.now()
		if _, err := tx.ExecContext(ctx, `DELETE FROM ceremonies WHERE expires_at <= $1`, stamp{now}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO ceremonies (id, session, doc, expires_at) VALUES ($1, $2, $3, $4)`,
			hashToken(token), c.Session, c.Doc, stamp{now.Add(CeremonyLife)})
		return err
	})
	return token, err
}

// EndCeremony uses a ceremony up: a second answer finds none, whatever the first was.
// The error is ErrNotFound if there is none of this token and session.
func (db *DB) EndCeremony(ctx context.Context, token, session string) (c Ceremony, err error) {
	c.Session = session
	begun, err := exists(ctx, db.read, `SELECT 1 FROM ceremonies WHERE id = $1`, hashToken(token)) // strangers make tokens up
	if err != nil {
		return c, unavailable(err)
	}
	if !begun {
		return c, fmt.Errorf("ceremony: %w", handoff.ErrNotFound)
	}
	err = db.tx(ctx, func(tx *txn) error {
		err := tx.QueryRowContext(ctx, `DELETE FROM ceremonies WHERE id = $1 AND session = $2 AND expires_at > $3 RETURNING doc`,
			hashToken(token), session, stamp{db.now()}).Scan(&c.Doc)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("ceremony: %w", handoff.ErrNotFound)
		}
		return err
	})
	return c, err
}
