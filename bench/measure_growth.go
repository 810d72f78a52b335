package main

import (
	"fmt"
	"log"
	"syscall"
)

// The two sizes of a store, as in the results.
const (
	small = "small"
	big   = "big"
)

// A growthMetric is one that growth compares.
type growthMetric struct {
	metric, name string
	moreIsBetter bool
}

// factor is how much worse it is with many leads; NaN: not measured.
func (g growthMetric) factor(r results, program string) float64 {
	few, many := r.of(program+" "+small, g.metric), r.of(program+" "+big, g.metric)
	if g.moreIsBetter {
		return ratio(few, many)
	}
	return ratio(many, few)
}

// growthMetrics are all of them.
var growthMetrics = []growthMetric{
	{"rate/128", "acknowledgements a second, 128 connections", true},
	{"moved/128", "leads moved a second meanwhile", true},
	{"ack/200/p99", "p99 of the acknowledgement at 200 a second", false},
	{"ack/1000/p99", "p99 of the acknowledgement at 1,000 a second", false},
	{"visible/50/p99", "p99 to the visible stage at 50 a second", false},
	{"visible/200/p99", "p99 to the visible stage at 200 a second", false},
	{"forms", "forms a second", true},
	{"memory/idle", "memory, idle", false},
	{"memory/loaded", "memory, loaded", false},
	{"start", "start to first answer", false},
}

// takeGrowth measures Handoff with few and with many leads in its store, in turns.
// Each run has webhooks and waiting leads of its own: the small store is made anew
// for each, since it would not stay small.
func (b *bench) takeGrowth() error {
	for _, p := range b.measured() {
		if !p.later {
			continue
		}
		if err := b.growth(p); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	return nil
}

func (b *bench) growth(p *program) error {
	part := len(b.webhooks.requests) / max(b.runs, 1)
	few, err := b.newStore(p, p.name+"-small", oldLeads, b.webhooks.slice(0, part))
	if err != nil {
		return err
	}
	defer few.remove()
	many, err := b.newStore(p, p.name+"-big", b.leads, b.webhooks)
	if err != nil {
		return err
	}
	defer many.remove()
	syscall.Sync()
	if size, err := many.size(b.ctx); err == nil {
		log.Printf("  the big store of %s takes %.2f GB", p.name, float64(size)/1e9)
	}
	for r := range b.runs {
		st, err := few.clone(b.ctx, fmt.Sprintf("%s-small-%d", p.name, r))
		if err != nil {
			return err
		}
		if err := b.grown(p, st, small, b.webhooks.slice(0, part)); err != nil {
			return err
		}
		st.remove()
		if err := b.grown(p, many, big, b.webhooks.slice(r*part, (r+1)*part)); err != nil {
			return err
		}
	}
	return nil
}

// grown takes every measurement on one store.
func (b *bench) grown(p *program, st *store, size string, hooks webhooks) error {
	log.Printf("  %s, %s store", p.name, size)
	for _, m := range []struct {
		do    func(*session) error
		share int // of the webhooks that are left; 1: all
	}{{latency, 1}, {visible, 1}, {rateAt(128), 2}, {memory, 1}, {forms, 1}, {coldStarts, 1}} {
		given := hooks.slice(0, len(hooks.requests)/m.share)
		if err := b.sessionOn(p, st, given, func(s *session) error {
			s.label = p.name + " " + size
			err := m.do(s)
			hooks = hooks.slice(len(given.requests)-len(s.webhooks.requests), len(hooks.requests))
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
