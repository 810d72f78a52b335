// What is wrong with how the focused element shows that it is, or "" if nothing.
// Evaluated after each press of Tab; "end" when the round through the page is over.
(() => {
  const e = document.activeElement;
  if (!e || e === document.body) return { end: true };
  window.focused ??= new Set();
  if (window.focused.has(e)) return { end: true };
  window.focused.add(e);
  const what = `<${e.localName}${e.id ? "#" + e.id : ""}> "${(e.innerText || e.value || "").trim().slice(0, 40)}"`;
  if (e.localName === "iframe") return { what };
  const s = getComputedStyle(e), r = e.getBoundingClientRect();
  let wrong = "";
  if (!e.matches(":focus-visible")) wrong = "is not :focus-visible";
  else if (s.outlineStyle === "none" || parseFloat(s.outlineWidth) < 2) wrong = `has the outline ${s.outline}`;
  else if (r.width < 2 || r.height < 2) wrong = "has no size";
  else {
    const x = Math.min(innerWidth - 1, Math.max(0, r.x + r.width / 2)), y = r.y + r.height / 2;
    if (y < 0 || y > innerHeight) wrong = `is out of the window at ${Math.round(y)}`;
    else {
      const top = document.elementFromPoint(x, y);
      if (top !== e && !e.contains(top) && !top?.contains(e)) wrong = `is covered by <${top?.localName}.${top?.className}>`;
    }
  }
  return { what, wrong };
})()
