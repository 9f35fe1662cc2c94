(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const UNITS = ["kB", "MB", "GB"];
  const digits = (n) => n >= 99.95 ? n.toFixed(0) : n >= 9.995 ? n.toFixed(1) : n.toFixed(2);
  const bytes = (n) => {
    if (n === null || n === undefined) return "–";
    if (Math.abs(n) < 1000) return n + " B";
    let size = Math.abs(n), unit = "";
    for (unit of UNITS) { size /= 1000; if (size < 999.5 || unit === "GB") break; }
    return (n < 0 ? "-" : "") + digits(size) + " " + unit;
  };
  const el = (tag, props, ...children) => {
    const node = Object.assign(document.createElement(tag), props || {});
    node.append(...children);
    return node;
  };
  const PARTS = [
    [say("weights"), "weight_bytes", "--weights"],
    [say("compiler's constants"), "compiler_constant_bytes", "--constants"],
    [say("CPU constants"), "cpu_constant_bytes", "--constants"],
    [say("lookup tables"), "lookup_table_bytes", "--constants"],
    [say("register commands"), "register_command_bytes", "--commands"], [say("tasks"), "task_bytes", "--commands"],
    [say("commands and tasks"), "kind7_bytes", "--commands"], [say("structure"), "structure_bytes", "--structure"],
  ];
  const SECTION = {
    weight_bytes: "weights", compiler_constant_bytes: "compiler_constants", cpu_constant_bytes: "cpu_constants",
    lookup_table_bytes: "lookup_tables", register_command_bytes: "register_commands", task_bytes: "tasks",
    kind7_bytes: "kind7", structure_bytes: "structure",
  };
  const total = data.file.size_bytes;
  const plain = (l) => (l.graph ? `[${l.graph}] ` : "") + l.name.replace(/^[A-Za-z]\w*:(?!:)/, "");

  // Icicle: the file, its sections, and in each section the nodes of the ONNX by size, their layers (tiles, parts
  // of a split) summed; a click zooms into a section.
  const nodeOf = (l) => (l.graph ? `[${l.graph}] ` : "") + (l.onnx_node || plain(l).replace(/^\[\d+\] /, ""));
  const grouped = (layers, key, colour) => {
    const nodes = new Map();
    for (const layer of layers.filter((l) => l[key] > 0)) {
      const name = nodeOf(layer);
      const found = nodes.get(name) || { title: name, size: 0, colour, layers: [] };
      found.size += layer[key];
      if (lead && layer.cause === lead) found.colour = "--hot";
      found.layers.push(layer);
      nodes.set(name, found);
    }
    for (const node of nodes.values()) {
      const { title, layers } = node;
      if (layers.length > 1) node.title = say("{title} ({layers} layers)", { title, layers: layers.length });
    }
    return [...nodes.values()];
  };
  const icicle = document.getElementById("icicle"), hint = document.getElementById("hint");
  const lead = data.verdict === "bloated" && data.lead_cause;
  const ROWS = { 3: [0, 16, 46, 100], 2: [0, 24, 100] };
  const tree = () => {
    const groups = [];
    for (const [title, key, colour] of PARTS) {
      const size = data.sections[SECTION[key]];
      if (!size) continue;
      const children = grouped(data.layers, key, colour);
      children.sort((a, b) => b.size - a.size);
      const rest = size - children.reduce((sum, c) => sum + c.size, 0);
      if (rest > 0) children.push({ title: say("of no layer"), size: rest, colour: "--other" });
      groups.push({ title, size, colour, children });
    }
    const small = data.sections.header + data.sections.json + data.sections.trailing;
    if (small) groups.push({ title: say("header and JSON"), size: small, colour: "--other", children: [] });
    return { title: data.file.name, size: total, colour: "--other", children: groups };
  };
  const root = tree();
  let zoom = root;
  const box = (node, left, width, row, rows) => {
    const share = (node.size / total * 100).toFixed(node.size / total < 0.01 ? 2 : 1) + " %";
    const text = node.title + "  " + bytes(node.size) + "  " + share;
    const button = el("button", { type: "button", textContent: width > 24 ? text : "", title: text });
    Object.assign(button.style, { left: left + "px", width: Math.max(width, 1) + "px", top: ROWS[rows][row] + "%",
      height: ROWS[rows][row + 1] - ROWS[rows][row] + "%", background: `var(${node.colour})` });
    button.setAttribute("aria-label", text);
    button.onmouseenter = button.onfocus = () => { hint.textContent = text + describe(node.layers); };
    button.onclick = () => {
      if (node.layers) search(node.layers[0].onnx_node || node.layers[0].name);
      else if (node.children && node.children.length) { zoom = node === zoom ? root : node; draw(); }
    };
    icicle.append(button);
  };
  // Boxes too thin to see are drawn as one, so that a row always fills its width.
  const row = (nodes, left, width, level, levels) => {
    const thin = nodes.filter((n) => n.size / zoom.size * width < 3);
    for (const node of nodes.filter((n) => n.size / zoom.size * width >= 3)) {
      const w = node.size / zoom.size * width;
      box(node, left, w, level, levels);
      left += w;
    }
    const size = thin.reduce((sum, n) => sum + n.size, 0);
    const title = say("{count} small nodes", { count: thin.length.toLocaleString("en") });
    if (size) box(thin.length === 1 ? thin[0] : { title, size, colour: thin[0].colour }, left, size / zoom.size * width, level, levels);
  };
  const all = (layers, of) => [...new Set(layers.map(of))].slice(0, 4)
    .reduce((items, last) => say("{items} and {last}", { items, last }));
  const describe = (layers) => !layers ? "" :
    ` — ${all(layers, (l) => l.type)}, ${all(layers, (l) => l.dtype || say("no dtype"))}, ${all(layers, (l) => l.target)}` +
    (layers[0].cause ? say("; most of it: {cause}", { cause: titleOf(layers[0].cause) }) : "");
  const titleOf = (code) => say((data.causes.find((c) => c.code === code) || { title: code }).title);
  const draw = () => {
    icicle.replaceChildren();
    const width = icicle.clientWidth, levels = zoom === root ? 3 : 2;
    box(zoom, 0, width, 0, levels);
    let left = 0;
    for (const group of zoom.children) {
      const w = group.size / zoom.size * width;
      if (levels === 3) {
        box(group, left, w, 1, levels);
        row(group.children, left, width, 2, levels);
      }
      left += w;
    }
    if (levels === 2) row(zoom.children, 0, width, 1, levels);
    hint.textContent = zoom === root
      ? say("Every byte by section and node of the ONNX{red}. Click a section to zoom in, a node to find its layers below.",
        { red: lead ? say("; in red: {cause}", { cause: titleOf(lead) }) : "" })
      : say("Click the top bar to zoom out, a node to find its layers in the table.");
  };
  window.addEventListener("resize", draw);
  draw();

  // What the NPU's tasks of a layer cost, where they could be decoded; null of a layer without any.
  const costs = new Map(data.npu && data.npu.latency ? data.npu.latency.layers.map((l) => [l.index, l]) : []);
  const cost = (l, of) => { const c = costs.get(l.index); return c ? of(c) : null; };
  const seconds = (s) => s < 1e-3 ? digits(s * 1e6) + " µs" : digits(s * 1e3) + " ms";
  const shown = (v, kind) => v === null ? "–" : kind.includes("time") ? seconds(v) : kind.includes("count") ? v.toLocaleString("en")
    : kind.includes("macs") ? (v >= 1e9 ? digits(v / 1e9) + " G" : v >= 1e6 ? digits(v / 1e6) + " M" : digits(v / 1e3) + " k")
    : kind.includes("ratio") ? (v * 100).toFixed(0) + " %" : bytes(v);

  // Layer table: filtered by words and cause, sorted by a click on a heading.
  const BOUNDS = { macs: say("MACs"), memory: say("memory"), tables: say("tables"), tasks: say("tasks") };
  const COLUMNS = [
    [say("layer"), plain, "name"], [say("type"), (l) => l.type, "wide kind"], [say("computes in"), (l) => l.dtype || "–", ""],
    [say("runs on"), (l) => l.target, "wide"], [say("bytes"), (l) => l.total_bytes, "n"],
    [say("constants"), (l) => l.weight_bytes + l.cpu_constant_bytes + l.compiler_constant_bytes + l.lookup_table_bytes, "n"],
    [say("commands"), (l) => l.register_command_bytes + l.task_bytes + l.kind7_bytes, "n"],
    [say("tasks"), (l) => l.task_counts.reduce((a, b) => a + b, 0), "n wide count"],
    ...(costs.size ? [
      [say("predicted"), (l) => cost(l, (c) => c.latency_s), "n time"],
      [say("bound by"), (l) => cost(l, (c) => BOUNDS[c.bound]) || "–", "wide"],
      [say("MACs"), (l) => cost(l, (c) => c.costs.macs), "n wide macs"],
      [say("MAC array full"), (l) => cost(l, (c) => c.costs.mac_cycles && c.costs.full_mac_cycles / c.costs.mac_cycles), "n wide ratio"],
      [say("DDR bytes"), (l) => cost(l, (c) => c.costs.feature_bytes + c.costs.weight_bytes + c.costs.read_bytes +
        c.costs.command_bytes + c.costs.written_bytes), "n wide"],
    ] : []),
    [say("source node"), (l) => l.onnx_node || "–", "wide said"], [say("cause"), (l) => l.cause ? titleOf(l.cause) : "–", "wide said"],
  ];
  const head = document.getElementById("head"), body = document.getElementById("rows");
  const words = document.getElementById("words"), pick = document.getElementById("pick"), found = document.getElementById("found");
  let by = 4, down = true;
  for (const cause of data.causes) pick.append(el("option", { value: cause.code, textContent: titleOf(cause.code) }));
  COLUMNS.forEach(([title, , kind], index) => {
    const button = el("button", { type: "button", textContent: title });
    button.onclick = () => { down = index === by ? !down : COLUMNS[index][2].startsWith("n "); by = index; fill(); };
    head.append(el("th", { className: kind, scope: "col" }, button));
  });
  const fill = () => {
    const needles = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = data.layers.filter((l) => {
      const text = [l.name, l.type, l.dtype, l.target, l.onnx_node, l.rewrite].join(" ").toLowerCase();
      return needles.every((n) => text.includes(n)) && (!pick.value || l.cause === pick.value);
    });
    const key = COLUMNS[by][1];
    rows.sort((a, b) => { const x = key(a), y = key(b); return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1); });
    [...head.children].forEach((th, i) => th.setAttribute("aria-sort", i !== by ? "none" : down ? "descending" : "ascending"));
    body.replaceChildren(...rows.slice(0, 2000).map((l) => el("tr", { className: l.target === "CPU" && l.total_bytes ? "cpu" : "" },
      ...COLUMNS.map(([, value, kind]) => {
        const v = value(l);
        return el("td", { className: kind, textContent: kind.startsWith("n") && kind !== "name" ? shown(v, kind) : v });
      }))));
    const sum = rows.reduce((s, l) => s + l.total_bytes, 0);
    const counted = { shown: rows.length.toLocaleString("en"), layers: data.layers.length.toLocaleString("en"), bytes: bytes(sum) };
    found.textContent = say("{shown} of {layers} layers, {bytes}", counted) +
      (rows.length > 2000 ? say(" (first 2,000 shown)") : "");
    found.dataset.bytes = sum;
    found.dataset.layers = rows.length;
  };
  const search = (text) => { words.value = text; pick.value = ""; fill(); words.scrollIntoView({ behavior: "smooth", block: "center" }); };
  words.oninput = pick.onchange = fill;
  fill();
  document.body.dataset.ready = "yes";
})();
