// axe-core with every rule of WCAG 2.2 A and AA and its good practices.
const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const found = await axe.run(document, { runOnly: tags, resultTypes: ["violations"] });
return found.violations.flatMap(({ id, help, nodes }) => {
  return nodes.map(({ html, any, all, none }) => {
    const why = [...any, ...all, ...none].map(({ message }) => message)[0] ?? "";
    return `axe ${id}: ${help}: ${html.slice(0, 160)} (${why})`;
  });
});
