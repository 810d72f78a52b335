package desk

import (
	"fmt"
	"strconv"
)

// A chart is bars beside one another, drawn as SVG by its template. It has no text but its
// title: what it shows stands in a table beside it, and its labels in the page, which
// stay readable however narrow it is.
type chart struct {
	ID    string
	Title string // what it shows, in words
	Bars  []drawn
	Width int // of the drawing, in its own units; it is stretched to its place
	Most  string
	From  string // label of the first bar
	To    string // and of the last
	Empty bool   // nothing was counted
}

// chartHeight is how high the drawing is, in its own units.
const chartHeight = 100

// A drawn is one bar: the part at its foot, and the one on top of it.
type drawn struct {
	X, Width        int
	FootY, FootHigh int
	TopY, TopHigh   int
}

// A barValue is what a bar shows.
type barValue struct {
	Label     string
	Foot, Top int
}

// newChart draws values, the first one at the left.
func newChart(id, title string, values []barValue) chart {
	const wide, gap = 10, 2
	c := chart{ID: id, Title: title, Width: max(1, len(values)*(wide+gap)-gap)}
	most := 0
	for _, v := range values {
		most = max(most, v.Foot+v.Top)
	}
	c.Most, c.Empty = strconv.Itoa(most), most == 0
	if len(values) == 0 {
		return c
	}
	c.From, c.To = values[0].Label, values[len(values)-1].Label
	for i, v := range values {
		d := drawn{X: i * (wide + gap), Width: wide, FootHigh: high(v.Foot, most), TopHigh: high(v.Top, most)}
		d.FootY = chartHeight - d.FootHigh
		d.TopY = max(0, d.FootY-d.TopHigh)
		c.Bars = append(c.Bars, d)
	}
	return c
}

// A bars is bars below one another, each beside the row of its table.
type bars struct {
	ID, Title string
	Rows      []barRow
	Empty     bool
}

// A barRow is one of them, from the left.
type barRow struct{ Y, Width int }

// rowHigh is how high a row is in the drawing's own units.
const rowHigh = 10

// newBars draws numbers, the first one on top.
func newBars(id, title string, numbers []int) bars {
	b, most := bars{ID: id, Title: title}, 0
	for _, n := range numbers {
		most = max(most, n)
	}
	b.Empty = most == 0
	for i, n := range numbers {
		width := 0
		if n > 0 {
			width = max(1, n*100/most)
		}
		b.Rows = append(b.Rows, barRow{i*rowHigh + 2, width})
	}
	return b
}

// Box is the drawing's own system of coordinates.
func (b bars) Box() string { return fmt.Sprintf("0 0 100 %d", max(1, len(b.Rows))*rowHigh) }

// high is how high a bar is: one that stands for anything can be seen.
func high(n, most int) int {
	if n == 0 || most == 0 {
		return 0
	}
	return max(2, n*chartHeight/most)
}

// Box is the drawing's own system of coordinates.
func (c chart) Box() string { return fmt.Sprintf("0 0 %d %d", c.Width, chartHeight) }
