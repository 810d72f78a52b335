package calsim

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Errors of the actions. The HTTP surface answers them with the status given.
var (
	// ErrNotFound: no such booking, seat, event type or delivery. (404)
	ErrNotFound = errors.New("calsim: not found")

	// ErrSlotTaken: another live booking holds the time, or all seats are gone. (409)
	ErrSlotTaken = errors.New("calsim: slot is taken")

	// ErrNotPossible: the booking's state does not allow it, such as cancelling
	// twice, or a name or e-mail is missing. (400)
	ErrNotPossible = errors.New("calsim: not possible now")
)

// A Generation is one of the three Cal.com code bases in the field. They differ
// in the shape of bodies, in which events keep the visitor's metadata, and in
// how deliveries are made (calcom.md §0).
type Generation string

// The generations, named as calcom.md tags them: [2512], [DIY], [CLOUD26].
const (
	SelfHosted2025 Generation = "selfhosted-2025" // direct, no version header
	CalDIY         Generation = "caldiy"          // direct, version header
	Cloud2026      Generation = "cloud-2026"      // queued, bodies rebuilt from the database
)

// Generations lists all of them, oldest first.
func Generations() []Generation { return []Generation{SelfHosted2025, CalDIY, Cloud2026} }

// direct reports whether g delivers inside the visitor's request.
func (g Generation) direct() bool { return g != Cloud2026 }

// A Webhook is one registered subscriber.
type Webhook struct {
	URL       string
	Secret    string   // "" makes Cal.com send the words "no-secret-provided"
	Triggers  []string // empty means all
	EventType int      // whose bookings it is sent for; 0: of all, as a user's own webhook is
	Inactive  bool     // it is not sent
	Template  string   // shown by the API; the stand-in sends Cal.com's own form all the same
}

// A Config says which Cal.com to play.
type Config struct {
	Origin     string     // own base URL without a final slash, such as http://cal.localhost:8202
	Generation Generation // "" means SelfHosted2025
	Webhooks   []Webhook
	OldSecret  string // what Faults.OldSecret signs with
	EventTypes []EventType
	Organizer  Organizer

	// APIKey is what GET /v2/bookings asks for as a bearer key; "" accepts none.
	APIKey string

	// RateLimit is how many API requests a minute are answered before 429.
	// 0 means the headers say 120 and nothing is refused.
	RateLimit int

	// Retry holds the pauses between the attempts of a queued delivery; nil
	// means one attempt. CloudRetry is what the hosted product's code says.
	// Direct generations never retry (calcom.md §1.6).
	Retry []time.Duration

	// ReferenceKey is the metadata key and booking question that carries the
	// site's reference; "" means "submissionId".
	ReferenceKey string

	Seed   uint64           // of uids and passwords; 0 means unpredictable
	Now    func() time.Time // nil means time.Now
	Client *http.Client     // makes the deliveries; nil means a plain one; never follows redirects
	Log    *slog.Logger     // nil means none
}

// CloudRetry is the hosted product's schedule: three more attempts, 10 s and
// factor 1.5, without its random part (calcom.md §1.6, deliver-webhook.ts).
var CloudRetry = []time.Duration{10 * time.Second, 15 * time.Second, 22500 * time.Millisecond}

// A Sim plays Cal.com. It is an http.Handler, and all methods are safe for
// concurrent use. Make one with New and end it with Close.
type Sim struct {
	cfg    Config
	client *http.Client
	log    *slog.Logger
	mux    http.Handler

	ctx  context.Context // ends with Close
	stop context.CancelFunc

	// mu guards everything below. It is never held while a delivery is on its
	// way: the subscriber may ask the API while it answers.
	mu         sync.Mutex
	rng        *mathrand.Rand
	gen        Generation
	hooks      []hook
	rows       []*row // in order of creation
	nextID     int
	faults     Faults
	deliveries []*Delivery // oldest first, at most maxLog
	nextIndex  int
	nextHook   int
	held       []*Delivery
	pending    int        // deliveries in the background
	idle       *sync.Cond // pending became 0
	closed     bool
	limiter    window

	types  atomic.Pointer[[]EventType] // replaced whole when a question is added
	adding sync.Mutex                  // who adds one
}

// hook is a registered webhook and whether a 410 has switched it off.
type hook struct {
	Webhook
	id   string
	gone bool
}

// row is a booking and what only the stand-in's inside needs.
type row struct {
	Booking
	cancelling bool   // a cancellation is being delivered
	frozen     *facts // copy for MEETING_*, taken when the booking was made
}

// New starts a stand-in. Missing settings get the defaults their comments name.
func New(cfg Config) *Sim {
	cfg = withDefaults(cfg)
	client := &http.Client{}
	if cfg.Client != nil {
		*client = *cfg.Client
	}
	// Cal.com sends with redirect: "manual"; a 3xx counts as failure (§1.2).
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

	s := &Sim{cfg: cfg, client: client, log: cfg.Log, gen: cfg.Generation, nextID: 5501, nextIndex: 1, rng: newRand(cfg.Seed)}
	s.idle = sync.NewCond(&s.mu)
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.types.Store(&cfg.EventTypes)
	s.setWebhooks(cfg.Webhooks)
	s.mux = s.routes()
	return s
}

func withDefaults(cfg Config) Config {
	cfg.Origin = strings.TrimSuffix(cfg.Origin, "/")
	cfg.Generation = cmp.Or(cfg.Generation, SelfHosted2025)
	cfg.ReferenceKey = cmp.Or(cfg.ReferenceKey, "submissionId")
	o := &cfg.Organizer
	o.ID = cmp.Or(o.ID, 4711)
	o.Name = cmp.Or(o.Name, "Priya Raman")
	o.Email = cmp.Or(o.Email, "priya@brightwater.example")
	o.Username = cmp.Or(o.Username, "priya-raman")
	o.TimeZone = cmp.Or(o.TimeZone, "Europe/London")
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	cfg.EventTypes = slices.Clone(cfg.EventTypes)
	for i := range cfg.EventTypes {
		et := &cfg.EventTypes[i]
		et.User = cmp.Or(et.User, o.Username)
		et.Title = cmp.Or(et.Title, et.Slug)
		et.Length = cmp.Or(et.Length, 30*time.Minute)
		et.Currency = cmp.Or(et.Currency, "usd")
		et.Location = cmp.Or(et.Location, "integrations:daily")
		if et.Questions == nil {
			et.Questions = []Question{{Slug: cfg.ReferenceKey, Label: "Handoff reference", Hidden: true}}
		}
	}
	return cfg
}

func newRand(seed uint64) *mathrand.Rand {
	var key [32]byte
	if seed == 0 {
		rand.Read(key[:])
	} else {
		copy(key[:], fmt.Sprintf("%032d", seed))
	}
	return mathrand.New(mathrand.NewChaCha8(key))
}

// ServeHTTP answers the booking pages, the API and the control page; the package
// comment lists the routes.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// Close ends all deliveries on their way and waits for them. Later deliveries
// are logged and fail.
func (s *Sim) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.Wait()
}

// Wait returns when no delivery is on its way in the background. Held deliveries
// are not on their way.
func (s *Sim) Wait() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.pending > 0 {
		s.idle.Wait()
	}
}

// background runs f in a goroutine that Wait and Close wait for.
func (s *Sim) background(f func()) {
	s.mu.Lock()
	s.pending++
	s.mu.Unlock()
	go func() {
		defer func() {
			s.mu.Lock()
			s.pending--
			s.idle.Broadcast()
			s.mu.Unlock()
		}()
		f()
	}()
}

// Generation is the one played now.
func (s *Sim) Generation() Generation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gen
}

// SetGeneration plays g from now on. Bookings made earlier keep what was frozen
// when they were made.
func (s *Sim) SetGeneration(g Generation) error {
	if !slices.Contains(Generations(), g) {
		return fmt.Errorf("%w: no generation %q", ErrNotFound, g)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gen = g
	return nil
}

// SetWebhooks replaces all registered webhooks; one that a 410 switched off is
// on again.
func (s *Sim) SetWebhooks(hooks ...Webhook) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.setWebhooks(hooks)
}

func (s *Sim) setWebhooks(hooks []Webhook) {
	s.hooks = nil
	for _, h := range hooks {
		s.hooks = append(s.hooks, hook{Webhook: h, id: s.newHookID()})
	}
}

// Bookings returns all rows, oldest first.
func (s *Sim) Bookings() []Booking {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Booking, 0, len(s.rows))
	for _, r := range s.rows {
		out = append(out, r.Booking.clone())
	}
	return out
}

// Booking returns the row with this uid, or ErrNotFound.
func (s *Sim) Booking(uid string) (Booking, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, err := s.find(uid)
	if err != nil {
		return Booking{}, err
	}
	return r.Booking.clone(), nil
}

// EventTypes returns what can be booked, with all defaults filled in.
func (s *Sim) EventTypes() []EventType { return slices.Clone(*s.types.Load()) }

// Webhooks returns the registered webhooks.
func (s *Sim) Webhooks() []Webhook {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Webhook
	for _, h := range s.hooks {
		if !h.removed() {
			out = append(out, h.Webhook)
		}
	}
	return out
}

// find needs mu.
func (s *Sim) find(uid string) (*row, error) {
	for _, r := range s.rows {
		if r.UID == uid {
			return r, nil
		}
	}
	return nil, fmt.Errorf("%w: booking %q", ErrNotFound, uid)
}

func (s *Sim) eventType(id int) (EventType, error) {
	for _, et := range *s.types.Load() {
		if et.ID == id {
			return et, nil
		}
	}
	return EventType{}, fmt.Errorf("%w: event type %d", ErrNotFound, id)
}

// now is the stand-in's clock: UTC, in milliseconds as Cal.com keeps times.
func (s *Sim) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

const (
	uidLetters = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz" // short-uuid's alphabet
	uidLength  = 22
)

// newUID needs mu.
func (s *Sim) newUID() string {
	b := make([]byte, uidLength)
	for i := range b {
		b[i] = uidLetters[s.rng.IntN(len(uidLetters))]
	}
	return string(b)
}

// newHookID needs mu. It draws nothing, so that uids of a seed stay what they are.
func (s *Sim) newHookID() string {
	s.nextHook++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", s.nextHook)
}

// newUUID needs mu.
func (s *Sim) newUUID() string {
	hi, lo := s.rng.Uint64(), s.rng.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", hi>>32, hi>>16&0xffff, hi&0xfff, lo>>48&0xfff, lo&0xffffffffffff)
}
