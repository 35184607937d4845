// A file fills a text: <input type="file" data-fill="id of the text">. Nothing of it is sent before
// the form is; without a script the text is pasted.
for (const input of document.querySelectorAll("input[type=file][data-fill]")) {
  const text = document.getElementById(input.dataset.fill);
  input.closest("[hidden]")?.removeAttribute("hidden");
  input.addEventListener("change", async () => {
    const [file] = input.files;
    if (file) {
      text.value = await file.text();
      text.dispatchEvent(new Event("input", { bubbles: true }));
      text.focus();
    }
  });
}
