package calcom_test

import (
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"handoff/internal/calcom"
)

// fill repeats a piece until a body has MaxBody bytes.
func fill(before, piece, after string) string {
	room := calcom.MaxBody - len(before) - len(after)
	return before + strings.TrimSuffix(strings.Repeat(piece, room/len(piece)), ",") + after
}

// unlike is a piece per number, so that no name is there twice.
func unlike(before, piece, after string) string {
	var b strings.Builder
	b.WriteString(before)
	for i := 0; b.Len()+len(piece)+len(after)+10 < calcom.MaxBody; i++ {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, piece, i)
	}
	b.WriteString(after)
	return b.String()
}

// hostile bodies of the largest size we read, by what they are large in.
func hostile() map[string]string {
	start := `{"triggerEvent":"BOOKING_CREATED","createdAt":"2026-11-23T09:30:00.538Z","payload":{"uid":"u1",`
	return map[string]string{
		"empty attendees":      fill(start+`"attendees":[`, `{},`, `]}}`),
		"full attendees":       fill(start+`"attendees":[`, `{"name":"a","email":"b","timeZone":"c","noShow":true},`, `]}}`),
		"attendees as lists":   fill(start+`"attendees":[`, `[],`, `]}}`),
		"guests":               fill(`{"triggerEvent":"AFTER_GUESTS_CAL_VIDEO_NO_SHOW","createdAt":"2026-11-23T09:30:00Z","payload":{"bookingUid":"u1","guests":[`, `{"email":"a"},`, `]}}`),
		"numbers":              fill(start+`"x":[`, `0,`, `]}}`),
		"texts":                fill(start+`"x":[`, `"",`, `]}}`),
		"names":                unlike(start+`"x":{`, `"%x":0`, `}}}`),
		"names in metadata":    unlike(start+`"metadata":{`, `"%x":0`, `}}}`),
		"names in responses":   unlike(start+`"responses":{`, `"%x":{}`, `}}}`),
		"names at the root":    unlike(start+`"x":0},`, `"%x":0`, `}`),
		"one name in each":     fill(start+`"x":[`, `{"a":0},`, `]}}`),
		"8 names in each":      fill(start+`"x":[`, `{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0},`, `]}}`),
		"17 names in each":     fill(start+`"x":[`, `{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0,"j":0,"k":0,"l":0,"m":0,"n":0,"o":0,"p":0,"q":0},`, `]}}`),
		"deep lists":           start + `"x":` + strings.Repeat("[", 9_900) + strings.Repeat("]", 9_900) + `}}`,
		"deep objects":         start + `"x":` + strings.Repeat(`{"a":`, 9_900) + "0" + strings.Repeat("}", 9_900) + `}}`,
		"deep in attendees":    start + `"attendees":[` + strings.Repeat(`{"a":`, 9_900) + "0" + strings.Repeat("}", 9_900) + `]}}`,
		"too deep":             fill(start+`"x":`, `[`, ``),
		"deep, then broad":     fill(start+`"x":`+strings.Repeat(`{"aaaaaaaaa":`, 5_000)+"[", `{"a":0},`, `]`+strings.Repeat("}", 5_000)+`}}`),
		"a long name, then":    fill(start+`"`+strings.Repeat("n", 100_000)+`":[`, `{"a":0},`, `]}}`),
		"a long title":         fill(start+`"title":"`, `a`, `"}}`),
		"a long, escaped one":  fill(start+`"title":"`, `\u00e4`, `"}}`),
		"a long uid":           fill(start+`"rescheduleUid":"`, `a`, `"}}`),
		"a long reference":     fill(start+`"metadata":{"submissionId":"sub_01jdb7z5q4x3s8m2k9v6t1n0rc.`, `A`, `"}}}`),
		"a long trigger":       fill(`{"triggerEvent":"`, `A`, `"}`),
		"white space":          fill(start+`"x":0`, " ", `}}`),
		"secrets":              fill(start+`"x":[`, `{"password":1},`, `]}}`),
		"links":                fill(`{"x":[`, `"a://b",`, `]}`),
		"text":                 fill("", "uid=x&ref=y\n", ""),
		"text, all phones":     fill("", "+1234567 ", ""),
		"text, almost secrets": fill("", "password ", ""),
	}
}

// spent is what one call of f allocates, in bytes, and how long it takes.
func spent(f func()) (uint64, time.Duration) {
	f() // what is made once
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	f()
	took := time.Since(began)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc, took
}

// A body costs a small multiple of its size, however it is made. What costs most
// is to see that no name is there twice, of 25,000 names. Measured in November
// 2026: at most 20, 21 and 5.4 times.
func TestHostileBodiesAreCheap(t *testing.T) {
	const (
		openBound       = 30  // × the body, verified
		redactBound     = 30  // × the body
		unverifiedBound = 0.1 // × the body: it is hashed, and no more
		diagnosedBound  = 10  // × the body, of 64 KiB: the largest that is diagnosed
	)
	sites := trust
	for i := range 100 {
		sites.OtherSites = append(sites.OtherSites, fmt.Sprint("site-", i))
	}
	sites.OtherSecrets = map[string][]string{"a": {"b"}}
	for name, body := range hostile() {
		if len(body) > calcom.MaxBody {
			t.Fatalf("%s has %d bytes", name, len(body))
		}
		d := signed(body)
		if once := calcom.Redact(d.Body); string(calcom.Redact(once)) != string(once) {
			t.Errorf("%s is not the same when redacted twice", name)
		}
		forged := d
		forged.Signature = signature("wrong", d.Body)
		small := forged
		small.Body = d.Body[:min(len(body), 64<<10)]
		for what, c := range map[string]struct {
			size  int
			bound float64
			run   func()
		}{
			"open":       {len(body), openBound, func() { _, _ = calcom.Open(sites, d) }},
			"redact":     {len(body), redactBound, func() { calcom.Redact(d.Body) }},
			"unverified": {len(body), unverifiedBound, func() { _, _ = calcom.Open(sites, forged) }},
			"diagnose":   {len(small.Body), diagnosedBound, func() { _, _ = calcom.Open(sites, small) }},
		} {
			if what == "unverified" && len(body) <= 64<<10 {
				continue
			}
			bytes, took := spent(c.run)
			times := float64(bytes) / float64(c.size)
			if times > c.bound {
				t.Errorf("%s of %q allocates %.1f times its %d bytes, more than %.0f", what, name, times, c.size, c.bound)
			}
			t.Logf("%-10s %-22s %6.1f× %8v", what, name, times, took.Round(100*time.Microsecond))
			if took > 2*time.Second { // measured: below 0.05 s
				t.Errorf("%s of %q takes %v", what, name, took)
			}
		}
	}
}

// A header given very often costs no more than its bytes.
func TestHeaderGivenOftenIsCheap(t *testing.T) {
	h := http.Header{calcom.SignatureHeader: strings.Split(strings.Repeat("a,", 40_000), ",")}
	bytes, _ := spent(func() { calcom.NewDelivery(h, nil) })
	if bytes > 1<<20 {
		t.Errorf("80 KB of headers allocate %d bytes", bytes)
	}
}
