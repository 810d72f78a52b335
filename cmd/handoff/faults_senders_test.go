package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"handoff/internal/calcom"
	"handoff/internal/web"
)

// Hundreds of connections that trickle or never end, and bodies that are too large,
// are cut off in time, and keep nobody else waiting; and the memory stays small.
// None of them reaches the store, so one engine is enough.
func faultSlowSenders(t *testing.T) {
	tr := newTrial(t, "sqlite")
	s := tr.serve()
	for range rounds(1, 20) {
		tr.besideSlowSenders(s)
		tr.endRound()
	}
	if got := s.peak(t); got > maxMemory {
		t.Errorf("it held %d MiB, more than %d", got>>20, maxMemory>>20)
	} else {
		t.Logf("it held at most %d MiB", got>>20)
	}
	tr.conclude()
}

const (
	maxMemory   = 200 << 20       // bytes, of a server under attack
	trickles    = 100             // connections of each kind
	undisturbed = 5 * time.Second // for an answer to others meanwhile
)

// A trickle is a connection that gives a byte now and then.
type trickle struct {
	what  string
	head  string
	bytes string // given again and again, after head
	limit time.Duration
}

const post = "POST /webhooks/calcom/main HTTP/1.1\r\nHost: main.test\r\nContent-Type: application/json\r\n"

var tricklers = []trickle{
	{"headers", post + "X-Slow: ", "a", web.ReadHeaderTimeout},
	{"a body", post + "Content-Length: 100000\r\n\r\n", " ", web.ReadTimeout},
	{"chunks", post + "Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n", web.ReadTimeout},
}

func (tr *trial) besideSlowSenders(s *replica) {
	var slow sync.WaitGroup
	for _, tk := range tricklers {
		for range trickles {
			slow.Go(func() {
				if err := tk.send(s.url); err != nil {
					tr.t.Error(err)
				}
			})
		}
	}
	var over atomic.Bool
	var large sync.WaitGroup
	refused := [2]atomic.Int64{}
	for i, send := range []func(string) error{oversized, endless} {
		large.Go(func() {
			for !over.Load() {
				if err := send(s.url); err != nil {
					tr.t.Error(err)
					return
				}
				refused[i].Add(1)
			}
		})
	}
	go func() { slow.Wait(); over.Store(true) }()
	for n := 0; !over.Load() || n == 0; n++ { // each ends: the connections are cut off in time
		tales := tr.tell(len(stories))
		l := tr.deliver(tales, traffic{constant: true})
		l.wait()
		tr.check(l, tales)
	}
	large.Wait()
	if refused[0].Load() == 0 || refused[1].Load() == 0 {
		tr.t.Error("nothing large was refused: this round has shown nothing")
	}
	if longest := tr.answers.longest; longest > undisturbed {
		tr.t.Errorf("beside slow senders an answer took %s", longest)
	}
	tr.t.Logf("%d trickling connections were cut off, %d oversized and %d endless bodies refused", trickles*len(tricklers), refused[0].Load(), refused[1].Load())
}

// send trickles until the server has enough, and reports a server that has not.
func (tk trickle) send(url string) error {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return err
	}
	defer conn.Close()
	begun := time.Now()
	if _, err := conn.Write([]byte(tk.head)); err != nil {
		return err
	}
	cut := make(chan error, 1)
	go func() {
		_ = conn.SetReadDeadline(begun.Add(tk.limit + undisturbed)) // it is open
		_, err := io.Copy(io.Discard, conn)                         // an answer may come before it is cut
		cut <- err
	}()
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-cut:
			var late net.Error
			if errors.As(err, &late) && late.Timeout() {
				return fmt.Errorf("a connection that trickles %s is still open after %s", tk.what, time.Since(begun))
			}
			return nil
		case <-tick.C:
			_, _ = conn.Write([]byte(tk.bytes)) // it may be cut now
		}
	}
}

// oversized sends a body over the limit; endless one that has no end. Both are
// refused, and the second is not read on.
func oversized(url string) error {
	return tooLarge(url, bytes.NewReader(make([]byte, calcom.MaxBody+1)))
}

func endless(url string) error { return tooLarge(url, zeros{}) }

func tooLarge(url string, body io.Reader) error {
	client := &http.Client{Timeout: patience}
	defer client.CloseIdleConnections()
	res, err := client.Post(url+"/webhooks/calcom/main", "application/json", body)
	if err != nil {
		var broken *net.OpError // closed while we wrote: its answer can be lost with that
		if errors.As(err, &broken) {
			return nil
		}
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusRequestEntityTooLarge {
		return fmt.Errorf("a body that is too large: %s", res.Status)
	}
	return nil
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

var highWater = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// peak is the most memory that a server has held, in bytes.
func (p *process) peak(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	m := highWater.FindSubmatch(b)
	if m == nil {
		t.Fatalf("no VmHWM in %s", b)
	}
	kb, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return kb << 10
}
