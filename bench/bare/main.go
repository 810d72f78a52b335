// Command bare is the least program that keeps Cal.com's webhooks honestly: it
// checks the signature, keeps the bytes durably, and answers. It knows no leads,
// no duplicates and no limits, so that its speed is the most that a program of
// this shape can reach on this machine and engine.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	store := flag.String("store", "", "sqlite:PATH or postgres://…")
	listen := flag.String("listen", "127.0.0.1:8080", "address that requests come to")
	flag.Parse()
	log.SetFlags(0)
	if err := run(*store, *listen, os.Getenv("BARE_SECRET")); err != nil {
		log.Fatal("bare: ", err)
	}
}

// run serves until SIGTERM or SIGINT.
func run(store, listen, secret string) error {
	if secret == "" {
		return errors.New("BARE_SECRET is empty: anybody can sign with that")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	k, err := open(ctx, store)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: routes(k, []byte(secret)), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		end, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = srv.Shutdown(end) // the keeper ends after it, whatever it says
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return k.close()
}

// open chooses the engine.
func open(ctx context.Context, store string) (*keeper, error) {
	if path, ok := strings.CutPrefix(store, "sqlite:"); ok {
		return openSQLite(ctx, path)
	}
	if strings.HasPrefix(store, "postgres://") {
		return openPostgres(ctx, store)
	}
	return nil, fmt.Errorf("-store %q is neither sqlite:PATH nor postgres://…", store)
}
