package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
)

var shellBlock = regexp.MustCompile("(?s)```sh\n(.*?)```")

// examples runs all examples of a page of docs, one after the other in one shell:
// examples api.md. In them $HANDOFF is the site's address and $SITE its ID.
func examples(c *call) error {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", c.next()))
	if err != nil {
		return err
	}
	script := "HANDOFF=http://$SITE\nSITE=" + c.ts.Getenv("SITEID") + "\n"
	blocks := shellBlock.FindAllStringSubmatch(string(page), -1)
	if len(blocks) < 5 {
		return fmt.Errorf("the page has %d examples", len(blocks))
	}
	for _, b := range blocks {
		script += b[1]
	}
	return c.ts.Exec("sh", "-euc", script)
}

// token puts the key that the last command printed as JSON into $key and $token.
func token(c *call) error {
	var k struct{ ID, Token string }
	if err := json.Unmarshal([]byte(c.ts.ReadFile("stdout")), &k); err != nil || k.Token == "" {
		return fmt.Errorf("no key was printed: %w", err)
	}
	c.ts.Setenv("key", k.ID)
	c.ts.Setenv("token", k.Token)
	return nil
}
