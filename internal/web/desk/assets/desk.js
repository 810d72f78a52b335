// Keeps an open page of the desk fresh. The server says only that something
// changed; the page then fetches itself and takes over what differs, so that
// focus, scroll, selection and opened details stay as they are. Without this
// script, or without a connection, the page is as good as when it was loaded.
"use strict";
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
