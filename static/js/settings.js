// Says what a form would do while it is filled in, as its button does without a script.
const PAUSE = 400;

for (const button of document.querySelectorAll("[data-look]")) {
  const form = button.form;
  button.hidden = true;
  let timer = 0;
  let asked = 0;
  const look = async () => {
    const number = ++asked;
    const place = form.querySelector("[data-effect]");
    if (!form.hasAttribute("data-dirty")) {
      place.replaceChildren();
      return;
    }
    const body = new URLSearchParams(new FormData(form));
    body.set("look", "on");
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: { accept: "text/html" }, redirect: "manual" });
      if (!answer.ok || number !== asked) {
        return;
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.getElementById(form.id)?.querySelector("[data-effect]");
      if (next && number === asked) {
        place.replaceChildren(...next.childNodes);
      }
    } catch {
      // It is a convenience: saving says it, too.
    }
  };
  form.addEventListener("change", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE);
  });
  form.addEventListener("reset", () => setTimeout(look));
}
