package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"
	"time"
)

const mega = 1e6 // bytes

func (b *bench) takeMemory() error { return b.everyProgram(webhookProgram, memory) }

// memory measures what a program keeps resident: a second after its start, and
// the most under load. Of PostgreSQL it also counts the server's processes, as they
// are a moment before the load ends.
func memory(s *session) error {
	time.Sleep(min(time.Second, s.duration))
	now, _ := resident(s.cmd.Process.Pid)
	s.add("memory/idle", float64(now)/mega)
	var watching sync.WaitGroup
	ctx, stop := context.WithCancel(s.ctx)
	defer stop()
	if s.p.engine == postgres {
		s.add("memory/idle with PostgreSQL", float64(now+proportional(s.pg.PID()))/mega)
		watching.Go(func() {
			select {
			case <-ctx.Done():
			case <-time.After(s.duration * 3 / 4):
				server, _ := resident(s.cmd.Process.Pid)
				s.add("memory/loaded with PostgreSQL", float64(server+proportional(s.pg.PID()))/mega)
			}
		})
	}
	s.deliver(s.ctx, load{conns: 128})
	stop()
	watching.Wait()
	_, most := resident(s.cmd.Process.Pid)
	s.add("memory/loaded", float64(most)/mega)
	log.Printf("    %s: idle %.0f MB, loaded %.0f MB", s.label, float64(now)/mega, float64(most)/mega)
	_, err := s.applied(s.drain)
	return err
}

// starts is how often a program is started in one run.
const starts = 3

func (b *bench) takeStart() error { return b.everyProgram(webhookProgram, coldStarts) }

// coldStarts measures from the start of the process to its first answer. The
// session's own start is the first; the machine has read the files before.
func coldStarts(s *session) error {
	s.add("start", float64(s.cold)/float64(time.Millisecond))
	for range starts - 1 {
		s.stop()
		p, err := s.launch(s.p, s.store)
		if err != nil {
			return err
		}
		*s.process = *p
		s.add("start", float64(s.cold)/float64(time.Millisecond))
	}
	return nil
}

// diskEvents is how many bookings of as many leads are counted on the disk.
const diskEvents = 10_000

func (b *bench) takeDisk() error {
	var failed []error
	for _, p := range b.measured() {
		if err := b.disk(p); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// disk measures what a store grows by, with everything written in its place. It
// is no matter of speed, and is measured once.
func (b *bench) disk(p *program) error {
	template, err := b.template(p)
	if err != nil {
		return err
	}
	st, err := template.clone(b.ctx, p.name+"-disk")
	if err != nil {
		return err
	}
	defer st.remove()
	hooks := b.webhooks.slice(0, min(diskEvents, len(b.webhooks.requests)/10)) // all, but in a smoke run
	// One start without load, so that tables made at the first start are not counted.
	if err := b.sessionOn(p, st, hooks, func(*session) error { return nil }); err != nil {
		return err
	}
	before, err := st.size(b.ctx)
	if err != nil {
		return err
	}
	if err := b.sessionOn(p, st, hooks, func(s *session) error {
		out := s.deliver(s.ctx, load{conns: 32, duration: 10 * s.drain})
		if out.done < len(hooks.requests) {
			return fmt.Errorf("%d of %d acknowledged", out.done, len(hooks.requests))
		}
		left, err := s.applied(5 * s.drain)
		if err == nil && left > 0 {
			err = fmt.Errorf("%d leads did not move: what that writes is not on the disk", left)
		}
		return err
	}); err != nil {
		return err
	}
	after, err := st.size(b.ctx)
	if err != nil {
		return err
	}
	size := float64(after-before) / mega * diskEvents / float64(len(hooks.requests))
	b.results.add(p.name, "disk", size)
	log.Printf("    %s: %.1f MB for 10,000 events", p.name, size)
	return nil
}
