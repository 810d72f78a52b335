package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"handoff"
)

// A line is where writes of one kind wait for the disk, and go there together: a
// commit costs the same for one row and for a hundred. Nobody waits for company:
// the first in line goes at once, and who comes during its commit goes next.
type line[T any] struct {
	most    int // in one transaction
	keep    func(ctx context.Context, batch []*T) error
	waiting chan *entry[T]
	present atomic.Int64 // who waits, or is on the way to the disk
	closing chan struct{}
	once    sync.Once
	workers sync.WaitGroup
	closed  chan struct{} // after the last worker
}

// An entry is one write in line. Its error comes when it is on disk, or is not.
type entry[T any] struct {
	ctx   context.Context
	value *T
	done  chan error // has room for one, since whoever asked may be gone
}

// commitTime bounds one transaction of a line: a database that hangs must not
// keep everybody waiting for ever.
const commitTime = 10 * time.Second

// givesUp is how many values of a batch are refused, one after the other, before
// the others are not tried.
const givesUp = 3

// newLine starts a line whose transactions keep at most so many values. keep is
// one transaction; it can be called again with the same values after it failed.
func newLine[T any](workers, most int, keep func(context.Context, []*T) error) *line[T] {
	l := &line[T]{most: most, keep: keep, waiting: make(chan *entry[T], most), closing: make(chan struct{}), closed: make(chan struct{})}
	for range workers {
		l.workers.Go(l.work)
	}
	return l
}

// enter waits until a value is on disk. After an error it may be there or not.
func (l *line[T]) enter(ctx context.Context, value *T) error {
	l.present.Add(1)
	defer l.present.Add(-1)
	e := &entry[T]{ctx: ctx, value: value, done: make(chan error, 1)}
	select {
	case l.waiting <- e:
	case <-ctx.Done():
		return unavailable(ctx.Err())
	case <-l.closing:
		return unavailable(errClosed)
	}
	select {
	case err := <-e.done:
		return err
	case <-ctx.Done():
		return unavailable(ctx.Err())
	case <-l.closed:
	}
	select {
	case err := <-e.done:
		return err
	default:
		return unavailable(errClosed)
	}
}

var errClosed = errors.New("the store is closed")

// crowd is how many in a line are more than come one after the other.
const crowd = 4

// holds reports that so many wait, or are on the way to the disk.
func (l *line[T]) holds(n int64) bool { return l.present.Load() >= n }

// close ends the line after what is in it.
func (l *line[T]) close() {
	l.once.Do(func() {
		close(l.closing)
		l.workers.Wait()
		close(l.closed)
	})
}

func (l *line[T]) work() {
	for {
		select {
		case e := <-l.waiting:
			l.commit(l.fill(e))
			continue
		default:
		}
		select {
		case e := <-l.waiting:
			l.commit(l.fill(e))
		case <-l.closing:
			return
		}
	}
}

// fill takes who waits, without waiting, and leaves out who gave up.
func (l *line[T]) fill(first *entry[T]) []*entry[T] {
	batch := []*entry[T]{}
	for e := first; ; {
		if e.ctx.Err() == nil {
			batch = append(batch, e)
		}
		if len(batch) == l.most {
			return batch
		}
		select {
		case e = <-l.waiting:
		default:
			return batch
		}
	}
}

// commit keeps a batch. If that fails, each has a transaction of its own, so that
// one value that the database refuses takes no other with it; unless the database
// is gone, as the first ones then say for all.
func (l *line[T]) commit(batch []*entry[T]) {
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), commitTime)
	defer cancel()
	err := l.try(ctx, batch)
	if err == nil || len(batch) == 1 {
		answer(batch, err)
		return
	}
	failed := 0 // one after the other
	for i := range batch {
		if failed < givesUp {
			if err = l.try(ctx, batch[i:i+1]); err == nil {
				failed = 0
			} else {
				failed++
			}
		}
		answer(batch[i:i+1], err)
	}
}

// try keeps values in one transaction. A panic is an error: who waits must hear.
func (l *line[T]) try(ctx context.Context, batch []*entry[T]) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = unavailable(fmt.Errorf("a write panicked: %v", p))
		}
	}()
	values := make([]*T, len(batch))
	for i, e := range batch {
		values[i] = e.value
	}
	return l.keep(ctx, values)
}

func answer[T any](batch []*entry[T], err error) {
	for _, e := range batch {
		select {
		case e.done <- err:
		default:
		}
	}
}

// giveWay is called at the end of what follows from deliveries, with when it had the
// writer. While a crowd of them is in line it rests three times as long as it worked,
// so that it has a quarter of the writer's time and they have the rest.
func (db *DB) giveWay(began time.Time) {
	if db.deliveries.holds(crowd) {
		rest(3 * time.Since(began))
	}
}

// giveWayToAll is giveWay for what strangers sent. It rests for each delivery, and
// half of the time where none is in line: another process, such as a command beside
// the server, only gets SQLite's writer in a gap.
func (db *DB) giveWayToAll(began time.Time) {
	worked := time.Since(began)
	if db.deliveries.holds(1) {
		worked *= 3
	}
	rest(worked)
}

func rest(d time.Duration) { time.Sleep(min(d, longestRest)) }

// longestRest bounds a rest: what can wait is done at last.
const longestRest = 50 * time.Millisecond

// unavailable marks an error of the database, unless it is one of handoff's.
func unavailable(err error) error {
	for _, ours := range []error{handoff.ErrNotFound, handoff.ErrInvalid, handoff.ErrUnverified, handoff.ErrForbidden, handoff.ErrConflict, handoff.ErrUnavailable} {
		if errors.Is(err, ours) {
			return err
		}
	}
	return fmt.Errorf("store: %w: %w", handoff.ErrUnavailable, err)
}
