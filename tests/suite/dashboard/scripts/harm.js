// Nothing of what a stranger wrote has become more than text.
if ("__owned" in window) flaws.push(`a script of a stranger ran: ${window.__owned}`);
for (const element of document.querySelectorAll('[id^="canary"], [class*="canary"], [name^="canary"]')) {
  flaws.push(`an element of a stranger: ${element.outerHTML.slice(0, 120)}`);
}
for (const violation of window.__violations ?? []) flaws.push(`the policy had to stop something: ${violation}`);
for (const element of document.querySelectorAll("*")) {
  for (const { name, value } of element.attributes) {
    if (name.startsWith("on")) flaws.push(`an attribute that is a script: ${element.outerHTML.slice(0, 120)}`);
    const leads = ["href", "src", "action", "formaction", "xlink:href", "data", "srcset", "poster"].includes(name);
    if (leads && /^[\s\u0000-\u001f]*(javascript|vbscript|data:text)/i.test(value)) {
      flaws.push(`an address that is a script: ${element.outerHTML.slice(0, 120)}`);
    }
    if (/[\u202a-\u202e\u2066-\u2069]/.test(value) && ["title", "aria-label", "alt", "placeholder"].includes(name)) {
      flaws.push(`an attribute turns the order of letters: ${element.outerHTML.slice(0, 120)}`);
    }
  }
}
if (document.querySelector("base, meta[http-equiv='refresh' i], iframe, object, embed")) {
  flaws.push("something on the page leads elsewhere by itself");
}
const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const text = walker.currentNode.data;
  const found = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/.exec(text);
  // What is there to be copied is kept to the last byte, out of sight.
  if (found && !walker.currentNode.parentElement.closest("script, style, textarea[hidden]")) {
    const code = found[0].codePointAt(0).toString(16).padStart(4, "0");
    flaws.push(`U+${code} is on the page as it came: ${named(walker.currentNode.parentElement)}`);
  }
}
return flaws;
