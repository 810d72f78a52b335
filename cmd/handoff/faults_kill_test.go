package main

import (
	"math/rand/v2"
	"testing"
	"time"
)

// A server that is killed at any instant loses nothing that it acknowledged, and
// does nothing twice. Each round kills it once under load and starts it on the
// same data; that it found facts there which no lead showed yet happens in some.
func faultKilled(t *testing.T) {
	onEngines(t, func(tr *trial) {
		n := rounds(3, 1)
		s := tr.serve()
		tr.openForms(2 * n)
		pending := 0
		for range n {
			tales := tr.tell(2 * len(stories))
			dead := make(chan int64)
			l := tr.deliver(tales, traffic{forms: 2, acked: tr.once(func() { dead <- 0 })})
			<-dead
			<-time.After(rand.N(20 * time.Millisecond)) // at any instant, not just after an answer
			s.kill()
			if acked := l.acked.Load(); acked >= int64(l.parts) {
				tr.t.Errorf("killed after all %d acknowledgements: this round has shown nothing", acked)
			}
			pending += tr.pendingSometimes()
			s = tr.serve()
			l.wait()
			tr.check(l, tales)
			tr.endRound()
		}
		tr.t.Logf("after some of the kills, %d facts were acknowledged and not yet applied", pending)
	})
}

// once calls f at a random acknowledgement of a round, early enough that others
// follow.
func (tr *trial) once(f func()) func(int) {
	at := 1 + rand.IntN(50)
	return func(n int) {
		if n == at {
			f()
		}
	}
}

// pendingSometimes counts what a dead server left to apply, in one round of three:
// the next server is to find the store as it was left, and looking tidies it.
func (tr *trial) pendingSometimes() int {
	if tr.rounds%3 != 0 {
		return 0
	}
	db, err := tr.looker()
	if err != nil {
		tr.t.Fatal(err)
	}
	defer db.Close()
	_, facts, err := unapplied(db)
	if err != nil {
		tr.t.Fatal(err)
	}
	return facts
}
