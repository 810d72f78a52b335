package store

import (
	"cmp"
	"context"
	"database/sql"
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
	PasswordHash string // argon2id, PHC form; empty: signs in with a passkey only
	Role         handoff.Role
	Sites        []string // the only ones that are seen; nil: all
	Zone         string   // in which they read times: an IANA name; empty: in that of each site
	CreatedAt    time.Time
	SeenAt       time.Time // when last at the desk; zero: never
}

// Actor is the operator as one who does something.
func (u User) Actor() handoff.Actor {
	return handoff.Actor{Name: u.Email, Role: u.Role, Sites: u.Sites}
}

// PutUser adds an operator for the command line, an owner of all sites unless it says
// otherwise, or gives one of the same address another password, and another name if u
// has one. Another password ends the sessions.
func (db *DB) PutUser(ctx context.Context, u User) error {
	if u.Role == "" {
		u.Role = handoff.RoleOwner
	}
	return db.tx(ctx, func(tx *txn) error {
		before, err := db.userOf(ctx, tx, u.Email)
		if errors.Is(err, handoff.ErrNotFound) {
			u.Name = cmp.Or(u.Name, u.Email)
			return db.addUser(ctx, tx, handoff.CommandLine, u)
		}
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE users SET name = $1, password_hash = $2 WHERE email = $3`, cmp.Or(u.Name, before.Name), u.PasswordHash, u.Email); err != nil {
			return err
		}
		if before.PasswordHash == u.PasswordHash {
			return nil
		}
		return db.passwordChanged(ctx, tx, handoff.CommandLine, u.Email, "")
	})
}

// addUser writes an operator and the act.
func (db *DB) addUser(ctx context.Context, tx *txn, by handoff.Actor, u User) error {
	_, err := tx.ExecContext(ctx, `
		INSERT INTO users (email, name, password_hash, role, sites, created_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		u.Email, u.Name, u.PasswordHash, u.Role, strings.Join(u.Sites, " "), stamp{db.now()})
	if err != nil {
		return fmt.Errorf("user: %w", err)
	}
	return db.audit(ctx, tx, by, handoff.Act{Action: "user.add", Subject: u.Email, Detail: grantWords(u.Role, u.Sites)})
}

// grantWords says what somebody may do.
func grantWords(role handoff.Role, sites []string) string {
	if sites == nil {
		return string(role) + " of all sites"
	}
	return string(role) + " of " + strings.Join(sites, ", ")
}

// userColumns are of users u.
const userColumns = `u.email, u.name, u.password_hash, u.role, u.sites, u.zone, u.created_at, u.seen_at`

func scanUser(r interface{ Scan(...any) error }, more ...any) (u User, err error) {
	var at, seen stamp
	var sites string
	err = r.Scan(append([]any{&u.Email, &u.Name, &u.PasswordHash, &u.Role, &sites, &u.Zone, &at, &seen}, more...)...)
	u.Sites = readSites(sites)
	u.CreatedAt, u.SeenAt = at.Time, seen.Time
	return u, err
}

// readSites reads a column with sites: empty is all.
func readSites(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Fields(s)
}

// User finds an operator by address. The error is ErrNotFound if there is none.
func (db *DB) User(ctx context.Context, email string) (User, error) {
	u, err := findUser(ctx, db.read, email, "")
	if err != nil {
		return u, unavailable(err)
	}
	return u, nil
}

// userOf is User in a transaction that changes what is the user's: two such wait for one
// another.
func (db *DB) userOf(ctx context.Context, tx *txn, email string) (User, error) {
	return findUser(ctx, tx, email, db.engine.lock)
}

func findUser(ctx context.Context, q querier, email, lock string) (User, error) {
	u, err := scanUser(q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users u WHERE u.email = $1`+lock, email))
	if errors.Is(err, sql.ErrNoRows) {
		return u, fmt.Errorf("user: %w", handoff.ErrNotFound)
	}
	return u, err
}

// Users lists the operators.
func (db *DB) Users(ctx context.Context) ([]User, error) {
	rows, err := db.read.QueryContext(ctx, `SELECT `+userColumns+` FROM users u ORDER BY u.email`)
	out, err := collect(rows, err, func(r *sql.Rows) (User, error) { return scanUser(r) })
	if err != nil {
		return nil, unavailable(err)
	}
	return out, nil
}

// owns returns ErrForbidden unless somebody may decide over people.
func owns(by handoff.Actor) error {
	if !by.May(handoff.RoleOwner) || by.Sites != nil {
		return fmt.Errorf("it takes an owner: %w", handoff.ErrForbidden)
	}
	return nil
}

// ownsNow returns ErrForbidden if who asks is an owner no more: they were removed or
// demoted since their request came. Their row is held, so that they stay what they are.
func (db *DB) ownsNow(ctx context.Context, tx *txn, by handoff.Actor) error {
	if by.Name == handoff.CommandLine.Name {
		return nil
	}
	u, err := db.userOf(ctx, tx, by.Name)
	if err != nil && !errors.Is(err, handoff.ErrNotFound) {
		return err
	}
	if u.Role != handoff.RoleOwner {
		return fmt.Errorf("they are no owner any more: %w", handoff.ErrForbidden)
	}
	return nil
}

// ownsOthersNow is ownsNow unless it is about who asks.
func (db *DB) ownsOthersNow(ctx context.Context, tx *txn, by handoff.Actor, email string) error {
	if by.Name == email {
		return nil
	}
	return db.ownsNow(ctx, tx, by)
}

// SetAccess gives an operator another role and sites (nil: all). It counts from their
// next request on. Of who is no owner any more, invitations are taken back. The error is ErrConflict, with words, if nobody would be an owner then.
func (db *DB) SetAccess(ctx context.Context, by handoff.Actor, email string, role handoff.Role, sites []string) error {
	if err := errors.Join(owns(by), handoff.CheckGrant(role, sites)); err != nil {
		return err
	}
	return db.tx(ctx, func(tx *txn) error {
		u, err := db.userLeaving(ctx, tx, by, email, role == handoff.RoleOwner)
		if err != nil {
			return err
		}
		before, after := grantWords(u.Role, u.Sites), grantWords(role, sites)
		if before == after {
			return nil
		}
		if _, err := tx.ExecContext(ctx, `UPDATE users SET role = $1, sites = $2 WHERE email = $3`, role, strings.Join(sites, " "), email); err != nil {
			return err
		}
		took, err := db.takeBack(ctx, tx, email, role == handoff.RoleOwner)
		if err != nil {
			return err
		}
		return db.audit(ctx, tx, by, handoff.Act{Action: "user.access", Subject: email, Detail: before + " → " + after + took})
	})
}

// userLeaving reads a user who will not be an owner any more, unless stays, because an
// owner says so. The owners are held, so that of two who remove one another the second
// finds that it is none, or the last.
func (db *DB) userLeaving(ctx context.Context, tx *txn, by handoff.Actor, email string, stays bool) (User, error) {
	rows, err := tx.QueryContext(ctx, `SELECT email FROM users WHERE role = 'owner' AND sites = '' ORDER BY email`+db.engine.lock)
	owners, err := collect(rows, err, func(r *sql.Rows) (s string, err error) { return s, r.Scan(&s) })
	if err != nil {
		return User{}, fmt.Errorf("owners: %w", err)
	}
	if err := db.ownsNow(ctx, tx, by); err != nil {
		return User{}, err
	}
	u, err := db.userOf(ctx, tx, email)
	if err != nil {
		return User{}, err
	}
	if !stays && len(owners) == 1 && owners[0] == email {
		return User{}, handoff.Refuse(handoff.ErrConflict, "%s is the only owner. Make somebody else an owner first: without one, nobody could invite or remove people.", email)
	}
	return u, nil
}

// RemoveUser takes an operator's account away, with their sessions, passkeys, links and views.
// What they did stays in the audit log; invitations that they made are taken back. The error is ErrConflict, with words, for the
// last owner.
func (db *DB) RemoveUser(ctx context.Context, by handoff.Actor, email string) error {
	if err := owns(by); err != nil {
		return err
	}
	return db.tx(ctx, func(tx *txn) error {
		u, err := db.userLeaving(ctx, tx, by, email, false)
		if err != nil {
			return err
		}
		for _, table := range []string{"sessions", "passkeys", "links", "views", "users"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE email = $1`, email); err != nil {
				return fmt.Errorf("%s: %w", table, err)
			}
		}
		took, err := db.takeBack(ctx, tx, email, false)
		if err != nil {
			return err
		}
		return db.audit(ctx, tx, by, handoff.Act{Action: "user.remove", Subject: email, Detail: grantWords(u.Role, u.Sites) + took})
	})
}

// takeBack takes back the links that somebody made who is no owner any more, unless owns:
// they would be a way back in. It says so in words, and how many keys of the API they
// made that still work: programs may need those, so another owner decides about them.
func (db *DB) takeBack(ctx context.Context, tx *txn, email string, owns bool) (string, error) {
	if owns {
		return "", nil
	}
	n, err := affected(tx.ExecContext(ctx, `DELETE FROM links WHERE made_by = $1`, email))
	if err != nil {
		return "", err
	}
	words := ""
	if n > 0 {
		words = fmt.Sprintf("; links that they made taken back: %d", n)
	}
	var keys int
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM api_keys WHERE created_by = $1 AND revoked_at IS NULL AND expires_at > $2`, email, stamp{db.now()}).Scan(&keys); err != nil {
		return "", fmt.Errorf("keys: %w", err)
	}
	if keys > 0 {
		words += fmt.Sprintf("; keys of the API that they made and that still work: %d", keys)
	}
	return words, nil
}

// SetZone says in which zone an operator reads times; empty: in that of each site. The
// error is ErrInvalid, with words, for what is no zone.
func (db *DB) SetZone(ctx context.Context, by handoff.Actor, email, zone string) error {
	if !isZone(zone) {
		return handoff.Refuse(handoff.ErrInvalid, "There is no such time zone. Choose one of the list.")
	}
	return db.tx(ctx, func(tx *txn) error {
		u, err := db.userOf(ctx, tx, email)
		if err != nil || u.Zone == zone {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE users SET zone = $1 WHERE email = $2`, zone, email); err != nil {
			return err
		}
		return db.audit(ctx, tx, by, handoff.Act{Action: "user.zone", Subject: email, Detail: cmp.Or(zone, "that of each site")})
	})
}

// isZone knows an IANA name, or none. These begin with a capital; what a system keeps
// beside its zones, such as localtime and right/, does not.
func isZone(name string) bool {
	if name == "" {
		return true
	}
	if len(name) > 60 || name[0] < 'A' || name[0] > 'Z' || name == "Local" || name == "Factory" {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

// SetPassword gives an operator another password and ends all their sessions but keep
// (empty: all).
func (db *DB) SetPassword(ctx context.Context, by handoff.Actor, email, hash, keep string) error {
	return db.tx(ctx, func(tx *txn) error {
		if _, err := db.userOf(ctx, tx, email); err != nil {
			return err
		}
		return db.setPassword(ctx, tx, by, email, hash, keep)
	})
}

func (db *DB) setPassword(ctx context.Context, tx *txn, by handoff.Actor, email, hash, keep string) error {
	if _, err := tx.ExecContext(ctx, `UPDATE users SET password_hash = $1 WHERE email = $2`, hash, email); err != nil {
		return err
	}
	return db.passwordChanged(ctx, tx, by, email, keep)
}

// passwordChanged ends what was opened with the old password, and links to a new one.
func (db *DB) passwordChanged(ctx context.Context, tx *txn, by handoff.Actor, email, keep string) error {
	if _, err := tx.ExecContext(ctx, `DELETE FROM links WHERE kind = 'reset' AND email = $1`, email); err != nil {
		return err
	}
	n, err := endSessions(ctx, tx, email, keep)
	if err != nil {
		return err
	}
	return db.audit(ctx, tx, by, handoff.Act{Action: "user.password", Subject: email, Detail: "changed; " + sessionsWords(n)})
}

func sessionsWords(n int) string {
	if n == 1 {
		return "1 session ended"
	}
	return fmt.Sprintf("%d sessions ended", n)
}
