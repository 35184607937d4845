// What can be clicked and was not reached by the keyboard. Of a group of radio buttons one is.
const group = (control) => control.type === "radio" && control.name;
const reached = new Set(
  [...document.querySelectorAll("[data-reached]")].map(group).filter(Boolean),
);
for (const control of controls()) {
  if ("reached" in control.dataset || control.tabIndex < 0 && control.closest('[role="tablist"], [role="menu"]')) continue;
  if (reached.has(group(control))) continue;
  if (window.__reached?.has(named(control) + control.getAttribute("href"))) continue;
  flaws.push(`not reached by the keyboard: ${named(control)}`);
}
return flaws;
