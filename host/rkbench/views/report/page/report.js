(() => {
  const text = (id) => document.getElementById(id).textContent;
  const save = (name, blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const unpack = async (packed) => {
    const bytes = Uint8Array.from(atob(packed), (sign) => sign.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).blob();
  };
  const place = document.getElementById("save");
  const button = (label, act) => {
    const made = document.createElement("button");
    made.className = "save";
    made.type = "button";
    made.textContent = label;
    made.addEventListener("click", act);
    place.append(made);
  };
  place.textContent = "";
  place.append(document.createElement("br"));
  button("Save the results (JSON)", () => save("rkbench.json", new Blob([text("document")], { type: "application/json" })));
  if (text("latencies")) {
    button("Save every latency (CSV)", async () => save("rkbench-latencies.csv", await unpack(text("latencies"))));
  }
})();
