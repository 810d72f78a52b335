package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"handoff"
	"handoff/internal/calcom"
	"handoff/internal/content"
	"handoff/internal/jobs"
	"handoff/internal/store"
	"handoff/internal/web"
	"handoff/internal/web/api"
	"handoff/internal/web/desk"
)

// minSecret is the least length of a webhook secret, in characters: one that can
// be guessed proves nothing.
const minSecret = 16

// OpenStore opens the store of a configuration, for commands that need no more.
// now is the clock; nil is time.Now.
func OpenStore(ctx context.Context, c *Config, log *slog.Logger, now func() time.Time) (*store.DB, error) {
	return store.Open(ctx, c.StoreURL(), store.Options{Now: now, Log: log, NoMigration: c.Migrate == migrateByCommand})
}

// An App is a wired server. Make one with New and run it with Serve.
type App struct {
	listen  string
	db      *store.DB
	handler http.Handler
	desk    *desk.Desk
	runner  *jobs.Runner
	sites   []*web.Site
	readers map[string]store.Reader // of deliveries that were kept sealed, by site
	log     *slog.Logger
}

// New reads what a configuration names (secrets, content), opens the store and
// wires the parts. It starts nothing. Call Close, also after Serve. now is the
// clock of all parts; nil is time.Now.
func New(ctx context.Context, c *Config, log *slog.Logger, now func() time.Time) (*App, error) {
	keys, err := c.keys()
	if err != nil {
		return nil, err
	}
	sites, err := c.sites(keys)
	if err != nil {
		return nil, err
	}
	proxies, err := c.proxies()
	if err != nil {
		return nil, err
	}
	boxes, err := c.letterboxes(sites, keys)
	if err != nil {
		return nil, err
	}
	mail, err := c.deskMail(sites)
	if err != nil {
		return nil, err
	}
	db, err := OpenStore(ctx, c, log, now)
	if err != nil {
		return nil, err
	}
	a := &App{listen: c.Listen, db: db, sites: sites, log: log}
	for _, s := range sites {
		if s.API != nil && s.API.Key == "" {
			log.Warn("no key of Cal.com's API: bookings whose webhook is lost are found only if their page heard of them; run handoff calcom connect", "site", s.ID)
		}
	}
	if err := a.wire(c, web.Config{Store: db, Sites: sites, Keys: keys, Secure: c.secure(), TrustedProxies: proxies, Log: log, Now: now}, boxes, mail); err != nil {
		db.Close()
		return nil, err
	}
	return a, nil
}

// wire joins the parts around the store: the work, the desk, the requests.
func (a *App) wire(c *Config, wc web.Config, boxes map[string]letterbox, mail deskMail) error {
	work := map[string]jobs.Site{}
	var deskSites []desk.Site
	var apiSites []api.Site
	a.readers = map[string]store.Reader{}
	var origins []string
	clock := wc.Now
	if clock == nil {
		clock = time.Now
	}
	for _, s := range wc.Sites {
		work[s.ID] = jobs.Site{Rules: s.Rules, Trust: s.Trust, API: s.API, Reminders: boxes[s.ID].reminders, Telling: boxes[s.ID].telling, Calendars: calendars(s)}
		titles, types := map[string]string{}, map[int64]string{}
		for _, v := range s.Content.Services {
			titles[v.Slug], types[int64(v.EventType)] = v.Title, v.Slug
		}
		origins = append(origins, originOf(s.Content.URL))
		deskSites = append(deskSites, desk.Site{
			ID: s.ID, Name: s.Content.Name, TimeZone: s.Content.Location(), Pipeline: s.Pipeline, Services: titles, EventTypes: types,
			Read: s.Reader(wc.Keys, clock), Asks: s.API != nil,
			BookingLink: func(id handoff.SubmissionID) string { return s.Content.URL + "/book/" + wc.Keys.Sign(s.ID, id) },
			Swept:       s.API != nil && s.API.Key != "", Ignore: s.Ignore,
			Letters: letters(s, wc.Keys, boxes[s.ID].reminders), Quiet: quietWords(boxes[s.ID].reminders), Reminds: boxes[s.ID].reminders != nil,
			UnbookedAfter: c.siteConfig(s.ID).Desk.unbooked(), Reminding: boxes[s.ID].reminding(),
			URL: s.Content.URL, Origins: s.CalOrigins, Mails: c.Mail.Host != "", Tells: boxes[s.ID].telling.Names(), File: c.file, Settings: c.settings(c.siteConfig(s.ID), s),
			Secrets: func() []desk.Secret { return shownSecrets(wc.Keys[0], s.Secrets()) },
		})
		served := apiSite(s)
		served.Reader = s.Reader(wc.Keys, clock)
		a.readers[s.ID] = served.Reader
		apiSites = append(apiSites, served)
	}
	var server *web.Server // made last, since it serves the desk and the API
	var err error
	a.desk, err = desk.New(desk.Config{
		Store: a.db, Sites: deskSites, Secure: wc.Secure, Log: a.log, Now: wc.Now,
		Source: func(r *http.Request) string { return server.Source(r) }, Host: func(r *http.Request) string { return server.Host(r) }, Origins: origins,
		Key: deskKey(wc.Keys[0]), Mail: mail,
	})
	if err != nil {
		return err
	}
	wc.Desk = a.desk
	if wc.API, err = api.New(api.Config{
		Store: a.db, Sites: apiSites, Log: a.log, Now: wc.Now,
		Source: func(r *http.Request) string { return server.Source(r) },
	}); err != nil {
		return err
	}
	if server, err = web.New(wc); err != nil {
		return err
	}
	a.handler = server
	a.runner = &jobs.Runner{Store: a.db, Log: a.log, Sites: work}
	return nil
}

// apiSite is what the API says of a site.
func apiSite(s *web.Site) api.Site {
	return api.Site{ID: s.ID, Name: s.Content.Name, URL: s.Content.URL, TimeZone: s.Content.Location(), Swept: s.API != nil && s.API.Key != "", Asks: s.API != nil, Rules: s.Rules}
}

// calendars tells why a calendar of a site cannot be shown in its pages. An error says
// that one could not be looked at.
func calendars(s *web.Site) func(context.Context) (string, error) {
	return func(ctx context.Context) (string, error) {
		var faults []string
		var away []error
		for _, v := range s.Content.Services {
			fault, err := calcom.Framed(ctx, s.CalOrigins, v.Calendar, originOf(s.Content.URL))
			switch {
			case errors.Is(err, handoff.ErrNotFound):
				fault = "there is no such booking page"
			case err != nil:
				away = append(away, err)
			}
			if fault != "" {
				faults = append(faults, v.Slug+", "+v.Calendar+": "+fault)
			}
		}
		if missing, err := calcom.Speaks(ctx, s.CalOrigins[0]); err == nil && len(missing) > 0 {
			faults = append(faults, spokenNoMore(missing))
		}
		return strings.Join(faults, "; "), errors.Join(away...)
	}
}

// Swept lists the sites whose bookings are swept.
func (a *App) Swept() []string { return a.runner.Swept() }

// Sweep asks Cal.com now which bookings of a site changed: since a day, such as
// 2026-11-01, in the site's own time, or, empty, since the last sweep. See jobs.Runner.
func (a *App) Sweep(ctx context.Context, site, day string) (jobs.Sweep, error) {
	var since time.Time
	for _, s := range a.sites {
		if day == "" || s.ID != site {
			continue
		}
		var err error
		if since, err = handoff.ParseDay(s.Content.Location(), day); err != nil {
			return jobs.Sweep{}, fmt.Errorf("%q is no day such as 2026-11-01: %w", day, handoff.ErrInvalid)
		}
	}
	return a.runner.Sweep(ctx, site, since)
}

// Store is the store, for commands that need more besides.
func (a *App) Store() *store.DB { return a.db }

// ReadAgain reads the delivery of a failure again, with the secrets of now. The error
// is ErrInvalid, with words, if it is refused as before; else see store.ReadAgain.
func (a *App) ReadAgain(ctx context.Context, by handoff.Actor, site string, id handoff.FailureID) (waits handoff.Reason, err error) {
	read := a.readers[site]
	if read == nil {
		return "", fmt.Errorf("the configuration has no site %q: %w", site, handoff.ErrInvalid)
	}
	waits, err = a.db.ReadAgain(ctx, by, site, id, read)
	var refused *calcom.Refusal
	if errors.As(err, &refused) {
		return "", handoff.Refuse(handoff.ErrInvalid, "The delivery is still not believed or not understood: %s.", refused.Reason)
	}
	return waits, err
}

// ReadAllAgain does so for what waits at a site for a reason. See store.ReadAllAgain.
func (a *App) ReadAllAgain(ctx context.Context, by handoff.Actor, site string, reason handoff.Reason) (done, left int, err error) {
	read := a.readers[site]
	if read == nil {
		return 0, 0, fmt.Errorf("the configuration has no site %q: %w", site, handoff.ErrInvalid)
	}
	return a.db.ReadAllAgain(ctx, by, site, reason, read)
}

// Close closes the store.
func (a *App) Close() error { return a.db.Close() }

// Serve answers requests and does the work until ctx ends, then lets what is
// under way finish. ready, if not nil, is called with the address once it listens.
func (a *App) Serve(ctx context.Context, ready func(net.Addr)) error {
	l, err := net.Listen("tcp", a.listen)
	if err != nil {
		return fmt.Errorf("listening: %w", err)
	}
	// Requests outlive ctx a little, but event streams end with it.
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	srv := &http.Server{
		Handler: a.handler, ReadHeaderTimeout: web.ReadHeaderTimeout, ReadTimeout: web.ReadTimeout,
		WriteTimeout: web.WriteTimeout, IdleTimeout: web.IdleTimeout, MaxHeaderBytes: web.MaxHeaderBytes,
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	srv.RegisterOnShutdown(cancel)
	srv.RegisterOnShutdown(a.desk.Close)
	var wg sync.WaitGroup
	wg.Go(func() { a.runner.Run(ctx) })
	wg.Go(func() {
		<-ctx.Done()
		grace, done := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer done()
		if err := srv.Shutdown(grace); err != nil {
			srv.Close()
		}
	})
	a.log.Info("listening", "address", l.Addr().String())
	if ready != nil {
		ready(l.Addr())
	}
	err = srv.Serve(l)
	wg.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// sites reads each site's secrets and content.
func (c *Config) sites(keys handoff.Keys) ([]*web.Site, error) {
	var out []*web.Site
	secrets := map[string][]string{}
	for i := range c.Sites {
		sc := &c.Sites[i]
		site, err := c.site(sc, keys)
		if err != nil {
			return nil, fmt.Errorf("site %s: %w", sc.ID, err)
		}
		for _, secret := range site.Secrets() {
			secrets[sc.ID] = append(secrets[sc.ID], secret.Value)
		}
		out = append(out, site)
	}
	if len(out) == 1 {
		out[0].Hosts = nil // a single site answers whatever host it is asked for
	}
	for _, site := range out { // what lets one site recognise, but not believe, another's deliveries
		site.Trust.OtherSecrets = map[string][]string{}
		for id, other := range secrets {
			if id != site.ID {
				site.Trust.OtherSecrets[id] = other
				site.Trust.OtherSites = append(site.Trust.OtherSites, id)
			}
		}
	}
	return out, nil
}

func (c *Config) site(sc *SiteConfig, keys handoff.Keys) (*web.Site, error) {
	trust := calcom.Trust{Site: sc.ID, Keys: keys}
	secrets, err := c.webhookSecrets(&sc.Calcom)
	if err != nil {
		return nil, fmt.Errorf("calcom.webhook_secret: %w; without it nobody could tell a real webhook from a forged one", err)
	}
	site := &web.Site{ID: sc.ID, Hosts: sc.hosts(), CalOrigins: sc.Calcom.Origins, Secrets: secrets}
	site.Rules = handoff.Rules{Pipeline: sc.pipeline(), Ignore: sc.ignore()}
	for i, r := range sc.Calcom.RetiredSecrets {
		retired, err := r.value(c.dir)
		if err != nil {
			return nil, fmt.Errorf("calcom.retired_webhook_secrets[%d]: %w", i, err)
		}
		trust.Retired = append(trust.Retired, retired)
	}
	site.Trust = trust
	if api := sc.Calcom.API; api.URL != "" {
		site.API = &calcom.API{Base: strings.TrimRight(api.URL, "/")}
		if api.Key != (Secret{}) && !api.Key.isMissing(c.dir) {
			if site.API.Key, err = api.Key.value(c.dir); err != nil {
				return nil, fmt.Errorf("calcom.api.key: %w", err)
			}
		}
	}
	if site.Content, err = content.Load(os.DirFS(abs(c.dir, sc.Content))); err != nil {
		return nil, fmt.Errorf("content: %w", err)
	}
	site.Content.URL = sc.URL // where this install serves it counts
	for _, v := range site.Content.Services {
		site.EventTypes = append(site.EventTypes, int64(v.EventType))
	}
	return site, nil
}

// secure reports that visitors come over https.
func (c *Config) secure() bool {
	for _, s := range c.Sites {
		if len(s.URL) < 6 || s.URL[:6] != "https:" {
			return false
		}
	}
	return true
}
