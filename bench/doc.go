// Command bench measures Handoff beside the least program that does its hardest
// part (bench/bare) and beside the handlers that good engineers write with other
// tools (bench/peers), in one run on one machine, and prints a table of ratios.
//
// Every program is a process of its own, started as users start it, with the same
// load from the same generator on the same processors, in turns, each on a fresh
// store. A figure is the median of several runs. Stores are as durable as in
// production: nothing is switched off that a power cut would notice.
//
// The generator is in load.go and wire.go, the programs in programs.go, what is
// measured in the files measure_*.go, and the targets in targets.go.
package main
