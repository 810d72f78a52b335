// Command handoff is the step between "thank you for your enquiry" and "your call
// is booked". See handoff --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // visitors' time zones, also where the system has none

	"github.com/alecthomas/kong"

	"handoff"
)

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr, time.Now)) }

// run is the program as a function: 0 ok, 1 failed, 2 wrong usage. now is its clock.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer, now func() time.Time) int {
	alone := len(args) == 0
	if alone { // who types no command does not know them
		args, stdout = []string{"--help"}, stderr
	}
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("handoff"),
		kong.Description("From the form to the booked call: intake, booking page, webhook, failure queue."),
		kong.UsageOnError(), kong.Writers(stdout, stderr), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(code int) { exited = code }))
	if err != nil {
		fmt.Fprintln(stderr, "handoff:", err)
		return 1
	}
	if args[0] == "help" { // as many programs have it
		args = append(slices.Clone(args[1:]), "--help")
	}
	command, err := parser.Parse(args)
	switch {
	case exited >= 0 && alone:
		return 2
	case exited >= 0: // --help
		return exited
	case err != nil:
		fmt.Fprintf(stderr, "handoff: %v. See: %s --help\n", err, asked(err))
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	env := &environment{ctx: ctx, in: stdin, out: stdout, err: stderr, log: newLog(stderr, c.Log), now: now}
	err = command.Run(env)
	if err == nil {
		return 0
	}
	// That it is invalid, or in conflict, the sentence before has said; a command to type
	// may end it.
	said := strings.TrimSuffix(err.Error(), ": "+handoff.ErrInvalid.Error())
	fmt.Fprintf(stderr, "handoff: %s\n", strings.TrimSuffix(said, ": "+handoff.ErrConflict.Error()))
	if errors.As(err, new(usageError)) {
		return 2
	}
	return 1
}

// asked is the command that a command line went as far as.
func asked(err error) string {
	var at *kong.ParseError
	if errors.As(err, &at) && at.Context.Selected() != nil {
		return at.Context.Selected().FullPath()
	}
	return "handoff"
}

// A usageError is of a command line that cannot mean anything. Its words say what is
// wrong with it; that it is wrong usage, the exit code says.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// usage makes an error one of the command line's.
func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// environment is what a command works with.
type environment struct {
	ctx      context.Context
	in       io.Reader
	out, err io.Writer
	log      *slog.Logger
	now      func() time.Time
}

func newLog(w io.Writer, level string) *slog.Logger {
	var l slog.Level
	if l.UnmarshalText([]byte(level)) != nil {
		l = slog.LevelInfo
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l}))
}

// notFound says in plain words what is not there.
func notFound(err error, what string) error {
	if errors.Is(err, handoff.ErrNotFound) {
		return fmt.Errorf("there is no %s", what)
	}
	return err
}
