// Tables of the page: sort by a column, find words, filter by status and reason, save what is shown.
// The state of a table stands in the address (#?subjects.find=...), so that a view can be sent.
const view = (() => {
  const state = new URLSearchParams(location.hash.startsWith("#?") ? location.hash.slice(2) : "");
  return {
    get: key => state.get(key) ?? "",
    keep: (key, value) => {
      if (value) state.set(key, value); else state.delete(key);
      history.replaceState(null, "", state.toString() ? "#?" + state : location.pathname);
    },
  };
})();
(() => {
  const keep = view.keep;
  const make = (name, parent, values, text = "") => {
    const made = Object.assign(document.createElement(name), values);
    if (text) made.textContent = text;
    return parent.appendChild(made);
  };

  const lacks = text => !text || text === "n/a";

  document.querySelectorAll("table[data-tools]").forEach(table => {
    const id = table.dataset.tools, body = table.tBodies[0], rows = [...body.rows];
    const heads = [...table.tHead.rows[0].cells], names = heads.map(head => head.textContent.trim());
    const texts = rows.map(row => row.textContent.toLowerCase());
    const value = (row, k) => row.cells[k].dataset.v ?? row.cells[k].textContent;
    const get = key => view.get(id + "." + key);

    const tools = document.createElement("div");
    tools.className = "tools noprint";
    const counts = ["pass", "warn", "fail"].map(s => [s, rows.filter(r => r.dataset.status === s).length]);
    const buttons = [["", rows.length], ...counts.filter(([, n]) => n)].map(([status, n]) => {
      const button = make("button", tools, {type: "button"}, (status || "all") + " " + n);
      button.onclick = () => { keep(id + ".status", status); filter(); };
      return [status, button];
    });
    const find = make("input", tools, {type: "search", placeholder: "find words", value: get("find")});
    find.setAttribute("aria-label", "Find rows with all of these words");
    find.oninput = () => { keep(id + ".find", find.value.trim()); filter(); };
    const save = make("button", tools, {type: "button"}, "save rows");
    const shown = make("span", tools, {className: "soft small"});
    shown.setAttribute("aria-live", "polite");
    const reasons = [...document.querySelectorAll(`[data-reason-of="${id}"]`)];
    reasons.forEach(button => button.onclick = () => {
      keep(id + ".reason", get("reason") === button.value ? "" : button.value);
      filter();
    });

    const filter = () => {
      const words = get("find").toLowerCase().split(/\s+/).filter(Boolean);
      const status = get("status"), reason = get("reason");
      let n = 0;
      rows.forEach((row, i) => {
        row.hidden = Boolean(status && row.dataset.status !== status)
          || Boolean(reason && !(row.dataset.codes ?? "").split(" ").includes(reason))
          || !words.every(word => texts[i].includes(word));
        n += !row.hidden;
      });
      shown.textContent = n === rows.length ? "" : n + " of " + rows.length + " shown";
      buttons.forEach(([which, button]) => button.setAttribute("aria-pressed", which === status));
      reasons.forEach(button => button.setAttribute("aria-pressed", button.value === reason));
    };

    const sort = () => {
      const [column, down] = get("sort").split(" "), k = names.indexOf(column);
      if (k < 0) return;
      heads.forEach(head => head.removeAttribute("aria-sort"));
      heads[k].setAttribute("aria-sort", down ? "descending" : "ascending");
      const number = heads[k].className === "n", sign = down ? -1 : 1;
      const compare = (a, b) => {
        const x = value(a, k), y = value(b, k);
        if (lacks(x) || lacks(y)) return lacks(x) - lacks(y);  // missing last, either way
        return sign * (number ? parseFloat(x) - parseFloat(y)
          : x.localeCompare(y, undefined, {numeric: true}));
      };
      body.append(...[...rows].sort(compare));
    };
    heads.forEach((head, k) => {
      head.textContent = "";
      make("button", head, {type: "button"}, names[k]).onclick = () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        keep(id + ".sort", names[k].replaceAll(" ", "_") + (down ? " down" : ""));
        sort();
      };
      names[k] = names[k].replaceAll(" ", "_");
    });

    save.onclick = () => {
      const cells = row => [...row.cells].map(cell => cell.textContent.replace(/\s+/g, " ").trim());
      const lines = [names, ...[...body.rows].filter(row => !row.hidden).map(cells)];
      const text = lines.map(line => line.join("\t")).join("\n") + "\n";
      const link = make("a", tools, {download: id + ".tsv", hidden: true});
      link.href = URL.createObjectURL(new Blob([text], {type: "text/tab-separated-values"}));
      link.click();
      link.remove();
    };

    table.parentElement.before(tools);
    filter();
    sort();
  });
})();
