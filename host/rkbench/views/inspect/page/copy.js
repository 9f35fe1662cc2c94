/* A button beside each command that can be typed: without scripts the text can be marked all the same. */
document.querySelectorAll(".code").forEach((code) => {
  const text = code.querySelector("pre").textContent;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  const show = (word) => { button.textContent = word; button.setAttribute("aria-label", `${word}: ${text.split("\n")[0]}`); };
  const mark = () => {
    const range = document.createRange();
    range.selectNodeContents(code.querySelector("pre"));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      show(say("Copied"));
    } catch {
      mark();
      show(say("Marked: press Ctrl-C"));
    }
    setTimeout(() => show(say("Copy")), 2000);
  });
  show(say("Copy"));
  code.append(button);
});
