// Where the keyboard is now, and whether that is seen. null = nowhere on the page.
const element = document.activeElement;
if (!element || element === document.body || element === document.documentElement) return null;
const style = getComputedStyle(element);
const box = element.getBoundingClientRect();
if (box.width <= 1 || box.height <= 1) flaws.push("the focus is on something that is not seen");
if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0 || box.left >= innerWidth) {
  flaws.push("the focus is outside of the screen");
}
const width = parseFloat(style.outlineWidth);
const ring = style.outlineStyle !== "none" && width > 0;
// A shadow may stand for the outline; then it is one that other elements of its kind have not.
if (!ring || width < 2) {
  flaws.push(`the focus is not shown by an outline of 2 px or more (${style.outlineStyle} ${style.outlineWidth})`);
} else {
  const found = contrast(painted(style.outlineColor), ground(element.parentElement ?? element));
  if (found < 3) flaws.push(`the outline of the focus has a contrast of ${found.toFixed(1)}, not 3`);
}
const at = document.elementFromPoint(
  Math.min(Math.max(box.left + box.width / 2, 1), innerWidth - 1),
  Math.min(Math.max(box.top + Math.min(box.height, innerHeight) / 2, 1), innerHeight - 1),
);
if (at && at !== element && !element.contains(at) && !at.contains(element)) {
  flaws.push(`the focus is hidden behind ${named(at)}`);
}
element.dataset.reached = "";
const skip = element.localName === "a" ? element.getAttribute("href") : null;
return {
  name: named(element),
  flaws,
  leads: skip?.startsWith("#") ? Boolean(document.getElementById(skip.slice(1))) : null,
  again: (window.__stops ??= new Set()).has(element) || !window.__stops.add(element),
};
