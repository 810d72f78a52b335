package main

import (
	"fmt"
	"math"
)

// A target is what a figure of Handoff is to reach.
type target struct {
	measure string
	program string
	text    string
	least   bool // the limit is the least that is right, not the most
	limit   float64
	value   func(results) float64 // NaN: not measured
}

// targets are all of them, in the order of the measures.
func targets() []target {
	var out []target
	for _, name := range []string{handoffSQLite, handoffPostgres} {
		p := programNamed(name)
		bare := bareOf(p)
		than := func(metric, other string) func(results) float64 {
			return func(r results) float64 { return ratio(r.of(name, metric), r.of(other, metric)) }
		}
		of := func(label, metric string) func(results) float64 {
			return func(r results) float64 { return r.of(label, metric) }
		}
		for _, conns := range atOnce {
			rate := fmt.Sprintf("rate/%d", conns)
			out = append(out, target{"rate", name, fmt.Sprintf("of the bare limit, %d connections", conns), true, 0.6, than(rate, bare)})
			out = append(out, target{"rate", name, fmt.Sprintf("times Next.js, %d connections", conns), true, 8, than(rate, nextjs)})
			if p.engine == sqlite {
				out = append(out, target{"rate", name, fmt.Sprintf("times PocketBase FULL, %d connections", conns), true, 5, than(rate, pocketbaseFull)})
			}
		}
		out = append(
			out,
			target{"latency", name, "times the bare limit's p99 at 1,000 a second", false, 1.5, than("ack/1000/p99", bare)},
			target{"memory", name, "MB, idle", false, 60, of(name, "memory/idle")},
			target{"memory", name, "MB, loaded", false, 120, of(name, "memory/loaded")},
			target{"disk", name, "MB for 10,000 events", false, 25, of(name, "disk")},
			target{"start", name, "ms to the first answer on the big store", false, 100, of(name+" "+big, "start")},
		)
		for _, g := range growthMetrics {
			out = append(out, target{"growth", name, "times " + g.name, false, 1.3, func(r results) float64 { return g.factor(r, name) }})
		}
	}
	return out
}

// verdict says whether a target is met.
func (t target) verdict(r results) string {
	v := t.value(r)
	switch {
	case math.IsNaN(v):
		return "not measured"
	case t.least && v >= t.limit || !t.least && v <= t.limit:
		return "met"
	}
	return "**missed**"
}

// sign is how the limit is written.
func (t target) sign() string {
	if t.least {
		return "≥"
	}
	return "≤"
}
