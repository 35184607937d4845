// What the checks have in common. They run as the body of a function, within the page.

/** What a person who mends the page looks for: `button.primary "Send"`. */
const named = (element) => {
  const id = element.id ? `#${element.id}` : "";
  const classes = [...element.classList].map((name) => `.${name}`).join("");
  const text = (element.getAttribute("aria-label") ?? element.innerText ?? element.value ?? "").trim().replace(/\s+/g, " ");
  return `${element.localName}${id}${classes} "${text.slice(0, 40)}"`;
};

/** Shown, and not for screen readers alone. */
const shown = (element) => {
  if (!element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) return false;
  const box = element.getBoundingClientRect();
  return box.width > 1 && box.height > 1;
};

/** Whether something above it, or itself, can be scrolled sideways: what sticks out can be reached. */
const scrolls = (element) => {
  for (let at = element; at && at !== document.body; at = at.parentElement) {
    if (["auto", "scroll"].includes(getComputedStyle(at).overflowX) && at.scrollWidth > at.clientWidth) return true;
  }
  return false;
};

/** Whether something above it, or itself, is there for screen readers alone. */
const unseen = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const box = at.getBoundingClientRect();
    if (box.width <= 1 || box.height <= 1) return true;
  }
  return false;
};

/** The pieces of text that are shown, with the element around each. */
const texts = () => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const parent = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() && shown(parent) && !unseen(parent)) found.push([walker.currentNode, parent]);
  }
  return found;
};

/** What something can be done with. */
const CONTROLS =
  'a[href], button, input:not([type="hidden"]), select, textarea, summary, [role="button"], [role="switch"], [role="tab"], [role="menuitem"]';

const controls = () => [...document.querySelectorAll(CONTROLS)].filter((element) => shown(element) && !element.disabled);

/** A colour of any notation as red, green, blue, opacity. */
const painted = (colour) => {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = context.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255];
};

/** The colour behind an element. */
const ground = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const colour = painted(getComputedStyle(at).backgroundColor);
    if (colour[3] > 0.99) return colour;
  }
  // Nothing covers the browser's own ground, which follows the colours that the page says it can.
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.backgroundColor = "Canvas";
  const colour = painted(getComputedStyle(probe).backgroundColor);
  probe.remove();
  return colour;
};

/** WCAG 2.2, "contrast ratio". */
const contrast = (one, other) => {
  const light = ([red, green, blue]) => {
    const part = (value) => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(red) + 0.7152 * part(green) + 0.0722 * part(blue);
  };
  const [bright, dark] = [light(one), light(other)].sort((a, b) => b - a);
  return (bright + 0.05) / (dark + 0.05);
};

const flaws = [];
