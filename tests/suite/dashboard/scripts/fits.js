// The page is no wider than the screen, and no text is cut off.
const page = document.scrollingElement;
const width = document.documentElement.clientWidth;
if (page.scrollWidth > width) {
  flaws.push(`the page scrolls sideways: ${page.scrollWidth} px on a screen of ${width} px`);
}
for (const [text, element] of texts()) {
  const range = document.createRange();
  range.selectNodeContents(text);
  const box = range.getBoundingClientRect();
  const out = box.right > width + 1 || box.left + scrollX < -1;
  if (out && !scrolls(element)) {
    flaws.push(`text sticks out of the screen: ${named(element)}, ${Math.round(box.left)} to ${Math.round(box.right)} px`);
  }
  // Whatever hides what is too long, up to the page itself.
  for (let at = element; at && at !== document.body; at = at.parentElement) {
    const style = getComputedStyle(at);
    if (["auto", "scroll"].includes(style.overflowX) || ["auto", "scroll"].includes(style.overflowY)) break;
    // Shortened with a sign that says so; the page that it leads to has all of it.
    if (style.webkitLineClamp !== "none") break;
    const edge = at.getBoundingClientRect();
    const sideways = style.overflowX !== "visible" && (box.right > edge.right + 1 || box.left < edge.left - 1);
    const down = style.overflowY !== "visible" && (box.bottom > edge.bottom + 2 || box.top < edge.top - 2);
    if (sideways || down) {
      flaws.push(`text is cut off: ${named(element)}, by ${named(at)}`);
      break;
    }
  }
}
// What stands in a field cannot be seen at its end, which is so in every browser; its label can.
for (const button of document.querySelectorAll("button, summary, select")) {
  if (shown(button) && getComputedStyle(button).overflowX !== "visible" && button.scrollWidth > button.clientWidth + 1) {
    flaws.push(`what a control says is cut off: ${named(button)}`);
  }
}
return flaws;
