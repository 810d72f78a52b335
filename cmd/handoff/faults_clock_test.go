package main

import (
	"testing"
	"time"
)

// Whatever the clock does, facts are applied as they come: work that is due at once
// does not wait for a clock that went back, nor is it forgotten by one that jumped.
func faultClockSteps(t *testing.T) {
	onEngines(t, func(tr *trial) {
		// Each is the clock's offset from then on: back an hour, and a minute more;
		// forward again; forward a day, and back.
		offsets := []time.Duration{-time.Hour, -time.Hour - time.Minute, 0, 24 * time.Hour, 0}
		tr.step(0)
		tr.serve()
		for range rounds(1, 10) {
			for _, off := range offsets {
				tales := tr.tell(len(stories))
				stepped := false
				l := tr.deliver(tales, traffic{constant: true, acked: tr.once(func() { tr.step(off); stepped = true })})
				l.wait()
				quiet := time.Now()
				tr.check(l, tales, "delivery_replayed") // what came before a day passed, and again after it
				if took := time.Since(quiet); took > soon {
					tr.t.Errorf("after a step to %s, what was acknowledged was applied only after %s", off, took)
				}
				tr.endRound()
				if !stepped {
					tr.t.Error("the clock did not step: this round has shown nothing")
				}
			}
		}
	})
}
