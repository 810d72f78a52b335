// The booking page of the stand-in: a small calendar over the page's own radio
// buttons, and, below /embed, the frame protocol of web.md §1.5:
//   to the parent    {originator:"CAL", type, namespace, fullType, data}
//   from the parent  {originator:"CAL", method, arg}
// Like Cal.com's it posts to "*" and checks no origin: hosts must check theirs.
(() => {
  "use strict";
  const root = document.documentElement;
  const page = document.getElementById("booker");
  const form = document.getElementById("form");
  const pick = document.getElementById("pick");
  const details = document.getElementById("details");
  const problem = document.getElementById("problem");
  const embedded = location.pathname.endsWith("/embed") && window.parent !== window;
  const eventId = Number(page.dataset.eventId);
  const eventSlug = page.dataset.eventSlug;
  const ids = { eventId, eventSlug, slotsLoaded: true };

  // ---- the frame protocol ----

  function namespace() {
    const given = new URLSearchParams(location.search).get("embed");
    if (given !== null) return given;
    return window.name.startsWith("cal-embed=") ? window.name.slice("cal-embed=".length) : "";
  }

  function post(type, data) {
    if (!embedded) return;
    const ns = namespace();
    window.parent.postMessage({ originator: "CAL", type, namespace: ns, fullType: `CAL:${ns}:${type}`, data }, "*");
  }

  let known = false;
  const methods = {
    parentKnowsIframeReady() {
      if (known) return;
      known = true;
      root.classList.remove("waiting");
      tellSize();
      post("linkReady", {});
      post("bookerViewed", ids);
      post("bookerReady", ids);
    },
    // connect merges the config into the page's own URL and prefills the form.
    connect(arg) {
      const url = new URL(location.href);
      const add = (from) => Object.entries(from || {}).forEach(([key, value]) => {
        if (Array.isArray(value)) {
          url.searchParams.delete(key);
          value.forEach((v) => url.searchParams.append(key, String(v)));
        } else if (value !== undefined && value !== null) {
          url.searchParams.set(key, typeof value === "object" ? JSON.stringify(value) : String(value));
        }
      });
      add(arg && arg.params);
      add(arg && arg.config);
      history.replaceState(history.state, "", url);
      prefill();
      post("linkReady", {});
      post("bookerReopened", ids);
    },
    ui(arg) {
      if (arg && ["light", "dark", "auto"].includes(arg.theme)) root.dataset.theme = arg.theme;
      for (const [theme, vars] of Object.entries((arg && arg.cssVarsPerTheme) || {})) {
        if (vars && CSS.supports("color", vars["cal-brand"])) root.style.setProperty("--brand-" + theme, vars["cal-brand"]);
      }
    },
    __reloadInitiated() {},
  };

  window.addEventListener("message", (e) => {
    const m = e.data;
    if (!embedded || e.source !== window.parent || !m || m.originator !== "CAL") return;
    if (Object.hasOwn(methods, m.method)) methods[m.method](m.arg);
  });

  let lastHeight = -1, lastWidth = -1, firstSize = true;
  function tellSize() {
    const box = document.body.getBoundingClientRect();
    const height = Math.ceil(box.height), width = Math.ceil(box.width);
    if (height === lastHeight && width === lastWidth) return;
    lastHeight = height;
    lastWidth = width;
    post("__dimensionChanged", { iframeHeight: height, iframeWidth: width, isFirstTime: firstSize });
    firstSize = false;
  }

  // ---- prefill ----

  function prefill() {
    const query = new URLSearchParams(location.search);
    for (const key of ["name", "email", "notes"]) {
      if (query.has(key)) form.elements[key].value = query.get(key);
    }
    for (const input of form.querySelectorAll("[data-slug]")) {
      if (query.has(input.dataset.slug)) input.value = query.get(input.dataset.slug);
    }
    if (query.get("theme")) methods.ui({ theme: query.get("theme") });
  }

  // Every key that starts with "metadata" is cut out of metadata[…].
  function metadata() {
    const out = {};
    for (const [key, value] of new URLSearchParams(location.search)) {
      if (key.startsWith("metadata")) out[key.replace(/^metadata\[?/, "").replace(/\]$/, "")] = value;
    }
    return out;
  }

  // ---- the calendar ----

  const given = page.dataset.zoneGiven === "true";
  const zone = given ? page.dataset.zone : Intl.DateTimeFormat().resolvedOptions().timeZone || page.dataset.zone;
  const say = (options) => new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...options });
  const sayClock = say({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const sayDay = say({ weekday: "long", day: "numeric", month: "long" });
  const keyOf = (date) => new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" }).format(date);

  const days = new Map(); // "2026-12-01" → [ISO start, …]
  let chosen = "";
  for (const input of form.querySelectorAll("input[name=start]")) {
    const key = keyOf(new Date(input.value));
    if (!days.has(key)) days.set(key, []);
    days.get(key).push(input.value);
    if (input.checked) chosen = input.value;
  }
  const firstDay = [...days.keys()][0] || "";
  let openDay = firstDay;
  let month = firstDay.slice(0, 7);

  function el(tag, props, ...children) {
    const node = Object.assign(document.createElement(tag), props);
    node.append(...children);
    return node;
  }

  function dayCell(key, number) {
    if (!days.has(key)) return el("td", {}, String(number));
    const button = el("button", { type: "button", onclick: () => { openDay = key; draw(); } }, String(number));
    button.setAttribute("aria-pressed", String(key === openDay));
    button.setAttribute("aria-label", sayDay.format(new Date(days.get(key)[0])));
    return el("td", {}, button);
  }

  function monthTable() {
    const [year, number] = month.split("-").map(Number);
    const first = new Date(Date.UTC(year, number - 1, 1));
    const count = new Date(Date.UTC(year, number, 0)).getUTCDate();
    const caption = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", month: "long", year: "numeric" }).format(first);
    const head = el("tr", {}, ...["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"].map((d) => el("th", { scope: "col" }, d)));
    const cells = Array.from({ length: (first.getUTCDay() + 6) % 7 }, () => el("td", {}));
    for (let d = 1; d <= count; d++) cells.push(dayCell(`${month}-${String(d).padStart(2, "0")}`, d));
    while (cells.length % 7 !== 0) cells.push(el("td", {}));
    const rows = [];
    for (let i = 0; i < cells.length; i += 7) rows.push(el("tr", {}, ...cells.slice(i, i + 7)));
    return el("table", { className: "month" }, el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, ...rows));
  }

  function monthNav() {
    const months = [...new Set([...days.keys()].map((k) => k.slice(0, 7)))];
    if (months.length < 2) return "";
    const at = months.indexOf(month);
    const step = (label, to) => el("button", { type: "button", disabled: !months[to], onclick: () => {
      month = months[to];
      openDay = [...days.keys()].find((k) => k.startsWith(month));
      draw();
    } }, label);
    return el("p", { className: "nav" }, step("Earlier", at - 1), step("Later", at + 1));
  }

  function draw() {
    const times = (days.get(openDay) || []).map((iso) => {
      const button = el("button", { type: "button", onclick: () => choose(iso) }, sayClock.format(new Date(iso)));
      button.dataset.start = iso;
      return button;
    });
    const title = days.has(openDay) ? sayDay.format(new Date(days.get(openDay)[0])) : "";
    const left = el("div", {}, monthTable(), monthNav());
    const right = el("div", {}, el("h3", {}, title), el("div", { className: "slots" }, ...times));
    document.getElementById("days").replaceChildren(el("div", { className: "two" }, left, right));
  }

  const long = (iso) => `${sayDay.format(new Date(iso))}, ${sayClock.format(new Date(iso))} (${zone})`;

  function choose(iso) {
    chosen = iso;
    const note = document.getElementById("chosen");
    note.textContent = long(iso);
    note.hidden = false;
    step(details);
  }

  // step shows one of the page's parts and tells the parent, as a route change
  // of the real page does.
  function step(part) {
    pick.hidden = part !== pick;
    details.hidden = part !== details;
    post("__routeChanged", {});
    tellSize();
  }

  function complain(text) {
    problem.textContent = text;
    problem.hidden = text === "";
  }

  // ---- booking ----

  function request() {
    const responses = { name: form.elements.name.value, email: form.elements.email.value, notes: form.elements.notes.value, guests: [] };
    for (const input of form.querySelectorAll("[data-slug]")) responses[input.dataset.slug] = input.value;
    if (form.elements.rescheduleReason) responses.rescheduleReason = form.elements.rescheduleReason.value;
    const start = new Date(chosen);
    const query = new URLSearchParams(location.search);
    return {
      eventTypeId: eventId, eventTypeSlug: eventSlug, start: chosen, timeZone: zone, language: "en",
      end: new Date(start.getTime() + Number(page.dataset.minutes) * 60000).toISOString(),
      responses, metadata: metadata(), hasHashedBookingLink: false, _isDryRun: page.dataset.dryRun === "true",
      rescheduleUid: page.dataset.move || undefined, rescheduledBy: query.get("rescheduledBy") || undefined,
    };
  }

  async function submit(e) {
    e.preventDefault();
    const button = document.getElementById("confirm");
    button.disabled = true;
    complain("");
    try {
      const res = await fetch("/api/book/event", {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(request()),
      });
      const answer = await res.json();
      if (res.ok) return succeed(answer);
      complain(answer.problem || "This booking could not be made.");
      if (res.status === 409) step(pick);
    } catch {
      complain("The stand-in did not answer. Please try again.");
    } finally {
      button.disabled = false;
    }
  }

  function succeed(b) {
    const dry = page.dataset.dryRun === "true";
    const title = b.paymentRequired ? "One step left: payment" : b.status === "PENDING" ? "Your request is with the host" : "This meeting is scheduled";
    document.getElementById("done-title").textContent = dry ? "Dry run: nothing was booked" : title;
    document.getElementById("done-what").textContent = b.title;
    document.getElementById("done-when").textContent = long(b.startTime);
    const link = document.getElementById("done-link");
    link.hidden = dry;
    link.href = "/booking/" + b.uid;
    link.target = embedded ? "_blank" : "";
    const done = document.getElementById("done");
    form.hidden = true;
    done.hidden = false;
    post("__routeChanged", {});
    tellSize();
    done.focus({ preventScroll: true });
    const kind = page.dataset.move ? "escheduleBookingSuccessfulV2" : "ookingSuccessfulV2";
    const { uid, title: what, startTime, endTime, eventTypeId, status, paymentRequired, isRecurring, videoCallUrl } = b;
    const data = { uid, title: what, startTime, endTime, eventTypeId, status, paymentRequired, isRecurring, videoCallUrl };
    if (dry) delete data.uid;
    post(dry ? "dryRun" + (page.dataset.move ? "R" : "B") + kind : (page.dataset.move ? "r" : "b") + kind, data);
  }

  // ---- start ----

  document.getElementById("zone").textContent = zone;
  prefill();
  draw();
  const back = document.getElementById("back");
  back.hidden = false;
  back.addEventListener("click", () => step(pick));
  form.addEventListener("submit", submit);
  details.hidden = true;
  if (chosen) choose(chosen);

  if (!embedded) {
    root.classList.remove("waiting");
    return;
  }
  post("__iframeReady", { isPrerendering: false });
  const loaded = () => post("__windowLoadComplete", {});
  if (document.readyState === "complete") loaded();
  else window.addEventListener("load", loaded);
  new ResizeObserver(tellSize).observe(document.body);
})();
