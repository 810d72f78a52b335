package main

import (
	"database/sql"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// While PostgreSQL is stopped, killed, or cuts all connections, every answer is
// that it is kept or that it is to be sent again, and comes soon; and the server
// works again by itself when PostgreSQL does.
func faultPostgresGone(t *testing.T) {
	tr := newTrial(t, "postgres")
	tr.serve()
	faults := []struct {
		name string
		make func(*load)
	}{
		{"stopped", func(*load) { tr.postgres.Stop(); tr.afterRefusals(); tr.rerun() }},
		{"killed", func(*load) { tr.postgres.Kill(); tr.afterRefusals(); tr.rerun() }},
		{"connections cut", tr.cut},
	}
	n := rounds(1, 4)
	tr.openForms(n * len(faults) * 2)
	for range n {
		for _, fault := range faults {
			tales := tr.tell(2 * len(stories))
			begun := make(chan bool)
			l := tr.deliver(tales, traffic{constant: true, forms: 2, acked: tr.once(func() { close(begun) })})
			<-begun
			fault.make(l)
			l.wait()
			tr.check(l, tales)
			tr.endRound()
		}
	}
	if n := tr.answers.of(0); n > 0 {
		t.Errorf("%d requests had no answer", n)
	}
	tr.conclude()
}

// afterRefusals waits until senders have seen that the store is away.
func (tr *trial) afterRefusals() {
	tr.t.Helper()
	before := tr.answers.of(503)
	if err := until(func() error {
		if tr.answers.of(503) < before+senders {
			return errTooFew
		}
		return nil
	}); err != nil {
		tr.t.Errorf("nobody noticed that PostgreSQL is away: this round has shown nothing: %v", err)
	}
}

// rerun starts PostgreSQL again.
func (tr *trial) rerun() {
	tr.t.Helper()
	if err := tr.postgres.Run(); err != nil {
		tr.t.Fatal(err)
	}
}

// cut ends all connections of the server, again and again while a load is under way.
func (tr *trial) cut(l *load) {
	tr.t.Helper()
	db, err := sql.Open("pgx", tr.store)
	if err != nil {
		tr.t.Fatal(err)
	}
	defer db.Close()
	cuts := 0
	for range 5 {
		var n int
		if err := db.QueryRow(`
			SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'`).Scan(&n); err != nil {
			tr.t.Fatal(err)
		}
		cuts += n
		before := l.acked.Load()
		if err := until(func() error {
			if l.acked.Load() < min(before+10, int64(l.parts)) {
				return errTooFew
			}
			return nil
		}); err != nil {
			tr.t.Errorf("%d connections were cut, and then nothing was acknowledged: %v", n, err)
		}
	}
	if cuts < 5 {
		tr.t.Errorf("%d connections were cut: this round has shown nothing", cuts)
	}
}

// hang is how long PostgreSQL does nothing: longer than an answer may take.
const hang = slowest + 2*time.Second

// A PostgreSQL that takes connections and does nothing, as one whose disk or host
// hangs, keeps nobody waiting: the answers come as soon, and say that it is to be
// sent again.
func faultPostgresHangs(t *testing.T) {
	tr := newTrial(t, "postgres")
	tr.serve()
	t.Cleanup(func() { tr.signal(syscall.SIGCONT) }) // or it could not be stopped
	const visitors = 4
	n := rounds(1, 50)
	tr.openForms(visitors * n)
	for range n {
		tales := tr.tell(len(stories))
		begun := make(chan bool)
		l := tr.deliver(tales, traffic{constant: true, acked: tr.once(func() { close(begun) })})
		<-begun
		tr.signal(syscall.SIGSTOP)
		visitors := tr.deliver(nil, traffic{constant: true, forms: visitors})
		<-time.After(hang)
		tr.signal(syscall.SIGCONT)
		l.wait()
		visitors.wait()
		tr.check(l, tales)
		tr.check(visitors, nil)
		tr.endRound()
	}
	if tr.answers.of(503) == 0 {
		t.Error("nobody was told to send again: this has shown nothing")
	}
	tr.conclude()
}

// signal sends a signal to PostgreSQL's processes.
func (tr *trial) signal(signal syscall.Signal) {
	tr.t.Helper()
	main := strconv.Itoa(tr.postgres.PID())
	pids := []string{main}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		b, _ := os.ReadFile(path) // it may be gone
		_, rest, _ := strings.Cut(string(b), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == main {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	for _, pid := range pids {
		if n, err := strconv.Atoi(pid); err == nil {
			_ = syscall.Kill(n, signal) // a connection's process may be gone
		}
	}
}
