package web_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/content"
	"handoff/internal/jobs"
	"handoff/internal/store"
	"handoff/internal/web"
)

const (
	secret       = "whsec_of_brightwater_0001"
	otherSecret  = "whsec_of_the_other_site_1"
	formerSecret = "whsec_former_of_brightwater"
)

var firstDay = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// An install is a server on a store of its own, with two sites.
type install struct {
	t      testing.TB
	db     *store.DB
	web    *web.Server
	runner *jobs.Runner
	sites  []*web.Site
	keys   handoff.Keys
	now    time.Time

	newSecret string // of brightwater, that the server takes up as it runs; empty: none
}

func newInstall(t testing.TB) *install {
	in := &install{t: t, keys: handoff.Keys{handoff.Key("a reference key of 32 bytes, test")}, now: firstDay}
	clock := func() time.Time { return in.now }
	var err error
	in.db, err = store.Open(t.Context(), filepath.Join(t.TempDir(), "h.db"), store.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.db.Close() })
	site, err := content.Load(content.Demo())
	if err != nil {
		t.Fatal(err)
	}
	site.URL = "http://brightwater.test"
	log := slog.New(slog.DiscardHandler)
	in.sites = []*web.Site{
		{
			ID: "brightwater", Hosts: []string{"brightwater.test"}, Content: site, Rules: handoff.Rules{Pipeline: handoff.DefaultPipeline()}, CalOrigins: []string{"https://cal.test"},
			Trust: calcom.Trust{
				Site: "brightwater", Secrets: []string{secret}, Keys: in.keys, Retired: []string{"whsec_retired"},
				OtherSecrets: map[string][]string{"other": {otherSecret}}, OtherSites: []string{"other"},
			},
			Secrets: func() []web.Secret {
				return []web.Secret{{Value: in.newSecret}, {Value: formerSecret, Until: firstDay.Add(time.Hour)}}
			},
		},
		{
			ID: "other", Hosts: []string{"other.test"}, Content: site, Rules: handoff.Rules{Pipeline: handoff.DefaultPipeline()}, CalOrigins: []string{"https://cal.test"},
			Trust: calcom.Trust{
				Site: "other", Secrets: []string{otherSecret}, Keys: in.keys,
				OtherSecrets: map[string][]string{"brightwater": {secret}}, OtherSites: []string{"brightwater"},
			},
		},
	}
	in.web, err = web.New(web.Config{Store: in.db, Keys: in.keys, Log: log, Now: clock, Sites: in.sites})
	if err != nil {
		t.Fatal(err)
	}
	in.runner = &jobs.Runner{Store: in.db, Log: log, Sites: map[string]jobs.Site{
		"brightwater": {Rules: handoff.Rules{Pipeline: handoff.DefaultPipeline()}}, "other": {Rules: handoff.Rules{Pipeline: handoff.DefaultPipeline()}},
	}}
	return in
}

// lead opens a lead and returns it with its reference.
func (in *install) lead(site, form, name, email string) (handoff.LeadID, string) {
	in.t.Helper()
	s, err := in.db.CreateLead(in.t.Context(), handoff.Submission{
		Site: site, Service: "boiler-replacement", Form: form, Name: name, Email: email,
	}, handoff.DefaultPipeline())
	if err != nil {
		in.t.Fatal(err)
	}
	return s.Lead, in.keys.Sign(site, s.ID)
}

// deliver posts a body as Cal.com does and returns the status.
func (in *install) deliver(site string, body []byte, signature string, more ...string) int {
	in.t.Helper()
	r := httptest.NewRequest("POST", "/webhooks/calcom/"+site, strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Cal-Webhook-Version", "2021-10-20")
	if signature != "" {
		r.Header.Set("X-Cal-Signature-256", signature)
	}
	for i := 0; i+1 < len(more); i += 2 {
		r.Header.Set(more[i], more[i+1])
	}
	w := httptest.NewRecorder()
	in.web.ServeHTTP(w, r)
	return w.Code
}

// work does everything that is due.
func (in *install) work() {
	for in.runner.Once(in.t.Context(), store.KindReconcile) > 0 {
	}
}

func sign(secret string, body []byte) string {
	h := hmac.New(sha256.New, []byte(secret))
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

func (in *install) read(id handoff.LeadID) store.LeadDetail {
	in.t.Helper()
	d, err := in.db.Lead(in.t.Context(), nil, id)
	if err != nil {
		in.t.Fatal(err)
	}
	return d
}

// failures lists the open failures' reasons, sorted.
func (in *install) failures() []string {
	in.t.Helper()
	list, err := in.db.Failures(in.t.Context(), store.FailureFilter{})
	if err != nil {
		in.t.Fatal(err)
	}
	out := []string{}
	for _, f := range list {
		out = append(out, string(f.Reason))
	}
	slices.Sort(out)
	return out
}

// A fixture is one of Cal.com's bodies with right references filled in.
type fixture struct {
	name, contentType string
	body              []byte
}

// fixtures reads the 26 bodies. Dana's reference stands where theirs does, and
// Omar's in the second seat; the forged one keeps its false signature.
func fixtures(t testing.TB, dana, omar string) []fixture {
	t.Helper()
	dir := "../calcom/testdata/bodies/"
	b, err := os.ReadFile(dir + "INDEX.json")
	if err != nil {
		t.Fatal(err)
	}
	var index struct {
		Files []struct {
			File    string
			Headers map[string]string
		}
	}
	if err := json.Unmarshal(b, &index); err != nil {
		t.Fatal(err)
	}
	danaID, _, _ := strings.Cut(dana, ".")
	fill := strings.NewReplacer(
		"sub_01jdb7z5q4x3s8m2k9v6t1n0rc.p3Vb1m9sYt7QkD0wEoHgZLx2", dana,
		"sub_01jdb80marx4x3s8m2k9v6t1n0.q7HnVb2sYt7QkD0wEoHgZLx", omar,
		"sub_01jdb7z5q4x3s8m2k9v6t1n0rc.AAAAAAAAAAAAAAAAAAAAAA", danaID+".AAAAAAAAAAAAAAAAAAAAAAAA")
	var out []fixture
	for _, f := range index.Files {
		b, err := os.ReadFile(dir + f.File)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fixture{f.File, f.Headers["Content-Type"], []byte(fill.Replace(string(b)))})
	}
	if len(out) != 26 {
		t.Fatalf("%d bodies, want 26", len(out))
	}
	return out
}

// Cal.com's 26 bodies, in any order and each twice, end in the same leads, the
// same bookings and the same failures.
func TestBodiesInAnyOrderAndTwice(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			in := newInstall(t)
			dana, danaRef := in.lead("brightwater", "f1", "Dana Whitfield", "dana.whitfield@example.com")
			omar, omarRef := in.lead("brightwater", "f2", "Omar Haddad", "omar@elsewhere.example")
			bystander, _ := in.lead("brightwater", "f3", "Dana Whitfield", "dana.whitfield@example.com")
			all := fixtures(t, danaRef, omarRef)
			all = append(all, all...)
			if seed > 0 {
				rng := rand.New(rand.NewPCG(seed, 1))
				rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			}
			for i, f := range all {
				want := http.StatusOK
				switch f.name[:2] {
				case "23", "25":
					want = http.StatusUnprocessableEntity
				case "24":
					want = http.StatusUnsupportedMediaType
				}
				if got := in.deliver("brightwater", f.body, sign(secret, f.body), "Content-Type", f.contentType); got != want {
					t.Errorf("%s: status %d, want %d", f.name, got, want)
				}
				if seed%3 == 0 || i%7 == 0 {
					in.work()
				}
			}
			in.work()

			wantStage(t, in.read(dana), "booked", "8mWdT2kQe4RfYpX1sLhC9v rescheduled", "kP6nB0xU3jZtVw7yRgS5Qa cancelled", "rT4vN8cM2bQ6wE0yU5iOpA accepted")
			wantStage(t, in.read(omar), "booked", "8mWdT2kQe4RfYpX1sLhC9v/3be561a9-31f1-4b8e-aefc-9d9a085f0dd1 accepted")
			wantStage(t, in.read(bystander), "new") // same name and address as Dana: nothing
			want := []string{"not_json", "reference_forged", "unknown_shape", "unknown_shape"}
			if got := in.failures(); !slices.Equal(got, want) {
				t.Errorf("failures %v, want %v", got, want)
			}
		})
	}
}

func wantStage(t *testing.T, d store.LeadDetail, stage handoff.Stage, bookings ...string) {
	t.Helper()
	if d.Stage != stage {
		t.Errorf("%s: stage %s, want %s", d.Name, d.Stage, stage)
	}
	var got []string
	for _, b := range d.Bookings {
		got = append(got, b.BookingKey.String()+" "+string(b.Status))
	}
	slices.Sort(got)
	if !slices.Equal(got, bookings) {
		t.Errorf("%s: bookings %q, want %q", d.Name, got, bookings)
	}
	seen := map[string]bool{}
	at := handoff.Stage("")
	for _, c := range d.History {
		if c.From != at {
			t.Errorf("%s: history breaks: %s after %s", d.Name, c.From, at)
		}
		at = c.To
		if key := string(c.To) + c.Cause; seen[key] {
			t.Errorf("%s: %s moved it to %s twice", d.Name, c.Cause, c.To)
		} else {
			seen[key] = true
		}
	}
	if at != d.Stage {
		t.Errorf("%s: history ends at %s, the lead stands at %s", d.Name, at, d.Stage)
	}
}

// What proves nothing changes nothing, and stands in the failure queue with its
// own reason.
func TestUnprovenChangesNothing(t *testing.T) {
	in := newInstall(t)
	dana, ref := in.lead("brightwater", "f1", "Dana", "dana@example.com")
	other, otherRef := in.lead("other", "f1", "Olga", "olga@example.com")
	body := fixtures(t, ref, ref)[0].body
	foreign := fixtures(t, otherRef, otherRef)[17].body // of a uid of its own
	altered := []byte(strings.Replace(string(body), "2026-12-01T15:00:00Z", "2026-12-01T16:00:00Z", 1))
	spaced := []byte(strings.ReplaceAll(string(body), `","`, `", "`))
	first := fixtures(t, ref, ref)[12].body // a real one, delivered before
	alteredSeen := []byte(strings.Replace(string(first), "true", "false", 1))

	rows := []struct {
		name      string
		site      string
		body      []byte
		signature string
		status    int
		reason    string
	}{
		{"no signature", "brightwater", body, "", 401, "signature_missing"},
		{"no secret at Cal.com", "brightwater", body, "no-secret-provided", 401, "no_secret_provided"},
		{"forged", "brightwater", body, sign("guess", body), 401, "signature_wrong"},
		{"retired secret", "brightwater", body, sign("whsec_retired", body), 401, "signature_retired_secret"},
		{"the other site's secret", "brightwater", body, sign(otherSecret, body), 401, "signature_other_site"},
		{"altered, original never seen", "brightwater", altered, sign(secret, body), 401, "signature_wrong"},
		{"altered, original seen", "brightwater", alteredSeen, sign(secret, first), 401, "body_altered"},
		{"re-encoded by a proxy", "brightwater", spaced, sign(secret, body), 401, "body_reencoded"},
		{"reference of the other site", "brightwater", foreign, sign(secret, foreign), 200, "reference_other_site"},
	}
	in.deliver("brightwater", first, sign(secret, first))
	in.work()
	before := in.failures() // the no-show of an unknown booking
	want := before
	for _, r := range rows {
		if got := in.deliver(r.site, r.body, r.signature); got != r.status {
			t.Errorf("%s: status %d, want %d", r.name, got, r.status)
		}
		in.work()
		want = append(want, r.reason)
		slices.Sort(want)
		if got := in.failures(); !slices.Equal(got, want) {
			t.Fatalf("%s: failures %v, want %v", r.name, got, want)
		}
	}
	wantStage(t, in.read(dana), "new")
	wantStage(t, in.read(other), "new")
}

// A former secret is accepted until its time and recognised afterwards; a new one counts
// from when the secrets have it, without a start.
func TestSecretIsTurned(t *testing.T) {
	in := newInstall(t)
	dana, ref := in.lead("brightwater", "f1", "Dana", "dana@example.com")
	bodies := fixtures(t, ref, ref)
	in.newSecret = "whsec_new_of_brightwater"
	for _, one := range []string{in.newSecret, formerSecret} {
		if got := in.deliver("brightwater", bodies[0].body, sign(one, bodies[0].body)); got != http.StatusOK {
			t.Errorf("%s: %d", one, got)
		}
	}
	in.work()
	if d := in.read(dana); d.Stage != "booked" || len(d.Bookings) != 1 {
		t.Errorf("%s, %+v", d.Stage, d.Bookings)
	}
	in.now = in.now.Add(time.Hour)
	if got := in.deliver("brightwater", bodies[6].body, sign(formerSecret, bodies[6].body)); got != http.StatusUnauthorized {
		t.Errorf("after its time: %d", got)
	}
	if got := in.failures(); !slices.Equal(got, []string{"signature_retired_secret"}) {
		t.Errorf("%v", got)
	}
	in.newSecret = "whsec_yet_another_one"
	if got := in.deliver("brightwater", bodies[7].body, sign("whsec_new_of_brightwater", bodies[7].body)); got != http.StatusUnauthorized {
		t.Errorf("a secret that is there no more: %d", got)
	}
}

// It is known of each secret when it signed last, and of what proved nothing nothing is.
func TestSecretsGiveSigns(t *testing.T) {
	in := newInstall(t)
	_, ref := in.lead("brightwater", "f1", "Dana", "dana@example.com")
	bodies := fixtures(t, ref, ref)
	signs := func() map[string]time.Time {
		if err := in.db.KeepTallies(t.Context()); err != nil {
			t.Fatal(err)
		}
		v, err := in.db.ViewSite(t.Context(), "brightwater", in.now)
		if err != nil {
			t.Fatal(err)
		}
		return v.Signs
	}
	in.deliver("brightwater", bodies[0].body, sign("a guess", bodies[0].body))
	in.deliver("brightwater", bodies[0].body, sign("whsec_retired", bodies[0].body))
	if got := signs(); len(got) != 0 {
		t.Errorf("after forgeries: %v", got)
	}
	in.deliver("brightwater", bodies[0].body, sign(secret, bodies[0].body))
	current, former := web.SecretSign(in.keys[0], secret), web.SecretSign(in.keys[0], formerSecret)
	if got := signs(); len(got) != 1 || !got[current].Equal(in.now) {
		t.Errorf("after the current one: %v", got)
	}
	in.now = in.now.Add(2 * time.Minute)
	in.deliver("brightwater", []byte("signed, and not JSON"), sign(formerSecret, []byte("signed, and not JSON")))
	if got := signs(); len(got) != 2 || !got[former].Equal(in.now) || !got[current].Equal(firstDay) {
		t.Errorf("after the former one: %v", got)
	}
	for sign := range signs() {
		if len(sign) != len(store.SignSecret)+8 || strings.Contains(sign, "whsec") {
			t.Errorf("a sign tells more than a fingerprint: %s", sign)
		}
	}
	if web.SecretSign(handoff.Key("another reference key of 32 bytes!"), secret) == current {
		t.Error("who has another key can tell which secret it is")
	}
}

// The same forged body again is one entry that counts, not two.
func TestEqualForgeriesAreOneEntry(t *testing.T) {
	in := newInstall(t)
	for range 3 {
		in.deliver("brightwater", []byte(`{"a":1}`), "00")
	}
	list, err := in.db.Failures(t.Context(), store.FailureFilter{})
	if err != nil || len(list) != 1 || list[0].Deliveries != 3 {
		t.Fatalf("got %+v, %v; want one entry of 3 deliveries", list, err)
	}
}

// A verified body that is sent again much later changes nothing, and is told.
func TestReplayIsTold(t *testing.T) {
	in := newInstall(t)
	dana, ref := in.lead("brightwater", "f1", "Dana", "dana@example.com")
	body := fixtures(t, ref, ref)[0].body
	for _, later := range []time.Duration{0, time.Minute, 23 * time.Hour} {
		in.now = in.now.Add(later)
		in.deliver("brightwater", body, sign(secret, body))
	}
	in.work()
	if got := in.failures(); len(got) != 0 {
		t.Fatalf("repetitions within a day are no failure: %v", got)
	}
	history := len(in.read(dana).History)
	in.now = in.now.Add(2 * time.Hour)
	if got := in.deliver("brightwater", body, sign(secret, body)); got != http.StatusOK {
		t.Errorf("status %d", got)
	}
	in.work()
	if got := in.failures(); !slices.Equal(got, []string{"delivery_replayed"}) {
		t.Errorf("failures %v", got)
	}
	if got := in.read(dana); len(got.History) != history || got.Stage != "booked" {
		t.Errorf("the replay moved the lead: %+v", got.History)
	}
}

// A cancellation that overtakes its booking waits, and settles itself when the
// booking comes.
func TestFailureSettlesItself(t *testing.T) {
	in := newInstall(t)
	dana, ref := in.lead("brightwater", "f1", "Dana", "dana@example.com")
	all := fixtures(t, ref, ref)
	noShow, created := all[12].body, all[0].body // the no-show names nothing but the uid
	in.deliver("brightwater", noShow, sign(secret, noShow))
	in.work()
	if got := in.failures(); !slices.Equal(got, []string{"no_reference"}) {
		t.Fatalf("failures %v", got)
	}
	in.deliver("brightwater", created, sign(secret, created))
	in.work()
	if got := in.failures(); len(got) != 0 {
		t.Errorf("still open: %v", got)
	}
	wantStage(t, in.read(dana), "no_show", "8mWdT2kQe4RfYpX1sLhC9v accepted")
	settled, err := in.db.Failures(t.Context(), store.FailureFilter{Settled: true})
	if err != nil || len(settled) != 1 || settled[0].SettledAt == nil {
		t.Errorf("settled %+v, %v", settled, err)
	}
}

// A sender that hangs up after the body has arrived does not undo it.
func TestSenderHangsUp(t *testing.T) {
	in := newInstall(t)
	dana, ref := in.lead("brightwater", "f1", "Dana", "dana@example.com")
	body := fixtures(t, ref, ref)[0].body
	ctx, cancel := context.WithCancel(t.Context())
	r := httptest.NewRequestWithContext(ctx, "POST", "/webhooks/calcom/brightwater", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Cal-Signature-256", sign(secret, body))
	cancel()
	in.web.ServeHTTP(httptest.NewRecorder(), r)
	in.work()
	wantStage(t, in.read(dana), "booked", "8mWdT2kQe4RfYpX1sLhC9v accepted")
}

// The answers that Cal.com must never get: 410 switches the webhook off, and a
// redirect is not followed.
func TestWebhookAnswers(t *testing.T) {
	in := newInstall(t)
	_, ref := in.lead("brightwater", "f1", "Dana", "dana@example.com")
	body := fixtures(t, ref, ref)[0].body
	large := []byte(`{"x":"` + strings.Repeat("a", calcom.MaxBody) + `"}`)
	for _, r := range []struct {
		name, site string
		body       []byte
		signature  string
		status     int
	}{
		{"new", "brightwater", body, sign(secret, body), 200},
		{"again", "brightwater", body, sign(secret, body), 200},
		{"unknown site", "nobody", body, sign(secret, body), 404},
		{"too large", "brightwater", large, sign(secret, large), 413},
		{"empty", "brightwater", nil, sign(secret, nil), 422},
		{"wrong", "brightwater", body, sign("no", body), 401},
	} {
		if got := in.deliver(r.site, r.body, r.signature); got != r.status {
			t.Errorf("%s: status %d, want %d", r.name, got, r.status)
		}
	}
	in.db.Close()
	if got := in.deliver("brightwater", []byte("{}"), sign(secret, []byte("{}"))); got != http.StatusServiceUnavailable {
		t.Errorf("store gone: status %d, want 503", got)
	}
}

// Forgeries that come all at once wait for the disk in a line of their own, not
// before a real delivery.
func TestForgeriesWaitInTheirOwnLine(t *testing.T) {
	in := newInstall(t)
	_, reference := in.lead("brightwater", "f1", "Dana", "dana@example.com")
	body := fixtures(t, reference, reference)[0].body
	const forgeries = 1000
	var answered atomic.Int32
	some := make(chan struct{}, forgeries)
	var wg sync.WaitGroup
	for i := range forgeries {
		wg.Go(func() {
			if got := in.deliver("brightwater", fmt.Appendf(nil, `{"n":%d}`, i), ""); got != http.StatusUnauthorized {
				t.Errorf("a forgery was answered %d", got)
			}
			answered.Add(1)
			some <- struct{}{}
		})
	}
	for range 20 {
		<-some // by now the others wait
	}
	if got := in.deliver("brightwater", body, sign(secret, body)); got != http.StatusOK {
		t.Errorf("the real one was answered %d", got)
	}
	if n := answered.Load(); n > forgeries/2 {
		t.Errorf("the real one waited for %d forgeries", n)
	}
	wg.Wait()
}

// A source that sends many forgeries fills the queue with its first hundred; the
// others are counted, and what Cal.com signs is kept from the same address.
func TestManyForgeriesAreCounted(t *testing.T) {
	in := newInstall(t)
	dana, reference := in.lead("brightwater", "f1", "Dana", "dana@example.com")
	body := fixtures(t, reference, reference)[0].body
	for i := range 150 {
		forged := fmt.Appendf(nil, `{"n":%d}`, i)
		if got := in.deliver("brightwater", forged, sign("whsec_retired", forged)); got != http.StatusUnauthorized {
			t.Fatalf("forgery %d was answered %d", i, got)
		}
	}
	if got := in.deliver("brightwater", body, sign(secret, body)); got != http.StatusOK {
		t.Errorf("the real one was answered %d", got)
	}
	in.work()
	wantStage(t, in.read(dana), "booked", "8mWdT2kQe4RfYpX1sLhC9v accepted")
	list, err := in.db.Failures(t.Context(), store.FailureFilter{Limit: 1000})
	if err != nil {
		t.Fatal(err)
	}
	count := map[handoff.Reason]int{}
	for _, f := range list {
		count[f.Reason] += f.Deliveries
	}
	if len(list) != 101 || count[handoff.SignatureRetired] != 100 || count[handoff.UnverifiedFlood] != 50 {
		t.Errorf("%d entries, %v; want 100 and a flood of 50", len(list), count)
	}
}

// Large bodies that do not end have few places, and keep no small one out, as
// Cal.com's are.
func TestLargeBodiesHaveFewPlaces(t *testing.T) {
	in := newInstall(t)
	_, reference := in.lead("brightwater", "f1", "Dana", "dana@example.com")
	body := fixtures(t, reference, reference)[0].body
	large := []byte(`{"x":"` + strings.Repeat("a", 20<<10) + `"}`)
	answers := make(chan int, 100)
	var open []io.Closer
	for range 100 {
		read, write := io.Pipe()
		open = append(open, write)
		go func() {
			w := httptest.NewRecorder()
			in.web.ServeHTTP(w, httptest.NewRequest("POST", "/webhooks/calcom/brightwater", read))
			answers <- w.Code
		}()
		go func() { _, _ = write.Write(large) }() // and no end
	}
	for range 100 - 64 {
		if got := <-answers; got != http.StatusServiceUnavailable {
			t.Errorf("one too many was answered %d", got)
		}
	}
	if got := in.deliver("brightwater", body, sign(secret, body)); got != http.StatusOK {
		t.Errorf("the small one was answered %d", got)
	}
	for _, w := range open {
		w.Close()
	}
	for range 64 {
		if got := <-answers; got != http.StatusUnauthorized {
			t.Errorf("a large one that ended was answered %d", got)
		}
	}
	if got := in.deliver("brightwater", large, sign("x", large)); got != http.StatusUnauthorized {
		t.Errorf("after them a large one was answered %d: no place was given back", got)
	}
}

// Text that is no text is kept as text: PostgreSQL refuses other bytes.
func TestHeadersAreText(t *testing.T) {
	in := newInstall(t)
	if got := in.deliver("brightwater", []byte("{}"), "\xff\xfe", "Content-Type", "a\xffb"); got != http.StatusUnauthorized {
		t.Errorf("answered %d", got)
	}
	list, err := in.db.Failures(t.Context(), store.FailureFilter{})
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	f, err := in.db.Failure(t.Context(), nil, list[0].ID)
	if err != nil || len(f.Received) != 1 || !utf8.ValidString(f.Received[0].ContentType) {
		t.Errorf("%+v, %v", f.Received, err)
	}
}

// What could not be believed is read again as it came: under the version that it said,
// which no signature covers.
func TestReadAgainUnderItsVersion(t *testing.T) {
	in := newInstall(t)
	dana, ref := in.lead("brightwater", "f1", "Dana", "dana@example.com")
	body := fixtures(t, ref, ref)[0].body
	const late = "the secret that was entered late, 32 characters"
	other := bytes.Replace(body, []byte("8mWdT2kQe4RfYpX1sLhC9v"), []byte("9mWdT2kQe4RfYpX1sLhC9v"), -1)
	for _, c := range []struct {
		body    []byte
		version string
	}{{body, "2030-01-01"}, {other, "2021-10-20"}} {
		if got := in.deliver("brightwater", c.body, sign(late, c.body), "X-Cal-Webhook-Version", c.version); got != 401 {
			t.Fatal(got)
		}
	}
	in.newSecret = late
	read := in.sites[0].Reader(in.keys, func() time.Time { return in.now })
	open, err := in.db.Failures(t.Context(), store.FailureFilter{})
	if err != nil || len(open) != 2 {
		t.Fatal(open, err)
	}
	var wait []handoff.Reason
	for _, f := range open {
		waits, err := in.db.ReadAgain(t.Context(), handoff.CommandLine, "brightwater", f.ID, read)
		if err != nil {
			t.Error(err)
		}
		wait = append(wait, waits)
	}
	in.work()
	if slices.Sort(wait); !slices.Equal(wait, []handoff.Reason{"", handoff.UnknownVersion}) {
		t.Errorf("read again they wait for %q", wait)
	}
	wantStage(t, in.read(dana), "booked", "9mWdT2kQe4RfYpX1sLhC9v accepted")
}
