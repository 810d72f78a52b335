// The booked page: shows itself anew when the server knows something new, such as
// a confirmation, a new time or a cancellation in another tab.
"use strict";

(() => {
  const here = document.getElementById("booked");
  if (!here || !here.dataset.eventsUrl) return;
  const { state, version, eventsUrl } = here.dataset;

  const source = new EventSource(eventsUrl);
  source.addEventListener("status", (event) => {
    let word;
    try {
      word = JSON.parse(event.data);
    } catch {
      return;
    }
    const news = word.state + " " + (word.version || "");
    if (word.state === state && (!("version" in word) || String(word.version) === version)) return;
    // Once for each piece of news: a page that shows it differently must not loop.
    if (sessionStorage.getItem(location.pathname) === news) return;
    sessionStorage.setItem(location.pathname, news);
    source.close();
    location.reload();
  });
  addEventListener("pagehide", () => source.close());
})();
