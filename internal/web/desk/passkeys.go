package desk

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"handoff"
	"handoff/internal/store"
)

// maxAnswer bounds what an authenticator answers, in bytes.
const maxAnswer = 64 << 10

// maxKeyName is how long the name of a passkey is at most, in characters.
const maxKeyName = 60

// A party is what passkeys are made for, and where they are used: a host of the
// configuration over https, or localhost.
type party struct {
	host   string // WebAuthn's RP ID
	origin string
}

// party is that of a request; false if no passkeys can be made for its host: browsers
// know none for an address of numbers, and we none for a host that nobody configured.
func (d *Desk) party(r *http.Request) (party, bool) {
	host := strings.ToLower(d.Host(r))
	name := hostname(host)
	for _, o := range d.Origins {
		u, err := url.Parse(o)
		if err == nil && u.Scheme == "https" && strings.EqualFold(u.Hostname(), name) && !numeric(name) {
			return party{name, "https://" + strings.ToLower(u.Host)}, true
		}
	}
	if !d.Secure && name == "localhost" {
		return party{name, "http://" + host}, true
	}
	return party{}, false
}

func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

func numeric(name string) bool {
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil
}

// elsewhere is where passkeys can be made, if they cannot here; empty: nowhere.
func (d *Desk) elsewhere(r *http.Request) string {
	if _, here := d.party(r); here {
		return ""
	}
	for _, o := range d.Origins {
		if u, err := url.Parse(o); err == nil && u.Scheme == "https" && !numeric(u.Hostname()) {
			return o + "/desk/account"
		}
	}
	host := d.Host(r)
	if addr, err := netip.ParseAddr(hostname(host)); err == nil && addr.IsLoopback() && !d.Secure {
		_, port, _ := net.SplitHostPort(host)
		return "http://" + net.JoinHostPort("localhost", port) + "/desk/account"
	}
	return ""
}

// origin is where the desk of a request is, for links.
func (d *Desk) origin(r *http.Request) string {
	scheme := "http://"
	if d.Secure {
		scheme = "https://"
	}
	return scheme + d.Host(r)
}

// webAuthn checks what authenticators answer for a party. The error is ErrNotFound where
// there is none.
func (d *Desk) webAuthn(r *http.Request) (*webauthn.WebAuthn, party, error) {
	p, ok := d.party(r)
	if !ok {
		return nil, p, fmt.Errorf("passkeys for this host: %w", handoff.ErrNotFound)
	}
	w, err := webauthn.New(&webauthn.Config{
		RPID: p.host, RPDisplayName: "Handoff at " + p.host, RPOrigins: []string{p.origin},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationRequired,
		},
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore, // we ask for none, and read none
	})
	if err != nil {
		return nil, p, fmt.Errorf("passkeys: %w", err)
	}
	return w, p, nil
}

// A keyholder is an operator as an authenticator knows them.
type keyholder struct {
	handle      []byte
	email, name string
	credentials []webauthn.Credential
}

// WebAuthnID names the operator, and says nothing of them.
func (k keyholder) WebAuthnID() []byte { return k.handle }

// WebAuthnName is shown by authenticators.
func (k keyholder) WebAuthnName() string { return k.email }

// WebAuthnDisplayName is shown by authenticators.
func (k keyholder) WebAuthnDisplayName() string { return k.name }

// WebAuthnCredentials are the passkeys that count.
func (k keyholder) WebAuthnCredentials() []webauthn.Credential { return k.credentials }

// An asked is a ceremony as it is kept: what we asked, and of whom.
type asked struct {
	For    string // "add", "sign-in", or an invitation (see invited)
	Handle string // of who is invited
	webauthn.SessionData
}

// An answered is what passkeys.js sends.
type answered struct {
	Name       string          `json:"name"` // of the passkey, or of who is invited
	Next       string          `json:"next"` // page to go on to
	Credential json.RawMessage `json:"credential"`
}

// ask keeps a ceremony and sends its options to the browser that shall answer.
func (d *Desk) ask(w http.ResponseWriter, r *http.Request, session string, a asked, options any) error {
	doc, err := json.Marshal(a)
	if err != nil {
		return err
	}
	token, err := d.Store.BeginCeremony(r.Context(), store.Ceremony{Session: session, Doc: string(doc)})
	if err != nil {
		return err
	}
	d.setCookie(w, ceremonyCookie, token, http.SameSiteStrictMode)
	return writeJSON(w, http.StatusOK, options)
}

// answer reads what an authenticator answered, and what it was asked. That is used up
// then, whatever the answer is worth.
func (d *Desk) answer(w http.ResponseWriter, r *http.Request, session, what string) (got answered, a asked, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxAnswer)
	c, err := d.Store.EndCeremony(r.Context(), d.cookie(r, ceremonyCookie), session)
	d.setCookie(w, ceremonyCookie, "", http.SameSiteStrictMode)
	if errors.Is(err, handoff.ErrNotFound) {
		return got, a, handoff.Refuse(handoff.ErrInvalid, "That took too long, or was answered already. Try again.")
	}
	if err != nil {
		return got, a, err
	}
	if err := json.Unmarshal([]byte(c.Doc), &a); err != nil {
		return got, a, err
	}
	if a.For != what {
		return got, a, fmt.Errorf("it was asked for something else: %w", handoff.ErrInvalid)
	}
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
		return got, a, fmt.Errorf("%w: %w", handoff.ErrInvalid, err)
	}
	return got, a, nil
}

// tell answers passkeys.js with the page to go on to, or with words for the person.
func (d *Desk) tell(w http.ResponseWriter, r *http.Request, to string, err error) error {
	if err == nil {
		return writeJSON(w, http.StatusOK, map[string]string{"to": to})
	}
	var refused *protocol.Error
	words := handoff.WordsOf(err)
	switch {
	case words != "":
	case errors.As(err, &refused), errors.Is(err, handoff.ErrInvalid), errors.Is(err, handoff.ErrForbidden):
		d.Log.Info("desk: a passkey was refused", "route", r.Pattern)
		words = "This passkey was not accepted."
	default:
		return err
	}
	return writeJSON(w, http.StatusUnprocessableEntity, map[string]string{"problem": words})
}

func writeJSON(w http.ResponseWriter, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // the client may be gone
	return nil
}

// freshFor is how long after a sign-in a passkey can be added: a session that somebody
// else got hold of must not become a way in of their own.
const freshFor = 15 * time.Minute

func (d *Desk) fresh(o operator) bool { return d.Store.Now().Sub(o.session.CreatedAt) < freshFor }

// askToAdd begins to give the operator one more passkey.
//
//	422  with words: the sign-in was too long ago
func (d *Desk) askToAdd(w http.ResponseWriter, r *http.Request) error {
	auth, _, err := d.webAuthn(r)
	if err != nil {
		return err
	}
	o := operatorOf(r)
	if !d.fresh(o) {
		return d.tell(w, r, "", handoff.Refuse(handoff.ErrForbidden, "To add a passkey, sign out and sign in again: your sign-in was too long ago."))
	}
	holder, err := d.keyholder(r, o.User)
	if err != nil {
		return err
	}
	options, session, err := auth.BeginRegistration(holder, webauthn.WithExclusions(webauthn.Credentials(holder.credentials).CredentialDescriptors()))
	if err != nil {
		return err
	}
	return d.ask(w, r, o.session.ID, asked{For: "add", SessionData: *session}, options)
}

// keyholder reads who an operator is to authenticators, with all their passkeys.
func (d *Desk) keyholder(r *http.Request, u store.User) (keyholder, error) {
	handle, err := d.Store.Handle(r.Context(), u.Email)
	if err != nil {
		return keyholder{}, err
	}
	k := keyholder{email: u.Email, name: u.Name}
	if k.handle, err = base64.RawURLEncoding.DecodeString(handle); err != nil {
		return k, err
	}
	keys, err := d.Store.Passkeys(r.Context(), u.Email)
	if err != nil {
		return k, err
	}
	for _, p := range keys {
		c, err := credentialOf(p)
		if err != nil {
			return k, err
		}
		k.credentials = append(k.credentials, c)
	}
	return k, nil
}

// credentialOf reads a stored passkey. Its count is in a column of its own.
func credentialOf(p store.Passkey) (c webauthn.Credential, err error) {
	if err := json.Unmarshal([]byte(p.Doc), &c); err != nil {
		return c, fmt.Errorf("stored passkey: %w", err)
	}
	c.Authenticator.SignCount = p.Count
	return c, nil
}

// passkeyOf is a credential as it is stored.
func passkeyOf(c *webauthn.Credential) (store.Passkey, error) {
	kept := *c
	kept.Attestation = webauthn.CredentialAttestation{} // that it was made as we asked is all we ask of it
	doc, err := json.Marshal(kept)
	return store.Passkey{ID: base64.RawURLEncoding.EncodeToString(c.ID), Doc: string(doc), Count: c.Authenticator.SignCount}, err
}

// keyName is what a person calls a passkey, or what it is called if they say nothing.
func keyName(r *http.Request, said string) string {
	name := strings.TrimSpace(visible(said))
	if name == "" {
		return agent(r)
	}
	if utf8.RuneCountInString(name) > maxKeyName {
		name = string([]rune(name)[:maxKeyName])
	}
	return name
}

// created checks the answer to a ceremony that makes a passkey.
func (d *Desk) created(r *http.Request, holder keyholder, a asked, answer json.RawMessage) (store.Passkey, error) {
	auth, p, err := d.webAuthn(r)
	if err != nil {
		return store.Passkey{}, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(answer)
	if err != nil {
		return store.Passkey{}, err
	}
	c, err := auth.CreateCredential(holder, a.SessionData, parsed)
	if err != nil {
		return store.Passkey{}, err
	}
	key, err := passkeyOf(c)
	key.Host = p.host
	return key, err
}

// addPasskey gives the operator one more passkey.
//
//	200  with the page to go on to
//	422  with words: not accepted
func (d *Desk) addPasskey(w http.ResponseWriter, r *http.Request) error {
	o := operatorOf(r)
	got, a, err := d.answer(w, r, o.session.ID, "add")
	if err != nil {
		return d.tell(w, r, "", err)
	}
	holder, err := d.keyholder(r, o.User)
	if err != nil {
		return err
	}
	key, err := d.created(r, holder, a, got.Credential)
	if err == nil {
		key.Email, key.Name = o.Email, keyName(r, got.Name)
		err = d.Store.AddPasskey(r.Context(), o.Actor(), key)
	}
	return d.tell(w, r, "/desk/account?done=key", err)
}

// removePasskey takes one of the operator's passkeys away.
func (d *Desk) removePasskey(w http.ResponseWriter, r *http.Request) error {
	if _, err := readForm(w, r); err != nil {
		return err
	}
	o := operatorOf(r)
	if err := d.Store.RemovePasskey(r.Context(), o.Actor(), o.Email, clip(r.PostForm.Get("id"), 2000)); err != nil {
		return err
	}
	return done(w, r, "/desk/account", "no-key")
}

// askToSignIn begins a sign-in with a passkey, which tells us who it is.
//
//	429  too many attempts from this source
//	503  too many at once
func (d *Desk) askToSignIn(w http.ResponseWriter, r *http.Request) error {
	auth, _, err := d.webAuthn(r)
	if err != nil {
		return err
	}
	if d.asks.OnLimit(w, r, d.Source(r)) {
		return writeJSON(w, http.StatusTooManyRequests, map[string]string{"problem": "There were too many attempts from your network. Wait five minutes, then try again."})
	}
	leave, err := enter(r.Context(), d.asking)
	if err != nil {
		return err
	}
	defer leave()
	options, session, err := auth.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return err
	}
	return d.ask(w, r, "", asked{For: "sign-in", SessionData: *session}, options)
}

// signInWithPasskey opens a session for whose passkey answered.
//
//	200  with the page to go on to
//	422  with words: not accepted
func (d *Desk) signInWithPasskey(w http.ResponseWriter, r *http.Request) error {
	got, a, err := d.answer(w, r, "", "sign-in")
	if err != nil {
		return d.tell(w, r, "", err)
	}
	key, err := d.signed(r, a, got.Credential)
	if err == nil {
		err = d.openSession(w, r, store.SignIn{Email: key.Email, With: "the passkey “" + key.Name + "”", Passkey: &key})
	}
	return d.tell(w, r, localPage(got.Next), err)
}

// signed checks the answer to a ceremony that signs in, and returns the passkey as it is
// to be kept from now on. One that counts its signatures and counts back may be a copy:
// it is refused, and the audit log says so.
func (d *Desk) signed(r *http.Request, a asked, answer json.RawMessage) (key store.Passkey, err error) {
	auth, p, err := d.webAuthn(r)
	if err != nil {
		return key, err
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(answer)
	if err != nil {
		return key, err
	}
	var failed error // of ours
	_, c, err := auth.ValidatePasskeyLogin(func(id, _ []byte) (webauthn.User, error) {
		key, failed = d.Store.Passkey(r.Context(), base64.RawURLEncoding.EncodeToString(id))
		if errors.Is(failed, handoff.ErrNotFound) || failed == nil && key.Host != p.host {
			failed = nil
			return nil, handoff.ErrForbidden
		}
		if failed != nil {
			return nil, failed
		}
		k := keyholder{email: key.Email, credentials: make([]webauthn.Credential, 1)}
		if k.credentials[0], failed = credentialOf(key); failed != nil {
			return nil, failed
		}
		k.handle, failed = base64.RawURLEncoding.DecodeString(key.Handle)
		return k, failed
	}, a.SessionData, parsed)
	switch {
	case failed != nil:
		return key, failed
	case err != nil:
		return key, err
	case c.Authenticator.CloneWarning:
		return key, errors.Join(handoff.ErrForbidden, d.Store.Note(r.Context(), stranger, handoff.Act{
			Action: "passkey.refused", Subject: key.Email,
			Detail: fmt.Sprintf("“%s” counted its signatures back, from %d to %d: there may be a copy of it", key.Name, key.Count, parsed.Response.AuthenticatorData.Counter),
		}))
	}
	now, err := passkeyOf(c)
	key.Doc, key.Count = now.Doc, now.Count
	return key, err
}

// askInvited begins to make a passkey for who is invited.
func (d *Desk) askInvited(w http.ResponseWriter, r *http.Request) error {
	auth, _, err := d.webAuthn(r)
	if err != nil {
		return err
	}
	token := r.PathValue("token")
	l, err := d.Store.Invitation(r.Context(), token)
	if err != nil {
		return linked(err)
	}
	holder, handle, err := invitee(l.Email, store.NewHandle())
	if err != nil {
		return err
	}
	options, session, err := auth.BeginRegistration(holder)
	if err != nil {
		return err
	}
	return d.ask(w, r, "", asked{For: invited(token), Handle: handle, SessionData: *session}, options)
}

// invited is what a ceremony for an invitation is kept for, without the link itself.
func invited(token string) string {
	sum := sha256.Sum256([]byte(token))
	return "invitation " + base64.RawURLEncoding.EncodeToString(sum[:])
}

func invitee(email, handle string) (keyholder, string, error) {
	h, err := base64.RawURLEncoding.DecodeString(handle)
	return keyholder{handle: h, email: email, name: email}, handle, err
}

// acceptWithPasskey takes an invitation up with a name and a passkey, and signs in.
//
//	200  with the page to go on to
//	422  with words: no name, or not accepted
func (d *Desk) acceptWithPasskey(w http.ResponseWriter, r *http.Request) error {
	token := r.PathValue("token")
	l, err := d.Store.Invitation(r.Context(), token)
	if err != nil {
		return linked(err)
	}
	got, a, err := d.answer(w, r, "", invited(token))
	if err != nil {
		return d.tell(w, r, "", err)
	}
	holder, handle, err := invitee(l.Email, a.Handle)
	if err != nil {
		return err
	}
	name := strings.TrimSpace(got.Name)
	if err := handoff.CheckPerson(name, l.Email); err != nil {
		return d.tell(w, r, "", err)
	}
	key, err := d.created(r, holder, a, got.Credential)
	if err != nil {
		return d.tell(w, r, "", err)
	}
	key.Handle, key.Name = handle, agent(r)
	u, err := d.Store.AcceptInvitation(r.Context(), token, name, "", &key)
	if err != nil {
		return d.tell(w, r, "", linked(err))
	}
	return d.tell(w, r, "/desk/", d.openSession(w, r, store.SignIn{Email: u.Email, With: "an invitation", Invited: true}))
}
