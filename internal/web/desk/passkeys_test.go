package desk

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"

	"handoff"
	"handoff/internal/store"
)

// A token is an authenticator in software, and the browser around it.
type token struct {
	t       *testing.T
	key     *ecdsa.PrivateKey
	id      []byte
	handle  []byte // of the account that it was made for
	host    string // RP ID that it signs for
	origin  string // that the browser says
	flags   byte
	count   uint32
	kind    string // of what it says it does; empty: what it does
	corrupt bool   // its signature is of something else
}

const (
	deskHost   = "desk.example"
	deskOrigin = "https://desk.example"

	present  = 1 << 0
	verified = 1 << 2
	attested = 1 << 6
)

func newAuthenticator(t *testing.T) *token {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 16)
	_, _ = rand.Read(id)
	return &token{t: t, key: key, id: id, host: deskHost, origin: deskOrigin, flags: present | verified}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func (a *token) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *token) clientData(kind, challenge string) []byte {
	if a.kind != "" {
		kind = a.kind
	}
	b, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.origin, "crossOrigin": false})
	a.must(err)
	return b
}

func (a *token) data(flags byte) []byte {
	hash := sha256.Sum256([]byte(a.host))
	return binary.BigEndian.AppendUint32(append(hash[:], flags), a.count)
}

func (a *token) credential(response map[string]any) map[string]any {
	return map[string]any{"id": b64(a.id), "rawId": b64(a.id), "type": "public-key", "response": response, "clientExtensionResults": map[string]any{}}
}

// An options is what the server asks.
type options struct {
	PublicKey struct {
		Challenge, RPID  string
		RP               struct{ ID string }
		User             struct{ ID, Name string }
		UserVerification string
		Selection        struct{ ResidentKey, UserVerification string } `json:"authenticatorSelection"`
		Exclude          []struct{ ID string }                          `json:"excludeCredentials"`
		Allow            []struct{ ID string }                          `json:"allowCredentials"`
	}
}

// create makes the passkey that is asked for.
func (a *token) create(o options) map[string]any {
	handle, err := base64.RawURLEncoding.DecodeString(o.PublicKey.User.ID)
	a.must(err)
	a.handle = handle
	public, err := webauthncbor.Marshal(webauthncose.EC2PublicKeyData{
		PublicKeyData: webauthncose.PublicKeyData{KeyType: int64(webauthncose.EllipticKey), Algorithm: int64(webauthncose.AlgES256)},
		Curve:         int64(webauthncose.P256), XCoord: a.key.X.FillBytes(make([]byte, 32)), YCoord: a.key.Y.FillBytes(make([]byte, 32)),
	})
	a.must(err)
	data := append(a.data(a.flags|attested), make([]byte, 16)...)
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(a.id))), a.id...)
	object, err := webauthncbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": append(data, public...)})
	a.must(err)
	return a.credential(map[string]any{"clientDataJSON": b64(a.clientData("webauthn.create", o.PublicKey.Challenge)), "attestationObject": b64(object)})
}

// sign answers who it is.
func (a *token) sign(o options) map[string]any {
	a.count++
	client, data := a.clientData("webauthn.get", o.PublicKey.Challenge), a.data(a.flags)
	digest := sha256.Sum256(client)
	signed := sha256.Sum256(append(slices.Clone(data), digest[:]...))
	if a.corrupt {
		signed[0]++
	}
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, signed[:])
	a.must(err)
	return a.credential(map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature), "userHandle": b64(a.handle)})
}

// keyed is a bench whose desk is at a host for which passkeys can be made.
func keyed(t *testing.T) *bench {
	b := newBench(t)
	b.desk.Origins = []string{deskOrigin, "https://other.example"}
	b.desk.Host = func(*http.Request) string { return deskHost }
	return b
}

// sends posts JSON as passkeys.js does.
func (v *visitor) sends(path string, body, answer any) int {
	v.t.Helper()
	b, err := json.Marshal(body)
	v.must(err)
	r, err := http.NewRequestWithContext(v.t.Context(), "POST", v.url+path, strings.NewReader(string(b)))
	v.must(err)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", userAgent)
	res, err := v.client.Do(r)
	v.must(err)
	defer res.Body.Close()
	all, err := io.ReadAll(res.Body)
	v.must(err)
	if answer != nil && res.Header.Get("Content-Type") == "application/json" {
		v.must(json.Unmarshal(all, answer))
	}
	return res.StatusCode
}

func (v *visitor) asked(path string) (o options) {
	v.t.Helper()
	if status := v.sends(path, map[string]any{}, &o); status != 200 || o.PublicKey.Challenge == "" {
		v.t.Fatalf("%s: %d", path, status)
	}
	return o
}

const (
	addPath    = "/desk/account/passkeys"
	signInPath = "/desk/sign-in/passkey"
)

type words struct{ To, Problem string }

// adds gives who is signed in a passkey.
func (v *visitor) adds(a *token, name string) words {
	v.t.Helper()
	var said words
	v.sends(addPath, map[string]any{"name": name, "credential": a.create(v.asked(addPath + "/ask"))}, &said)
	return said
}

// signs signs in with a passkey.
func (v *visitor) signs(a *token) (int, words) {
	v.t.Helper()
	var said words
	status := v.sends(signInPath, map[string]any{"next": "/desk/failures", "credential": a.sign(v.asked(signInPath + "/ask"))}, &said)
	return status, said
}

// A passkey is made, listed, signs in without a password and without a name, and signs
// in no more once it is removed.
func TestPasskey(t *testing.T) {
	b := keyed(t)
	v := b.signedIn()
	o := v.asked(addPath + "/ask")
	if k := o.PublicKey; k.RP.ID != deskHost || k.User.Name != email || strings.Contains(k.User.ID, b64([]byte(email))) || len(k.User.ID) < 40 ||
		k.Selection.ResidentKey != "required" || k.Selection.UserVerification != "required" {
		t.Errorf("asked %+v", k)
	}
	a := newAuthenticator(t)
	a.count = 1
	if said := v.adds(a, " My  key\n"); said.To != "/desk/account?done=key" {
		t.Fatalf("%+v", said)
	}
	contains(t, v.page("/desk/account?done=key"), "The passkey is added", "My  key", deskHost, "never")
	if o := v.asked(addPath + "/ask"); len(o.PublicKey.Exclude) != 1 || o.PublicKey.Exclude[0].ID != b64(a.id) {
		t.Errorf("another one of the same device is not kept away: %+v", o.PublicKey.Exclude)
	}
	guest := b.visitor()
	contains(t, guest.page("/desk/sign-in?next=/desk/failures"), "Sign in with a passkey", "passkeys.")
	if o := guest.asked(signInPath + "/ask"); len(o.PublicKey.Allow) != 0 || o.PublicKey.UserVerification != "required" || o.PublicKey.RPID != deskHost {
		t.Errorf("asked %+v", o.PublicKey)
	}
	for range 2 {
		if status, said := guest.signs(a); status != 200 || said.To != "/desk/failures" {
			t.Fatalf("%d %+v", status, said)
		}
		contains(t, guest.page("/desk/account"), "Priya Raman", "Firefox on Linux", "today")
	}
	if p, err := b.db.Passkey(t.Context(), b64(a.id)); err != nil || p.Count != 3 || p.UsedAt.IsZero() {
		t.Errorf("%+v, %v", p, err)
	}
	if p := v.post(addPath+"/remove", url.Values{"id": {b64(a.id)}}); p.status != 303 {
		t.Fatalf("removed: %d", p.status)
	}
	contains(t, v.page("/desk/account"), "You have none.")
	guest = b.visitor()
	if status, said := guest.signs(a); status != 422 || guest.token() != "" {
		t.Errorf("removed: %d %+v", status, said)
	}
	// An owner takes away what somebody else put there.
	if said := v.adds(newAuthenticator(t), "Another"); said.To == "" {
		t.Fatalf("%+v", said)
	}
	contains(t, v.page("/desk/people"), "1 passkey", "Remove all passkeys")
	if p := v.post("/desk/people/passkeys/remove", url.Values{"email": {email}}); p.status != 303 {
		t.Errorf("all removed: %d", p.status)
	}
	lacks(t, v.page("/desk/people"), "passkey")
	want := []string{"passkey.add", "session.open", "session.open", "passkey.remove"}
	var got []string
	for _, act := range b.acts() {
		action, _, _ := strings.Cut(act, " ")
		if strings.Contains(act, "My  key") {
			got = append(got, action)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("the log has %q", got)
	}
}

// Whatever is wrong with an answer, it opens nothing.
func TestHostilePasskeys(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(b *bench, a *token)
	}{
		{"of a page elsewhere", func(_ *bench, a *token) { a.origin = "https://desk.example.evil.example" }},
		{"of a page without https", func(_ *bench, a *token) { a.origin = "http://desk.example" }},
		{"of another port", func(_ *bench, a *token) { a.origin = "https://desk.example:8443" }},
		{"for another host", func(_ *bench, a *token) { a.host = "evil.example" }},
		{"nobody was there", func(_ *bench, a *token) { a.flags = verified }},
		{"without a PIN or finger", func(_ *bench, a *token) { a.flags = present }},
		{"a signature of something else", func(_ *bench, a *token) { a.corrupt = true }},
		{"of another key", func(_ *bench, a *token) { a.key = newAuthenticator(a.t).key }},
		{"of a passkey that nobody knows", func(_ *bench, a *token) { a.id = []byte("unknown-unknown-") }},
		{"as somebody else", func(b *bench, a *token) {
			handle, err := b.db.Handle(a.t.Context(), "owner@brightwater.example")
			a.must(err)
			a.handle, err = base64.RawURLEncoding.DecodeString(handle)
			a.must(err)
		}},
		{"as nobody", func(_ *bench, a *token) { a.handle = nil }},
		{"a passkey that is made", func(_ *bench, a *token) { a.kind = "webauthn.create" }},
		{"it counted back", func(_ *bench, a *token) { a.count = 3 }},
		{"it counts no more", func(_ *bench, a *token) { a.count = 1<<32 - 1 }},
		{"at another site", func(b *bench, a *token) {
			b.desk.Host = func(*http.Request) string { return "other.example" }
			a.host, a.origin = "other.example", "https://other.example"
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := keyed(t)
			v := b.signedIn()
			b.as(handoff.RoleOwner)
			a := newAuthenticator(t)
			a.count = 10
			if said := v.adds(a, "Key"); said.To == "" {
				t.Fatalf("%+v", said)
			}
			tt.change(b, a)
			guest := b.visitor()
			if status, said := guest.signs(a); status != 422 || said.Problem == "" || said.To != "" || guest.token() != "" {
				t.Errorf("%d %+v, token %q", status, said, guest.token())
			}
			refused := 0
			for _, act := range b.acts() {
				if strings.HasPrefix(act, "passkey.refused "+email) {
					refused++
				}
			}
			if want := map[bool]int{true: 1}[strings.HasPrefix(tt.name, "it count")]; refused != want {
				t.Errorf("%d refusals in the log, want %d", refused, want)
			}
		})
	}
}

// What was asked is answered once, in time, by whom it was asked, and for what it was.
func TestAnswersToSomethingElse(t *testing.T) {
	b := keyed(t)
	v, a := b.signedIn(), newAuthenticator(t)
	if said := v.adds(a, "Key"); said.To == "" {
		t.Fatalf("%+v", said)
	}
	u, err := url.Parse(b.url)
	b.must(err)
	refuse := func(why string, guest *visitor, credential any) {
		t.Helper()
		var said words
		if status := guest.sends(signInPath, map[string]any{"credential": credential}, &said); status != 422 || said.Problem == "" || guest.token() != "" {
			t.Errorf("%s: %d %+v", why, status, said)
		}
	}
	// Sent again, with the cookie of the first time.
	guest := b.visitor()
	answer := a.sign(guest.asked(signInPath + "/ask"))
	cookies := guest.client.Jar.Cookies(u)
	thief := b.visitor()
	thief.client.Jar.SetCookies(u, cookies)
	if status := guest.sends(signInPath, map[string]any{"credential": answer}, nil); status != 200 {
		t.Fatalf("%d", status)
	}
	refuse("again", thief, answer)
	refuse("without having been asked", b.visitor(), answer)
	late := b.visitor()
	answer = a.sign(late.asked(signInPath + "/ask"))
	b.clock.pass(store.CeremonyLife)
	refuse("too late", late, answer)
	other := b.visitor()
	answer = a.sign(other.asked(signInPath + "/ask"))
	other.asked(signInPath + "/ask")
	refuse("to what was asked before", other, answer)
	wrong := b.visitor()
	wrong.asked(signInPath + "/ask")
	refuse("nonsense", wrong, "nonsense")
	refuse("after nonsense", wrong, a.sign(options{}))

	// Passkeys are added in the session that asked.
	v = b.signedIn() // the clock went on
	second := newAuthenticator(t)
	made := second.create(v.asked(addPath + "/ask"))
	cookies = v.client.Jar.Cookies(u)
	viewer := b.as(handoff.RoleViewer)
	for _, c := range cookies {
		if c.Name == ceremonyCookie {
			viewer.client.Jar.SetCookies(u, []*http.Cookie{{Name: c.Name, Value: c.Value, Path: "/"}})
		}
	}
	var said words
	if status := viewer.sends(addPath, map[string]any{"name": "Mine", "credential": made}, &said); status != 422 {
		t.Errorf("in another session: %d %+v", status, said)
	}
	if status := b.visitor().sends(addPath, map[string]any{"credential": made}, nil); status != 401 {
		t.Errorf("not signed in: %d", status)
	}
	signed := a.sign(v.asked(addPath + "/ask"))
	if status := v.sends(addPath, map[string]any{"credential": signed}, &said); status != 422 {
		t.Errorf("a signature as a new passkey: %d", status)
	}
	// Somebody else's passkey does not become one's own.
	stolen := *a
	if said := viewer.adds(&stolen, "Stolen"); said.Problem == "" {
		t.Errorf("a passkey of another: %+v", said)
	}
	if keys, err := b.db.Passkeys(t.Context(), "viewer@brightwater.example"); err != nil || len(keys) != 0 {
		t.Errorf("%v, %v", keys, err)
	}
	for name, change := range map[string]func(*token){
		"not verified": func(a *token) { a.flags = present },
		"elsewhere":    func(a *token) { a.origin = "https://evil.example" },
		"another host": func(a *token) { a.host = "evil.example" },
	} {
		bad := newAuthenticator(t)
		change(bad)
		if said := v.adds(bad, "Bad"); said.Problem == "" {
			t.Errorf("%s: %+v", name, said)
		}
	}
}

// A session that was opened a while ago adds no passkey: who got hold of it would have a
// way in of their own.
func TestPasskeysTakeAFreshSignIn(t *testing.T) {
	b := keyed(t)
	v := b.signedIn()
	b.clock.pass(freshFor - time.Minute)
	if said := v.adds(newAuthenticator(t), "In time"); said.To == "" {
		t.Errorf("%+v", said)
	}
	b.clock.pass(time.Minute)
	var said words
	if status := v.sends(addPath+"/ask", map[string]any{}, &said); status != 422 || !strings.Contains(said.Problem, "sign in again") {
		t.Errorf("%d %+v", status, said)
	}
	page := v.page("/desk/account")
	contains(t, page, "sign out and sign in again", "In time")
	lacks(t, page, `id="key-name"`)
}

// An invitation is taken up with a passkey, without a password.
func TestInvitationWithPasskey(t *testing.T) {
	b := keyed(t)
	token, err := b.db.Invite(t.Context(), handoff.CommandLine, "nora@brightwater.example", handoff.RoleViewer, []string{"northside"})
	b.must(err)
	guest, a := b.visitor(), newAuthenticator(t)
	a.count = 7
	path := "/desk/invitations/" + token
	contains(t, guest.page(path), "Begin with a passkey")
	take := func(name string, credential any) (int, words) {
		var said words
		status := guest.sends(path+"/passkey", map[string]any{"name": name, "credential": credential}, &said)
		return status, said
	}
	if status, said := take("", a.create(guest.asked(path+"/passkey/ask"))); status != 422 || said.Problem == "" {
		t.Errorf("without a name: %d %+v", status, said)
	}
	other, err := b.db.Invite(t.Context(), handoff.CommandLine, "otto@brightwater.example", handoff.RoleOwner, nil)
	b.must(err)
	if status, _ := take("Nora", a.create(guest.asked("/desk/invitations/"+other+"/passkey/ask"))); status != 422 {
		t.Errorf("asked for another invitation: %d", status)
	}
	if _, err := b.db.User(t.Context(), "nora@brightwater.example"); !errors.Is(err, handoff.ErrNotFound) {
		t.Errorf("somebody is in: %v", err)
	}
	if status, said := take("Nora", a.create(guest.asked(path+"/passkey/ask"))); status != 200 || said.To != "/desk/" {
		t.Fatalf("%d %+v", status, said)
	}
	contains(t, guest.page("/desk/account"), "Nora", "Viewer of Northside", "Set the password")
	again := b.visitor()
	if status, said := again.signs(a); status != 200 {
		t.Errorf("signing in: %d %+v", status, said)
	}
	if p := guest.post(addPath+"/remove", url.Values{"id": {b64(a.id)}}); p.status != 409 || !strings.Contains(p.body, "you have no password") {
		t.Errorf("the only way in was removed: %d", p.status)
	}
	if p := b.visitor().post("/desk/sign-in", form("nora@brightwater.example", "", "")); p.status != 422 {
		t.Errorf("without a password: %d", p.status)
	}
	if status, _ := take("Nora", nil); status != 404 {
		t.Errorf("again: %d", status)
	}
	b.clock.pass(freshFor)
	if p := guest.post("/desk/account/password", url.Values{"password": {"a first password"}}); p.status != 422 {
		t.Errorf("a first password, long after signing in: %d", p.status)
	}
	if status, said := guest.signs(a); status != 200 {
		t.Errorf("signing in again: %d %+v", status, said)
	}
	if p := guest.post("/desk/account/password", url.Values{"password": {"a first password"}}); p.status != 303 {
		t.Errorf("a first password: %d", p.status)
	}
}

// Who reads the store while somebody takes up an invitation learns no link from it.
func TestACeremonyHoldsNoLink(t *testing.T) {
	b := keyed(t)
	token, err := b.db.Invite(t.Context(), handoff.CommandLine, "nora@brightwater.example", handoff.RoleViewer, nil)
	b.must(err)
	guest := b.visitor()
	guest.asked("/desk/invitations/" + token + "/passkey/ask")
	u, err := url.Parse(b.url)
	b.must(err)
	kept := ""
	for _, c := range guest.client.Jar.Cookies(u) {
		if c.Name == ceremonyCookie {
			asked, err := b.db.EndCeremony(t.Context(), c.Value, "")
			b.must(err)
			kept = asked.Doc
		}
	}
	if !strings.Contains(kept, "invitation") || strings.Contains(kept, token) {
		t.Errorf("kept: %s", kept)
	}
}

// Passkeys are for hosts of the configuration over https, and for localhost.
func TestWherePasskeysAre(t *testing.T) {
	b := newBench(t)
	b.desk.Origins = []string{"https://Desk.example:8443", "http://plain.example", "https://192.0.2.1"}
	for _, tt := range []struct {
		host   string
		secure bool
		want   party
		other  string
	}{
		{"desk.example:8443", true, party{"desk.example", "https://desk.example:8443"}, ""},
		{"DESK.example", true, party{"desk.example", "https://desk.example:8443"}, ""},
		{"plain.example", false, party{}, "https://Desk.example:8443/desk/account"},
		{"evil.example", true, party{}, "https://Desk.example:8443/desk/account"},
		{"192.0.2.1", true, party{}, "https://Desk.example:8443/desk/account"},
		{"localhost:8080", false, party{"localhost", "http://localhost:8080"}, ""},
		{"localhost:8080", true, party{}, "https://Desk.example:8443/desk/account"},
	} {
		b.desk.Secure = tt.secure
		r := httptest.NewRequest("GET", "/desk/account", nil)
		r.Host = tt.host
		if got, ok := b.desk.party(r); got != tt.want || ok != (tt.want.host != "") || b.desk.elsewhere(r) != tt.other {
			t.Errorf("%s: %+v, else %q", tt.host, got, b.desk.elsewhere(r))
		}
	}
	b.desk.Secure, b.desk.Origins = false, []string{"http://127.0.0.1:8080"}
	r := httptest.NewRequest("GET", "/desk/account", nil)
	r.Host = "127.0.0.1:8080"
	if got := b.desk.elsewhere(r); got != "http://localhost:8080/desk/account" {
		t.Errorf("the demo's: %q", got)
	}
	v := b.signedIn()
	if status := v.sends(addPath+"/ask", map[string]any{}, nil); status != 404 {
		t.Errorf("asked where there are none: %d", status)
	}
	lacks(t, b.visitor().page("/desk/sign-in"), "passkey")
}

// What strangers can have written in the store at once has a bound, from however many
// addresses they come.
func TestTooManyPasskeysAtOnce(t *testing.T) {
	b := keyed(t)
	for range maxAsking {
		b.desk.asking <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := httptest.NewRequestWithContext(ctx, "POST", signInPath+"/ask", nil)
	if err := b.desk.askToSignIn(httptest.NewRecorder(), r); !errors.Is(err, errBusy) {
		t.Errorf("without a place: %v", err)
	}
	<-b.desk.asking
	if status := b.visitor().sends(signInPath+"/ask", map[string]any{}, nil); status != 200 || len(b.desk.asking) != maxAsking-1 {
		t.Errorf("with one: %d, and %d are taken", status, len(b.desk.asking))
	}
}

// Who signs in with a passkey again and again has to wait.
func TestTooManyPasskeysFromOneSource(t *testing.T) {
	b := keyed(t)
	v := b.visitor()
	for i := range maxAsks {
		if status := v.sends(signInPath+"/ask", map[string]any{}, nil); status != 200 {
			t.Fatalf("attempt %d: %d", i+1, status)
		}
	}
	var said words
	if status := v.sends(signInPath+"/ask", map[string]any{}, &said); status != 429 || said.Problem == "" {
		t.Errorf("one more: %d %+v", status, said)
	}
	if p := v.post("/desk/sign-in", form(email, password, "")); p.status != 303 {
		t.Errorf("with a password: %d", p.status)
	}
}
