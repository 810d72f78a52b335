package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// postgresURL is a PostgreSQL server for tests: the one that HANDOFF_TEST_POSTGRES
// names, or a private one that ends with the tests. It is an error, never a
// reason to skip, if there is none.
var postgresURL = sync.OnceValues(func() (string, error) {
	if url := os.Getenv("HANDOFF_TEST_POSTGRES"); url != "" {
		return url, nil
	}
	return startPostgres()
})

var stopPostgres = func() {}

func TestMain(m *testing.M) {
	code := m.Run()
	stopPostgres()
	os.Exit(code)
}

// startPostgres runs Debian's PostgreSQL with a data directory of its own on a
// port of loopback. It writes nothing to the disk for sure: tests of durability
// are about what we ask of it, not about the disk.
func startPostgres() (url string, err error) {
	bins, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(bins) == 0 {
		return "", errors.New("no PostgreSQL in /usr/lib/postgresql; make deps installs it, or set HANDOFF_TEST_POSTGRES")
	}
	bin := slices.MaxFunc(bins, func(a, b string) int { return version(a) - version(b) })
	dir, err := os.MkdirTemp("", "handoff-postgres-")
	if err != nil {
		return "", err
	}
	owner, err := serverOwner(dir)
	if err != nil {
		return "", err
	}
	run := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir, cmd.SysProcAttr = dir, owner
		return cmd
	}
	if out, err := run("initdb", "-D", dir+"/data", "-U", "handoff", "-A", "trust", "--no-sync").CombinedOutput(); err != nil {
		return "", fmt.Errorf("initdb: %w: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	l.Close()
	server := run("postgres", "-D", dir+"/data", "-p", port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c", "max_connections=300")
	if err := server.Start(); err != nil {
		return "", err
	}
	stopPostgres = func() {
		_ = server.Process.Signal(syscall.SIGINT) // fast shutdown
		_ = server.Wait()
		_ = os.RemoveAll(dir)
	}
	url = "postgres://handoff@127.0.0.1:" + port + "/postgres?sslmode=disable"
	return url, answering(url)
}

// serverOwner gives the directory to a user that PostgreSQL accepts: it refuses root.
func serverOwner(dir string) (*syscall.SysProcAttr, error) {
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

// answering waits until the server does.
func answering(url string) error {
	db, err := sql.Open("pgx", url)
	if err != nil {
		return err
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		if err = db.PingContext(ctx); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("PostgreSQL does not answer: %w", err)
		case <-tick.C:
		}
	}
}

var schemas atomic.Int64

// newPostgres makes an empty schema and returns its address.
func newPostgres(t *testing.T) string {
	t.Helper()
	url, err := postgresURL()
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	name := fmt.Sprintf("test_%d_%d", os.Getpid(), schemas.Add(1))
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.Background(), "DROP SCHEMA "+name+" CASCADE"); err != nil {
			t.Error(err)
		}
		db.Close()
	})
	return url + "&search_path=" + name
}
