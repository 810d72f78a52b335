package main

import (
	"math"
	"sync"
)

// Results are the values of all runs, by program and metric.
type results map[string][]float64

var resultsLock sync.Mutex // a watcher notes while the load runs

func (r results) add(label, metric string, v float64) {
	resultsLock.Lock()
	defer resultsLock.Unlock()
	r[label+"|"+metric] = append(r[label+"|"+metric], v)
}

// of is the median of all runs; NaN if there is none.
func (r results) of(label, metric string) float64 { return median(r[label+"|"+metric]) }

// errors is how many answers of a program were not as they should be.
func (r results) errors(label string) (n float64) {
	for _, v := range r[label+"|errors"] {
		n += v
	}
	return n
}

// add notes a value of the session's program.
func (s *session) add(metric string, v float64) { s.results.add(s.label, metric, v) }

// ratio is a divided by b; NaN if either was not measured.
func ratio(a, b float64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return a / b
}
