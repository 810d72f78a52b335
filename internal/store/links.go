package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"handoff"
)

// How long a link lets somebody in, once.
const (
	InvitationLife = 7 * 24 * time.Hour
	ResetLife      = time.Hour
)

// The kinds of links.
const (
	linkInvitation = "invitation"
	linkReset      = "reset"
)

// A Link lets somebody in once: to take up an invitation, or to set a new password. Its
// token is in the link only.
type Link struct {
	Email     string
	Role      handoff.Role // of who is invited
	Sites     []string     // nil: all
	By        string       // who made it
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Invite makes an invitation and returns the token of its link. One for the same address
// that is not taken up yet is replaced, so that its link leads nowhere. The error is
// ErrConflict, with words, if there is an operator of the address.
func (db *DB) Invite(ctx context.Context, by handoff.Actor, email string, role handoff.Role, sites []string) (token string, err error) {
	if err := errors.Join(owns(by), handoff.CheckGrant(role, sites), handoff.CheckPerson("-", email)); err != nil {
		return "", err
	}
	token = newToken()
	err = db.tx(ctx, func(tx *txn) error {
		if err := db.ownsNow(ctx, tx, by); err != nil {
			return err
		}
		_, err := db.userOf(ctx, tx, email)
		if err == nil {
			return handoff.Refuse(handoff.ErrConflict, "%s is here already. Change their role below, or make them a link to a new password.", email)
		}
		if !errors.Is(err, handoff.ErrNotFound) {
			return err
		}
		if err := db.putLink(ctx, tx, by, linkInvitation, token, Link{Email: email, Role: role, Sites: sites}, InvitationLife); err != nil {
			return err
		}
		return db.audit(ctx, tx, by, handoff.Act{Action: "invitation.make", Subject: email, Detail: grantWords(role, sites)})
	})
	return token, err
}

// Reset makes a link with which an operator can set a new password, and returns its
// token. Their password and sessions stay as they are until they do.
func (db *DB) Reset(ctx context.Context, by handoff.Actor, email string) (token string, err error) {
	if err := owns(by); err != nil {
		return "", err
	}
	token = newToken()
	err = db.tx(ctx, func(tx *txn) error {
		if err := db.ownsNow(ctx, tx, by); err != nil {
			return err
		}
		if _, err := db.userOf(ctx, tx, email); err != nil {
			return err
		}
		if err := db.putLink(ctx, tx, by, linkReset, token, Link{Email: email}, ResetLife); err != nil {
			return err
		}
		return db.audit(ctx, tx, by, handoff.Act{Action: "reset.make", Subject: email})
	})
	return token, err
}

func (db *DB) putLink(ctx context.Context, tx *txn, by handoff.Actor, kind, token string, l Link, life time.Duration) error {
	now := db.now()
	_, err := tx.ExecContext(ctx, `
		INSERT INTO links (kind, email, digest, role, sites, made_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
		ON CONFLICT (kind, email) DO UPDATE SET digest = excluded.digest, role = excluded.role, sites = excluded.sites,
			made_by = excluded.made_by, created_at = excluded.created_at, expires_at = excluded.expires_at`,
		kind, l.Email, hashToken(token), l.Role, strings.Join(l.Sites, " "), by.Name, stamp{now}, stamp{now.Add(life)})
	return err
}

const linkColumns = `email, role, sites, made_by, created_at, expires_at`

func scanLink(r interface{ Scan(...any) error }) (l Link, err error) {
	var created, expires stamp
	var sites string
	err = r.Scan(&l.Email, &l.Role, &sites, &l.By, &created, &expires)
	l.Sites, l.CreatedAt, l.ExpiresAt = readSites(sites), created.Time, expires.Time
	return l, err
}

// Invitations lists those that can be taken up, the newest first.
func (db *DB) Invitations(ctx context.Context) ([]Link, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+linkColumns+` FROM links WHERE kind = 'invitation' AND expires_at > $1`, stamp{db.now()})
	out, err := collect(rows, err, func(r *sql.Rows) (Link, error) { return scanLink(r) })
	if err != nil {
		return nil, unavailable(err)
	}
	slices.SortFunc(out, func(a, b Link) int { return b.CreatedAt.Compare(a.CreatedAt) })
	return out, nil
}

// Invitation finds the invitation of a link. The error is ErrNotFound if it was taken
// up, replaced or revoked, or is too old.
func (db *DB) Invitation(ctx context.Context, token string) (Link, error) {
	return db.findLink(ctx, db.read, linkInvitation, token, "")
}

// ResetLink finds what a link to a new password is for. The error is ErrNotFound if it
// was used or replaced, or is too old.
func (db *DB) ResetLink(ctx context.Context, token string) (Link, error) {
	return db.findLink(ctx, db.read, linkReset, token, "")
}

func (db *DB) findLink(ctx context.Context, q querier, kind, token, lock string) (Link, error) {
	l, err := scanLink(q.QueryRowContext(ctx, `SELECT `+linkColumns+` FROM links WHERE digest = $1 AND kind = $2 AND expires_at > $3`+lock,
		hashToken(token), kind, stamp{db.now()}))
	if errors.Is(err, sql.ErrNoRows) {
		return Link{}, fmt.Errorf("link: %w", handoff.ErrNotFound)
	}
	if err != nil {
		return Link{}, unavailable(err)
	}
	return l, nil
}

// takeLink finds a link and uses it up.
func (db *DB) takeLink(ctx context.Context, tx *txn, kind, token string) (Link, error) {
	l, err := db.findLink(ctx, tx, kind, token, db.engine.lock)
	if err != nil {
		return Link{}, err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM links WHERE kind = $1 AND email = $2`, kind, l.Email)
	return l, err
}

// RevokeInvitation takes an invitation back. The error is ErrNotFound if there is none.
func (db *DB) RevokeInvitation(ctx context.Context, by handoff.Actor, email string) error {
	if err := owns(by); err != nil {
		return err
	}
	return db.tx(ctx, func(tx *txn) error {
		if err := db.ownsNow(ctx, tx, by); err != nil {
			return err
		}
		n, err := affected(tx.ExecContext(ctx, `DELETE FROM links WHERE kind = 'invitation' AND email = $1`, email))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("invitation: %w", handoff.ErrNotFound)
		}
		return db.audit(ctx, tx, by, handoff.Act{Action: "invitation.revoke", Subject: email})
	})
}

// AcceptInvitation uses an invitation up: its address becomes an operator with a name,
// and a password's hash or a passkey. The error is ErrNotFound as for Invitation.
func (db *DB) AcceptInvitation(ctx context.Context, token, name, hash string, key *Passkey) (u User, err error) {
	err = db.tx(ctx, func(tx *txn) error {
		l, err := db.takeLink(ctx, tx, linkInvitation, token)
		if err != nil {
			return err
		}
		if err := handoff.CheckPerson(name, l.Email); err != nil {
			return err
		}
		if _, err := db.userOf(ctx, tx, l.Email); !errors.Is(err, handoff.ErrNotFound) {
			if err == nil {
				err = handoff.Refuse(handoff.ErrConflict, "%s is here already: sign in.", l.Email)
			}
			return err
		}
		u = User{Email: l.Email, Name: name, PasswordHash: hash, Role: l.Role, Sites: l.Sites}
		if err := db.addUser(ctx, tx, u.Actor(), u); err != nil {
			return err
		}
		if key == nil {
			return nil
		}
		if _, err := tx.ExecContext(ctx, `UPDATE users SET handle = $1 WHERE email = $2`, key.Handle, u.Email); err != nil {
			return err
		}
		key.Email = u.Email
		return db.addPasskey(ctx, tx, u.Actor(), *key)
	})
	return u, err
}

// UseReset uses a link to a new password up, and ends all sessions of its operator. The
// error is ErrNotFound as for ResetLink.
func (db *DB) UseReset(ctx context.Context, token, hash string) (u User, err error) {
	err = db.tx(ctx, func(tx *txn) error {
		l, err := db.takeLink(ctx, tx, linkReset, token)
		if err != nil {
			return err
		}
		if u, err = db.userOf(ctx, tx, l.Email); err != nil {
			return err
		}
		u.PasswordHash = hash
		return db.setPassword(ctx, tx, u.Actor(), u.Email, hash, "")
	})
	return u, err
}
