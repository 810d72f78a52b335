// The booking page: loads the calendar into a frame, speaks Cal.com's frame
// protocol, and waits for our server's word.
//
// What the frame says is a hint: it changes what this page shows and nothing else.
// Only the server, which has Cal.com's signed webhook, knows that a call is booked.
//
// Protocol: Cal.com packages/embeds/embed-core (embed-iframe.ts), tried with 6.0.2:
//   frame → page  {originator: "CAL", type, data}
//   page → frame  {originator: "CAL", method, arg}
"use strict";

(() => {
  const slot = document.getElementById("calendar");
  if (!slot) return;

  const facade = document.getElementById("calendar-facade");
  const note = document.getElementById("calendar-note");
  const button = document.getElementById("calendar-show");
  const link = document.getElementById("calendar-link");
  const status = document.getElementById("calendar-status");
  const data = slot.dataset;
  const origins = (data.origins || "").split(" ").filter(Boolean);

  const SILENCE = 8000; // ms until the plain link is offered: a blocked frame fires no event
  const PATIENCE = 60000; // ms to wait for the server after the frame said "booked"
  const RESERVED = "Reserved – confirming…";

  const say = (text) => {
    if (status.textContent !== text) status.textContent = text;
  };

  // ---- the frame

  let frame, silence;
  let ready = false; // the first linkReady came
  let height = 0; // px; shrinks only with another width, since it moves what the visitor reads
  let width = 0; // px of the frame, when it told its height

  function load() {
    frame = document.createElement("iframe");
    frame.name = "cal-embed=handoff";
    frame.title = data.title;
    frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-forms allow-popups allow-popups-to-escape-sandbox");
    frame.allow = "payment";
    frame.referrerPolicy = "strict-origin";
    frame.src = data.frameUrl;
    note.textContent = "Loading the calendar…";
    slot.append(frame);
    silence = setTimeout(() => offerLink("The calendar is slow to answer. You can open it on its own page instead."), SILENCE);
  }

  function offerLink(text) {
    note.textContent = text;
    if (!facade.querySelector("a")) {
      const big = link.cloneNode(true); // beside the small one, which is always there
      big.removeAttribute("id");
      big.className = "button";
      big.textContent = "Open the calendar";
      facade.append(big);
    }
    facade.hidden = false;
  }

  function giveUp() {
    clearTimeout(silence);
    if (frame) frame.remove();
    frame = null;
    slot.classList.remove("shown");
    offerLink("The calendar could not be shown here. Please open it on its own page.");
  }

  addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow || !origins.includes(event.origin)) return;
    const message = event.data;
    if (!message || message.originator !== "CAL" || typeof message.type !== "string") return;

    const detail = message.data && typeof message.data === "object" ? message.data : {};
    const send = (method, arg) => frame.contentWindow.postMessage({ originator: "CAL", method, arg }, event.origin);

    switch (message.type) {
      case "__iframeReady": // also after a reload inside the frame; it stays hidden until we answer
        send("ui", {
          theme: "auto",
          layout: "month_view",
          cssVarsPerTheme: { light: { "cal-brand": data.accent }, dark: { "cal-brand": data.accentDark } },
        });
        send("parentKnowsIframeReady", {});
        break;

      case "linkReady":
        clearTimeout(silence);
        facade.hidden = true;
        slot.classList.add("shown");
        if (!ready) { // a second linkReady follows our own connect: answering it would loop
          ready = true;
          if (!confirming) say("");
          send("connect", { config: connection(), params: {} });
        }
        break;

      case "linkFailed":
        giveUp();
        break;

      case "__dimensionChanged": {
        const wanted = Math.min(5000, Math.max(320, Math.ceil(Number(detail.iframeHeight) || 0)));
        if (wanted > height || (wanted < height && frame.clientWidth !== width)) {
          height = wanted;
          width = frame.clientWidth;
          frame.style.height = height + "px";
        }
        break;
      }

      case "__routeChanged":
        if (slot.getBoundingClientRect().top < 0) slot.scrollIntoView();
        break;

      case "bookingSuccessful": // deprecated at Cal.com, still sent beside V2
      case "bookingSuccessfulV2":
      case "rescheduleBookingSuccessful":
      case "rescheduleBookingSuccessfulV2": // dryRun… has names of its own and is not listed
        if (detail.paymentRequired) say("Your time is held. Please finish the payment in the calendar.");
        else reserved();
        hint(detail.uid);
        break;
    }
  });

  // hint tells our server which booking to ask Cal.com about if its webhook does
  // not come. The server believes nothing of it.
  function hint(uid) {
    if (!data.heardUrl || typeof uid !== "string") return;
    fetch(data.heardUrl, { method: "POST", body: new URLSearchParams({ uid }), keepalive: true }).catch(() => {});
  }

  // connection goes to the frame by message, so that name and e-mail are in none
  // of our URLs.
  function connection() {
    let person = {};
    try {
      person = JSON.parse(data.prefill || "{}");
    } catch {
      // An empty form is no fault.
    }
    const config = {
      "metadata[submissionId]": data.reference,
      submissionId: data.reference,
      "cal.embed.noSlotsFetchOnConnect": "true",
    };
    if (person.name) config.name = person.name;
    if (person.email) config.email = person.email;
    return config;
  }

  // ---- the server's word

  const live = ["booked", "requested", "awaiting_payment"];
  let confirming = false; // the frame said "booked"
  let source, timer;
  let pause = 2000; // ms between polls
  let gone = false; // we are leaving, or the server knows this reference no more

  function reserved() {
    if (confirming) return;
    confirming = true;
    say(RESERVED);
    setTimeout(() => {
      if (status.textContent === RESERVED) say("You will get an e-mail from Cal.com; you can close this page.");
    }, PATIENCE);
    pause = 2000;
    poll();
  }

  // heard takes {state, url, version}. version changes whenever what the booked
  // page shows would change; it tells a new time of the same state.
  function heard(word) {
    if (gone || !word || typeof word.url !== "string" || !word.url.startsWith("/") || word.url.startsWith("//")) return;
    const told = "version" in word;
    const changed = word.state !== data.state || (told && String(word.version) !== data.version);
    if (!live.includes(word.state) || !(changed || (confirming && !told))) return;
    if (word.state === "awaiting_payment" && frame) {
      say("Your time is held. Please finish the payment in the calendar."); // leaving would interrupt it
      return;
    }
    gone = true;
    say("Confirmed. One moment…");
    location.assign(word.url);
  }

  function listen() {
    if (gone || !data.eventsUrl) return;
    source = new EventSource(data.eventsUrl);
    source.addEventListener("status", (event) => {
      try {
        heard(JSON.parse(event.data));
      } catch {
        // The next event or poll will tell.
      }
    });
    source.onopen = () => {
      if (!confirming) clearTimeout(timer);
    };
    source.onerror = () => {
      pause = 2000;
      schedule();
    };
  }

  function schedule() {
    clearTimeout(timer);
    if (gone) return;
    timer = setTimeout(poll, pause);
    pause = Math.min(30000, pause * 1.5);
  }

  async function poll() {
    clearTimeout(timer);
    try {
      const answer = await fetch(data.statusUrl, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (answer.status === 404 || answer.status === 410) gone = true; // erased
      else if (answer.ok) heard(await answer.json());
    } catch {
      // Offline: the next one may do better.
    }
    // With an open stream a poll is needed only while we wait for a confirmation.
    if (confirming || !source || source.readyState !== EventSource.OPEN) schedule();
  }

  addEventListener("pagehide", () => {
    clearTimeout(timer);
    if (source) source.close();
  });
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    gone = false;
    listen();
    poll();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !gone) poll(); // back from the calendar's own page
  });

  // Listening begins at once: the call may be booked in another tab.
  listen();
  if (data.mode === "auto") {
    load();
  } else {
    button.hidden = false;
    button.addEventListener("click", () => {
      button.hidden = true;
      slot.classList.add("open"); // grows at once, while the click still excuses the shift
      load();
      slot.focus({ preventScroll: true });
    });
  }
})();
