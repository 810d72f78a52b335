package content

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Color is an opaque sRGB colour in the form "#0b5d6b", lower case.
type Color string

// MinContrast is the least contrast of text of normal size (WCAG 2.2, 1.4.3 AA).
const MinContrast = 4.5

// ParseColor reads a colour of the form "#rrggbb".
func ParseColor(s string) (Color, error) {
	if _, err := strconv.ParseUint(strings.TrimPrefix(s, "#"), 16, 32); err != nil || len(s) != 7 || s[0] != '#' || s[1] == '+' {
		return "", fmt.Errorf("colour %q is not of the form #0b5d6b", s)
	}
	return Color(strings.ToLower(s)), nil
}

// ParseAccent reads a colour that can be a link on white and the ground of a
// button with white text, which is the same contrast: 4.5 or more.
func ParseAccent(s string) (Color, error) {
	c, err := ParseColor(s)
	if err != nil {
		return "", err
	}
	if got := c.Contrast("#ffffff"); got < MinContrast {
		return "", fmt.Errorf("contrast of %s with white is %.2f, at least %.1f is needed to be readable; choose a darker colour", c, got, MinContrast)
	}
	return c, nil
}

// Contrast returns the contrast ratio of two colours, 1 to 21.
//
// Source: WCAG 2.2, "contrast ratio" and "relative luminance"
func (c Color) Contrast(d Color) float64 {
	a, b := c.luminance(), d.luminance()
	return (max(a, b) + 0.05) / (min(a, b) + 0.05)
}

// Lighten mixes c with white until it has at least the given contrast with the
// ground, and keeps its hue: the accent of a dark page.
func (c Color) Lighten(ground Color, contrast float64) Color {
	r, g, b := c.rgb()
	out := c
	for step := 1; step <= 50 && out.Contrast(ground) < contrast; step++ {
		mix := func(v float64) int { return int(math.Round(v + (255-v)*float64(step)/50)) }
		out = Color(fmt.Sprintf("#%02x%02x%02x", mix(r), mix(g), mix(b)))
	}
	return out
}

func (c Color) luminance() float64 {
	linear := func(v float64) float64 {
		v /= 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	r, g, b := c.rgb()
	return 0.2126*linear(r) + 0.7152*linear(g) + 0.0722*linear(b)
}

// rgb returns the parts of a colour, 0 to 255; black if it is none.
func (c Color) rgb() (r, g, b float64) {
	n, err := strconv.ParseUint(strings.TrimPrefix(string(c), "#"), 16, 32)
	if err != nil {
		return 0, 0, 0
	}
	return float64(n >> 16 & 255), float64(n >> 8 & 255), float64(n & 255)
}
