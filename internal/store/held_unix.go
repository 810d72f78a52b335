//go:build unix

package store

import (
	"io"
	"os"
	"strings"
	"syscall"
)

// held reports that another process has a SQLite store open, as far as can be
// seen: each holds a shared lock on one byte of the index of the write-ahead log.
// It must not be asked while this process has the store open: closing the file
// would end this process's own locks on it.
//
// Source: https://www.sqlite.org/src/file?name=src/os_unix.c (UNIX_SHM_DMS)
func held(url string) bool {
	if engineOf(url).name != sqlite.name {
		return false
	}
	f, err := os.OpenFile(strings.TrimPrefix(url, "sqlite:")+"-shm", os.O_RDWR, 0) // it is removed with the last connection
	if err != nil {
		return false
	}
	defer f.Close()
	const deadMansSwitch = 120 + 8
	lock := syscall.Flock_t{Type: syscall.F_WRLCK, Whence: io.SeekStart, Start: deadMansSwitch, Len: 1}
	return syscall.FcntlFlock(f.Fd(), syscall.F_GETLK, &lock) == nil && lock.Type != syscall.F_UNLCK
}
