package main_test

import (
	"context"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"handoff"
)

// authenticator puts one into the tab that knows its person, and returns its ID.
func (b *tab) authenticator() (id webauthn.AuthenticatorID) {
	b.Helper()
	b.do(command(webauthn.Enable, webauthn.EnableParams{}), chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		made, err := cdp.Call(ctx, t, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}})
		if err == nil {
			id = made.AuthenticatorID
		}
		return err
	}))
	return id
}

// signsInWithPasskeys: a passkey is made in the account's page and signs in without a
// name; another one takes up an invitation; and without what they need nobody is offered
// any.
func signsInWithPasskeys(t *testing.T, browser context.Context) {
	h := startDemo(t)
	named := strings.Replace(h.site, "127.0.0.1", "localhost", 1) // browsers make no passkeys for numbers
	b := newTab(t, browser, desktop)
	b.expect("401 (Unauthorized)") // a page that is kept fresh hears that its session ended
	device := b.authenticator()
	b.open(named + "/desk/sign-in")
	b.fill("#email", h.operator)
	b.fill("#password", h.password)
	b.press(".main-button")
	b.at("/desk/")
	b.open(named + "/desk/account")
	b.until(`document.getElementById("key-name")?.checkVisibility()`)
	b.fill("#key-name", "Work laptop")
	b.press("[data-passkey] button")
	b.until(`document.querySelector(".notice")?.innerText.includes("passkey is added")`)
	if got := b.text("[aria-labelledby=passkeys] tbody"); !strings.Contains(got, "Work laptop") || !strings.Contains(got, "localhost") {
		t.Errorf("the passkeys are %q", got)
	}
	b.fill("#key-name", "Again")
	b.press("[data-passkey] button")
	b.until(`document.querySelector("[data-passkey] .problem").innerText.includes("already")`)

	checks := readFile(t, "checks.js")
	b.measure(t, "desk-passkeys", checks)
	b.show(desktop)
	signOut := func() {
		t.Helper()
		b.press(".who button")
		b.at("/desk/sign-in")
	}
	signOut()
	b.open(named + "/desk/sign-in?next=/desk/failures")
	b.measure(t, "desk-sign-in-passkey", checks)
	b.show(desktop)
	b.press("[data-passkey] button")
	b.at("/desk/failures")
	if got := b.text(".who"); !strings.Contains(got, "Demo operator") {
		t.Errorf("signed in as %q", got)
	}
	signOut()
	b.do(command(webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: device, IsUserVerified: false}))
	b.press("[data-passkey] button")
	b.until(`document.querySelector("[data-passkey] .problem").checkVisibility()`)
	if got := b.text("[data-passkey] .problem"); !strings.Contains(got, "Nothing was done") || b.text("h1") != "Sign in" {
		t.Errorf("without a finger: %q", got)
	}

	token, err := h.db.Invite(t.Context(), handoff.CommandLine, "nora@brightwater.example", handoff.RoleViewer, nil)
	if err != nil {
		t.Fatal(err)
	}
	guest := newTab(t, browser, phone)
	guest.authenticator()
	guest.open(named + "/desk/invitations/" + token)
	guest.fill("#name", "Nora")
	guest.press("[data-passkey] button")
	guest.at("/desk/")
	if got := guest.text(".who"); !strings.Contains(got, "Nora") {
		t.Errorf("let in as %q", got)
	}

	plain := newTab(t, browser, desktop)
	plain.disableScripts()
	plain.open(named + "/desk/sign-in")
	if eval[bool](plain, `document.querySelector("[data-passkey]").checkVisibility()`) {
		t.Error("without JavaScript a passkey is offered")
	}
	plain.fill("#email", h.operator)
	plain.fill("#password", h.password)
	plain.press(".main-button")
	plain.at("/desk/")
	plain.open(named + "/desk/account")
	if got := plain.text("[aria-labelledby=passkeys]"); !strings.Contains(got, "switch JavaScript on") {
		t.Errorf("without JavaScript: %q", got)
	}
	numbers := newTab(t, browser, desktop)
	numbers.signIn(h)
	numbers.open(h.site + "/desk/account")
	if got := numbers.text("[aria-labelledby=passkeys]"); !strings.Contains(got, "Open the desk at "+named) {
		t.Errorf("at an address of numbers: %q", got)
	}
}
