package desk

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"
)

// A browser that an operator signed in with is known for their account from then on. It
// has bounds of its own: strangers who try the account, or try others from the same
// network, cannot make it wait. Who steals what makes it known may try as often as a
// source may, and is no further.

// knownLife is how long a browser stays known after a sign-in.
const knownLife = 180 * 24 * time.Hour

const knownLen = 16 // bytes: of the browser's number, and of the proof

// knownProof says that a browser of a number was signed in with as an operator.
func (d *Desk) knownProof(email string, number []byte) []byte {
	h := hmac.New(sha256.New, d.Key)
	h.Write([]byte("handoff/desk/known\n" + email + "\n"))
	h.Write(number)
	return h.Sum(nil)[:knownLen]
}

// know makes the browser known for an operator.
func (d *Desk) know(w http.ResponseWriter, email string) {
	number := make([]byte, knownLen)
	_, _ = rand.Read(number) // it never fails
	http.SetCookie(w, &http.Cookie{
		Name: d.cookieName(knownCookie), Value: base64.RawURLEncoding.EncodeToString(append(number, d.knownProof(email, number)...)),
		Path: "/", HttpOnly: true, Secure: d.Secure, SameSite: http.SameSiteLaxMode, MaxAge: int(knownLife / time.Second),
	})
}

// known is what bounds the attempts of a browser that is known for an address: a name
// of its own; empty: it is not known.
func (d *Desk) known(r *http.Request, email string) string {
	b, err := base64.RawURLEncoding.Strict().DecodeString(d.cookie(r, knownCookie))
	if err != nil || len(b) != 2*knownLen || !hmac.Equal(b[knownLen:], d.knownProof(email, b[:knownLen])) {
		return ""
	}
	return "known " + base64.RawURLEncoding.EncodeToString(b[:knownLen])
}
