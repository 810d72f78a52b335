package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"handoff/internal/pgtest"
)

// A full disk is answered with "send it again", breaks nothing that was
// acknowledged, and once there is room the servers go on by themselves.
func faultDiskFull(t *testing.T) {
	disks := smallDisks(t)
	if disks == "" {
		return // it ran where this process may mount one
	}
	t.Run("sqlite", func(t *testing.T) {
		disk := filepath.Join(disks, "sqlite")
		tr := newTrialOn(t, nil, "sqlite:"+filepath.Join(disk, "handoff.db"))
		tr.fillAgainAndAgain(disk)
	})
	t.Run("postgres", func(t *testing.T) {
		disk := filepath.Join(disks, "postgres")
		server, err := pgtest.StartIn(disk)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Close)
		tr := newTrialOn(t, server, server.URL)
		tr.fillAgainAndAgain(disk)
	})
}

// left is what a full disk still takes, in bytes: a few deliveries.
const left = 64 << 10

func (tr *trial) fillAgainAndAgain(disk string) {
	tr.t.Helper()
	tr.serve()
	n := rounds(1, 10)
	tr.openForms(2 * n)
	for range n {
		tales := tr.tell(5 * len(stories)) // while there is room
		tr.cutLog()
		ballast := filepath.Join(disk, "ballast")
		if err := fill(disk, ballast); err != nil {
			tr.t.Fatal(err)
		}
		full := make(chan bool)
		l := tr.deliver(tales, traffic{constant: true, forms: 2, refused: func(n int) {
			if n == 2*senders {
				close(full)
			}
		}})
		ended := make(chan bool)
		go func() { l.wait(); close(ended) }()
		select {
		case <-full:
		case <-ended:
			tr.t.Error("the disk was never full: this round has shown nothing")
		}
		if err := os.Remove(ballast); err != nil {
			tr.t.Fatal(err)
		}
		tr.revive()
		<-ended
		tr.check(l, tales)
		tr.endRound()
	}
	if n := tr.answers.of(0); n > 0 {
		tr.t.Errorf("%d requests had no answer", n)
	}
	tr.conclude()
}

// cutLog gives back the room of SQLite's log, in which it could write on a full disk.
func (tr *trial) cutLog() {
	tr.t.Helper()
	if tr.postgres != nil {
		return
	}
	db, err := tr.looker()
	if err != nil {
		tr.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(tr.t.Context(), "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		tr.t.Fatal(err)
	}
}

// fill writes a file that leaves little of a disk. It gives the blocks themselves:
// a file with holes takes no room.
func fill(disk, ballast string) error {
	var at syscall.Statfs_t
	if err := syscall.Statfs(disk, &at); err != nil {
		return err
	}
	f, err := os.OpenFile(ballast, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	return syscall.Fallocate(int(f.Fd()), 0, 0, int64(at.Bavail)*at.Bsize-left)
}

// revive starts PostgreSQL if it gave up: without room for its log it stops, as
// its administrators know, and is started when there is.
func (tr *trial) revive() {
	tr.t.Helper()
	if tr.postgres == nil || tr.postgres.Answers() {
		return
	}
	tr.t.Log("PostgreSQL had given up, and is started")
	tr.postgres.Stop()
	tr.rerun()
}

// disksVariable names a folder with the mounted disks, for a test that was begun
// again in a name space of its own.
const disksVariable = "HANDOFF_TEST_DISKS"

// diskSizes are enough for a database and all rounds, and little enough to be filled at once.
var diskSizes = map[string]string{"sqlite": "192m", "postgres": "192m"}

// smallDisks mounts a small disk for each engine. Who is not root may mount only in
// a name space: the test is begun again in one, and "" returned after its end.
func smallDisks(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv(disksVariable); dir != "" {
		return dir
	}
	dir := t.TempDir()
	for engine := range diskSizes {
		if err := os.Mkdir(filepath.Join(dir, engine), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if os.Getuid() != 0 {
		out, err := elsewhere(dir, t.Name())
		t.Logf("%s", out)
		if err != nil {
			t.Fatalf("it failed above, or there is no small disk to fill: then run this as root, or allow user name spaces: %v", err)
		}
		return ""
	}
	// Its test is done before its folder is removed: clean-ups run in reverse.
	for engine, size := range diskSizes {
		at := filepath.Join(dir, engine)
		if err := syscall.Mount("tmpfs", at, "tmpfs", 0, "size="+size+",mode=0755"); err != nil {
			t.Fatalf("mounting a small disk: %v", err)
		}
		t.Cleanup(func() {
			if err := syscall.Unmount(at, syscall.MNT_DETACH); err != nil {
				t.Errorf("unmounting a small disk: %v", err)
			}
		})
	}
	// PostgreSQL's user must come through.
	for at := dir; len(at) > len(os.TempDir()); at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// elsewhere runs this test in a name space in which its user may mount: one where
// they are root mounts the disks, and one inside it is their own again.
func elsewhere(dir, name string) (out []byte, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	script := ""
	for engine, size := range diskSizes {
		script += fmt.Sprintf("mount -t tmpfs -o size=%s tmpfs %s && ", size, filepath.Join(dir, engine))
	}
	script += fmt.Sprintf(`exec unshare --user --map-user=%d --map-group=%d -- "$0" "$@"`, os.Getuid(), os.Getgid())
	cmd := exec.Command("unshare", "--user", "--map-root-user", "--mount", "--", "sh", "-c", script,
		self, "-test.run=^"+strings.ReplaceAll(name, "/", "$/^")+"$", "-test.v", fmt.Sprintf("-faults.rounds=%d", *faultRounds))
	cmd.Env = append(os.Environ(), disksVariable+"="+dir)
	return cmd.CombinedOutput()
}
