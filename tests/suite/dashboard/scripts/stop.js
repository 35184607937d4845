// Where the keyboard is now, and whether that is seen. null = nowhere on the page.
const element = document.activeElement;
if (!element || element === document.body || element === document.documentElement) return null;
// What covers a whole row draws the outline around all of it.
const styles = [getComputedStyle(element), getComputedStyle(element, "::after")];
const style = styles.find((one) => one.outlineStyle !== "none") ?? styles[0];
const box = element.getBoundingClientRect();
if (box.width <= 1 || box.height <= 1) flaws.push("the focus is on something that is not seen");
if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0 || box.left >= innerWidth) {
  flaws.push("the focus is outside of the screen");
}
// The parts of a date are stops of their own within one field, which the browser shows in its own way.
const within = window.__last === element;
window.__last = element;
const width = parseFloat(style.outlineWidth);
const ring = style.outlineStyle !== "none" && width > 0;
// A shadow may stand for the outline; then it is one that other elements of its kind have not.
if (within) {
  // Its first part was judged.
} else if (!ring || width < 2) {
  flaws.push(`the focus is not shown by an outline of 2 px or more (${style.outlineStyle} ${style.outlineWidth})`);
} else {
  const found = contrast(painted(style.outlineColor), ground(element.parentElement ?? element));
  if (found < 3) flaws.push(`the outline of the focus has a contrast of ${found.toFixed(1)}, not 3`);
}
// Of something large, the part that is on the screen counts.
const top = Math.max(box.top, 1), bottom = Math.min(box.bottom, innerHeight - 1);
const across = Math.min(Math.max(box.left + box.width / 2, 1), innerWidth - 1);
const covers = [0.5, 0.2, 0.8].map((part) => document.elementFromPoint(across, top + (bottom - top) * part));
const free = covers.some((at) => !at || at === element || element.contains(at) || at.contains(element));
if (!free) flaws.push(`the focus is hidden behind ${named(covers[0])}`);
element.dataset.reached = "";
// A part that is brought up to date has new elements, which say and do the same.
(window.__reached ??= new Set()).add(named(element) + element.getAttribute("href"));
const skip = element.localName === "a" ? element.getAttribute("href") : null;
return {
  name: named(element),
  flaws,
  leads: skip?.startsWith("#") ? Boolean(document.getElementById(skip.slice(1))) : null,
  again: !within && ((window.__stops ??= new Set()).has(element) || !window.__stops.add(element)),
};
