package main

import (
	"bytes"
	"database/sql"
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
	if status, err := w.do(forged, nil); err != nil || status != 401 {
		return fmt.Errorf("answered %d to a forged body, want 401: %w", status, err)
	}
	if status, err := w.do(genuine, nil); err != nil || status != 200 {
		return fmt.Errorf("answered %d to a booking: %w", status, err)
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
	if left, err := s.applied(patience); err != nil || left > 0 {
		return fmt.Errorf("the lead did not move: %w", err)
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
		if status, err := w.do(request, nil); err != nil || status != 200 {
			return fmt.Errorf("answered %d to the same booking again: %w", status, err)
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
