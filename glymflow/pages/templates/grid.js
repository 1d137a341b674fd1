// The heat maps: one stop of the tab key, arrows move in it, Enter and a click open the scan's page;
// the cell under focus or mouse is said in words.
document.querySelectorAll("table.checks").forEach(table => {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const line = table.closest("section").querySelector(".cell-said"), rest = "\u00a0";
  const words = {w: "warn", f: "fail", "": "pass"};
  const cellOf = event => event.target.closest("tbody td, tbody th");
  const say = cell => {
    const head = heads[cell.cellIndex], name = cell.parentElement.cells[0].textContent;
    const limit = head.dataset.limit;
    const value = cell.textContent.trim();
    const text = cell.cellIndex === 0 ? name : `${name}, ${head.textContent}: `
      + (value ? `${value}, ${words[cell.className]}` : "not checked") + (limit ? ` (${limit})` : "");
    line.textContent = text;
    cell.title = text;
  };
  const open = cell => cell.parentElement.querySelector("a")?.click();
  let at = body.rows[0].cells[0];
  at.tabIndex = 0;
  const move = cell => {
    if (!cell) return;
    at.tabIndex = -1;
    at = cell;
    at.tabIndex = 0;
    at.focus();
    at.scrollIntoView({block: "nearest", inline: "nearest"});
  };
  const row = (from, by) => {
    let next = from;
    do next = by > 0 ? next.nextElementSibling : next.previousElementSibling; while (next?.hidden);
    return next;
  };
  const last = () => at.parentElement.cells.length - 1;
  const moves = {
    ArrowRight: () => at.nextElementSibling, ArrowLeft: () => at.previousElementSibling,
    ArrowDown: () => row(at.parentElement, 1)?.cells[at.cellIndex],
    ArrowUp: () => row(at.parentElement, -1)?.cells[at.cellIndex],
    Home: () => at.parentElement.cells[0], End: () => at.parentElement.cells[last()],
  };
  body.addEventListener("keydown", event => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") open(at);
    else if (moves[event.key]) move(moves[event.key]());
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  body.addEventListener("focusin", event => {
    const cell = cellOf(event);
    if (!cell) return;
    if (cell !== at) { at.tabIndex = -1; at = cell; at.tabIndex = 0; }
    say(cell);
  });
  let mouse = "";
  body.addEventListener("mousemove", event => {
    const here = event.screenX + " " + event.screenY, cell = cellOf(event);
    if (cell && here !== mouse) say(cell);  // not where the page scrolls under a mouse that rests
    mouse = here;
  });
  body.addEventListener("mouseleave", () => { line.textContent = rest; });
  body.addEventListener("click", event => {
    if (!event.target.closest("a")) { const cell = cellOf(event); if (cell) open(cell); }
  });
  // a row that a filter hides takes the tab stop with it
  new MutationObserver(() => {
    if (!at.parentElement.hidden) return;
    const seen = [...body.rows].find(one => !one.hidden);
    if (!seen) return;
    at.tabIndex = -1;
    at = seen.cells[at.cellIndex];
    at.tabIndex = 0;
  }).observe(body, {attributes: true, subtree: true, attributeFilter: ["hidden"]});
});
