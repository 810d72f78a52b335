package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// report writes everything that was measured as Markdown.
func report(w io.Writer, b *bench) {
	r := b.results
	fmt.Fprintf(w, "# Benchmark\n\n%s\n", method(b))
	for _, s := range sections {
		rows := s.rows(b)
		if len(rows) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n## %s\n\n%s\n\n", s.title, s.note)
		writeTable(w, s.head, rows)
	}
	if b.failure != nil {
		fmt.Fprintf(w, "\n## What failed\n\n```\n%v\n```\n", b.failure)
	}
	var rows [][]string
	for _, t := range targets() {
		if v := t.value(r); chosen(b.only, t.measure) || !math.IsNaN(v) {
			rows = append(rows, []string{t.program, t.sign() + " " + number(t.limit) + " " + t.text, number(v), t.verdict(r)})
		}
	}
	fmt.Fprintf(w, "\n## Targets\n\n")
	writeTable(w, []string{"program", "target", "measured", ""}, rows)
}

// A section is one table.
type section struct {
	title, note string
	head        []string
	rows        func(*bench) [][]string
}

var sections = []section{
	{
		"Durable acknowledgements a second, at saturation", "Handoff moves leads after its answer, the peers before it, the bare limit never. " +
			"“Moved” is what Handoff moved in a second while the load lasted; “behind” how long after it the last lead moved.",
		[]string{"program", "32 connections", "÷ bare", "128 connections", "÷ bare", "moved at 128", "behind at 128", "other answers, all measures"},
		rateRows,
	},
	{
		"Acknowledgement at a fixed rate, in ms", "p50 / p99 / p99.9 (where one run has a thousand answers), counted from when each request was due.",
		[]string{"program", "50 a second", "200 a second", "1,000 a second", "p99 at 1,000 ÷ bare"},
		latencyRows,
	},
	{
		"From webhook to visible stage, in ms", "p50 / p99, seen by another connection that looks every millisecond.",
		[]string{"program", "50 a second", "200 a second"},
		visibleRows,
	},
	{
		"Intake forms a second, 32 connections", "The bare limit keeps the same bytes and checks nothing.",
		[]string{"program", "forms a second", "÷ bare"},
		formRows,
	},
	{
		"Resident memory, in MB", "The most under 128 connections is the process's high-water mark; PostgreSQL's processes by their proportional share.",
		[]string{"program", "idle", "loaded", "idle, with PostgreSQL", "loaded, with PostgreSQL"},
		memoryRows,
	},
	{
		"From start to first answer, in ms", "From the start of the process to its first answer 200, on a store that it knows.",
		[]string{"program", "ms"},
		singleRows("start"),
	},
	{
		"On the disk, in MB for 10,000 events", "Bookings of as many leads that were there before; what is deleted is not given back.",
		[]string{"program", "MB"},
		singleRows("disk"),
	},
	{
		"Growth", "The same with few and with many booked leads in the store, besides those that wait for their webhook. A factor above 1 is worse.",
		[]string{"program", "figure", "few", "many", "factor"},
		growthRows,
	},
}

func rateRows(b *bench) (out [][]string) {
	r := b.results
	return b.rowsOf("rate/32", func(p *program) []string {
		bare := bareOf(p)
		other := "0"
		if n := r.errors(p.name); n > 0 {
			other = fmt.Sprintf("**%.0f**", n)
		}
		return []string{
			number(r.of(p.name, "rate/32")), number(ratio(r.of(p.name, "rate/32"), r.of(bare, "rate/32"))),
			number(r.of(p.name, "rate/128")), number(ratio(r.of(p.name, "rate/128"), r.of(bare, "rate/128"))),
			number(r.of(p.name, "moved/128")), b.seconds(r.of(p.name, "behind/128")), other,
		}
	})
}

// seconds writes how long leads were behind.
func (b *bench) seconds(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case math.IsInf(v, 1):
		return "over " + b.drain.String()
	}
	return number(v) + " s"
}

func latencyRows(b *bench) [][]string {
	r := b.results
	return b.rowsOf("ack/50/p50", func(p *program) (out []string) {
		for _, rate := range rates {
			out = append(out, percentiles(r, p.name, fmt.Sprintf("ack/%d", rate)))
		}
		return append(out, number(ratio(r.of(p.name, "ack/1000/p99"), r.of(bareOf(p), "ack/1000/p99"))))
	})
}

func visibleRows(b *bench) [][]string {
	return b.rowsOf("visible/50/p50", func(p *program) (out []string) {
		for _, rate := range visibleRates {
			out = append(out, percentiles(b.results, p.name, fmt.Sprintf("visible/%d", rate)))
		}
		return out
	})
}

func formRows(b *bench) [][]string {
	r := b.results
	return b.rowsOf("forms", func(p *program) []string {
		return []string{number(r.of(p.name, "forms")), number(ratio(r.of(p.name, "forms"), r.of(bareOf(p), "forms")))}
	})
}

func memoryRows(b *bench) [][]string {
	return b.rowsOf("memory/idle", func(p *program) (out []string) {
		for _, metric := range []string{"idle", "loaded", "idle with PostgreSQL", "loaded with PostgreSQL"} {
			out = append(out, number(b.results.of(p.name, "memory/"+metric)))
		}
		return out
	})
}

func singleRows(metric string) func(*bench) [][]string {
	return func(b *bench) [][]string {
		return b.rowsOf(metric, func(p *program) []string { return []string{number(b.results.of(p.name, metric))} })
	}
}

func growthRows(b *bench) (out [][]string) {
	for _, p := range b.measured() {
		for _, g := range growthMetrics {
			few, many := b.results.of(p.name+" "+small, g.metric), b.results.of(p.name+" "+big, g.metric)
			if !math.IsNaN(few) && !math.IsNaN(many) {
				out = append(out, []string{p.name, g.name, number(few), number(many), number(g.factor(b.results, p.name))})
			}
		}
	}
	return out
}

// rowsOf are the rows of the programs that have a metric. One that was asked for
// and could not be measured says so.
func (b *bench) rowsOf(metric string, cells func(*program) []string) (out [][]string) {
	for _, p := range programs {
		if !math.IsNaN(b.results.of(p.name, metric)) {
			out = append(out, append([]string{p.name}, cells(p)...))
		}
	}
	if len(out) > 0 && chosen(b.programs, nextjs) && !hasNode() {
		out = append(out, []string{nextjs, "not measured: " + errNoNode.Error()})
	}
	return out
}

// percentiles are p50, p99 and p99.9 of a metric.
func percentiles(r results, label, metric string) string {
	var out []string
	for _, p := range []string{"p50", "p99", "p999"} {
		if v := r.of(label, metric+"/"+p); !math.IsNaN(v) {
			out = append(out, number(v))
		}
	}
	return strings.Join(out, " / ")
}

// number writes three digits that count.
func number(v float64) string {
	switch {
	case math.IsNaN(v):
		return "–"
	case math.IsInf(v, 0):
		return "∞"
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// writeTable writes a Markdown table.
func writeTable(w io.Writer, head []string, rows [][]string) {
	fmt.Fprintf(w, "| %s |\n|%s\n", strings.Join(head, " | "), "---|"+strings.Repeat("--:|", len(head)-1))
	for _, row := range rows {
		for len(row) < len(head) {
			row = append(row, "")
		}
		fmt.Fprintf(w, "| %s |\n", strings.Join(row, " | "))
	}
}
