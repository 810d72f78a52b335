package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// A wire is one persistent HTTP/1.1 connection. It understands of the protocol
// what the measured programs speak, so that the generator costs little of the
// processors that it shares with them.
type wire struct {
	addr string
	conn net.Conn
	in   *bufio.Reader
}

var errAnswer = errors.New("not an HTTP/1.1 answer that this generator understands")

// open connects, if it is not connected.
func (w *wire) open() error {
	if w.conn != nil {
		return nil
	}
	conn, err := net.DialTimeout("tcp", w.addr, 5*time.Second)
	if err != nil {
		return err
	}
	w.conn = conn
	if w.in == nil {
		w.in = bufio.NewReaderSize(conn, 8<<10)
	} else {
		w.in.Reset(conn)
	}
	return nil
}

func (w *wire) close() {
	if w.conn != nil {
		w.conn.Close()
		w.conn = nil
	}
}

// patience is how long one answer is waited for.
const patience = 30 * time.Second

// do sends a request and reads its answer; body is called with the answer's body
// if it is not nil. After an error the connection is closed; the next call opens
// another.
func (w *wire) do(request []byte, body func([]byte)) (status int, err error) {
	if err := w.open(); err != nil {
		return 0, err
	}
	_ = w.conn.SetDeadline(time.Now().Add(patience))
	if _, err = w.conn.Write(request); err == nil {
		status, err = readAnswer(w.in, body)
	}
	if err != nil {
		w.close()
	}
	return status, err
}

// expect sends a request, and returns an error unless it is answered with a status.
// what says what was sent.
func (w *wire) expect(want int, request []byte, what string) error {
	status, err := w.do(request, nil)
	if err == nil && status != want {
		err = fmt.Errorf("answered %d, not %d", status, want)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// readAnswer reads one answer to its end.
func readAnswer(in *bufio.Reader, body func([]byte)) (status int, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return 0, fmt.Errorf("%w: %q", errAnswer, line)
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, fmt.Errorf("%w: %q", errAnswer, line)
	}
	length, chunked, err := readHeader(in)
	switch {
	case err != nil:
		return 0, err
	case chunked:
		return status, readChunks(in, body)
	case status == 204 || status == 304:
		return status, nil
	case length < 0:
		return 0, fmt.Errorf("%w: neither length nor chunks", errAnswer)
	}
	return status, readN(in, length, body)
}

// readHeader reads to the empty line. length is -1 if the header has none.
func readHeader(in *bufio.Reader) (length int, chunked bool, err error) {
	length = -1
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return 0, false, err
		}
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			return length, chunked, nil
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch {
		case bytes.EqualFold(name, []byte("Content-Length")):
			if length, err = strconv.Atoi(string(bytes.TrimSpace(value))); err != nil || length < 0 {
				return 0, false, fmt.Errorf("%w: length %q", errAnswer, value)
			}
		case bytes.EqualFold(name, []byte("Transfer-Encoding")):
			chunked = true
		}
	}
}

// readChunks reads a chunked body and its empty trailer.
func readChunks(in *bufio.Reader, body func([]byte)) error {
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(string(bytes.TrimSpace(line)), 16, 31)
		if err != nil {
			return fmt.Errorf("%w: chunk %q", errAnswer, line)
		}
		if n > 0 {
			if err := readN(in, int(n), body); err != nil {
				return err
			}
		}
		if _, err := in.Discard(2); err != nil { // CR LF after the chunk, or after the last one
			return err
		}
		if n == 0 {
			return nil
		}
	}
}

func readN(in *bufio.Reader, n int, body func([]byte)) error {
	if body == nil {
		_, err := in.Discard(n)
		return err
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(in, b); err != nil {
		return err
	}
	body(b)
	return nil
}
