"use strict";
/* Search: the entries lie in scripts, which a page of file:// may load; they are read when somebody searches. */
const rkbench = (() => {
  const most = 25;
  const heads = [["models", "Models"], ["boards", "Boards"], ["nights", "Nights"], ["pushes", "Pushes"]];
  const root = document.body.dataset.root;
  const field = document.getElementById("search");
  const found = document.getElementById("found");
  const page = document.getElementById("page");
  const chunks = {};
  let waiting = -1;
  let timer = 0;

  const load = (path) => {
    const script = document.createElement("script");
    script.src = root + path;
    script.onerror = () => { waiting = Math.max(0, waiting - 1); show(); };
    document.head.append(script);
  };
  const begin = () => {
    if (waiting >= 0) return;
    waiting = 1;
    load("data/files.js");
  };
  const files = (names) => {
    waiting = names.length;
    names.forEach(load);
    if (!waiting) show();
  };
  const take = (kind, entries) => {
    (chunks[kind] ||= []).push(...entries.map((entry) => [entry, entry.join(" ").toLowerCase()]));
    waiting -= 1;
    clearTimeout(timer);
    timer = setTimeout(show, waiting ? 60 : 0);
  };
  const node = (name, text) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const line = ([title, detail, path]) => {
    const item = node("li");
    const link = node("a", title);
    link.href = root + path;
    item.append(link, node("span", detail));
    return item;
  };
  const show = () => {
    const words = field.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    found.hidden = !words.length;
    page.hidden = !!words.length;
    if (!words.length) return;
    const parts = [];
    let total = 0;
    for (const [kind, head] of heads) {
      const hits = (chunks[kind] || []).filter(([, text]) => words.every((word) => text.includes(word)));
      if (!hits.length) continue;
      total += hits.length;
      if (kind === "pushes") hits.sort((a, b) => (a[0][1] < b[0][1] ? 1 : -1));
      const list = node("ul");
      list.append(...hits.slice(0, most).map(([entry]) => line(entry)));
      parts.push(node("h2", `${head} (${hits.length.toLocaleString("en")})`), list);
      if (hits.length > most) parts.push(node("p", `the first ${most}; another word finds fewer`));
    }
    const told = node("p", waiting > 0 ? "searching …" : total ? `${total.toLocaleString("en")} found` : "nothing found");
    told.setAttribute("role", "status");
    found.replaceChildren(told, ...parts);
  };

  field.form.hidden = false;
  field.form.addEventListener("submit", (event) => {
    event.preventDefault();
    const first = found.querySelector("a");
    if (first) first.focus();
  });
  field.addEventListener("focus", begin);
  field.addEventListener("input", () => { begin(); show(); });
  return { files, take };
})();
