// The reader wants nothing to move: nothing does, and nothing would.
const running = document.getAnimations().filter((animation) => animation.playState === "running");
for (const animation of running) {
  const target = animation.effect?.target;
  flaws.push(`something moves: ${target ? named(target) : "?"} (${animation.animationName ?? animation.transitionProperty ?? "script"})`);
}
// What only changes its colour does not move.
const CALM = /^(none|opacity|visibility|.*color|fill|stroke|box-shadow|text-decoration.*)$/;
const lasts = (times) => times.split(",").some((time) => parseFloat(time) * (time.trim().endsWith("ms") ? 1 : 1000) > 10);
for (const element of document.querySelectorAll("body, body *")) {
  for (const part of [null, "::before", "::after"]) {
    const style = getComputedStyle(element, part);
    if (style.animationName !== "none" && lasts(style.animationDuration)) {
      flaws.push(`an animation: ${named(element)}${part ?? ""} (${style.animationName})`);
    }
    const moving = style.transitionProperty.split(",").some((name) => !CALM.test(name.trim()));
    if (moving && lasts(style.transitionDuration)) {
      flaws.push(`a transition: ${named(element)}${part ?? ""} (${style.transitionProperty})`);
    }
  }
  if (getComputedStyle(element).scrollBehavior === "smooth") flaws.push(`smooth scrolling: ${named(element)}`);
}
return [...new Set(flaws)];
