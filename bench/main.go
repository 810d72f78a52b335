package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"handoff"
	"handoff/internal/pgtest"
)

// options are what the command line says.
type options struct {
	only     string        // measures, by name; empty: all
	programs string        // names; empty: all
	runs     int           // of each measurement
	duration time.Duration // of one load
	drain    time.Duration // how long leads are waited for after a load
	hooks    int           // different webhooks, each of a lead of its own
	leads    int           // in the big store of the measure "growth"
	dir      string        // where stores are made: on a real disk
	out      string        // file of the table
	pin      string        // processors for everything, as taskset's -c; empty: all
	quick    bool
}

func parse() options {
	var o options
	flag.StringVar(&o.only, "only", "", "measures, with commas: "+strings.Join(measureNames(), ", ")+"; all if empty")
	flag.StringVar(&o.programs, "programs", "", "programs, with commas; all if empty")
	flag.IntVar(&o.runs, "runs", 3, "runs of each measurement; the median counts")
	flag.DurationVar(&o.duration, "duration", 5*time.Second, "how long one load lasts")
	flag.DurationVar(&o.drain, "drain", time.Minute, "how long leads are waited for after a load")
	flag.IntVar(&o.hooks, "webhooks", 120_000, "different webhooks for one program and run")
	flag.IntVar(&o.leads, "leads", 1_000_000, "leads in the big store of the measure growth")
	flag.StringVar(&o.dir, "dir", "/var/tmp", "folder for the stores, on a real disk")
	flag.StringVar(&o.out, "o", "", "file that the table is written to, too")
	flag.StringVar(&o.pin, "pin", "", "processors that everything here shares, as taskset -c takes them; all if empty")
	flag.BoolVar(&o.quick, "quick", false, "a smoke run of under a minute: its figures mean nothing")
	flag.Parse()
	if o.quick {
		smoke()
	}
	return o
}

// smoke makes everything small that the command line does not set.
func smoke() {
	set := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { set[f.Name] = true })
	for name, value := range map[string]string{"runs": "1", "duration": "250ms", "drain": "10s", "webhooks": "4000", "leads": "3000"} {
		if !set[name] {
			_ = flag.Set(name, value) // they are values of these flags
		}
	}
}

func main() {
	log.SetFlags(log.Ltime)
	o := parse()
	if o.pin != "" && os.Getenv("BENCH_PINNED") == "" {
		log.Fatal("bench: ", pinned(o.pin))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		log.Fatal("bench: ", err)
	}
}

// pinned starts this program again on the given processors; what it starts stays
// there with it.
func pinned(processors string) error {
	taskset, err := exec.LookPath("taskset")
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(taskset, append([]string{"taskset", "-c", processors, self}, os.Args[1:]...), append(os.Environ(), "BENCH_PINNED=1"))
}

// A bench is one run of everything.
type bench struct {
	options
	ctx       context.Context
	source    string // the repository
	work      string // folder of this run
	began     time.Time
	pg        *pgtest.Server
	secret    string // of Cal.com's webhook, for all programs
	key       handoff.Key
	clerk     clerk
	webhooks  webhooks
	templates map[string]*store // by program
	moulds    map[engine]*moulds
	results   results
	stores    int   // made so far
	failure   error // what could not be measured
}

func run(ctx context.Context, o options) (err error) {
	b := &bench{
		options: o, ctx: ctx, templates: map[string]*store{}, moulds: map[engine]*moulds{}, results: results{},
		secret: randomText(32, "abcdefghijklmnopqrstuvwxyz"), key: handoff.Key(randomText(40, "abcdefghijklmnopqrstuvwxyz")),
	}
	if b.source, err = os.Getwd(); err != nil {
		return err
	}
	example, err := os.ReadFile("internal/calcom/testdata/bodies/01-booking-created.direct.json")
	if err != nil {
		return fmt.Errorf("start this in the repository (make bench does): %w", err)
	}
	if b.work, err = os.MkdirTemp(o.dir, "handoff-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	if err := os.Chmod(b.work, 0o755); err != nil { // PostgreSQL runs as another user
		return err
	}
	os.Setenv("TMPDIR", b.work) // PostgreSQL's data beside SQLite's, on one disk
	if err := b.build(); err != nil {
		return err
	}
	if b.pg, err = pgtest.Start(); err != nil {
		return err
	}
	defer b.pg.Close()
	b.began = time.Now().Add(-time.Duration(o.hooks)*time.Millisecond - time.Minute)
	b.clerk = newClerk(example, b.secret, b.key, time.Now())
	b.webhooks = b.clerk.webhooks(o.hooks, b.began)
	err = b.measure()
	b.failure = err
	report(os.Stdout, b)
	if o.out != "" {
		f, failed := os.Create(o.out)
		if failed != nil {
			return failed
		}
		defer f.Close()
		report(f, b)
	}
	return err
}

// measure takes every measurement that was asked for. One that fails keeps none of
// the others from being taken, but the first: a program that does not do its work
// is not measured.
func (b *bench) measure() error {
	var failed []error
	for _, m := range measures {
		if !chosen(b.only, m.name) {
			continue
		}
		log.Printf("measure %s: %s", m.name, m.what)
		err := m.take(b)
		if err == nil {
			continue
		}
		failed = append(failed, fmt.Errorf("measure %s: %w", m.name, err))
		log.Print(failed[len(failed)-1])
		if b.ctx.Err() != nil || m.name == measures[0].name {
			break
		}
	}
	return errors.Join(failed...)
}

// chosen says whether a list of a flag has a name; an empty list has every one.
func chosen(list, name string) bool {
	return list == "" || slices.Contains(strings.Split(list, ","), name)
}

// programNamed finds a program.
func programNamed(name string) *program {
	return programs[slices.IndexFunc(programs, func(p *program) bool { return p.name == name })]
}

// binary is the path of a program that was built.
func (b *bench) binary(name string) string { return filepath.Join(b.source, buildDir, "bin", name) }
