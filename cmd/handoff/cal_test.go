package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// calDoes is the persona "cal": the host, the network and Cal.com's own moods,
// through the stand-in's control API:
//
//	faults forge [count=1] …      what goes wrong from now on; "faults none" ends it
//	books name=… email=… [type=90210] [reschedule=UID] [metadata.submissionId=…] [answers.submissionId=…]
//	                              a booking that did not come through our page; the uid is in $uid
//	ACTION UID [reason=…] [by=host] [carry=page|api|nothing]
//	                              accept, reject, cancel, reschedule, no-show, …; a new uid is in $uid
//	ping, out-of-office, form     what is no booking
//	release in-order|reversed|shuffled [seed=N]
//	redeliver first|last|N        the same bytes again
//	log TRIGGER:STATUS …          exactly these deliveries were made since the last look
//	opens [older]                 an account of its own that knows nothing of us (cal_account_test.go)
//	has webhooks=N questions=N    what is registered there
//	spoils secret|triggers|…      somebody changes the first webhook there
//
// Each acts once what went before is done, as people are slower than machines.
func calDoes(c *call) error {
	what := c.next()
	switch what {
	case "opens":
		return c.opens()
	case "has":
		return c.has()
	case "spoils":
		return c.spoils()
	case "faults":
		return c.control("faults", faultsOf(c), nil)
	case "log":
		return c.log()
	}
	if err := c.quiet(); err != nil {
		return err
	}
	switch what {
	case "books":
		return c.books()
	case "ping", "out-of-office", "form":
		return c.control("action", map[string]any{"action": what}, nil)
	case "release":
		order := c.next()
		seed, err := strconv.Atoi(one(c.options("seed"), "seed", "1"))
		if err != nil {
			return err
		}
		return c.control("release", map[string]any{"order": order, "seed": seed}, nil)
	case "redeliver":
		return c.redeliver(c.next())
	case "delivers":
		return c.delivers()
	default:
		return c.act(what, c.next())
	}
}

// control makes one call to the stand-in's control API.
func (w *world) control(what string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return err
	}
	res, err := http.Post(w.cal+"/control/"+what, "application/json", bytes.NewReader(b))
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("cal %s: %s %s", what, res.Status, answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer, out)
}

// faultsOf reads faults as calsim.Faults names them; delay=200ms.
func faultsOf(c *call) map[string]any {
	out := map[string]any{}
	for _, a := range c.args {
		name, value, given := strings.Cut(a, "=")
		switch d, err := time.ParseDuration(value); {
		case name == "none":
		case !given:
			out[name] = true
		case name == "delay" && err == nil:
			out[name] = d
		default:
			n, err := strconv.Atoi(value)
			if err != nil {
				c.ts.Fatalf("fault %s: %v", a, err)
			}
			out[name] = n
		}
	}
	return out
}

// later is a start that nobody else has chosen.
func (w *world) later() time.Time {
	if w.slot.IsZero() {
		w.slot = time.Now().UTC().AddDate(0, 1, 0).Truncate(24 * time.Hour)
	}
	w.slot = w.slot.Add(2 * time.Hour)
	return w.slot
}

type calBooking struct{ UID, ICalUID string }

func (c *call) books() error {
	o := c.options("name", "email", "type", "reschedule", "metadata.", "answers.")
	eventType, err := strconv.Atoi(one(o, "type", "90210"))
	if err != nil {
		return err
	}
	in := map[string]any{
		"eventTypeId": eventType, "start": c.later(), "name": one(o, "name", "Somebody"), "email": one(o, "email", "somebody@else.example"),
		"rescheduleUid": one(o, "reschedule", ""),
	}
	for _, carrier := range []string{"metadata", "answers"} {
		carried := map[string]string{}
		for name, values := range o {
			if key, ok := strings.CutPrefix(name, carrier+"."); ok {
				carried[key] = values[0]
			}
		}
		in[carrier] = carried
	}
	var b calBooking
	err = c.control("book", in, &b)
	c.ts.Setenv("uid", b.UID)
	return err
}

func (c *call) act(action, uid string) error {
	o := c.options("reason", "by", "carry")
	in := map[string]any{"action": action, "uid": uid, "reason": one(o, "reason", ""), "by": one(o, "by", ""), "carry": one(o, "carry", "")}
	if action == "reschedule" {
		in["start"] = c.later()
	}
	var b calBooking
	if err := c.control("action", in, &b); err != nil {
		return err
	}
	c.ts.Setenv("uid", b.UID)
	return nil
}

// calendarUID is what Cal.com itself writes into the invitation for a booking.
func (w *world) calendarUID(uid string) (string, error) {
	res, err := http.Get(w.cal + "/control/bookings")
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	var answer struct{ Bookings []calBooking }
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return "", err
	}
	i := slices.IndexFunc(answer.Bookings, func(b calBooking) bool { return b.UID == uid })
	if i < 0 {
		return "", fmt.Errorf("Cal.com has no booking %s", uid)
	}
	return answer.Bookings[i].ICalUID, nil
}

// A made is one delivery in the stand-in's log.
type made struct {
	Index   int
	Trigger string
	Outcome string
	Status  int
	Header  http.Header
	Body    string
}

// made lists the deliveries, once none is on its way.
func (w *world) made() ([]made, error) {
	res, err := http.Get(w.cal + "/control/deliveries?wait=1")
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	var answer struct{ Deliveries []made }
	return answer.Deliveries, json.NewDecoder(res.Body).Decode(&answer)
}

func (c *call) redeliver(which string) error {
	all, err := c.made()
	if err != nil {
		return err
	}
	index := 0
	switch which {
	case "first":
		index = all[0].Index
	case "last":
		index = all[len(all)-1].Index
	default:
		if index, err = strconv.Atoi(which); err != nil {
			return err
		}
	}
	return c.control("redeliver", map[string]any{"index": index}, nil)
}

func (c *call) log() error {
	all, err := c.made()
	if err != nil {
		return err
	}
	got := []string{}
	for _, d := range all {
		if d.Index <= c.logged {
			continue
		}
		c.logged = d.Index
		if d.Outcome == "sent" {
			d.Outcome = strconv.Itoa(d.Status)
		}
		got = append(got, strings.TrimPrefix(d.Trigger, "BOOKING_")+":"+d.Outcome)
	}
	if slices.Equal(c.args, []string{"none"}) {
		c.args = []string{}
	}
	return same(got, c.args)
}
