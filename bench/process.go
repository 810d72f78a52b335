package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A process is a measured program that runs.
type process struct {
	cmd  *exec.Cmd
	addr string
	log  string        // file with what it said
	cold time.Duration // from its start to its first answer
	gone chan error
}

// launch starts a program and waits for its first answer 200 to a GET of health.
func launch(ctx context.Context, cmd *exec.Cmd, addr, health, log string) (*process, error) {
	f, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close() // the process has its own
	cmd.Stdout, cmd.Stderr = f, f
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, addr: addr, log: log, gone: make(chan error, 1)}
	go func() { p.gone <- cmd.Wait() }()
	if err := p.answering(ctx, health); err != nil {
		p.stop()
		return nil, err
	}
	p.cold = time.Since(begin)
	return p, nil
}

// answering asks every half a millisecond, so that asking costs little.
func (p *process) answering(ctx context.Context, health string) error {
	request := get(health)
	w := wire{addr: p.addr}
	defer w.close()
	for begin := time.Now(); ; time.Sleep(500 * time.Microsecond) {
		if status, err := w.do(request, nil); err == nil && status == 200 {
			return nil
		}
		select {
		case err := <-p.gone:
			p.gone <- err
			return fmt.Errorf("%s ended: %w: %s", filepath.Base(p.cmd.Path), err, p.said())
		default:
		}
		if time.Since(begin) > time.Minute || ctx.Err() != nil {
			return errors.Join(ctx.Err(), fmt.Errorf("%s does not answer: %s", filepath.Base(p.cmd.Path), p.said()))
		}
	}
}

// said is the end of what the process wrote.
func (p *process) said() string {
	b, _ := os.ReadFile(p.log) // it is for a message only
	s := strings.TrimSpace(string(b))
	return s[max(0, len(s)-600):]
}

// stop ends the process as a service manager does: it is asked, then made to. It
// may have ended before.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may be gone
	select {
	case err := <-p.gone:
		p.gone <- err // for who stops it again
	case <-time.After(15 * time.Second):
		_ = p.cmd.Process.Kill()
		p.gone <- <-p.gone
	}
}

// get is a request for a page.
func get(path string) []byte {
	return []byte("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}
