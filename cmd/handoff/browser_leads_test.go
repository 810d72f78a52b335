package main_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"handoff"
	"handoff/internal/store"
)

// drag drags a card of the board into a column, by the events that a browser makes.
const drag = `(async (card, stage) => {
  const from = document.getElementById(card), to = document.querySelector('[data-column="' + stage + '"]');
  const dataTransfer = new DataTransfer();
  const say = (on, type) => on.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
  say(from, "dragstart");
  const over = say(to, "dragover"); // false: it may be dropped here
  say(to, "drop");
  say(from, "dragend");
  return [over, document.querySelector('[data-column="' + stage + '"] #' + card) !== null];
})(%q, %q)`

// boardIsWorked: a card is moved by dragging and by keyboard; one that somebody else
// moved meanwhile goes where it belongs.
func boardIsWorked(t *testing.T, browser context.Context) {
	h := startDemo(t)
	id := h.detail(t, h.lead(t, "boiler-replacement", person)).ID
	b := newTab(t, browser, desktop)
	b.signIn(h)
	b.open(h.site + "/desk/board")
	b.until(`document.querySelector("main[data-live]")`)
	eval[bool](b, "window.notReloaded = true")
	in := func(stage string) string {
		return fmt.Sprintf(`document.querySelector('[data-column="%s"] #%s [name=from]')?.value === "%s"`, stage, id, stage)
	}

	if got := eval[[]bool](b, fmt.Sprintf(drag, id, "contacted")); got[0] || !got[1] {
		t.Errorf("dropped: %v; want the card to be there at once", got)
	}
	b.until(in("contacted"))
	d := h.read(t, id)
	if d.Stage != "contacted" || len(d.History) != 2 {
		t.Errorf("lead %+v", d)
	}

	// Somebody else was before, and the page has not heard of it: the card goes back.
	poor := newTab(t, browser, desktop)
	poor.do(command(page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `Object.defineProperty(window, "EventSource", { value: undefined })`}))
	poor.signIn(h)
	poor.open(h.site + "/desk/board")
	poor.until(in("contacted"))
	if _, err := h.db.SetStage(t.Context(), handoff.CommandLine, h.siteID, id, "contacted", "won", handoff.DefaultPipeline()); err != nil {
		t.Fatal(err)
	}
	poor.expect("409 (Conflict)")
	eval[bool](poor, `(desk.refresh = () => { window.refreshed = true; }, true)`)
	eval[[]bool](poor, fmt.Sprintf(drag, id, "lost"))
	poor.until(`window.refreshed`)
	if !eval[bool](poor, in("contacted")) || !eval[bool](poor, `document.getElementById("said").textContent.includes("was before you")`) {
		t.Errorf("a card that was refused is not back (%s), or nobody is told (%s)",
			eval[string](poor, fmt.Sprintf(`document.getElementById(%q)?.closest("[data-column]").dataset.column ?? "gone"`, id)), poor.text("#said"))
	}
	b.until(in("won"))
	if d := h.read(t, id); d.Stage != "won" || len(d.History) != 3 {
		t.Errorf("after a move that was refused: %+v", d)
	}

	// By keyboard: to the card, to its choice of stages, and there.
	eval[bool](b, `(document.activeElement.blur(), true)`)
	b.do(chromedp.KeyEvent("j"), chromedp.KeyEvent("s"))
	b.until(fmt.Sprintf(`document.activeElement.matches('#%s select')`, id))
	b.do(chromedp.KeyEvent(kb.ArrowUp), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent(kb.Enter))
	b.at("/desk/board")
	b.until(`document.querySelector('[data-column="won"] li') === null`)
	if d := h.read(t, id); d.Stage != "met" {
		t.Errorf("by keyboard it came to %s, want the stage before won", d.Stage)
	}
}

func (h *house) read(t *testing.T, id handoff.LeadID) store.LeadDetail {
	t.Helper()
	d, err := h.db.Lead(t.Context(), nil, id)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// browserOffersItsZone: who is elsewhere chooses the zone of their browser with one press,
// and reads times in it.
func browserOffersItsZone(t *testing.T, browser context.Context) {
	h := startDemo(t)
	b := newTab(t, browser, desktop)
	b.do(command(emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Calcutta"})) // an older name
	b.signIn(h)
	b.open(h.site + "/desk/")
	b.press(`.head a[href="/desk/account#zone"]`)
	b.until(`document.querySelector("[data-here]:not([hidden]) span")?.textContent === "Asia/Calcutta"`)
	b.press("[data-here] button")
	b.until(`document.getElementById("zone-name").value === "Asia/Calcutta" && document.activeElement.id === "zone-name"`)
	b.do(chromedp.KeyEvent(kb.Tab))
	b.until(`!document.activeElement.matches("select")`)
	b.press(`form[action="/desk/account/zone"] > button`)
	b.until(`document.querySelector(".notice")?.textContent.includes("Times are shown so") && document.querySelector("[data-here]").hidden`)
	b.open(h.site + "/desk/")
	b.until(`document.querySelector(".head").textContent.includes("Calcutta time")`)
}

// keysDoWhatTheySay: in a list j and k go from row to row, Enter opens, / searches and ?
// tells; where somebody types, or has switched them off, keys are letters.
func keysDoWhatTheySay(t *testing.T, browser context.Context) {
	h := startDemo(t)
	first := h.detail(t, h.lead(t, "boiler-replacement", "Ada One")).ID
	second := h.detail(t, h.lead(t, "boiler-replacement", "Bea Two")).ID
	b := newTab(t, browser, desktop)
	b.signIn(h)
	b.open(h.site + "/desk/leads")
	press := func(keys string) { t.Helper(); b.do(chromedp.KeyEvent(keys)) }
	on := func(id handoff.LeadID) {
		t.Helper()
		b.until(fmt.Sprintf(`document.activeElement.closest("tr")?.id === %q`, id))
	}
	press("j")
	on(second) // the newest is first
	press("j")
	on(first)
	press("j")
	on(first)
	press("k")
	on(second)
	press("/")
	b.until(`document.activeElement.id === "q"`)
	press("j?") // the driver types the / as well, though its key was taken
	b.until(`document.getElementById("q").value.endsWith("j?") && !document.getElementById("keys").open`)
	eval[bool](b, `(document.activeElement.blur(), true)`)
	press("?")
	b.until(`document.getElementById("keys").open`)
	press("j")
	b.press("#keys-on")
	b.press("#keys form button")
	b.until(`!document.getElementById("keys").open`)
	press("/")
	b.until(`document.activeElement.id !== "q"`)
	b.press("#keys-link")
	b.press("#keys-on")
	b.press("#keys form button")
	eval[bool](b, `(document.activeElement.blur(), true)`)
	press("j")
	on(second)
	press(kb.Enter)
	b.at("/desk/leads/" + string(second))
	press("n")
	b.until(`document.activeElement.id === "note"`)
	b.do(chromedp.Steps(insert("Called, nobody there")))
	b.press(".write button")
	b.until(`document.querySelector(".remark")?.innerText.includes("nobody there")`)

	// What is written stays where the page is made fresh around it.
	b.do(chromedp.Steps(chromedp.Focus(chromedp.CSS("#note"))), chromedp.Steps(insert("half a note")))
	h.book(t, surveyCall, h.lead(t, "boiler-replacement", "Cleo Three"))
	if _, err := h.db.AddNote(t.Context(), handoff.CommandLine, h.siteID, second, "another note"); err != nil {
		t.Fatal(err)
	}
	b.until(`document.querySelectorAll(".remark").length === 2`)
	if got := eval[string](b, `document.getElementById("note").value`); got != "half a note" {
		t.Errorf("what was being written is %q", got)
	}
}
