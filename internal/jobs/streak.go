package jobs

import "sync"

// streaks count what failed in a row. The zero value has none, and forgetting does no
// harm.
type streaks struct {
	mu sync.Mutex
	of map[string]int
}

// failed counts one more, and returns how many there are in a row.
func (s *streaks) failed(what string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[string]int{}
	}
	s.of[what]++
	return s.of[what]
}

func (s *streaks) ended(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.of, what)
}
