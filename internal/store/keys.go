package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"handoff"
)

// A Key is a key of the API as it is kept: without its secret.
type Key struct {
	ID string
	handoff.APIKey
	CreatedBy  string
	CreatedAt  time.Time
	LastUsedAt time.Time // to the minute; zero: never
	RevokedAt  time.Time // zero: it was not

	hash string
}

// Actor is the key as one who does something.
func (k Key) Actor() handoff.Actor {
	return handoff.Actor{Name: "key " + k.Name, Role: handoff.RoleOf(k.Scopes), Sites: k.Sites}
}

// Works reports that the key opens something at a time.
func (k Key) Works(now time.Time) bool { return k.RevokedAt.IsZero() && now.Before(k.ExpiresAt) }

// A bearer token is "hk_", the characters of the key's ID behind "key_", "_" and the
// secret in hex: the ID finds the key, and the secret proves it.
const (
	tokenPrefix = "hk_"
	keyPrefix   = "key"
	keySuffix   = 26
	secretBytes = 32
	tokenLen    = len(tokenPrefix) + keySuffix + 1 + 2*secretBytes
)

// splitToken takes a token apart; ok is false if it has not the form of one.
func splitToken(token string) (id, secret string, ok bool) {
	if len(token) != tokenLen || !strings.HasPrefix(token, tokenPrefix) {
		return "", "", false
	}
	id, secret, ok = strings.Cut(token[len(tokenPrefix):], "_")
	odd := func(r rune) bool { return (r < '0' || r > '9') && (r < 'a' || r > 'z') } // PostgreSQL refuses what is no text
	return keyPrefix + "_" + id, secret, ok && len(id) == keySuffix && !strings.ContainsFunc(id, odd)
}

// CreateKey makes a key of the API and returns the token that it is used with, which
// is kept nowhere. It takes an owner, and one who does not see all sites can make keys
// only for those that they see. The error is ErrInvalid with what is wrong with the
// key, or ErrConflict if there is or was one of that name.
func (db *DB) CreateKey(ctx context.Context, by handoff.Actor, k handoff.APIKey) (Key, string, error) {
	if err := k.Check(db.now()); err != nil {
		return Key{}, "", err
	}
	if err := mayManage(by, k.Sites); err != nil {
		return Key{}, "", err
	}
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails
	made := Key{ID: newID(keyPrefix), APIKey: k, CreatedBy: by.Name, CreatedAt: db.now().UTC().Truncate(time.Microsecond)}
	made.ExpiresAt = k.ExpiresAt.UTC().Truncate(time.Microsecond)
	text := hex.EncodeToString(secret)
	err := db.tx(ctx, func(tx *txn) error {
		if err := db.ownsNow(ctx, tx, by); err != nil {
			return err
		}
		var id string
		err := tx.QueryRowContext(ctx, `
			INSERT INTO api_keys (id, name, secret_hash, scopes, sites, created_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (name) DO NOTHING RETURNING id`,
			made.ID, k.Name, hashToken(text), strings.Join(handoff.ScopeNames(k.Scopes), " "), strings.Join(k.Sites, " "), by.Name, stamp{made.CreatedAt}, stamp{made.ExpiresAt}).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return handoff.Refuse(handoff.ErrConflict, "There is, or was, a key named %q. Give this one another name, so that what each does can be told apart.", k.Name)
		}
		if err != nil {
			return fmt.Errorf("key: %w", err)
		}
		return db.audit(ctx, tx, by, handoff.Act{Action: "key.create", Subject: made.ID, Detail: keyDetail(k)})
	})
	if err != nil {
		return Key{}, "", err
	}
	return made, tokenPrefix + strings.TrimPrefix(made.ID, keyPrefix+"_") + "_" + text, nil
}

// mayManage returns ErrForbidden unless somebody may make and revoke keys that see
// these sites; nil: all.
func mayManage(by handoff.Actor, sites []string) error {
	if !by.May(handoff.RoleOwner) {
		return fmt.Errorf("keys of the API take the role %s: %w", handoff.RoleOwner, handoff.ErrForbidden)
	}
	if by.Sites != nil && (sites == nil || len(by.SeenOf(sites)) < len(sites)) {
		return fmt.Errorf("the key would see sites that you do not: %w", handoff.ErrForbidden)
	}
	return nil
}

// keyDetail says what a key may do, in the words of the audit log.
func keyDetail(k handoff.APIKey) string {
	sites := "all sites"
	if k.Sites != nil {
		sites = strings.Join(k.Sites, ", ")
	}
	return fmt.Sprintf("%s: %s for %s, until %s", k.Name, strings.Join(handoff.ScopeNames(k.Scopes), ", "), sites, k.ExpiresAt.UTC().Format(time.DateOnly))
}

// RevokeKey ends a key for good. One that was revoked before stays as it was. The
// error is ErrNotFound if there is none that this owner may manage.
func (db *DB) RevokeKey(ctx context.Context, by handoff.Actor, id string) error {
	return db.tx(ctx, func(tx *txn) error {
		k, err := findKey(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := mayManage(by, k.Sites); by.May(handoff.RoleOwner) && err != nil {
			return fmt.Errorf("key %s: %w", id, handoff.ErrNotFound)
		} else if err != nil {
			return err
		}
		if err := db.ownsNow(ctx, tx, by); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `UPDATE api_keys SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL`, id, stamp{db.now()})
		if err != nil {
			return fmt.Errorf("key: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return err
		}
		return db.audit(ctx, tx, by, handoff.Act{Action: "key.revoke", Subject: id, Detail: k.Name})
	})
}

// Keys lists the keys that somebody may manage, the newest first. It takes an owner.
func (db *DB) Keys(ctx context.Context, by handoff.Actor) ([]Key, error) {
	if !by.May(handoff.RoleOwner) {
		return nil, fmt.Errorf("keys of the API take the role %s: %w", handoff.RoleOwner, handoff.ErrForbidden)
	}
	rows, err := db.read.QueryContext(ctx, `SELECT `+keyColumns+` FROM api_keys ORDER BY id DESC`)
	all, err := collect(rows, err, func(r *sql.Rows) (Key, error) { return scanKey(r) })
	if err != nil {
		return nil, unavailable(err)
	}
	return slices.DeleteFunc(all, func(k Key) bool { return mayManage(by, k.Sites) != nil }), nil
}

// KeyOf finds the key that a bearer token is of. The error is ErrUnverified if there
// is none, it has another secret, has expired, or was revoked.
func (db *DB) KeyOf(ctx context.Context, token string) (Key, error) {
	id, secret, ok := splitToken(token)
	if !ok {
		return Key{}, fmt.Errorf("this is no token of the API: %w", handoff.ErrUnverified)
	}
	k, err := findKey(ctx, db.read, id)
	switch {
	case errors.Is(err, handoff.ErrNotFound):
		return Key{}, fmt.Errorf("key %s: %w", id, handoff.ErrUnverified)
	case err != nil:
		return Key{}, unavailable(err)
	case subtle.ConstantTimeCompare([]byte(hashToken(secret)), []byte(k.hash)) != 1:
		return Key{}, fmt.Errorf("key %s has another secret: %w", id, handoff.ErrUnverified)
	case !k.Works(db.now()):
		return Key{}, fmt.Errorf("key %s has expired or was revoked: %w", id, handoff.ErrUnverified)
	}
	return k, nil
}

// keyTouch is how long a key's last use is not written again.
const keyTouch = time.Minute

// TouchKey notes that a key was used, at most once a minute, and then also forgets the
// answers to writes that nobody may send again.
func (db *DB) TouchKey(ctx context.Context, k Key) error {
	now := db.now()
	if now.Sub(k.LastUsedAt) < keyTouch {
		return nil
	}
	return db.tx(ctx, func(tx *txn) error {
		if err := db.forgetAnswers(ctx, tx); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at <= $3)`,
			k.ID, stamp{now}, stamp{now.Add(-keyTouch)})
		return err
	})
}

const keyColumns = `id, name, secret_hash, scopes, sites, created_by, created_at, expires_at, last_used_at, revoked_at`

func scanKey(r interface{ Scan(...any) error }) (k Key, err error) {
	var scopes, sites string
	var created, expires, used, revoked stamp
	err = r.Scan(&k.ID, &k.Name, &k.hash, &scopes, &sites, &k.CreatedBy, &created, &expires, &used, &revoked)
	for _, s := range strings.Fields(scopes) {
		k.Scopes = append(k.Scopes, handoff.Scope(s))
	}
	if sites != "" {
		k.Sites = strings.Fields(sites)
	}
	k.CreatedAt, k.ExpiresAt, k.LastUsedAt, k.RevokedAt = created.Time, expires.Time, used.Time, revoked.Time
	return k, err
}

// findKey reads a key. The error is ErrNotFound if there is none.
func findKey(ctx context.Context, q querier, id string) (Key, error) {
	k, err := scanKey(q.QueryRowContext(ctx, `SELECT `+keyColumns+` FROM api_keys WHERE id = $1`, id))
	if errors.Is(err, sql.ErrNoRows) {
		return k, fmt.Errorf("key %s: %w", id, handoff.ErrNotFound)
	}
	return k, err
}

// A Write is one write of the API, named by its client so that sending it again does
// nothing twice.
type Write struct {
	KeyID  string // of the API
	Name   string // the client's name for it; empty: it has none, and its answer is not kept
	Digest string // of the request
}

// DigestOf is the digest of a request for a Write.
func DigestOf(method, path string, body []byte) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %s\n", method, path)
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// An Answer is what a write was answered with.
type Answer struct {
	Status int
	Body   string
}

// answersKept is how long a write that is sent again gets its answer again.
const answersKept = 24 * time.Hour

// Answered finds the answer to a write that was done. ok is false if it was not. The
// error is ErrInvalid if the client named another request so.
func (db *DB) Answered(ctx context.Context, w Write) (a Answer, ok bool, err error) {
	var digest string
	err = db.read.QueryRowContext(ctx, `SELECT digest, status, body FROM idempotency WHERE key_id = $1 AND key = $2 AND created_at > $3`,
		w.KeyID, w.Name, stamp{db.now().Add(-answersKept)}).Scan(&digest, &a.Status, &a.Body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Answer{}, false, nil
	case err != nil:
		return Answer{}, false, unavailable(err)
	case digest != w.Digest:
		return Answer{}, false, fmt.Errorf("write %q was another request: %w", w.Name, handoff.ErrInvalid)
	}
	return a, true, nil
}

// ErrUnderWay is the error of a write that is being done, or was just done, by another
// request of the same name: nothing was done by this one.
var ErrUnderWay = fmt.Errorf("the same write is under way: %w", handoff.ErrConflict)

type writeKey struct{}

// A receipt is what a transaction did for a Write.
type receipt struct {
	Write
	act    *handoff.Act
	answer func(*handoff.Act) Answer
	given  *Answer
}

// WithWrite makes the next store call with the context the doing of a write: the
// answer is kept in the very transaction that does it, so there is never one without
// the other. answer makes it from the act that the audit log keeps of it; nil:
// nothing had to be done. given is filled once it is on disk.
//
// Of one transaction that keeps several acts the first one counts.
func WithWrite(ctx context.Context, w Write, answer func(*handoff.Act) Answer, given *Answer) context.Context {
	return context.WithValue(ctx, writeKey{}, &receipt{Write: w, answer: answer, given: given})
}

func receiptOf(ctx context.Context) *receipt {
	r, _ := ctx.Value(writeKey{}).(*receipt)
	return r
}

// keepAnswer keeps the answer of the write that a transaction did, if it did one. The
// error is ErrUnderWay if another one did it.
func (db *DB) keepAnswer(ctx context.Context, tx *txn) error {
	r := receiptOf(ctx)
	if r == nil {
		return nil
	}
	a := r.answer(r.act)
	if r.Name == "" {
		*r.given = a
		return nil
	}
	if err := db.forgetAnswers(ctx, tx); err != nil {
		return err
	}
	var status int
	err := tx.QueryRowContext(ctx, `
		INSERT INTO idempotency (key_id, key, digest, status, body, created_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (key_id, key) DO NOTHING RETURNING status`, r.KeyID, r.Name, r.Digest, a.Status, a.Body, stamp{db.now()}).Scan(&status)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrUnderWay
	}
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	*r.given = a
	return nil
}

// forgetAnswers forgets what is older than a write may be sent again.
func (db *DB) forgetAnswers(ctx context.Context, tx *txn) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM idempotency WHERE created_at <= $1`, stamp{db.now().Add(-answersKept)}); err != nil {
		return fmt.Errorf("answers: %w", err)
	}
	return nil
}
