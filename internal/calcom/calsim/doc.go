// Package calsim plays Cal.com for the demo and for tests: booking pages that
// can be embedded, signed webhooks in the shapes of three Cal.com generations,
// the reading half of API v2, and a control page on which a host, a visitor or a
// bad network is played by hand.
//
// It is honest to calcom.md, the collected facts about Cal.com, whose sections
// are named beside each fact in the code: which event loses the visitor's
// metadata, which has an iCalUID, when a webhook is sent before the row changes,
// what an accepted request is called. What is inference there is called so here.
//
// It uses the standard library only and imports no other package of Handoff, so
// that a mistake in Handoff's reading of Cal.com cannot hide behind the same
// mistake in the stand-in.
//
// # Use from Go
//
//	sim := calsim.New(calsim.Config{
//		Origin:     "http://cal.localhost:8202",
//		Generation: calsim.SelfHosted2025,
//		Webhooks:   []calsim.Webhook{{URL: hookURL, Secret: "whsec_…"}},
//		EventTypes: []calsim.EventType{{ID: 90210, Slug: "survey-call", Title: "Survey call"}},
//	})
//	defer sim.Close()
//	b, err := sim.Book(calsim.BookRequest{EventType: 90210, Start: start, Name: …, Email: …,
//		Metadata: map[string]string{"submissionId": ref}, Answers: map[string]string{"submissionId": ref}})
//	sim.SetFaults(calsim.Faults{Forge: true, Count: 1})
//	err = sim.Cancel(b.UID, "no time", "")
//	sim.Wait() // deliveries of Cloud2026 are made in the background
//
// # Pages
//
//	GET  /                       control page
//	GET  /{user}/{slug}          booking page; query as in calcom.md §2.3
//	GET  /{user}/{slug}/embed    the same, hidden until a parent frame answers
//	POST /{user}/{slug}          its form, without scripts; 303 to the booking
//	GET  /booking/{uid}          one booking, for its visitor
//	POST /booking/{uid}/cancel   form: reason
//	POST /booking/{uid}/pay      stands in for the payment page
//	GET  /embed/embed.js         the words of the frame protocol
//	GET  /reschedule/{uid}       302 to the booking page, without the metadata
//	GET  /video/{uid}            where a meeting link leads: one sentence
//	POST /api/book/event         the booking page's own API, JSON
//
// # API v2
//
//	GET /v2/bookings             Bearer Config.APIKey; afterUpdatedAt, beforeUpdatedAt,
//	                             sortUpdatedAt, take (1 to 250), skip, eventTypeId(s)
//	GET /v2/bookings/{uid}       public by uid
//	GET /v2/teams, /v2/event-types, /v2/teams/{team}/event-types
//	GET, POST /v2/webhooks, and PATCH, DELETE /v2/webhooks/{id}; the same below
//	    /v2/event-types/{type} and /v2/teams/{team}/event-types/{type}
//	POST /v2/event-types/{type}/booking-fields      in the cloud's generation only
//
// Bookings want the header cal-api-version: 2024-08-13; without it they answer in an
// older shape, as the real one does.
//
// # Control, for scripts
//
// A request with Content-Type application/json is answered with JSON, a form
// post with 303 to the control page. Errors are {"error":"…"} with 400, 404 or
// 409. Pages of other origins are refused (http.CrossOriginProtection).
//
//	POST /control/book        BookRequest                           → Booking
//	POST /control/action      {"action":"cancel","uid":"…","reason":"…","by":"visitor|host|e-mail",
//	                           "seat":"…","start":"RFC 3339","carry":"page|api|nothing"} → Booking
//	POST /control/faults      Faults                                → Faults
//	POST /control/release     {"order":"in-order|reversed|shuffled","seed":1} → {"released":n}
//	POST /control/redeliver   {"index":3}                           → Delivery
//	POST /control/generation  {"generation":"caldiy"}               → {"generation":…}
//	GET  /control/bookings                                          → {"bookings":[…]}
//	GET  /control/deliveries  ?wait=1 drains first                  → {"deliveries":[…]}, with "body"
//	GET  /control/deliveries/{index}/body                           the bytes that were sent
//
// Actions: accept, reject, cancel, cancel-by-host, cancel-seat, cancel-remaining,
// request-reschedule, reschedule, pay, no-show, undo-no-show, meeting-started,
// meeting-ended, guests-no-show, recording-ready, ping, out-of-office, form.
//
// # What it does not play
//
// Reassignment, location edits and added guests (they send no webhook anyway),
// the rescheduling of a single seat, custom payload templates, real availability,
// e-mail.
package calsim
