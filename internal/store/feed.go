package store

import "sync"

// A Feed tells that something changed, so that pages and workers need not wait
// for their next look. It only wakes sooner: whoever listens looks at the store
// by the clock as well, and loses nothing if a word is lost.
type Feed struct {
	mu        sync.Mutex
	listeners map[string]map[chan struct{}]bool
}

func newFeed() *Feed { return &Feed{listeners: map[string]map[chan struct{}]bool{}} }

// Topics of the feed.
const (
	TopicDue   = "due"   // work became due
	TopicLeads = "leads" // leads or failures of any site changed
)

// TopicLead is the topic of one lead.
func TopicLead(site, lead string) string { return "lead/" + site + "/" + lead }

// Listen returns a channel that receives after the topic changed, and a function
// that ends it. Words that come while one is unread are one word.
func (f *Feed) Listen(topic string) (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listeners[topic] == nil {
		f.listeners[topic] = map[chan struct{}]bool{}
	}
	f.listeners[topic][ch] = true
	return ch, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.listeners[topic], ch)
		if len(f.listeners[topic]) == 0 {
			delete(f.listeners, topic)
		}
	}
}

func (f *Feed) tell(topics ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, topic := range topics {
		if topic == everything {
			for _, of := range f.listeners {
				wake(of)
			}
		}
		wake(f.listeners[topic])
	}
}

func wake(listeners map[chan struct{}]bool) {
	for ch := range listeners {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// tellAll tells the other processes on the same store too.
func (db *DB) tellAll(topics ...string) {
	db.feed.tell(topics...)
	if db.relay != nil {
		db.relay.tell(topics...)
	}
}

// Feed returns the store's feed.
func (db *DB) Feed() *Feed { return db.feed }
