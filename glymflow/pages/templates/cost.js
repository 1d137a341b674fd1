// Time and memory of the steps, where benchmarks.js stands beside the folder of the page.
(() => {
  const card = document.getElementById("cost"), rows = window.glymflowCost;
  if (!rows?.length) return;
  const text = (value, digits) => value === null ? "n/a" : value.toFixed(digits);
  const span = seconds => seconds < 120 ? text(seconds, 0) + " s"
    : seconds < 7200 ? text(seconds / 60, 0) + " min" : text(seconds / 3600, 1) + " h";
  const total = rows.reduce((sum, row) => sum + (row[4] ?? 0), 0);
  const body = card.querySelector("tbody");
  const add = (cells, name = "") => {
    const line = body.insertRow();
    line.className = name;
    cells.forEach((cell, k) => {
      const made = line.insertCell();
      made.textContent = cell;
      made.className = k ? "n" : "";
    });
  };
  rows.forEach(([rule, jobs, median, most, cpu, memory]) => add([rule.replaceAll("_", " "), jobs,
    text(median, 1), text(most, 1),
    cpu === null ? "n/a" : `${span(cpu)}, ${text(100 * cpu / (total || 1), 0)} %`, text(memory, 0)]));
  add(["all", rows.reduce((sum, row) => sum + row[1], 0), "", "", span(total), ""], "primary");
  card.hidden = false;
})();
