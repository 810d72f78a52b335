package calsim

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"
)

// An Outcome is what became of a delivery.
type Outcome string

// The outcomes. Only Sent has an HTTP status.
const (
	Waiting Outcome = "waiting" // on its way, or delayed
	Sent    Outcome = "sent"    // answered, with whatever status
	Failed  Outcome = "failed"  // no answer
	Dropped Outcome = "dropped" // by a fault: never sent
	Held    Outcome = "held"    // by a fault: until Release
)

// A Delivery is one attempt to send one event to one webhook.
type Delivery struct {
	Index   int         `json:"index"` // 1, 2, 3 … in the order they were made
	Trigger string      `json:"trigger"`
	UID     string      `json:"uid,omitempty"` // of the booking; "" for PING, forms, out of office
	URL     string      `json:"url"`
	Body    []byte      `json:"-"` // exactly what is sent
	Header  http.Header `json:"header"`
	Made    time.Time   `json:"made"`
	Sent    time.Time   `json:"sent,omitzero"`
	Outcome Outcome     `json:"outcome"`
	Status  int         `json:"status,omitempty"` // HTTP; 0 without an answer
	Error   string      `json:"error,omitempty"`
	Attempt int         `json:"attempt"`          // 1, or more for a retry
	Faults  []string    `json:"faults,omitempty"` // that were on
	Repeats int         `json:"repeats,omitempty"`
	hook    int         // index of the webhook, for a 410
}

// maxLog bounds the delivery log; the oldest go first.
const maxLog = 2000

// attemptTimeout is [CLOUD26]'s AbortSignal.timeout; the direct path has none
// (calcom.md §1.6).
const attemptTimeout = 20 * time.Second

// An event is one thing to tell all webhooks.
type event struct {
	trigger, uid string

	// payload builds what goes below "payload"; root builds a whole body. One of
	// them is set. url is the subscriber's.
	payload func(url string, at time.Time) object
	root    func(at time.Time) object
}

// of is an event whose payload is the same for every subscriber.
func of(trigger, uid string, payload object) event {
	return event{trigger: trigger, uid: uid, payload: func(string, time.Time) object { return payload }}
}

func (ev event) body(url string, at time.Time) object {
	if ev.root != nil {
		return ev.root(at)
	}
	return object{{"triggerEvent", ev.trigger}, {"createdAt", at.Format(timeMillis)}, {"payload", ev.payload(url, at)}}
}

// emit tells every webhook each event, in order: within this call in direct
// generations, as the real one keeps the visitor waiting, else in the
// background. Subscribers of one event are served one after another, with
// createdAt a millisecond apart in the direct path (calcom.md §1.6, §9.3).
func (s *Sim) emit(events ...event) {
	for _, ev := range events {
		batch := s.prepare(ev)
		if s.Generation().direct() {
			s.sendAll(batch)
			continue
		}
		s.background(func() { s.sendAll(batch) })
	}
}

// prepare builds and logs the deliveries of ev, with the faults of the moment,
// and returns those to send now.
func (s *Sim) prepare(ev event) []*Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	var now []*Delivery
	at := s.now()
	of, team := 0, 0
	if row, err := s.find(ev.uid); err == nil {
		of = row.EventType
		if et, err := s.eventType(of); err == nil {
			team = et.Team
		}
	}
	told := map[string]bool{} // of no booking: the addresses of event types' webhooks
	for i, h := range s.hooks {
		if !h.wants(ev, of, team) || ev.uid == "" && h.EventType != 0 && told[h.URL] {
			continue
		}
		told[h.URL] = true
		f := s.takeFaults()
		d := &Delivery{Trigger: ev.trigger, UID: ev.uid, URL: h.URL, Made: at, Outcome: Waiting, Attempt: 1, Faults: f.names(), Repeats: f.Duplicate, hook: i}
		created := at
		if s.gen.direct() {
			created = at.Add(time.Duration(i) * time.Millisecond)
		}
		body, signature, err := f.seal(ev.body(h.URL, created), s.cfg.ReferenceKey, h.Secret, s.cfg.OldSecret)
		d.Body, d.Header = body, s.headers(signature)
		switch {
		case err != nil:
			d.Outcome, d.Error = Failed, err.Error()
		case f.Drop:
			d.Outcome = Dropped
		case f.Hold:
			d.Outcome = Held
			s.held = append(s.held, d)
		case f.Delay > 0:
			s.later(d, f.Delay)
		default:
			now = append(now, d)
		}
		s.record(d)
	}
	return now
}

// wants reports whether a webhook is sent an event of a booking of this event type and
// team. A user's own is not sent for a team's event types (calcom.md §1.6). What is of no
// booking is told to an event type's webhook too, once an address: at the real one only
// the webhooks of a user or a team hear of it, but here somebody presses a button to see
// what the other side makes of it.
func (h hook) wants(ev event, of, team int) bool {
	switch {
	case h.gone || h.Inactive:
		return false
	case len(h.Triggers) > 0 && !slices.Contains(h.Triggers, ev.trigger):
		return false
	case h.EventType == 0:
		return team == 0
	}
	return h.EventType == of || ev.uid == ""
}

// later sends d after the delay. It needs mu.
func (s *Sim) later(d *Delivery, delay time.Duration) {
	s.pending++
	go func() {
		select {
		case <-time.After(delay):
		case <-s.ctx.Done():
		}
		s.sendAll([]*Delivery{d})
		s.mu.Lock()
		s.pending--
		s.idle.Broadcast()
		s.mu.Unlock()
	}()
}

// headers are those that Cal.com's code and Node's fetch set; the version
// header is missing in [2512] (calcom.md §1.2). It needs mu.
func (s *Sim) headers(signature string) http.Header {
	h := http.Header{
		"Content-Type": {"application/json"}, "Accept": {"*/*"}, "Accept-Language": {"*"},
		"Sec-Fetch-Mode": {"cors"}, "User-Agent": {"node"}, "Accept-Encoding": {"gzip, deflate"},
	}
	if signature != "" {
		h.Set(signatureHeader, signature)
	}
	if s.gen != SelfHosted2025 {
		h.Set(versionHeader, webhookVersion)
	}
	return h
}

// record puts d into the log. It needs mu.
func (s *Sim) record(d *Delivery) {
	d.Index = s.nextIndex
	s.nextIndex++
	if len(s.deliveries) == maxLog {
		s.deliveries = slices.Delete(s.deliveries, 0, 1)
	}
	s.deliveries = append(s.deliveries, d)
}

// again logs a new attempt with the same bytes and headers.
func (s *Sim) again(d *Delivery, attempt int, why string) *Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &Delivery{
		Trigger: d.Trigger, UID: d.UID, URL: d.URL, Body: d.Body, Header: d.Header.Clone(), Made: s.now(),
		Outcome: Waiting, Attempt: attempt, Faults: []string{why}, hook: d.hook,
	}
	s.record(c)
	return c
}

// sendAll sends the batch one after another, each with its repeats and, in the
// cloud, its retries.
func (s *Sim) sendAll(batch []*Delivery) {
	for _, d := range batch {
		s.sendWithRetries(d)
		for range d.Repeats {
			s.sendWithRetries(s.again(d, 1, "duplicate"))
		}
	}
}

func (s *Sim) sendWithRetries(d *Delivery) {
	s.send(d)
	if s.Generation().direct() {
		return
	}
	for i, pause := range s.cfg.Retry {
		if !s.retryable(d) {
			return
		}
		select {
		case <-time.After(pause):
		case <-s.ctx.Done():
			return
		}
		d = s.again(d, i+2, "retry")
		s.send(d)
	}
}

// retryable says what deliver-webhook.ts tries again: no answer, 408, 429, 500,
// 502, 503, 504 (calcom.md §1.6).
func (s *Sim) retryable(d *Delivery) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d.Outcome == Failed {
		return true
	}
	return slices.Contains([]int{408, 429, 500, 502, 503, 504}, d.Status)
}

// send makes one request and notes its outcome.
func (s *Sim) send(d *Delivery) {
	status, err := s.post(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Sent = s.now()
	d.Outcome, d.Status = Sent, status
	if err != nil {
		d.Outcome, d.Error = Failed, err.Error()
		s.log.Warn("calsim: webhook not delivered", "trigger", d.Trigger, "uid", d.UID, "error", err)
		return
	}
	s.log.Info("calsim: webhook delivered", "trigger", d.Trigger, "uid", d.UID, "status", status)
	// deactivateIfGone, cloud only.
	if status == http.StatusGone && !s.gen.direct() && d.hook < len(s.hooks) && s.hooks[d.hook].URL == d.URL {
		s.hooks[d.hook].gone = true
	}
}

func (s *Sim) post(d *Delivery) (status int, err error) {
	ctx := s.ctx
	if !s.Generation().direct() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, attemptTimeout)
		defer cancel()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.URL, bytes.NewReader(d.Body))
	if err != nil {
		return 0, err
	}
	req.Header = d.Header.Clone()
	res, err := s.client.Do(req)
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	// Read so that the connection is used again; the answer's text is nobody's.
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 64<<10))
	return res.StatusCode, nil
}

// Deliveries returns the log, oldest first.
func (s *Sim) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Delivery, 0, len(s.deliveries))
	for _, d := range s.deliveries {
		c := *d
		c.Body, c.Header = bytes.Clone(d.Body), d.Header.Clone()
		out = append(out, c)
	}
	return out
}

// An Order says in which order held deliveries are released.
type Order string

// The orders. Shuffled depends on the seed only.
const (
	InOrder  Order = "in-order"
	Reversed Order = "reversed"
	Shuffled Order = "shuffled"
)

// Release sends all held deliveries, one after another, before it returns, and
// ends Faults.Hold. It returns how many they were.
func (s *Sim) Release(order Order, seed uint64) int {
	s.mu.Lock()
	batch := s.held
	s.held, s.faults.Hold = nil, false
	for _, d := range batch {
		d.Outcome = Waiting
	}
	s.mu.Unlock()

	switch order {
	case Reversed:
		slices.Reverse(batch)
	case Shuffled:
		newRand(seed+1).Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	}
	s.sendAll(batch)
	return len(batch)
}

// Redeliver sends the bytes and headers of a logged delivery again, whatever
// became of it, and returns the new attempt. Faults do not touch it.
func (s *Sim) Redeliver(index int) (Delivery, error) {
	s.mu.Lock()
	i := slices.IndexFunc(s.deliveries, func(d *Delivery) bool { return d.Index == index })
	var old Delivery
	if i >= 0 {
		old = *s.deliveries[i]
	}
	s.mu.Unlock()
	if i < 0 {
		return Delivery{}, fmt.Errorf("%w: delivery %d", ErrNotFound, index)
	}
	d := s.again(&old, 1, "sent again by hand")
	s.send(d)
	s.mu.Lock()
	defer s.mu.Unlock()
	return *d, nil
}
