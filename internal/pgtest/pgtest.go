// Package pgtest runs a private PostgreSQL for tests and benchmarks: Debian's
// server with a data directory of its own, on a port of loopback.
//
// It is imported by tests and by the benchmark only, never by the product.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// A Server is a running PostgreSQL. End it with Close.
type Server struct {
	// URL is the address of its database "postgres"; the user is its owner.
	URL string

	bin      string // folder of its programs
	dir      string
	port     string
	settings []string
	owner    *syscall.SysProcAttr
	process  *exec.Cmd
}

// Start makes a data directory and runs a server on it. settings are PostgreSQL's,
// such as "fsync=off"; without any, it is as durable as one in production.
//
// It is an error if Debian's package is not there: nothing here is a reason to
// skip a test.
func Start(settings ...string) (*Server, error) { return StartIn("", settings...) }

// StartIn is Start with its data below a folder, such as a disk that is small;
// empty: the folder for temporary files.
func StartIn(parent string, settings ...string) (*Server, error) {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		return nil, errors.New("no PostgreSQL in /usr/lib/postgresql; make deps installs it, or set HANDOFF_TEST_POSTGRES")
	}
	dir, err := os.MkdirTemp(parent, "handoff-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{bin: slices.MaxFunc(bins, func(a, b string) int { return version(a) - version(b) }), dir: dir, settings: settings}
	if err := s.init(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Server) init() (err error) {
	if s.owner, err = ownerOf(s.dir); err != nil {
		return err
	}
	// A people's locale, and not the tests' own: what must not depend on one shows.
	locale := []string{"--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"}
	if out, err := s.command("initdb", append(locale, "-D", s.dir+"/data", "-U", "handoff", "-A", "trust", "--no-sync")...).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.port = strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	s.URL = "postgres://handoff@127.0.0.1:" + s.port + "/postgres?sslmode=disable"
	return s.Run()
}

// Run starts the server after Stop or Kill, on the same data and port, and waits
// until it answers.
func (s *Server) Run() error {
	args := []string{"-D", s.dir + "/data", "-p", s.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=300"}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	s.process = s.command("postgres", args...)
	if err := s.process.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	return s.answering(ctx)
}

// Stop ends the server as an administrator in a hurry does: it cuts all
// connections, and writes what is committed.
func (s *Server) Stop() { s.end(syscall.SIGINT) }

// Kill ends the server without a word, as a power cut or a lack of memory does.
func (s *Server) Kill() { s.end(syscall.SIGQUIT) } // its children would outlive a SIGKILL for a moment

func (s *Server) end(signal os.Signal) {
	if s.process == nil || s.process.Process == nil {
		return
	}
	_ = s.process.Process.Signal(signal) // it may be gone
	_ = s.process.Wait()
	s.process = nil
}

// Answers reports whether the server answers, or does so within a few seconds, as
// after a crash that it mends by itself.
func (s *Server) Answers() bool {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return s.answering(ctx) == nil
}

// PID is the server's process; 0 while it does not run.
func (s *Server) PID() int {
	if s.process == nil || s.process.Process == nil {
		return 0
	}
	return s.process.Process.Pid
}

// DataDir is the folder of its data.
func (s *Server) DataDir() string { return s.dir + "/data" }

// Close ends the server and removes its data.
func (s *Server) Close() {
	s.Stop()
	_ = os.RemoveAll(s.dir)
}

func (s *Server) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(s.bin, name), args...)
	cmd.Dir, cmd.SysProcAttr = s.dir, s.owner
	return cmd
}

// answering waits until the server does.
func (s *Server) answering(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, s.URL)
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		case <-tick.C:
		}
	}
}

// ownerOf gives the directory to a user that PostgreSQL accepts: it refuses root.
func ownerOf(dir string) (*syscall.SysProcAttr, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, os.Chown(dir, uid, gid)
}

func version(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return n
}
