package main

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strings"
)

var printed = regexp.MustCompile(`sign in as (\S+) with (\S+)`)

// operatorDoes is the persona "operator", at the desk:
//
//	signs-in [EMAIL PASSWORD]   as the demo printed, or as users add made
//	is-refused EMAIL PASSWORD   at the sign-in
//	is-asked-to-sign-in PATH    instead of seeing a page
//	signs-out
//	follows-link NAME=VALUE …   that the last command printed, and sends its form
//	sees PATH WORDS …           a page says all these words
//	misses PATH WORDS …         a page opens, and says none of these words
//	sees-lead NAME WORDS …      the page of a visitor's lead
//	sees-failure REASON WORDS … the page of the one open entry of a reason
//	misses-failure REASON WORDS …
func operatorDoes(c *call) error {
	if c.desk == nil {
		c.desk = newBrowser("")
	}
	switch what := c.next(); what {
	case "signs-in":
		return c.signsIn()
	case "is-refused":
		status, _, err := c.tries(c.next(), c.next())
		if err == nil && status != http.StatusUnprocessableEntity {
			err = fmt.Errorf("status %d", status)
		}
		return err
	case "follows-link":
		return c.followsLink()
	case "is-asked-to-sign-in":
		if err := c.desk.open(c.site + c.next()); err != nil {
			return err
		}
		_, err := c.desk.find("input", "name", "password")
		return err
	case "signs-out":
		status, _, err := c.desk.send(c.site+"/desk/sign-out", url.Values{})
		if err == nil && status != http.StatusSeeOther {
			err = fmt.Errorf("sign-out: status %d", status)
		}
		return err
	case "sees":
		return c.says(c.next(), true)
	case "misses":
		return c.says(c.next(), false)
	case "sees-lead":
		l, err := c.lead(c.next())
		if err != nil {
			return err
		}
		return c.says("/desk/leads/"+l.ID, true)
	case "sees-failure", "misses-failure":
		f, err := c.failure(c.next())
		if err != nil {
			return err
		}
		return c.says("/desk/failures/"+f.ID, what == "sees-failure")
	default:
		c.ts.Fatalf("an operator does not %s", what)
	}
	return nil
}

func (c *call) signsIn() error {
	var email, password string
	if len(c.args) == 0 {
		out, err := os.ReadFile(c.server.out)
		if err != nil {
			return err
		}
		m := printed.FindStringSubmatch(string(out))
		if m == nil {
			return fmt.Errorf("no password in %s", out)
		}
		email, password = m[1], m[2]
	} else {
		email, password = c.next(), c.next()
	}
	status, to, err := c.tries(email, password)
	if err == nil && (status != http.StatusSeeOther || to != c.site+"/desk/") {
		err = fmt.Errorf("not signed in: status %d, %s: %s", status, to, c.desk.text())
	}
	return err
}

func (c *call) followsLink() error {
	link, b, fields := strings.TrimSpace(c.ts.ReadFile("stdout")), newBrowser(""), map[string]string{}
	if err := b.open(link); err != nil {
		return err
	}
	for _, field := range c.args {
		name, value, _ := strings.Cut(field, "=")
		fields[name] = value
	}
	status, to, err := b.send(link, b.fill(fields))
	if err == nil && (status != http.StatusSeeOther || to != c.site+"/desk/") {
		err = fmt.Errorf("not let in: status %d, %s: %s", status, to, b.text())
	}
	c.desk = b
	return err
}

// tries opens the desk in a new browser and sends the sign-in form.
func (c *call) tries(email, password string) (status int, to string, err error) {
	b := newBrowser("")
	if err := b.open(c.site + "/desk/"); err != nil {
		return 0, "", err
	}
	status, to, err = b.send(c.site+"/desk/sign-in", b.fill(map[string]string{"email": email, "password": password}))
	if status == http.StatusSeeOther {
		c.desk = b
	}
	return status, to, err
}

// says opens a page of the desk and looks for words.
func (c *call) says(path string, all bool) error {
	if err := c.quiet(); err != nil {
		return err
	}
	if err := c.desk.open(c.site + path); err != nil {
		return err
	}
	if !strings.HasSuffix(c.desk.url, path) {
		return fmt.Errorf("%s leads to %s", path, c.desk.url)
	}
	text, errs := c.desk.text(), []error{}
	for _, words := range c.args {
		if strings.Contains(text, words) != all {
			errs = append(errs, fmt.Errorf("%q (should be there: %v)", words, all))
		}
	}
	if len(errs) > 0 {
		return fmt.Errorf("%s says: %s\n%w", path, text, errors.Join(errs...))
	}
	return nil
}
