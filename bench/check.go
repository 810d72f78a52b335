package main

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// check finds out whether a program does what it is measured for: a forged body is
// refused, a booking moves its lead, and the same again changes nothing.
func check(s *session) error {
	genuine := s.webhooks.requests[0]
	forged := bytes.Replace(genuine, []byte("Boiler replacement"), []byte("Boiler-replacement"), 1)
	w := wire{addr: s.addr}
	defer w.close()
	if err := errors.Join(w.expect(401, forged, "a forged body"), w.expect(200, genuine, "a booking")); err != nil {
		return err
	}
	if s.p.key == "" {
		return nil
	}
	db, err := s.store.open()
	if err != nil {
		return err
	}
	defer db.Close()
	s.sent = 1
	left, err := s.applied(patience)
	if err != nil {
		return err
	}
	if left > 0 {
		return errors.New("the lead did not move")
	}
	return sameAgain(s, db, &w, genuine)
}

// sameAgain sends what was sent.
func sameAgain(s *session, db *sql.DB, w *wire, request []byte) error {
	time.Sleep(100 * time.Millisecond) // whatever follows the move
	var before, after string
	if err := db.QueryRowContext(s.ctx, s.p.changes).Scan(&before); err != nil {
		return err
	}
	for range 2 {
		if err := w.expect(200, request, "the same booking again"); err != nil {
			return err
		}
	}
	time.Sleep(300 * time.Millisecond) // Handoff would change something after its answer
	if err := db.QueryRowContext(s.ctx, s.p.changes).Scan(&after); err != nil {
		return err
	}
	if before != after {
		return fmt.Errorf("the same booking again changed %s to %s", before, after)
	}
	return nil
}
