// Command pocketbase is the webhook handler that a good engineer writes with
// PocketBase as a framework: verify, deduplicate, keep the event, move the lead,
// in one transaction. It is measured beside Handoff and is no part of it.
//
// With PEER_DURABILITY=full its commits wait for the disk, as Handoff's do; without, it
// has PocketBase's own setting, which can lose the last commits in a power cut.
package main

import (
	"log"
	"os"
	"strings"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/apis"
	"github.com/pocketbase/pocketbase/core"
)

func main() {
	config := pocketbase.Config{HideStartBanner: true}
	if os.Getenv("PEER_DURABILITY") == "full" {
		config.DBConnect = connectFull
	}
	app := pocketbase.NewWithConfig(config)
	secret := []byte(os.Getenv("PEER_SECRET"))
	if len(secret) == 0 {
		log.Fatal("PEER_SECRET is empty")
	}
	app.OnServe().BindFunc(func(e *core.ServeEvent) error {
		e.InstallerFunc = nil // no browser, no first superuser
		if err := createCollections(e.App); err != nil {
			return err
		}
		e.Router.POST("/webhooks/calcom/{site}", receive(secret)).Bind(apis.SkipSuccessActivityLog())
		return e.Next()
	})
	if err := app.Start(); err != nil {
		log.Fatal(err)
	}
}

// connectFull is PocketBase's own connection, but that a commit of the data (not
// of its log) waits for the disk.
func connectFull(path string) (*dbx.DB, error) {
	if !strings.HasSuffix(path, "data.db") {
		return core.DefaultDBConnect(path)
	}
	return dbx.Open("sqlite", path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=journal_size_limit(200000000)"+
		"&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)&_pragma=temp_store(MEMORY)&_pragma=cache_size(-32000)")
}
