package main

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A load is what the generator does to one program.
type load struct {
	addr     string
	requests [][]byte // each is sent once
	conns    int      // connections, persistent
	want     int      // the status that counts as done
	duration time.Duration
	most     int // requests; 0: all

	// rate is how many are sent in a second whether or not answers come (open
	// loop); 0: each connection sends its next after its answer (closed loop).
	rate float64
	// sending is called before each request with its number and the time at which
	// it is due; nil: nobody listens.
	sending func(i int, due time.Time)
}

// An outcome is what came of a load.
type outcome struct {
	used    int             // requests that were sent
	done    int             // answered as wanted
	other   map[int]int     // answers with another status; 0: none came
	took    time.Duration   // from the first request to the last answer
	latency []time.Duration // of those done, sorted; of an open loop from when they were due
	ranOut  bool            // all requests were used before the time was over
	err     error           // the last one of a connection
}

// run makes the load. It returns early if ctx ends.
func (l load) run(ctx context.Context) outcome {
	var next atomic.Int64
	var all sync.WaitGroup
	parts := make([]outcome, l.conns)
	limit := len(l.requests)
	if l.most > 0 {
		limit = min(limit, l.most)
	}
	if l.rate > 0 {
		limit = min(limit, int(l.rate*l.duration.Seconds()))
	}
	wires := make([]wire, l.conns)
	for c := range wires {
		wires[c].addr = l.addr
		_ = wires[c].open() // an error comes back with the first request
		defer wires[c].close()
	}
	start := time.Now()
	for c := range wires {
		all.Go(func() {
			for ctx.Err() == nil {
				if l.rate == 0 && time.Since(start) >= l.duration {
					return
				}
				i := int(next.Add(1)) - 1
				if i >= limit {
					parts[c].ranOut = l.rate == 0
					return
				}
				l.one(&wires[c], i, start, &parts[c])
			}
		})
	}
	all.Wait()
	out := merge(parts)
	out.took = time.Since(start)
	return out
}

// one sends one request and notes its answer.
func (l load) one(w *wire, i int, start time.Time, out *outcome) {
	due := time.Now()
	if l.rate > 0 {
		due = start.Add(dueAt(i, l.rate))
		time.Sleep(time.Until(due))
	}
	if l.sending != nil {
		l.sending(i, due)
	}
	status, err := w.do(l.requests[i], nil)
	took := time.Since(due)
	out.used++
	if err != nil {
		out.err = err
	}
	if status == l.want {
		out.done++
		out.latency = append(out.latency, took)
		return
	}
	if out.other == nil {
		out.other = map[int]int{}
	}
	out.other[status]++
}

// merge adds the outcomes of the connections.
func merge(parts []outcome) outcome {
	out := outcome{other: map[int]int{}}
	for _, p := range parts {
		out.used += p.used
		out.done += p.done
		for status := range maps.Keys(p.other) {
			out.other[status] += p.other[status]
		}
		out.latency = append(out.latency, p.latency...)
		out.ranOut = out.ranOut || p.ranOut
		if p.err != nil {
			out.err = p.err
		}
	}
	slices.Sort(out.latency)
	return out
}

// perSecond is the rate of what was done.
func (o outcome) perSecond() float64 { return float64(o.done) / o.took.Seconds() }

// inParallel calls do for each of n numbers over a few connections, until one
// fails.
func inParallel(ctx context.Context, addr string, conns, n int, do func(i int, w *wire) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var all sync.WaitGroup
	for range conns {
		all.Go(func() {
			w := wire{addr: addr}
			defer w.close()
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := do(i, &w); err != nil {
					cancel(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}
