package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/calcom/calsim"
	"handoff/internal/content"
	"handoff/internal/store"
	"handoff/internal/web"
	"handoff/internal/web/desk"
)

// Demo says how to run the demonstration.
type Demo struct {
	Dir       string // where the install is; empty: a new folder that is removed at the end
	Listen    string // of the site; empty: 127.0.0.1:8080, or any port if that is taken
	CalListen string // of the stand-in for Cal.com; empty: 127.0.0.1:8090, or any
	Guests    bool   // somebody was there before: a new install has some leads
	Out       io.Writer
	Log       *slog.Logger
}

// The demonstration's one site and operator.
const (
	demoSite     = "brightwater"
	demoOperator = "demo@brightwater.example"
)

// demoTriggers are told to the demonstration besides what our webhooks are registered
// for: the control page plays them.
var demoTriggers = []string{"AFTER_GUESTS_CAL_VIDEO_NO_SHOW", "RECORDING_READY", "PING", "FORM_SUBMITTED", "OOO_CREATED"}

// demoPlaces are the Cal.com locations of services whose call is no phone call.
var demoPlaces = map[string]string{"bathroom-refit": "attendeeInPerson"}

// Run writes an ordinary install, starts it beside a stand-in for Cal.com, prints
// the links, and runs until ctx ends.
func (d Demo) Run(ctx context.Context) error {
	if d.Dir == "" {
		dir, err := os.MkdirTemp("", "handoff-demo-")
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		defer os.RemoveAll(dir)
		d.Dir = dir
	}
	listen, err := reserve(d.Listen, "127.0.0.1:8080")
	if err != nil {
		return err
	}
	calListener, err := listenOr(d.CalListen, "127.0.0.1:8090")
	if err != nil {
		return err
	}
	defer calListener.Close()
	siteURL, calURL := "http://"+listen, "http://"+calListener.Addr().String()
	secret, err := d.install(listen, siteURL, calURL)
	if err != nil {
		return err
	}
	c, err := Load(filepath.Join(d.Dir, "handoff.yaml"))
	if err != nil {
		return err
	}
	a, err := New(ctx, c, d.Log, nil)
	if err != nil {
		return err
	}
	defer a.Close()
	password := randomText(9)
	if err := AddUser(ctx, a.db, store.User{Email: demoOperator, Name: "Demo operator"}, password); err != nil {
		return err
	}
	sim, err := d.standIn(siteURL, calURL, secret)
	if err != nil {
		return err
	}
	defer sim.Close()
	var guests sync.WaitGroup
	defer guests.Wait()
	return d.serve(ctx, a, sim, calListener, func() {
		if d.Guests {
			guests.Go(func() { // beside it: the stand-in waits for our answers to its webhooks
				if err := d.invite(ctx, a, sim); err != nil && ctx.Err() == nil {
					d.Log.Warn("the demonstration begins without guests", "err", err)
				}
			})
		}
		fmt.Fprintf(d.Out, demoText, siteURL, siteURL, siteURL, demoOperator, password, calURL, filepath.Join(d.Dir, "handoff.yaml"))
	})
}

const demoText = `
Brightwater Plumbing is open. Look at the desk, then book a call and watch it move:

  Site        %s/
  Form        %s/start/boiler-replacement
  Desk        %s/desk/      sign in as %s with %s
  Cal.com     %s/      the stand-in's control page: cancel, forge, drop, deliver twice …

Other commands work on this install: handoff leads list -c %s
Stop with Ctrl-C.
`

// serve runs both servers until ctx ends or one fails.
func (d Demo) serve(ctx context.Context, a *App, sim *calsim.Sim, calListener net.Listener, ready func()) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cal := &http.Server{Handler: sim, ReadHeaderTimeout: web.ReadHeaderTimeout}
	var calErr error
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := cal.Serve(calListener); !errors.Is(err, http.ErrServerClosed) {
			calErr = fmt.Errorf("the stand-in: %w", err)
			cancel()
		}
	})
	err := a.Serve(ctx, func(net.Addr) { ready() })
	cal.Close()
	wg.Wait()
	return errors.Join(err, calErr)
}

// apiKeyFile holds the key of the stand-in's API.
const apiKeyFile = "calcom-api-key"

// install writes the install and returns its webhook secret: the environment's
// CAL_WEBHOOK_SECRET if there is one.
func (d Demo) install(listen, siteURL, calURL string) (secret string, err error) {
	if err := writeContent(filepath.Join(d.Dir, "content")); err != nil {
		return "", err
	}
	if _, err := freshSecret(d.Dir, "reference.key"); err != nil {
		return "", err
	}
	if _, err := freshSecret(d.Dir, "calcom-webhook.old"); err != nil {
		return "", err
	}
	if given := strings.TrimSpace(os.Getenv("CAL_WEBHOOK_SECRET")); given != "" {
		if err := writeSecret(d.Dir, "calcom-webhook", given); err != nil {
			return "", err
		}
	}
	if secret, err = freshSecret(d.Dir, "calcom-webhook"); err != nil {
		return "", err
	}
	if _, err := freshSecret(d.Dir, apiKeyFile); err != nil {
		return "", err
	}
	return secret, writeConfig(d.Dir, install{Demo: true, Listen: listen, Site: demoSite, URL: siteURL, CalOrigin: calURL, API: calURL + "/v2"})
}

// standIn starts Cal.com's stand-in with the event types of the site's services.
func (d Demo) standIn(siteURL, calURL, secret string) (*calsim.Sim, error) {
	site, err := content.Load(os.DirFS(filepath.Join(d.Dir, "content")))
	if err != nil {
		return nil, fmt.Errorf("content: %w", err)
	}
	old, err := freshSecret(d.Dir, "calcom-webhook.old")
	if err != nil {
		return nil, err
	}
	key, err := freshSecret(d.Dir, apiKeyFile)
	if err != nil {
		return nil, err
	}
	c := calsim.Config{
		Origin: calURL, OldSecret: old, APIKey: key, Log: d.Log,
	}
	for _, v := range site.Services {
		user, slug, _ := strings.Cut(v.Calendar, "/")
		c.EventTypes = append(c.EventTypes, calsim.EventType{
			ID: v.EventType, User: user, Slug: slug, Title: v.Title, Location: cmp.Or(demoPlaces[v.Slug], "phone"),
			Length: time.Duration(v.CallMinutes) * time.Minute, RequiresConfirmation: v.Confirmation != "",
		})
		c.Webhooks = append(c.Webhooks, calsim.Webhook{ // as handoff calcom connect makes them, which works on this install too
			URL: siteURL + "/webhooks/calcom/" + demoSite, Secret: secret, EventType: v.EventType, Triggers: append(calcom.Triggers(), demoTriggers...),
		})
	}
	return calsim.New(c), nil
}

// listenOr listens on the address that was asked for, or on the usual one, or,
// where that is taken, on any port.
func listenOr(asked, usual string) (net.Listener, error) {
	if asked != "" {
		return listen(asked)
	}
	if l, err := net.Listen("tcp", usual); err == nil {
		return l, nil
	}
	return listen("127.0.0.1:0")
}

func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", address, err)
	}
	return l, nil
}

// reserve finds the address that the site will listen on. It is released again,
// since the configuration names it.
func reserve(asked, usual string) (string, error) {
	l, err := listenOr(asked, usual)
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// AddUser adds an operator, or gives one another name and password.
func AddUser(ctx context.Context, db *store.DB, u store.User, password string) error {
	var err error
	if u.PasswordHash, err = desk.HashPassword(password); err != nil {
		return err
	}
	u.Email = desk.NormalizeEmail(u.Email)
	return db.PutUser(ctx, u)
}

// ResetPassword gives an operator another password, which ends their sessions.
func ResetPassword(ctx context.Context, db *store.DB, email, password string) error {
	hash, err := desk.HashPassword(password)
	if err != nil {
		return err
	}
	return db.SetPassword(ctx, handoff.CommandLine, email, hash, "")
}

// NormalizeEmail is the form in which operators' addresses are stored.
func NormalizeEmail(email string) string { return desk.NormalizeEmail(email) }
