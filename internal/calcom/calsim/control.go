package calsim

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// controlRequest is one operation of POST /control/action, as JSON or as a form.
type controlRequest struct {
	Action  string    `json:"action"` // a key of operations
	UID     string    `json:"uid"`
	Reason  string    `json:"reason"`
	By      string    `json:"by"` // "visitor", "host" or an e-mail address
	Seat    string    `json:"seat"`
	Start   time.Time `json:"start"`
	Carry   Carry     `json:"carry"`
	Name    string    `json:"name"`
	Service string    `json:"service"`
}

// operations are all actions that the control page and POST /control/action
// know. reschedule answers with the new booking.
var operations = map[string]func(*Sim, controlRequest) (Booking, error){
	"accept": func(s *Sim, c controlRequest) (Booking, error) { return Booking{}, s.Accept(c.UID) },
	"reject": func(s *Sim, c controlRequest) (Booking, error) { return Booking{}, s.Reject(c.UID, c.Reason) },
	"cancel": func(s *Sim, c controlRequest) (Booking, error) {
		return Booking{}, s.Cancel(c.UID, c.Reason, s.person(c.By))
	},
	"cancel-by-host": func(s *Sim, c controlRequest) (Booking, error) {
		return Booking{}, s.Cancel(c.UID, c.Reason, s.person("host"))
	},
	"cancel-seat": func(s *Sim, c controlRequest) (Booking, error) {
		return Booking{}, s.CancelSeat(c.UID, c.Seat, c.Reason, s.person(c.By))
	},
	"cancel-remaining": func(s *Sim, c controlRequest) (Booking, error) {
		return Booking{}, s.CancelRemaining(c.UID, c.Reason, s.person(c.By))
	},
	"request-reschedule": func(s *Sim, c controlRequest) (Booking, error) {
		return Booking{}, s.RequestReschedule(c.UID, c.Reason)
	},
	"reschedule": func(s *Sim, c controlRequest) (Booking, error) {
		return s.Reschedule(c.UID, c.Start, c.Carry, s.person(c.By))
	},
	"pay":             func(s *Sim, c controlRequest) (Booking, error) { return Booking{}, s.Pay(c.UID) },
	"no-show":         func(s *Sim, c controlRequest) (Booking, error) { return Booking{}, s.MarkNoShow(c.UID, true) },
	"undo-no-show":    func(s *Sim, c controlRequest) (Booking, error) { return Booking{}, s.MarkNoShow(c.UID, false) },
	"meeting-started": func(s *Sim, c controlRequest) (Booking, error) { return Booking{}, s.MeetingStarted(c.UID) },
	"meeting-ended":   func(s *Sim, c controlRequest) (Booking, error) { return Booking{}, s.MeetingEnded(c.UID) },
	"guests-no-show":  func(s *Sim, c controlRequest) (Booking, error) { return Booking{}, s.GuestsNoShow(c.UID) },
	"recording-ready": func(s *Sim, c controlRequest) (Booking, error) { return Booking{}, s.RecordingReady(c.UID) },
	"ping":            func(s *Sim, _ controlRequest) (Booking, error) { s.Ping(); return Booking{}, nil },
	"out-of-office":   func(s *Sim, _ controlRequest) (Booking, error) { s.OutOfOffice(); return Booking{}, nil },
	"form": func(s *Sim, c controlRequest) (Booking, error) {
		s.SubmitForm(cmp.Or(c.Name, "Dana Whitfield"), cmp.Or(c.Service, "Boiler"))
		return Booking{}, nil
	},
}

// person is the e-mail address behind a word of the control page; "" means the
// attendee's.
func (s *Sim) person(by string) string {
	switch by {
	case "host":
		return s.cfg.Organizer.Email
	case "visitor":
		return ""
	}
	return by
}

// done ends an operation: JSON for a script, for a form back to the page with
// one sentence.
func (s *Sim) done(w http.ResponseWriter, r *http.Request, what string, answer any, err error) {
	if isJSON(r) {
		if err != nil {
			writeJSON(w, statusOf(err), object{{"error", err.Error()}})
			return
		}
		writeJSON(w, http.StatusOK, answer)
		return
	}
	kind := "did"
	if err != nil {
		kind, what = "failed", err.Error()
	}
	http.Redirect(w, r, "/?"+url.Values{kind: {what}}.Encode(), http.StatusSeeOther)
}

// read fills v from JSON, or calls form when the body is one. It answers 400
// and returns false if neither can be read.
func (s *Sim) read(w http.ResponseWriter, r *http.Request, v any, form func(url.Values) error) bool {
	var err error
	if isJSON(r) {
		err = readJSON(w, r, v)
	} else {
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		if err = r.ParseForm(); err == nil && form != nil {
			err = form(r.PostForm)
		}
	}
	if err == nil {
		return true
	}
	writeJSON(w, http.StatusBadRequest, object{{"error", "the request could not be read: " + err.Error()}})
	return false
}

// controlBook is POST /control/book: JSON as BookRequest; answers the booking.
func (s *Sim) controlBook(w http.ResponseWriter, r *http.Request) {
	var req BookRequest
	if !s.read(w, r, &req, func(f url.Values) (err error) {
		req.EventType, _ = strconv.Atoi(f.Get("eventTypeId"))
		req.Name, req.Email, req.Notes, req.Metadata = f.Get("name"), f.Get("email"), f.Get("notes"), metadataOf(f)
		req.Start, err = time.Parse(time.RFC3339, f.Get("start"))
		return err
	}) {
		return
	}
	b, err := s.Book(req)
	s.done(w, r, "Booked "+b.UID, b, err)
}

// controlAction is POST /control/action.
func (s *Sim) controlAction(w http.ResponseWriter, r *http.Request) {
	var c controlRequest
	if !s.read(w, r, &c, func(f url.Values) (err error) {
		c = controlRequest{
			Action: f.Get("action"), UID: f.Get("uid"), Reason: f.Get("reason"), By: f.Get("by"),
			Seat: f.Get("seat"), Carry: Carry(f.Get("carry")),
		}
		if v := f.Get("start"); v != "" && c.Action == "reschedule" {
			c.Start, err = time.Parse(time.RFC3339, v)
		}
		return err
	}) {
		return
	}
	do, ok := operations[c.Action]
	if !ok {
		s.done(w, r, "", nil, fmt.Errorf("%w: action %q", ErrNotFound, c.Action))
		return
	}
	b, err := do(s, c)
	if err == nil && b.UID == "" && c.UID != "" {
		b, err = s.Booking(c.UID)
	}
	s.done(w, r, "Done: "+c.Action, b, err)
}

// controlFaults is POST /control/faults: JSON as Faults, or a form in which
// "fault" is a name of faultChoices and "count" for how many deliveries.
func (s *Sim) controlFaults(w http.ResponseWriter, r *http.Request) {
	var f Faults
	if !s.read(w, r, &f, func(v url.Values) (err error) {
		for _, name := range v["fault"] {
			i := slices.IndexFunc(faultChoices, func(c faultChoice) bool { return c.Name == name })
			if i < 0 {
				return fmt.Errorf("no fault %q", name)
			}
			faultChoices[i].set(&f)
		}
		if n := v.Get("count"); n != "" {
			f.Count, err = strconv.Atoi(n)
		}
		return err
	}) {
		return
	}
	s.SetFaults(f)
	what := "Everything works again"
	if names := f.names(); len(names) > 0 {
		what = fmt.Sprintf("Faults are on: %v", names)
	}
	s.done(w, r, what, f, nil)
}

// controlRelease is POST /control/release {"order":"reversed","seed":1}.
func (s *Sim) controlRelease(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Order Order  `json:"order"`
		Seed  uint64 `json:"seed"`
	}
	if !s.read(w, r, &in, func(v url.Values) error { in.Order = Order(v.Get("order")); return nil }) {
		return
	}
	if in.Order == Shuffled && in.Seed == 0 && !isJSON(r) {
		in.Seed = uint64(s.now().UnixMilli())
	}
	n := s.Release(in.Order, in.Seed)
	s.done(w, r, fmt.Sprintf("Released %d deliveries", n), object{{"released", n}}, nil)
}

// controlRedeliver is POST /control/redeliver {"index":3}.
func (s *Sim) controlRedeliver(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Index int `json:"index"`
	}
	if !s.read(w, r, &in, func(v url.Values) (err error) { in.Index, err = strconv.Atoi(v.Get("index")); return err }) {
		return
	}
	d, err := s.Redeliver(in.Index)
	s.done(w, r, fmt.Sprintf("Sent delivery %d again", in.Index), d, err)
}

// controlGeneration is POST /control/generation {"generation":"caldiy"}.
func (s *Sim) controlGeneration(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Generation Generation `json:"generation"`
	}
	if !s.read(w, r, &in, func(v url.Values) error { in.Generation = Generation(v.Get("generation")); return nil }) {
		return
	}
	err := s.SetGeneration(in.Generation)
	s.done(w, r, "Now playing "+string(in.Generation), object{{"generation", in.Generation}}, err)
}

// listBookings is GET /control/bookings.
func (s *Sim) listBookings(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, object{{"bookings", s.Bookings()}})
}

// listDeliveries is GET /control/deliveries; ?wait=1 first waits until nothing
// is on its way. "body" is the text that was sent.
func (s *Sim) listDeliveries(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Get("wait") != "" {
		s.Wait()
	}
	type entry struct {
		Delivery
		Text string `json:"body"`
	}
	out := []entry{}
	for _, d := range s.Deliveries() {
		out = append(out, entry{d, string(d.Body)})
	}
	writeJSON(w, http.StatusOK, object{{"deliveries", out}})
}

// showBody is the raw body of one delivery.
func (s *Sim) showBody(w http.ResponseWriter, r *http.Request) {
	index, _ := strconv.Atoi(r.PathValue("index"))
	for _, d := range s.Deliveries() {
		if d.Index == index {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Content-Security-Policy", "default-src 'none'")
			_, _ = w.Write(d.Body)
			return
		}
	}
	http.Error(w, "no such delivery", http.StatusNotFound)
}
