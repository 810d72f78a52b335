// The booked page: shows itself anew when the server knows something new, such as
// a confirmation, a new time or a cancellation in another tab. It hears of it by
// server-sent events, and asks where they do not come through.
"use strict";

(() => {
  const here = document.getElementById("booked");
  if (!here || !here.dataset.eventsUrl) return;
  const { state, version, eventsUrl, statusUrl } = here.dataset;

  let source, timer;
  let pause = 2000; // ms between polls
  let gone = false; // we are leaving, or the server knows this reference no more

  function heard(word) {
    if (gone || !word || typeof word.state !== "string") return;
    if (word.state === state && (!("version" in word) || String(word.version) === version)) return;
    // Once for each piece of news: a page that shows it differently must not loop.
    const news = word.state + " " + (word.version || "");
    if (sessionStorage.getItem(location.pathname) === news) return;
    sessionStorage.setItem(location.pathname, news);
    leave();
    gone = true;
    location.reload();
  }

  function listen() {
    source = new EventSource(eventsUrl);
    source.addEventListener("status", (event) => {
      try {
        heard(JSON.parse(event.data));
      } catch {
        // The next event or poll will tell.
      }
    });
    source.onopen = () => clearTimeout(timer);
    source.onerror = () => {
      pause = 2000;
      schedule();
    };
  }

  function schedule() {
    clearTimeout(timer);
    if (gone || !statusUrl) return;
    timer = setTimeout(poll, pause);
    pause = Math.min(30000, pause * 1.5);
  }

  async function poll() {
    try {
      const answer = await fetch(statusUrl, { headers: { Accept: "application/json" }, cache: "no-store" });
      if (answer.status === 404 || answer.status === 410) gone = true; // erased
      else if (answer.ok) heard(await answer.json());
    } catch {
      // Offline: the next one may do better.
    }
    if (source.readyState !== EventSource.OPEN) schedule();
  }

  function leave() {
    clearTimeout(timer);
    source.close();
  }

  addEventListener("pagehide", leave);
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    gone = false;
    listen();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && !gone && statusUrl) poll(); // back from Cal.com's page, perhaps with another time
  });
  listen();
})();
