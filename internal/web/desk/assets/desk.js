// Keeps an open page of the desk fresh. The server says only that something
// changed; the page then fetches itself and takes over what differs, so that
// focus, scroll, selection and opened details stay as they are. Without this
// script, or without a connection, the page is as good as when it was loaded.
"use strict";

// What parts of this script, or others, use of one another.
const desk = {
  // refresh makes the page what the server has. Replaced below where it can be done in place.
  refresh: () => location.reload(),
  // say tells who listens rather than looks.
  say: (words) => { const said = document.getElementById("said"); if (said) said.textContent = words; },
  // keys are what single keys do: desk.keys.set("x", (event) => …). A key counts only
  // where nobody types, and its action may return false to leave it to the browser.
  keys: new Map(),
};
document.documentElement.classList.add("scripted");

(() => {
  const main = document.querySelector("main[data-live]");
  if (!main || !window.EventSource) return;

  const gap = 400; // ms between two fetches
  const policy = window.trustedTypes
    ? trustedTypes.createPolicy("handoff-desk", { createHTML: (page) => page })
    : { createHTML: (page) => page };
  // Only our own page, fetched below from our own address, goes through it.
  const parse = (page) => new DOMParser().parseFromString(policy.createHTML(page), "text/html");

  const said = document.getElementById("said");
  const link = document.getElementById("link");
  let stream = null;
  let fetching = false, again = false, last = 0;

  // state says which leads are shown at which stage, and how many failures wait.
  function state(doc) {
    const leads = new Map();
    for (const e of doc.querySelectorAll("[data-lead]")) leads.set(e.id, { name: e.dataset.lead, stage: e.dataset.stage });
    return { leads, failures: Number(doc.getElementById("open-failures")?.dataset.count ?? 0) };
  }

  // news says in words what differs; the list's later pages have no new leads.
  function news(before, after) {
    const words = [];
    for (const [id, lead] of after.leads) {
      const was = before.leads.get(id);
      if (was && was.stage !== lead.stage) words.push(`${lead.name}: ${lead.stage}.`);
      if (!was && !/[?&]before=/.test(location.search)) words.push(`${lead.name}, ${lead.stage}, is new in this list.`);
    }
    if (after.failures > before.failures) words.push(`Failures open: ${after.failures}.`);
    return words.length > 4 ? `${words.slice(0, 3).join(" ")} And ${words.length - 3} more changes.` : words.join(" ");
  }

  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && (a.id ?? "") === (b.id ?? "");

  // take makes the children of one element those of another, and leaves alone
  // what is equal. Elements with an ID are told apart by it and never moved.
  function take(from, to) {
    let old = from.firstChild;
    const drop = () => { const next = old.nextSibling; old.remove(); old = next; };
    for (const wanted of [...to.childNodes]) {
      if (wanted.id && !(old && alike(old, wanted))) {
        let there = old;
        while (there && !alike(there, wanted)) there = there.nextSibling;
        while (there && old !== there) drop();
      }
      if (!old || !alike(old, wanted)) {
        const added = document.importNode(wanted, true);
        from.insertBefore(added, old);
        if (added.dataset && "lead" in added.dataset) added.classList.add("changed");
        continue;
      }
      if (!old.isEqualNode(wanted)) {
        if (old.nodeType === Node.ELEMENT_NODE) takeElement(old, wanted);
        else old.data = wanted.data;
      }
      old = old.nextSibling;
    }
    while (old) drop();
  }

  function takeElement(old, wanted) {
    const moved = "stage" in old.dataset && old.dataset.stage !== wanted.dataset.stage;
    for (const { name } of [...old.attributes]) if (!wanted.hasAttribute(name) && name !== "open") old.removeAttribute(name);
    for (const { name, value } of wanted.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    take(old, wanted);
    if (moved) {
      old.classList.add("changed");
    }
  }

  async function refresh() {
    const answer = await fetch(location.href, { headers: { "X-Handoff-Live": "1" }, redirect: "error", cache: "no-store" });
    if (answer.status === 401 || answer.status === 404) return location.reload(); // signed out, or erased
    if (!answer.ok) throw new Error(String(answer.status));
    const doc = parse(await answer.text());
    const fresh = doc.querySelector("main[data-live]");
    if (!fresh) return;
    const before = state(document), focused = document.activeElement;
    take(main, fresh);
    take(document.getElementById("top"), doc.getElementById("top"));
    document.title = doc.title;
    if (focused && !focused.isConnected) main.focus({ preventScroll: true });
    const words = news(before, state(document));
    if (words) said.textContent = words;
  }

  async function changed() {
    if (fetching) { again = true; return; }
    fetching = true;
    do {
      again = false;
      const wait = last + gap - Date.now();
      if (wait > 0) await new Promise((done) => setTimeout(done, wait));
      last = Date.now();
      await refresh().catch(() => setTimeout(changed, 5000)); // offline, or the store does not answer
    } while (again);
    fetching = false;
  }

  desk.refresh = changed;

  function tell(words) {
    link.hidden = !words;
    link.textContent = words;
  }

  function open() {
    if (stream) return;
    stream = new EventSource("/desk/events");
    stream.addEventListener("open", () => { tell(""); changed(); });
    stream.addEventListener("change", changed);
    stream.addEventListener("end", () => { close(); changed(); });
    stream.addEventListener("error", () => {
      if (stream && stream.readyState === EventSource.CLOSED) { // refused: signed out, or too many pages
        close();
        changed();
        tell("This page is not kept fresh. Reload it to see what changed.");
      } else {
        tell("No connection: what you see may be old.");
      }
    });
  }

  function close() {
    stream?.close();
    stream = null;
  }

  // A page that nobody looks at holds no connection.
  const look = () => (document.hidden ? close() : open());
  document.addEventListener("visibilitychange", look);
  addEventListener("pagehide", close);
  addEventListener("pageshow", look);
  look();
})();

// Keys. They can be switched off in the dialog that tells of them, since speech input
// and a slip of the hand press keys too.
(() => {
  const dialog = document.getElementById("keys"), box = document.getElementById("keys-on");
  if (!dialog) return;
  const remembered = "handoff-desk-keys";
  const read = () => { try { return localStorage.getItem(remembered) !== "off"; } catch { return true; } };
  const show = () => { if (!dialog.open) { box.checked = read(); dialog.showModal(); } };
  box.addEventListener("change", () => { try { localStorage.setItem(remembered, box.checked ? "on" : "off"); } catch { /* not remembered */ } });
  document.getElementById("keys-link").addEventListener("click", (e) => { e.preventDefault(); show(); });

  const rows = () => [...document.querySelectorAll("main [data-go]")];
  const row = (e) => e?.closest("tr, li, article");
  // go moves to the row so many further: from the one with the focus, else from the first.
  function go(by) {
    const all = rows(), here = row(document.activeElement);
    const at = all.findIndex((link) => here && row(link) === here);
    const next = all[at < 0 ? 0 : Math.min(Math.max(at + by, 0), all.length - 1)];
    if (!next) return false;
    next.focus();
    next.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  function focus(selector) {
    const found = row(document.activeElement)?.querySelector(selector) ?? document.querySelector(`main ${selector}`);
    if (!found) return false;
    found.focus();
    found.select?.();
  }
  desk.keys.set("j", () => go(1));
  desk.keys.set("k", () => go(-1));
  desk.keys.set("/", () => focus("[data-search]"));
  desk.keys.set("s", () => focus("[data-stage-select]"));
  desk.keys.set("n", () => focus("[data-note]"));
  desk.keys.set("a", () => focus("[data-attach]"));
  desk.keys.set("d", () => focus("[data-dismiss]"));
  desk.keys.set("v", () => focus("[data-verify]"));
  desk.keys.set("c", () => focus("[data-ask]"));
  desk.keys.set("u", () => focus("[data-undo]"));
  desk.keys.set("x", () => { const box = row(document.activeElement)?.querySelector("input[name=id]"); if (!box) return false; box.checked = !box.checked; });
  desk.keys.set("?", show);

  document.addEventListener("keydown", (e) => {
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || e.isComposing || dialog.open) return;
    if (e.target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]") || !read()) return;
    const action = desk.keys.get(e.key);
    if (action && action(e) !== false) e.preventDefault();
  });
})();

// Copy buttons.
document.addEventListener("click", async (e) => {
  const button = e.target.closest?.("[data-copy]");
  if (!button) return;
  const field = document.getElementById(button.dataset.copy);
  field.select();
  try {
    await navigator.clipboard.writeText(field.value);
    desk.say("Copied.");
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  } catch {
    desk.say("Not copied: it is selected, copy it with your keyboard.");
  }
});

// The board: a card that is dragged to another column is moved at once, and put back if
// the server does not agree. Its form does the same for the keyboard.
(() => {
  let card = null;
  const columnOf = (e) => e.target.closest?.(".column")?.querySelector("[data-column]");
  const over = (list) => { for (const o of document.querySelectorAll(".over")) if (o !== list) o.classList.remove("over"); list?.classList.add("over"); };
  document.addEventListener("dragstart", (e) => {
    card = e.target.closest?.("[data-board] li[draggable]");
    if (!card) return;
    e.dataTransfer.effectAllowed = "move";
    e.dataTransfer.setData("text/plain", card.dataset.lead);
    card.classList.add("dragged");
  });
  document.addEventListener("dragover", (e) => {
    const list = card && columnOf(e);
    if (card) over(list);
    if (list) e.preventDefault();
  });
  document.addEventListener("dragend", () => { card?.classList.remove("dragged"); over(null); card = null; });
  document.addEventListener("drop", (e) => {
    const list = card && columnOf(e);
    if (!list) return;
    e.preventDefault();
    const form = card.querySelector("form");
    if (list.dataset.column !== form.elements.from.value) move(card, form, list);
  });
  async function move(moved, form, list) {
    const body = new URLSearchParams(new FormData(form));
    body.set("to", list.dataset.column);
    const home = moved.parentNode, next = moved.nextSibling;
    list.prepend(moved);
    let done = false;
    try {
      const answer = await fetch(form.getAttribute("action"), { method: "POST", body, redirect: "manual" });
      done = answer.type === "opaqueredirect";
      if (done) desk.say(`${moved.dataset.lead} moved.`);
      else if (answer.status === 409) desk.say(`${moved.dataset.lead} was not moved: somebody or something was before you.`);
      else desk.say(`${moved.dataset.lead} was not moved.`);
    } catch {
      desk.say(`${moved.dataset.lead} was not moved: no connection.`);
    }
    if (!done && moved.isConnected) home.insertBefore(moved, next?.parentNode === home ? next : null);
    desk.refresh(); // wherever it belongs by now
  }
})();
