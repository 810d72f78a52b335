package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"handoff"
)

// Lifetimes of a session: it ends when nobody used it for a working day, and after a
// week in any case.
const (
	SessionIdle = 8 * time.Hour
	SessionLife = 7 * 24 * time.Hour
)

// A Session is one browser in which an operator is signed in. Its token is known to
// that browser only: who reads the store cannot sign in with it.
type Session struct {
	ID        string // digest of its token
	Email     string
	CreatedAt time.Time
	UsedAt    time.Time
	Agent     string // browser and system, in short
	Source    string // keyed digest of the address it was opened from
}

// A SignIn is what opens a session.
type SignIn struct {
	Email  string
	With   string // in words, for the audit log: "a password"
	Agent  string
	Source string
	// PasswordHash is the one that the password was compared with, and Passkey the one
	// that signed: a session opens only if they still are the operator's.
	PasswordHash string
	Passkey      *Passkey
	Invited      bool // an invitation was taken up in this moment, which needs no other proof
}

// newToken draws what nobody guesses.
func newToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// OpenSession signs an operator in, and ends old (a token; may be empty). The error is
// ErrForbidden if what was proved does not count any more.
func (db *DB) OpenSession(ctx context.Context, in SignIn, old string) (token string, err error) {
	token = newToken()
	err = db.tx(ctx, func(tx *txn) error {
		u, err := db.userOf(ctx, tx, in.Email)
		switch {
		case errors.Is(err, handoff.ErrNotFound):
			return fmt.Errorf("the operator is gone: %w", handoff.ErrForbidden)
		case err != nil:
			return err
		case in.Invited:
		case in.Passkey != nil:
			if err := usePasskey(ctx, tx, *in.Passkey, db.now()); err != nil {
				return err
			}
		case u.PasswordHash != in.PasswordHash || in.PasswordHash == "":
			return fmt.Errorf("the password was changed: %w", handoff.ErrForbidden)
		}
		now := db.now()
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires_at <= $1 OR id = $2`, stamp{now}, hashToken(old)); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `
			INSERT INTO sessions (id, email, created_at, used_at, expires_at, agent, source) VALUES ($1, $2, $3, $3, $4, $5, $6)`,
			hashToken(token), in.Email, stamp{now}, stamp{now.Add(SessionIdle)}, in.Agent, in.Source); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE users SET seen_at = $1 WHERE email = $2`, stamp{now}, in.Email); err != nil {
			return err
		}
		return db.audit(ctx, tx, u.Actor(), handoff.Act{Action: "session.open", Subject: in.Email, Detail: "with " + in.With})
	})
	return token, err
}

// sessionColumns are of sessions s.
const sessionColumns = `s.id, s.email, s.created_at, s.used_at, s.agent, s.source`

// Session finds a session that has not ended, and whose it is. The error is ErrNotFound
// if there is none.
func (db *DB) Session(ctx context.Context, token string) (s Session, u User, err error) {
	var created, used stamp
	u, err = scanUser(db.read.QueryRowContext(ctx, `
		SELECT `+userColumns+`, `+sessionColumns+` FROM sessions s JOIN users u ON u.email = s.email WHERE s.id = $1 AND s.expires_at > $2`,
		hashToken(token), stamp{db.now()}), &s.ID, &s.Email, &created, &used, &s.Agent, &s.Source)
	s.CreatedAt, s.UsedAt = created.Time, used.Time
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Session{}, User{}, fmt.Errorf("session: %w", handoff.ErrNotFound)
	case err != nil:
		return Session{}, User{}, unavailable(err)
	}
	return s, u, nil
}

// UseSession notes that a session is used, which puts off its idle end. One that ended
// in the meantime stays ended.
func (db *DB) UseSession(ctx context.Context, s Session) error {
	now := db.now()
	end := now.Add(SessionIdle)
	if last := s.CreatedAt.Add(SessionLife); last.Before(end) {
		end = last
	}
	return db.tx(ctx, func(tx *txn) error {
		if _, err := tx.ExecContext(ctx, `UPDATE sessions SET used_at = $1, expires_at = $2 WHERE id = $3`, stamp{now}, stamp{end}, s.ID); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE users SET seen_at = $1 WHERE email = $2`, stamp{now}, s.Email)
		return err
	})
}

// Sessions lists an operator's sessions that have not ended, the last used first.
func (db *DB) Sessions(ctx context.Context, email string) ([]Session, error) {
	rows, err := db.read.QueryContext(ctx, `
		SELECT `+sessionColumns+` FROM sessions s WHERE s.email = $1 AND s.expires_at > $2 ORDER BY s.used_at DESC, s.id`, email, stamp{db.now()})
	out, err := collect(rows, err, func(r *sql.Rows) (s Session, err error) {
		var created, used stamp
		err = r.Scan(&s.ID, &s.Email, &created, &used, &s.Agent, &s.Source)
		s.CreatedAt, s.UsedAt = created.Time, used.Time
		return s, err
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

// LeaveSession ends the session of a token: its operator signs out.
func (db *DB) LeaveSession(ctx context.Context, token string) error {
	open, err := exists(ctx, db.read, `SELECT 1 FROM sessions WHERE id = $1`, hashToken(token)) // strangers make tokens up
	if err != nil {
		return unavailable(err)
	}
	if !open {
		return nil
	}
	return db.tx(ctx, func(tx *txn) error {
		var email string
		err := tx.QueryRowContext(ctx, `DELETE FROM sessions WHERE id = $1 RETURNING email`, hashToken(token)).Scan(&email)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		return db.audit(ctx, tx, handoff.Actor{Name: email}, handoff.Act{Action: "session.leave", Subject: email})
	})
}

// EndSession ends one session of an operator: their own, or an owner does. The error is
// ErrNotFound if there is no such one.
func (db *DB) EndSession(ctx context.Context, by handoff.Actor, email, id string) error {
	if err := ownOr(by, email); err != nil {
		return err
	}
	return db.tx(ctx, func(tx *txn) error {
		if err := db.ownsOthersNow(ctx, tx, by, email); err != nil {
			return err
		}
		n, err := affected(tx.ExecContext(ctx, `DELETE FROM sessions WHERE email = $1 AND id = $2`, email, id))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("session: %w", handoff.ErrNotFound)
		}
		return db.audit(ctx, tx, by, handoff.Act{Action: "session.end", Subject: email, Detail: sessionsWords(n)})
	})
}

// EndSessions ends all sessions of an operator but keep (empty: all), and reports how
// many those were.
func (db *DB) EndSessions(ctx context.Context, by handoff.Actor, email, keep string) (n int, err error) {
	if err := ownOr(by, email); err != nil {
		return 0, err
	}
	err = db.tx(ctx, func(tx *txn) error {
		if err := db.ownsOthersNow(ctx, tx, by, email); err != nil {
			return err
		}
		if _, err := db.userOf(ctx, tx, email); err != nil {
			return err
		}
		if n, err = endSessions(ctx, tx, email, keep); err != nil {
			return err
		}
		return db.audit(ctx, tx, by, handoff.Act{Action: "session.end", Subject: email, Detail: sessionsWords(n)})
	})
	return n, err
}

func endSessions(ctx context.Context, tx *txn, email, keep string) (int, error) {
	return affected(tx.ExecContext(ctx, `DELETE FROM sessions WHERE email = $1 AND id <> $2`, email, keep))
}

// ownOr returns nil for who it is about, and otherwise what owns does.
func ownOr(by handoff.Actor, email string) error {
	if by.Name == email {
		return nil
	}
	return owns(by)
}

// affected is how many rows a statement changed.
func affected(r sql.Result, err error) (int, error) {
	if err != nil {
		return 0, err
	}
	n, err := r.RowsAffected()
	return int(n), err
}
