// A page says in which language it is, what it is called, and where its parts are.
const [language, bare] = arguments;
const html = document.documentElement;
if (html.lang !== language) flaws.push(`lang is "${html.lang}", not "${language}"`);
if (!document.title.trim()) flaws.push("no title");
// Those for screen readers alone are headings, too.
const read = (element) => element.checkVisibility({ visibilityProperty: true });
const headings = [...document.querySelectorAll("h1")].filter(read);
if (headings.length !== 1) flaws.push(`${headings.length} first headings (h1), not one`);
let level = 0;
for (const heading of [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(read)) {
  const own = Number(heading.localName.slice(1));
  if (own > level + 1) flaws.push(`a heading too deep: ${named(heading)} after h${level}`);
  level = own;
}
const one = (selector, what) => {
  const found = [...document.querySelectorAll(selector)].filter(shown).length;
  if (found !== 1) flaws.push(`${found} × ${what}, not one`);
};
one("main", "main");
if (!bare) {
  const headers = [...document.querySelectorAll('header, [role="banner"]')].filter(shown);
  const banners = headers.filter((header) => !header.closest("main, article, aside, section, nav"));
  if (banners.length !== 1) flaws.push(`${banners.length} × header, not one`);
  if (!document.querySelector('nav, [role="navigation"]')) flaws.push("no nav");
  for (const role of ["status", "alert"]) {
    // A form may have one of its own.
    const there = document.querySelectorAll(`main > [role="${role}"]`).length;
    if (there !== 1) flaws.push(`${there} × role="${role}", not one that is there from the beginning`);
  }
}
return flaws;
