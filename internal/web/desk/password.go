package desk

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"handoff"
)

// Bounds of a password. Length is what makes one strong (NIST SP 800-63B §3.1.1.2
// asks for 15 where it stands alone, and for no rules on its characters).
const (
	MinPassword = 12  // characters
	MaxPassword = 200 // bytes
)

// Cost of a hash: OWASP's second choice for argon2id, which takes about 20 ms and
// 19 MiB. A hash carries its own cost, so that raising it leaves the old ones valid.
//
// Source: OWASP Password Storage Cheat Sheet.
const (
	hashTime    = 2
	hashMemory  = 19 * 1024 // KiB
	hashThreads = 1
	hashLen     = 32
	saltLen     = 16
)

// HashPassword makes what store.User.PasswordHash holds: argon2id in PHC form.
// The error is ErrInvalid, with words for the person, if the password is too
// short or too long.
func HashPassword(password string) (string, error) {
	switch {
	case utf8.RuneCountInString(password) < MinPassword:
		return "", handoff.Refuse(handoff.ErrInvalid, "The password must have at least %d characters.", MinPassword)
	case len(password) > MaxPassword:
		return "", handoff.Refuse(handoff.ErrInvalid, "The password must have at most %d bytes.", MaxPassword)
	}
	salt := make([]byte, saltLen)
	_, _ = rand.Read(salt) // it never fails
	return phc(salt, argon2.IDKey([]byte(password), salt, hashTime, hashMemory, hashThreads, hashLen)), nil
}

// phc writes a hash that was made at today's cost.
func phc(salt, key []byte) string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, hashMemory, hashTime, hashThreads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key))
}

// newDecoy makes a hash that no password has, and that costs what others cost to
// compare with. It is drawn, not made: that would take a server's start a tenth of
// a second.
func newDecoy() string {
	var drawn [saltLen + hashLen]byte
	_, _ = rand.Read(drawn[:]) // it never fails
	return phc(drawn[:saltLen], drawn[saltLen:])
}

// VerifyPassword reports whether a password is the one that was hashed. A hash
// that cannot be read matches none.
func VerifyPassword(hash, password string) bool {
	h, err := parseHash(hash)
	if err != nil || len(password) > MaxPassword {
		return false
	}
	key := argon2.IDKey([]byte(password), h.salt, h.time, h.memory, h.threads, uint32(len(h.key)))
	return subtle.ConstantTimeCompare(key, h.key) == 1
}

// NormalizeEmail is the form in which operators' addresses are stored and looked
// up: without spaces around, in small letters. What no database keeps as text is
// replaced, so that it is nobody's address and not an error.
func NormalizeEmail(email string) string {
	const unknown = "\uFFFD"
	text := strings.ToValidUTF8(strings.ReplaceAll(email, "\x00", unknown), unknown)
	return strings.ToLower(strings.TrimSpace(text))
}

type parsedHash struct {
	time, memory uint32
	threads      uint8
	salt, key    []byte
}

// parseHash reads a PHC string, and refuses costs that would stop the server.
func parseHash(s string) (h parsedHash, err error) {
	bad := fmt.Errorf("password hash: %w", handoff.ErrInvalid)
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return h, bad
	}
	var rest string
	n, _ := fmt.Sscanf(parts[3]+" end", "m=%d,t=%d,p=%d %s", &h.memory, &h.time, &h.threads, &rest)
	if n != 4 || rest != "end" || h.memory < 8 || h.memory > 256*1024 || h.time < 1 || h.time > 16 || h.threads < 1 || h.threads > 8 {
		return h, bad
	}
	var err1, err2 error
	h.salt, err1 = base64.RawStdEncoding.Strict().DecodeString(parts[4])
	h.key, err2 = base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(h.salt) < 8 || len(h.salt) > 64 || len(h.key) < 16 || len(h.key) > 64 {
		return h, bad
	}
	return h, nil
}

// maxHashing bounds the passwords hashed at once, each of which takes a core.
var maxHashing = max(1, runtime.NumCPU())

// hashWait is how long a sign-in waits for its turn before the desk says that it
// is busy.
const hashWait = 5 * time.Second

// enter takes a place, and waits for one as long as a sign-in may. The error is errBusy.
func enter(ctx context.Context, places chan struct{}) (leave func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, errBusy
	}
}

// verify checks a password in its turn, or in that of browsers that are known. Whatever is wrong with the hash or the
// password, the work is the same, so that the time tells nothing.
func (d *Desk) verify(ctx context.Context, known bool, hash, password string) (bool, error) {
	places := d.hashing
	if known {
		places = d.hashingKnown
	}
	leave, err := enter(ctx, places)
	if err != nil {
		return false, err
	}
	defer leave()
	can := len(password) <= MaxPassword
	if _, err := parseHash(hash); err != nil {
		can = false
	}
	if !can {
		d.compare(d.decoy, password[:min(len(password), MaxPassword)])
		return false, nil
	}
	return d.compare(hash, password), nil
}
