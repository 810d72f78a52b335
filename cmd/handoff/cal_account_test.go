package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"handoff/internal/calcom/calsim"
	"handoff/internal/content"
)

// calKey is the key of the account that "cal opens" makes.
const calKey = "cal_live_of_the_script"

// opens starts a Cal.com of its own at $CAL, as somebody has it who has never heard of
// us: the event types of the install's services, without our question, and no webhook.
// "cal opens older" has no API to add questions.
func (c *call) opens() error {
	site, err := content.Load(os.DirFS(filepath.Join(c.dir, "content")))
	if err != nil {
		return err
	}
	config := calsim.Config{Origin: "http://" + c.calAddress, APIKey: calKey, Generation: calsim.Cloud2026}
	if slices.Contains(c.args, "older") {
		config.Generation = calsim.SelfHosted2025
	}
	for _, v := range site.Services {
		user, slug, _ := strings.Cut(v.Calendar, "/")
		config.EventTypes = append(config.EventTypes, calsim.EventType{
			ID: v.EventType, User: user, Slug: slug, Title: v.Title, Location: "phone", Questions: []calsim.Question{},
			Length: time.Duration(v.CallMinutes) * time.Minute, RequiresConfirmation: v.Confirmation != "",
		})
	}
	c.account = calsim.New(config)
	l, err := net.Listen("tcp", c.calAddress)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: c.account, ReadHeaderTimeout: patience}
	go func() { _ = server.Serve(l) }() // ends with Close
	c.closeCal = func() {
		server.Close()
		c.account.Close()
	}
	c.cal = "http://" + c.calAddress
	return nil
}

// has checks what Cal.com's side has: "cal has webhooks=3 questions=3".
func (c *call) has() error {
	hooks, questions := len(c.account.Webhooks()), 0
	for _, et := range c.account.EventTypes() {
		questions += len(et.Questions)
	}
	return same([]string{fmt.Sprint("webhooks=", hooks), fmt.Sprint("questions=", questions)}, c.args)
}

// spoils makes the first webhook wrong: "cal spoils secret", "cal spoils triggers",
// "cal spoils active".
func (c *call) spoils() error {
	hooks := c.account.Webhooks()
	switch what := c.next(); what {
	case "secret":
		hooks[0].Secret = "another secret, not this site's"
	case "triggers":
		hooks[0].Triggers = []string{"BOOKING_CREATED"}
	case "active":
		hooks[0].Inactive = true
	case "template":
		hooks[0].Template = `{"uid":"{{uid}}"}`
	default:
		c.ts.Fatalf("a webhook has no %s", what)
	}
	c.account.SetWebhooks(hooks...)
	return nil
}
