package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// patience is how long a test waits for what must come. It is long, so that a busy
// machine fails no test: only a broken promise is waited for to the end.
const patience = 30 * time.Second

// until tries until it works, and returns the last error if it never does.
func until(try func() error) error {
	deadline := time.Now().Add(patience)
	for {
		err := try()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s: %w", patience, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// lastPort is the port that freeAddress gave last. They are below the range from
// which systems take the ports of outgoing connections.
var lastPort atomic.Int32

func init() { lastPort.Store(int32(16000 + os.Getpid()%8000)) }

// freeAddress is a loopback address that nobody listens on.
func freeAddress() string {
	for {
		address := fmt.Sprintf("127.0.0.1:%d", lastPort.Add(1))
		if l, err := net.Listen("tcp", address); err == nil {
			l.Close()
			return address
		}
	}
}

// program is a command of the real binary: this test binary under the other name
// (see TestMain).
func program(dir string, env []string, args ...string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return &exec.Cmd{Path: self, Args: append([]string{"handoff"}, args...), Dir: dir, Env: append(os.Environ(), env...)}, nil
}

// output runs a command of the program to its end.
func output(dir string, args ...string) ([]byte, error) {
	cmd, err := program(dir, nil, args...)
	if err != nil {
		return nil, err
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("handoff %s: %w: %s", strings.Join(args, " "), err, errs.String())
	}
	return out, nil
}

// A process is a server, started as a user starts it.
type process struct {
	cmd      *exec.Cmd
	out, err string // files with what it wrote
	ended    chan struct{}
	result   error // how it ended, after ended
}

// launch starts a server. What it writes goes to name.out and name.err in dir.
// The caller ends it with stop or kill.
func launch(dir, name string, env []string, args ...string) (*process, error) {
	cmd, err := program(dir, env, args...)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, out: filepath.Join(dir, name+".out"), err: filepath.Join(dir, name+".err"), ended: make(chan struct{})}
	out, err := os.OpenFile(p.out, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close() // the process has a copy
	errs, err := os.OpenFile(p.err, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer errs.Close()
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.result = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// ready waits until a server answers on all its addresses.
func (p *process) ready(urls ...string) error {
	for _, url := range urls {
		err := until(func() error {
			select {
			case <-p.ended:
				return nil // asked about below
			default:
			}
			res, err := http.Get(url)
			if err != nil {
				return err
			}
			res.Body.Close()
			if res.StatusCode != http.StatusOK {
				return fmt.Errorf("%s: %s", url, res.Status)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	select {
	case <-p.ended:
		return fmt.Errorf("it ended while it should have started: %v\n%s", p.result, p.log())
	default:
		return nil
	}
}

// stop ends a server as Ctrl-C does, and reports one that does not end well.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.kill()
		return errors.New("it did not end after an interrupt")
	}
	if p.result != nil {
		return fmt.Errorf("it ended badly: %w\n%s", p.result, p.log())
	}
	return nil
}

// kill ends a server at once, without a word to it.
func (p *process) kill() {
	_ = p.cmd.Process.Signal(syscall.SIGKILL) // it may be gone
	<-p.ended
}

var trouble = regexp.MustCompile(`panick|panic:|DATA RACE|level=ERROR`)

// complaints are the lines of a server's log that no test may cause.
func (p *process) complaints() error {
	for line := range strings.Lines(p.log()) {
		if trouble.MatchString(line) {
			return fmt.Errorf("the log says: %s", line)
		}
	}
	return nil
}

func (p *process) log() string {
	b, _ := os.ReadFile(p.err) // for people to read
	return string(b)
}
