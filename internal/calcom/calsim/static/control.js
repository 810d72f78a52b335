// Keeps the live parts of the control page fresh. Without it the page works the
// same and is as old as its last load.
(() => {
  "use strict";
  const last = new Map(); // part → the HTML it was last given
  async function refresh() {
    if (document.hidden) return;
    try {
      const res = await fetch("/", { headers: { Accept: "text/html" } });
      if (!res.ok) return;
      const fresh = new DOMParser().parseFromString(await res.text(), "text/html");
      for (const part of document.querySelectorAll("[data-live]")) {
        const next = fresh.getElementById(part.id);
        // Whoever is using a part keeps it.
        if (!next || part.contains(document.activeElement) || next.innerHTML === last.get(part)) continue;
        last.set(part, next.innerHTML);
        part.replaceChildren(...next.childNodes);
      }
    } catch {
      // The stand-in is gone for a moment; the next round tries again.
    }
  }
  setInterval(refresh, 2000);
})();
