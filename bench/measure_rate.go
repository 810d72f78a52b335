package main

import (
	"fmt"
	"log"
	"math"
	"time"
)

// atOnce are the numbers of connections at saturation.
var atOnce = []int{32, 128}

// webhookProgram are those that take webhooks: all.
func webhookProgram(*program) bool { return true }

func (b *bench) takeRate() error { return b.everyProgram(webhookProgram, rateAt(atOnce...)) }

// rateAt measures how many webhooks a second are acknowledged at saturation and, of
// a program that moves leads after its answer, how many moved meanwhile and how
// long the rest took.
func rateAt(atOnce ...int) func(*session) error {
	return func(s *session) error {
		if err := s.warm(); err != nil {
			return err
		}
		for i, conns := range atOnce {
			before := s.sent
			out := s.deliver(s.ctx, load{conns: conns, most: len(s.webhooks.requests) / (len(atOnce) - i)})
			s.add(fmt.Sprintf("rate/%d", conns), out.perSecond())
			if err := s.follow(conns, before, out); err != nil {
				return err
			}
		}
		return nil
	}
}

// follow notes how far the leads are behind the acknowledgements of a load.
func (s *session) follow(conns, before int, out outcome) error {
	if !s.p.later {
		_, err := s.applied(0)
		log.Printf("    %s, %d connections: %.0f a second", s.label, conns, out.perSecond())
		return err
	}
	end := time.Now()
	left, err := s.applied(0)
	if err != nil {
		return err
	}
	meanwhile := float64(s.sent-before-left) / (out.took + time.Since(end)).Seconds()
	s.add(fmt.Sprintf("moved/%d", conns), max(meanwhile, 0))
	late := 0
	if left > 0 {
		if late, err = s.applied(s.drain); err != nil {
			return err
		}
	}
	behind := time.Since(end).Seconds()
	if late > 0 {
		behind = math.Inf(1)
	}
	s.add(fmt.Sprintf("behind/%d", conns), behind)
	log.Printf("    %s, %d connections: %.0f a second; %.0f moved a second meanwhile; all moved after %.1f s (%d late)", s.label, conns, out.perSecond(), meanwhile, behind, late)
	return nil
}
