package main

import (
	"fmt"
	"log"
	"time"
)

// rates are what an open loop sends in a second.
var rates = []int{50, 200, 1000}

func (b *bench) takeLatency() error { return b.everyProgram(webhookProgram, latency) }

// latency measures acknowledgements at fixed rates, each from when it was due, so
// that a program that stalls is not asked less.
func latency(s *session) error {
	if err := s.warm(); err != nil {
		return err
	}
	for _, rate := range rates {
		out := s.deliver(s.ctx, load{conns: 128, rate: float64(rate)})
		s.addPercentiles(fmt.Sprintf("ack/%d", rate), out.latency)
		log.Printf("    %s at %d a second: p50 %s, p99 %s of %d", s.label, rate, percentile(out.latency, 50), percentile(out.latency, 99), out.done)
		if _, err := s.applied(s.drain); err != nil {
			return err
		}
	}
	return nil
}

// addPercentiles notes p50, p99 and, where there are enough for it to mean
// something, p99.9 in milliseconds.
func (s *session) addPercentiles(metric string, sorted []time.Duration) {
	for _, p := range []struct {
		name  string
		p     float64
		least int
	}{{"p50", 50, 1}, {"p99", 99, 100}, {"p999", 99.9, 1000}} {
		if len(sorted) >= p.least {
			s.add(metric+"/"+p.name, float64(percentile(sorted, p.p))/float64(time.Millisecond))
		}
	}
}
