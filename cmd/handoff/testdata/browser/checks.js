// What can be measured of a page that is for everybody. Evaluated in the page;
// gives a list of what is wrong, in words.
(() => {
  const wrong = [];
  const name = (e) => {
    const text = (e.innerText || e.value || e.getAttribute("aria-label") || "").trim().replace(/\s+/g, " ").slice(0, 40);
    return `<${e.localName}${e.id ? "#" + e.id : ""}${e.className && typeof e.className === "string" ? "." + e.className.trim().replace(/\s+/g, ".") : ""}> "${text}"`;
  };
  const hiddenFromAll = (e) => e.closest("[aria-hidden=true]") && e.closest(".vh");
  const shown = (e) => e.checkVisibility({ opacityProperty: true, visibilityProperty: true }) && !hiddenFromAll(e);
  const onScreen = (e) => { // not one pixel for screen readers only
    const r = e.getBoundingClientRect();
    return r.width > 1 && r.height > 1 && !e.closest(".vh") && !e.closest(".skip:not(:focus)");
  };

  // Structure.
  if (document.querySelectorAll("h1").length !== 1) wrong.push(`${document.querySelectorAll("h1").length} h1`);
  if (!document.documentElement.lang) wrong.push("no language");
  if (!document.title.trim()) wrong.push("no title");
  if (document.querySelectorAll("main").length !== 1) wrong.push("not one main");
  let level = 1;
  for (const h of document.querySelectorAll("main :is(h1, h2, h3, h4, h5, h6)")) {
    const l = Number(h.localName[1]);
    if (l > level + 1) wrong.push(`a heading skips a level: ${name(h)}`);
    level = l;
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids)) if (ids.filter((other) => other === id).length > 1) wrong.push(`id ${id} is there twice`);
  for (const e of document.querySelectorAll("[aria-describedby], [aria-labelledby]"))
    for (const id of (e.getAttribute("aria-describedby") || e.getAttribute("aria-labelledby")).split(" "))
      if (!document.getElementById(id)) wrong.push(`${name(e)} is described by ${id}, which is not there`);

  // Names of what can be used.
  for (const e of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
    if (![...e.labels].some((l) => l.textContent.trim())) wrong.push(`no label: ${name(e)}`);
  for (const e of document.querySelectorAll("input[type=radio]"))
    if (!e.closest("fieldset")?.querySelector("legend")?.textContent.trim()) wrong.push(`no legend: ${name(e)}`);
  for (const e of document.querySelectorAll("a[href], button"))
    if (shown(e) && !(e.innerText.trim() || e.getAttribute("aria-label"))) wrong.push(`no name: ${name(e)}`);
  for (const e of document.querySelectorAll("img:not([alt]), iframe:not([title])")) wrong.push(`no text for ${name(e)}`);

  // It fits.
  const width = document.documentElement.clientWidth;
  if (document.scrollingElement.scrollWidth > width) {
    wrong.push(`scrolls sideways: ${document.scrollingElement.scrollWidth} in ${width}`);
    for (const e of document.body.querySelectorAll("*"))
      if (shown(e) && onScreen(e) && e.getBoundingClientRect().right > width + 1) wrong.push(`  too wide: ${name(e)}`);
  }

  // Targets of 24 pixels, or a word within a sentence.
  const inSentence = (e) => getComputedStyle(e).display === "inline" && [...e.parentNode.childNodes].some((n) => n.nodeType === 3 && n.data.trim().length > 1);
  for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")) {
    if (!shown(e) || !onScreen(e) || inSentence(e)) continue;
    const r = e.getBoundingClientRect();
    if (r.width < 24 || r.height < 24) wrong.push(`small: ${Math.round(r.width)}×${Math.round(r.height)} ${name(e)}`);
  }

  // Contrast of text: 4.5, or 3 where it is large.
  const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const seen = new Map();
  const rgba = (color) => {
    if (!seen.has(color)) {
      pixel.clearRect(0, 0, 1, 1);
      pixel.fillStyle = color;
      pixel.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
      seen.set(color, [r, g, b, a / 255]);
    }
    return seen.get(color);
  };
  const over = (top, below) => [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const ground = (e) => {
    const layers = [];
    for (; e; e = e.parentElement) {
      const color = rgba(getComputedStyle(e).backgroundColor);
      layers.push(color);
      if (color[3] === 1) break;
    }
    if (!layers.length || layers.at(-1)[3] < 1) layers.push(rgba("canvas"));
    return layers.reduceRight((below, top) => over(top, below));
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = new Set();
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !shown(e) || !onScreen(e) || e.closest(":disabled")) continue;
    const style = getComputedStyle(e), below = ground(e), above = over(rgba(style.color), below);
    const [a, b] = [light(above), light(below)].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05), size = parseFloat(style.fontSize);
    const needed = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const what = `contrast ${ratio.toFixed(2)} of ${needed}: ${style.color} on ${style.backgroundColor} ${name(e)}`;
    if (ratio < needed && !told.has(what)) { told.add(what); wrong.push(what); }
  }

  // Nothing moves for those who asked for that.
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) {
    if (getComputedStyle(document.documentElement).scrollBehavior === "smooth") wrong.push("scrolls smoothly");
    for (const e of document.querySelectorAll("*"))
      for (const part of [undefined, "::before", "::after"]) {
        const s = getComputedStyle(e, part);
        const long = (v) => v.split(",").some((d) => parseFloat(d) > 0.02);
        if (long(s.transitionDuration) || (s.animationName !== "none" && long(s.animationDuration))) { wrong.push(`moves: ${name(e)}`); break; }
      }
  }
  return wrong;
})()
