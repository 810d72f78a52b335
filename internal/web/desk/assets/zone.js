// The zone of this browser, offered beside the list of zones.
(() => {
  const hint = document.querySelector("[data-here]"), list = document.getElementById("zone-name");
  const name = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (!name || (list.value || hint.dataset.here) === name) return;
  hint.querySelector("span").textContent = name;
  hint.querySelector("button").addEventListener("click", () => {
    if (![...list.options].some((o) => o.value === name)) list.add(new Option(name, name)); // an older name
    list.value = name;
    list.focus();
  });
  hint.hidden = false;
})();
