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
	command, err := parser.Parse(args)
	switch {
	case exited >= 0: // --help
		return exited
	case err != nil:
		fmt.Fprintf(stderr, "handoff: %v. See: handoff --help\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	env := &environment{ctx: ctx, in: stdin, out: stdout, err: stderr, log: newLog(stderr, c.Log), now: now}
	switch err := command.Run(env); {
	case err == nil:
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintf(stderr, "handoff: %v\n", err)
		return 2
	default:
		// That it is invalid, the sentence before has said; a command to type may end it.
		fmt.Fprintf(stderr, "handoff: %s\n", strings.TrimSuffix(err.Error(), ": "+handoff.ErrInvalid.Error()))
		return 1
	}
}

// errUsage marks a command line that cannot mean anything.
var errUsage = errors.New("wrong usage")

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
