// axe-core with every rule of WCAG 2.2 A and AA and its good practices.
// Whoever only looks at the page in other colours asks for the rules about colours; who has opened
// something asks for that alone.
const [colours, within] = arguments;
const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const rules = colours ? ["color-contrast", "link-in-text-block"] : tags;
const found = await axe.run(within ? document.querySelector(within) : document, { runOnly: rules, resultTypes: ["violations"] });
return found.violations.flatMap(({ id, help, nodes }) => {
  return nodes.map(({ html, any, all, none }) => {
    const why = [...any, ...all, ...none].map(({ message }) => message)[0] ?? "";
    return `axe ${id}: ${help}: ${html.slice(0, 160)} (${why})`;
  });
});
