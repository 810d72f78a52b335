// Package handoff holds the words and the rules of Handoff: the step between
// "thank you for your enquiry" and "your call is booked".
//
// A visitor of a service business's site sends a form ([Submission]), which
// opens a [Lead]. On the next page the visitor books a call at Cal.com. The
// submission's ID, signed by us (a reference, see [Keys]), travels through
// Cal.com and comes back in its webhooks, so that the booking finds its lead
// without anybody comparing e-mail addresses.
//
// # The one idea
//
// State is a fold over a set of trusted observations. Nothing here applies one
// event after another to a record. Every [Observation] is kept, and the rest is
// derived from all of them by pure functions:
//
//	observations (a set)  ─Fold─▶  bookings  ─Progress─▶  stage of the lead
//	            └────────────Match─▶  which lead a booking belongs to
//
// A set has no order and no duplicates. A webhook that comes twice, late, out of
// order, or as an answer of Cal.com's API, therefore ends in the same bookings,
// the same lead and the same stage. What is not independent of the order is the
// path: a lead whose booking and cancellation are read together goes from "new"
// to "rebook" in one step, where it otherwise takes two.
//
// # Reading order
//
// [Observation] and its order (observation.go), [Fold] (fold.go), [Match]
// (match.go), [Pipeline.Progress] (progress.go), [Keys] (reference.go) and the
// [Reason] a failure can have (failure.go). Each rule is a row of a table test
// beside it; the promise as a whole is in order_test.go.
//
// The package imports the standard library only, does no I/O and reads no clock.
package handoff
