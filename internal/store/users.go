package store

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"handoff"
)

// A User is an operator who may sign in.
type User struct {
	Email        string
	Name         string
	PasswordHash string // argon2id, PHC form
	Role         handoff.Role
	Sites        []string // the only ones that are seen; nil: all
	CreatedAt    time.Time
}

// Actor is the operator as one who does something.
func (u User) Actor() handoff.Actor {
	return handoff.Actor{Name: u.Email, Role: u.Role, Sites: u.Sites}
}

// PutUser adds an operator, an owner of all sites unless it says otherwise, or gives
// one of the same address another name and password.
func (db *DB) PutUser(ctx context.Context, u User) error {
	if u.Role == "" {
		u.Role = handoff.RoleOwner
	}
	return db.tx(ctx, func(tx *txn) error {
		_, err := tx.ExecContext(ctx, `
			INSERT INTO users (email, name, password_hash, role, sites, created_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (email) DO UPDATE SET name = excluded.name, password_hash = excluded.password_hash`,
			u.Email, u.Name, u.PasswordHash, u.Role, strings.Join(u.Sites, " "), stamp{db.now()})
		return err
	})
}

const userColumns = `email, name, password_hash, role, sites, created_at`

func scanUser(r interface{ Scan(...any) error }) (u User, err error) {
	var at stamp
	var sites string
	err = r.Scan(&u.Email, &u.Name, &u.PasswordHash, &u.Role, &sites, &at)
	if sites != "" {
		u.Sites = strings.Fields(sites)
	}
	u.CreatedAt = at.Time
	return u, err
}

// User finds an operator by address. The error is ErrNotFound if there is none.
func (db *DB) User(ctx context.Context, email string) (User, error) {
	u, err := scanUser(db.read.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE email = $1`, email))
	if errors.Is(err, sql.ErrNoRows) {
		return u, fmt.Errorf("user: %w", handoff.ErrNotFound)
	}
	if err != nil {
		return u, unavailable(err)
	}
	return u, nil
}

// Users lists the operators.
func (db *DB) Users(ctx context.Context) ([]User, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+userColumns+` FROM users ORDER BY email`)
	out, err := collect(rows, err, func(r *sql.Rows) (User, error) { return scanUser(r) })
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

// Sessions keeps the desk's sessions for scs, under a digest of their token, so
// that who reads the store cannot sign in with it.
type Sessions struct{ db *DB }

// Sessions returns the session store.
func (db *DB) Sessions() *Sessions { return &Sessions{db} }

func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// FindCtx returns a session's data; false if there is none or it has expired.
func (s *Sessions) FindCtx(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = s.db.read.QueryRowContext(ctx, `SELECT data FROM sessions WHERE token_hash = $1 AND expires_at > $2`,
		hashToken(token), stamp{s.db.now()}).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return data, err == nil, err
}

// CommitCtx writes a session, and forgets the expired ones.
func (s *Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	return s.db.tx(ctx, func(tx *txn) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expires_at <= $1`, stamp{s.db.now()}); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `
			INSERT INTO sessions (token_hash, data, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (token_hash) DO UPDATE SET data = excluded.data, expires_at = excluded.expires_at`,
			hashToken(token), data, stamp{expiry})
		return err
	})
}

// DeleteCtx ends a session.
func (s *Sessions) DeleteCtx(ctx context.Context, token string) error {
	return s.db.tx(ctx, func(tx *txn) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE token_hash = $1`, hashToken(token))
		return err
	})
}

// Find, Commit and Delete are scs's older names for the same.
func (s *Sessions) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit writes a session.
func (s *Sessions) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete ends a session.
func (s *Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }
