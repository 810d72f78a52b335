package main

import "sync"

// maxGroup is how many bodies share one commit at most.
const maxGroup = 512

// A letter is a body that waits for the disk.
type letter struct {
	body []byte
	kept chan error // one answer
}

// A keeper gathers bodies that arrive at once into one commit: the disk is the
// cost, and one wait for it serves all of them.
type keeper struct {
	letters    chan letter
	committers sync.WaitGroup
	end        func() error // closes the store
}

// start runs n committers. write keeps a group in one transaction.
func (k *keeper) start(n int, write func(group [][]byte) error) {
	k.letters = make(chan letter, maxGroup)
	for range n {
		k.committers.Go(func() { k.commit(write) })
	}
}

func (k *keeper) commit(write func(group [][]byte) error) {
	var group []letter
	var bodies [][]byte
	for first := range k.letters {
		group, bodies = append(group[:0], first), append(bodies[:0], first.body)
	more:
		for len(group) < maxGroup {
			select {
			case l, ok := <-k.letters:
				if !ok {
					break more
				}
				group, bodies = append(group, l), append(bodies, l.body)
			default:
				break more
			}
		}
		err := write(bodies)
		for _, l := range group {
			l.kept <- err
		}
	}
}

// keep returns nil when the body is on the disk.
func (k *keeper) keep(body []byte) error {
	l := letter{body, make(chan error, 1)}
	k.letters <- l
	return <-l.kept
}

// close ends the committers and the store; nobody may keep any more.
func (k *keeper) close() error {
	close(k.letters)
	k.committers.Wait()
	return k.end()
}
