package main

import (
	"bufio"
	"database/sql"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Bounds that the product promises for what nobody vouches for (README of the
// failure queue: docs/failures.md): entries of a site, and of one source.
const (
	maxForgedOfSite   = 1000
	maxForgedOfSource = 200
)

// maxGrowth is what a flood may add to the store, in bytes.
const maxGrowth = 64 << 20

// A flood of forged bodies fills neither the failure queue nor the disk nor the
// memory, pushes no verified failure out, and real webhooks are taken meanwhile.
func faultFlood(t *testing.T) {
	onEngines(t, func(tr *trial) {
		s := tr.serve()
		verified := tr.notUnderstood(5)
		tales := tr.tell(len(stories))
		l := tr.deliver(tales, traffic{constant: true})
		l.wait()
		tr.check(l, tales, "unknown_shape")
		before := tr.size()

		forged := tr.flood(s)
		tr.endRound()
		tr.checkFlood(forged, verified)
		grown := tr.size() - before
		tr.t.Logf("%d forged bodies: the store grew by %d KiB, the server held at most %d MiB", forged, grown>>10, s.peak(tr.t)>>20)
		if grown > maxGrowth {
			tr.t.Errorf("the store grew by %d MiB", grown>>20)
		}
		if got := s.peak(tr.t); got > maxMemory {
			tr.t.Errorf("it held %d MiB", got>>20)
		}
	})
}

// notUnderstood delivers signed bodies that no Cal.com sends.
func (tr *trial) notUnderstood(n int) int {
	tr.t.Helper()
	for i := range n {
		body := []byte(fmt.Sprintf(`{"a custom template":%d}`, i))
		if status, err := tr.post(body, tr.secrets["main"]); status != http.StatusUnprocessableEntity {
			tr.t.Fatalf("status %d, %v", status, err)
		}
	}
	return n
}

// flood sends forged bodies as fast as a few connections can, beside real ones, and
// returns how many were refused.
func (tr *trial) flood(s *replica) int {
	tr.t.Helper()
	const floods = 60 // connections, so that a million are a matter of minutes
	var forged sync.WaitGroup
	var refused atomic.Int64
	var over atomic.Bool
	for i := range floods {
		forged.Go(func() {
			n, err := forge(s.url, *faultForged/floods, i)
			refused.Add(int64(n))
			if err != nil {
				tr.t.Error(err)
			}
		})
	}
	go func() { forged.Wait(); over.Store(true) }()
	for n := 0; !over.Load() || n == 0; n++ {
		tales := tr.tell(len(stories))
		l := tr.deliver(tales, traffic{constant: true})
		l.wait()
		tr.check(l, tales, "unknown_shape", "signature_missing", "signature_wrong", "no_secret_provided", "unverified_flood")
	}
	forged.Wait()
	if got := refused.Load(); got < int64(*faultForged/floods*floods) {
		tr.t.Errorf("%d forged bodies were refused, of %d", got, *faultForged)
	}
	return int(refused.Load())
}

// forge sends n forged bodies through one connection, an eighth of them from one
// address, the others from anywhere.
func forge(url string, n, seed int) (refused int, err error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	in, out := bufio.NewReader(conn), bufio.NewWriter(conn)
	rng := rand.New(rand.NewPCG(uint64(seed), 8))
	signatures := []string{"", "X-Cal-Signature-256: no-secret-provided\r\n", "X-Cal-Signature-256: " + strings.Repeat("0", 64) + "\r\n"}
	for i := range n {
		from := "203.0.113.7"
		if i%8 > 0 {
			from = fmt.Sprintf("10.%d.%d.%d", rng.IntN(256), rng.IntN(256), rng.IntN(256))
		}
		body := fmt.Sprintf(`{"triggerEvent":"BOOKING_CREATED","payload":{"uid":"forged-%d-%d","notes":"%s"}}`, seed, i, strings.Repeat("x", rng.IntN(2000)))
		fmt.Fprintf(out, "%s%sX-Forwarded-For: %s\r\nContent-Length: %d\r\n\r\n%s", post, signatures[i%len(signatures)], from, len(body), body)
		if err := out.Flush(); err != nil {
			return refused, err
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return refused, err
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			return refused, err
		}
		if res.StatusCode != http.StatusUnauthorized {
			return refused, fmt.Errorf("a forged body: %s", res.Status)
		}
		refused++
	}
	return refused, nil
}

// checkFlood counts what is kept of a flood.
func (tr *trial) checkFlood(forged, verified int) {
	tr.t.Helper()
	db, err := tr.looker()
	if err != nil {
		tr.t.Fatal(err)
	}
	defer db.Close()
	for _, bound := range []struct {
		what        string
		query       string
		least, most int
	}{
		{"open unverified entries, the flood's own included", `SELECT count(*) FROM failures WHERE NOT verified AND settled_at IS NULL`, 2, maxForgedOfSite + 1},
		{"of these the flood's own", `SELECT count(*) FROM failures WHERE NOT verified AND reason = 'unverified_flood' AND settled_at IS NULL`, 1, 1},
		{"of one source", `SELECT max(n) FROM (SELECT count(*) AS n FROM failures WHERE NOT verified AND source <> '' GROUP BY source) AS sources`, 1, maxForgedOfSource},
		{"unverified deliveries", `SELECT count(*) FROM deliveries WHERE NOT verified`, 1, maxForgedOfSite},
		{"forged bodies that are counted", `SELECT sum(count) FROM failures WHERE NOT verified`, forged, forged},
		{"open verified failures", `SELECT count(*) FROM failures WHERE verified AND settled_at IS NULL AND digest <> ''`, verified, verified},
	} {
		var n sql.NullInt64
		if err := db.QueryRow(bound.query).Scan(&n); err != nil {
			tr.t.Fatal(err)
		}
		if got := int(n.Int64); got < bound.least || got > bound.most {
			tr.t.Errorf("%s: %d, want %d to %d", bound.what, got, bound.least, bound.most)
		}
	}
}

// size is what the store takes on the disk, in bytes.
func (tr *trial) size() int64 {
	tr.t.Helper()
	if tr.postgres == nil {
		var all int64
		for _, name := range []string{"", "-wal"} {
			if info, err := os.Stat(tr.database() + name); err == nil {
				all += info.Size()
			}
		}
		return all
	}
	db, err := tr.looker()
	if err != nil {
		tr.t.Fatal(err)
	}
	defer db.Close()
	var n int64
	if err := db.QueryRow(`SELECT pg_database_size(current_database())`).Scan(&n); err != nil {
		tr.t.Fatal(err)
	}
	return n
}
