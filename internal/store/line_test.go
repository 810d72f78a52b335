package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"handoff"
)

// A ledger is what a line under test keeps, as a database would.
type ledger struct {
	mu    sync.Mutex
	kept  []int
	sizes []int          // of transactions
	bad   func(int) bool // values that are refused
	gate  chan struct{}  // nil, or what each transaction waits for
}

func (l *ledger) keep(_ context.Context, batch []*int) error {
	if l.gate != nil {
		<-l.gate
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sizes = append(l.sizes, len(batch))
	var values []int
	for _, v := range batch {
		if l.bad != nil && l.bad(*v) {
			return fmt.Errorf("value %d: %w", *v, errRefused)
		}
		values = append(values, *v)
	}
	l.kept = append(l.kept, values...)
	return nil
}

var errRefused = errors.New("refused")

// enterAll enters the values 0 to n-1 and returns each one's error.
func enterAll(ctx context.Context, l *line[int], n int) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = l.enter(ctx, &i) })
	}
	wg.Wait()
	return errs
}

// enterAlone enters one value, which the database then has to itself: what is entered
// after it waits in line.
func enterAlone(ctx context.Context, l *line[int]) (done chan error) {
	done = make(chan error, 1)
	go func() { done <- l.enter(ctx, new(int)) }()
	synctest.Wait()
	return done
}

// Who comes alone goes alone and at once; who comes while others are on their way
// goes together.
func TestLineGathersWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &ledger{gate: make(chan struct{})}
		l := newLine(1, 10, to.keep)
		defer l.close()
		var wg sync.WaitGroup
		enter := func(v int) {
			wg.Go(func() {
				if err := l.enter(t.Context(), &v); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		for v := range 15 {
			enter(v)
		}
		for range 3 {
			to.gate <- struct{}{}
		}
		wg.Wait()
		if want := []int{1, 10, 4}; !slices.Equal(to.sizes, want) {
			t.Errorf("transactions of %v, want %v", to.sizes, want)
		}
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}; !slices.Equal(to.kept, want) {
			t.Errorf("kept %v", to.kept)
		}
	})
}

// A value that the database refuses takes no other with it.
func TestLineRefusesOneAlone(t *testing.T) {
	to := &ledger{bad: func(v int) bool { return v%10 == 3 }}
	l := newLine(2, 32, to.keep)
	defer l.close()
	for v, err := range enterAll(t.Context(), l, 100) {
		if bad := v%10 == 3; bad != errors.Is(err, errRefused) || bad != (err != nil) {
			t.Errorf("value %d: %v", v, err)
		}
	}
	slices.Sort(to.kept)
	if len(to.kept) != 90 || len(slices.Compact(to.kept)) != 90 {
		t.Errorf("%d kept, want 90, each once", len(to.kept))
	}
}

// A database that is gone is asked a few times, not once for each who waits.
func TestLineGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &ledger{gate: make(chan struct{}), bad: func(int) bool { return true }}
		l := newLine(1, 64, to.keep)
		defer l.close()
		first, others := enterAlone(t.Context(), l), make(chan []error)
		go func() { others <- enterAll(t.Context(), l, 64) }()
		synctest.Wait()
		close(to.gate)
		for v, err := range append(<-others, <-first) {
			if !errors.Is(err, errRefused) {
				t.Errorf("value %d: %v", v, err)
			}
		}
		if want := 1 + 1 + givesUp; len(to.sizes) != want {
			t.Errorf("%d transactions, want %d: one alone, one of all, and %d of one", len(to.sizes), want, givesUp)
		}
	})
}

// Nobody waits longer than they want to, and who gave up is not written later.
func TestLineIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &ledger{gate: make(chan struct{})}
		l := newLine(1, 2, to.keep)
		defer l.close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		// One is in the hands of the database, two are in line, and three before it.
		first := enterAlone(ctx, l)
		for v, err := range append(enterAll(ctx, l, 5), <-first) {
			if !errors.Is(err, handoff.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("value %d: %v", v, err)
			}
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("they waited %s", took)
		}
		close(to.gate)
		synctest.Wait()
		if len(to.kept) != 1 {
			t.Errorf("%d written, want only what the database had", len(to.kept))
		}
	})
}

// Closing a line writes what is in it, and tells whoever comes later.
func TestLineCloses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		to := &ledger{gate: make(chan struct{})}
		l := newLine(1, 4, to.keep)
		var told atomic.Int32
		for v := range 5 {
			go func() {
				if l.enter(context.Background(), &v) == nil {
					told.Add(1)
				}
			}()
		}
		synctest.Wait()
		closed := make(chan struct{})
		go func() {
			l.close()
			close(closed)
		}()
		synctest.Wait()
		close(to.gate)
		<-closed
		synctest.Wait()
		if int(told.Load()) != len(to.kept) || len(to.kept) != 5 {
			t.Errorf("%d written, %d told so, want 5", len(to.kept), told.Load())
		}
		late := 9
		if err := l.enter(context.Background(), &late); !errors.Is(err, handoff.ErrUnavailable) {
			t.Errorf("after closing: %v", err)
		}
		l.close() // twice does no harm
	})
}

// A panic is an error of those it concerns, and the line goes on.
func TestLineSurvivesAPanic(t *testing.T) {
	l := newLine(1, 4, func(_ context.Context, batch []*int) error {
		if *batch[0] == 7 {
			panic("seven")
		}
		return nil
	})
	defer l.close()
	seven, eight := 7, 8
	if err := l.enter(t.Context(), &seven); err == nil || !strings.Contains(err.Error(), "seven") {
		t.Errorf("a panic: %v", err)
	}
	if err := l.enter(t.Context(), &eight); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}

// Statements are written out for 64, 32, … rows, so that there are few texts, and
// every row is given once and in order.
func TestManyRows(t *testing.T) {
	for query, want := range map[string]string{
		"INSERT INTO t (a, b) VALUES? RETURNING a":          "INSERT INTO t (a, b) VALUES ($2, $3), ($4, $5) RETURNING a",
		"SELECT a FROM t WHERE site = $1 AND (a, b) IN?":    "SELECT a FROM t WHERE site = $1 AND (a, b) IN (VALUES ($2, $3), ($4, $5))",
		"SELECT 1 FROM (VALUES?) AS v (a, b) WHERE c = $1 ": "SELECT 1 FROM (VALUES ($2, $3), ($4, $5)) AS v (a, b) WHERE c = $1 ",
	} {
		if got := expand(query, 1, 2, 2); got != want {
			t.Errorf("%q: %q, want %q", query, got, want)
		}
	}
	if got, want := expand("SELECT a FROM t WHERE a IN?", 0, 3, 1), "SELECT a FROM t WHERE a IN ($1, $2, $3)"; got != want {
		t.Errorf("one column: %q, want %q", got, want)
	}
	db, err := Open(t.Context(), t.TempDir()+"/rows.db", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, n := range []int{0, 1, 2, 63, 64, 65, 200} {
		var rows [][]any
		for i := range n {
			rows = append(rows, []any{fmt.Sprintf("s%03d", i), "v", i})
		}
		var got []int
		err := db.tx(t.Context(), func(tx *txn) error {
			return many(t.Context(), tx, `INSERT INTO due (site, kind, key, version, due_at, attempts, last_error)
				SELECT column1, column2, $1, column3, '', 0, '' FROM (VALUES?) WHERE true RETURNING version`,
				[]any{fmt.Sprint(n)}, rows, func(r *sql.Rows) error {
					var v int
					err := r.Scan(&v)
					got = append(got, v)
					return err
				})
		})
		if err != nil || len(got) != n || !slices.IsSorted(got) {
			t.Errorf("%d rows: %v, %v", n, got, err)
		}
	}
}
