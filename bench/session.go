package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"path/filepath"
	"time"
)

// oldLeads is how many booked leads a store has before anything is measured.
const oldLeads = 1000

// launch starts a program on a store.
func (b *bench) launch(p *program, st *store) (*process, error) {
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	cmd, err := p.command(b, st, addr)
	if err != nil {
		return nil, err
	}
	return launch(b.ctx, cmd, addr, p.health, filepath.Join(st.dir, "log"))
}

// newStore makes a store with leads for a program.
func (b *bench) newStore(p *program, name string, old int, hooks webhooks) (*store, error) {
	begin := time.Now()
	st := &store{engine: p.engine, dir: filepath.Join(b.work, name), file: p.file, name: databaseName(name), pg: b.pg}
	if err := st.create(b.ctx); err != nil {
		return nil, err
	}
	if err := p.create(b, st, old, hooks); err != nil {
		return nil, fmt.Errorf("filling the store of %s: %w", p.name, err)
	}
	if took := time.Since(begin); took > 5*time.Second {
		log.Printf("  a store for %s with %d leads took %s", p.name, old+len(hooks.leads), took.Round(time.Second))
	}
	return st, nil
}

// template is the store of a program that every run begins with a copy of.
func (b *bench) template(p *program) (*store, error) {
	if st := b.templates[p.name]; st != nil {
		return st, nil
	}
	// The two ways of PocketBase have one form of store.
	st, err := b.newStore(p, p.name+"-template", oldLeads, b.webhooks)
	b.templates[p.name] = st
	return st, err
}

// A session is one program that runs on a store.
type session struct {
	*bench
	*process
	p        *program
	label    string // under which its values are noted
	store    *store
	webhooks webhooks // not sent yet
	sent     int      // webhooks acknowledged in this session
	all      webhooks // of this session's store
}

// session starts a program on a fresh copy of its template, and ends it and its
// store after do.
func (b *bench) session(p *program, do func(*session) error) error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	template, err := b.template(p)
	if err != nil {
		return err
	}
	b.stores++
	st, err := template.clone(b.ctx, fmt.Sprintf("%s-%d", p.name, b.stores))
	if err != nil {
		return err
	}
	defer st.remove()
	return b.sessionOn(p, st, b.webhooks, do)
}

// sessionOn is a session on a store that stays.
func (b *bench) sessionOn(p *program, st *store, hooks webhooks, do func(*session) error) error {
	proc, err := b.launch(p, st)
	if err != nil {
		return err
	}
	defer proc.stop()
	if err := do(&session{bench: b, process: proc, p: p, label: p.name, store: st, webhooks: hooks, all: hooks}); err != nil {
		return fmt.Errorf("%s: %w; it said: %s", p.name, err, proc.said())
	}
	return nil
}

// everyProgram holds a session of each program, as many times as there are runs,
// in turns. One that fails keeps no other from its turn.
func (b *bench) everyProgram(fits func(*program) bool, do func(*session) error) error {
	var failed []error
	for r := range b.runs {
		for _, p := range b.measured() {
			if !fits(p) {
				continue
			}
			log.Printf("  run %d: %s", r+1, p.name)
			if err := b.session(p, do); err != nil {
				failed = append(failed, fmt.Errorf("run %d: %w", r+1, err))
			}
			if b.ctx.Err() != nil {
				return errors.Join(failed...)
			}
		}
	}
	return errors.Join(failed...)
}

// deliver makes a load of the next webhooks.
func (s *session) deliver(ctx context.Context, l load) outcome {
	l.addr, l.want = s.addr, 200
	l.requests = s.webhooks.requests
	if l.duration == 0 {
		l.duration = s.duration
	}
	out := l.run(ctx)
	used := min(out.used, len(s.webhooks.requests))
	s.webhooks = s.webhooks.slice(used, len(s.webhooks.requests))
	s.sent += out.done
	s.complain(out)
	return out
}

// complain says what was not answered as it should.
func (s *session) complain(o outcome) {
	if len(o.other) == 0 {
		return
	}
	log.Printf("    %s: other answers %v (0: none; last error %v)", s.p.name, o.other, o.err)
	for _, n := range o.other {
		s.results.add(s.p.name, "errors", float64(n))
	}
}

// warm sends some webhooks, so that caches are filled and code is compiled, and
// waits until nothing is left to do.
func (s *session) warm() error {
	s.deliver(s.ctx, load{conns: 16, duration: min(2*time.Second, s.duration), most: len(s.webhooks.requests) / 8})
	_, err := s.applied(s.drain)
	return err
}

// applied waits until all that was acknowledged shows in leads, and returns how
// many do not when the time is over.
func (s *session) applied(patience time.Duration) (left int, err error) {
	if s.p.key == "" || len(s.all.requests) == 0 {
		return 0, nil
	}
	db, err := s.store.open()
	if err != nil {
		return 0, err
	}
	defer db.Close()
	for begin := time.Now(); ; {
		look := time.Now()
		n, err := s.p.booked(s.ctx, db, s.all)
		if err != nil {
			return 0, err
		}
		if n >= s.sent {
			return 0, nil
		}
		if time.Since(begin) > patience {
			return s.sent - n, nil
		}
		time.Sleep(max(20*time.Millisecond, 3*time.Since(look))) // looking costs the program its time
	}
}
