// Review of the scans: one page after the other, a rating by key, nothing leaves the browser until
// the ratings are saved as a file for the config's qc.ratings.
(() => {
  const table = document.querySelector('table[data-tools="subjects"]');
  if (!table || !table.querySelector("a[href]")) return;
  const columns = ["participant_id", "session_id", "series", "rater", "rating", "roi", "note", "date"];
  const rois = ["", "left association", "left projection", "right projection", "right association"];
  const place = "glymflow ratings " + location.pathname;
  const store = JSON.parse(localStorage.getItem(place) ?? '{"rater": "", "ratings": {}}');
  const write = () => localStorage.setItem(place, JSON.stringify(store));
  const key = row => store.rater + "\t" + row.dataset.series;
  const rating = row => store.ratings[key(row)];

  const bar = document.createElement("div");
  bar.className = "review noprint";
  bar.hidden = true;
  bar.innerHTML = `<div class="bar"><b></b><span class="soft"></span>
<button type="button" value="p">← previous</button><button type="button" value="n">next →</button>
<button type="button" value="a">accept</button><button type="button" value="u">unsure</button><button type="button" value="x">exclude</button>
<select aria-label="ROI">${rois.map(roi => `<option>${roi}</option>`).join("")}</select>
<input name="note" placeholder="note" aria-label="Note"><input name="rater" placeholder="rater" aria-label="Rater" size="8">
<button type="button" value="s">save ratings</button><label>load <input type="file" accept=".tsv" aria-label="Load ratings"></label>
<button type="button" value="Escape">close</button></div><iframe title="Page of the subject"></iframe>`;
  document.body.append(bar);
  const part = name => bar.querySelector(name);
  const note = part("[name=note]"), rater = part("[name=rater]"), roi = part("select"), frame = part("iframe");
  let rows = [], at = 0;

  const mark = () => [...table.tBodies[0].rows].forEach(row => {
    row.cells[0].dataset.rating = rating(row)?.rating ?? "";
  });
  const show = () => {
    const row = rows[at], link = row.querySelector("a").getAttribute("href"), given = rating(row);
    part("b").textContent = row.dataset.series;
    const done = rows.filter(rating).length;
    part("span").textContent = `${at + 1} of ${rows.length}, ${done} rated`;
    const address = link + "#" + encodeURIComponent(row.dataset.series);
    if (frame.getAttribute("src") !== address) frame.src = address;
    note.value = given?.note ?? "";
    roi.value = given?.roi ?? "";
    [["a", "accept"], ["u", "unsure"], ["x", "exclude"]].forEach(([letter, word]) =>
      part(`[value="${letter}"]`).setAttribute("aria-pressed", given?.rating === word));
    mark();
  };
  const rate = word => {
    if (!store.rater) { rater.focus(); rater.placeholder = "your initials first"; return; }
    const row = rows[at];
    store.ratings[key(row)] = {
      participant_id: row.dataset.participant, session_id: row.dataset.session || "n/a",
      series: row.dataset.series, rater: store.rater, rating: word, roi: roi.value,
      note: note.value.replace(/\s+/g, " ").trim(), date: new Date().toISOString().slice(0, 10),
    };
    write();
    show();
  };
  const update = () => { const given = rating(rows[at]); if (given) rate(given.rating); };
  const save = () => {
    const lines = Object.values(store.ratings).filter(one => one.rater === store.rater)
      .map(one => columns.map(name => one[name] || "n/a").join("\t")).sort();
    const text = [columns.join("\t"), ...lines].join("\n") + "\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], {type: "text/tab-separated-values"}));
    link.download = `ratings-${store.rater || "nobody"}.tsv`;
    link.click();
  };
  const load = async file => {
    const [head, ...lines] = (await file.text()).trim().split(/\r?\n/).map(line => line.split("\t"));
    lines.forEach(cells => {
      const one = Object.fromEntries(head.map((name, k) => [name, cells[k] === "n/a" ? "" : cells[k]]));
      if (!one.series || !one.rater || !one.rating) return;
      store.ratings[one.rater + "\t" + one.series] = one;
      store.rater ||= one.rater;
    });
    rater.value = store.rater;
    write();
    show();
  };
  const step = by => { at = Math.min(Math.max(at + by, 0), rows.length - 1); show(); };
  const close = () => { bar.hidden = true; document.body.style.overflow = ""; };
  const actions = {
    n: () => step(1), p: () => step(-1), ArrowRight: () => step(1), ArrowLeft: () => step(-1),
    a: () => rate("accept"), u: () => rate("unsure"), x: () => rate("exclude"), s: save, Escape: close,
  };
  const open = () => {
    rows = [...table.tBodies[0].rows].filter(row => !row.hidden && row.querySelector("a[href]"));
    if (!rows.length) return;
    at = Math.max(rows.findIndex(row => !rating(row)), 0);
    rater.value = store.rater;
    bar.hidden = false;
    document.body.style.overflow = "hidden";
    show();
  };
  bar.querySelectorAll("button").forEach(button => button.onclick = () => actions[button.value]());
  rater.onchange = () => { store.rater = rater.value.trim(); write(); show(); };
  note.onchange = update;
  roi.onchange = update;
  part("[type=file]").onchange = event => load(event.target.files[0]);
  document.addEventListener("keydown", event => {
    const typing = /INPUT|SELECT/.test(event.target.tagName) && event.key !== "Escape";
    if (bar.hidden || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
  });

  const start = document.createElement("button");
  start.type = "button";
  start.textContent = "review";
  start.title = "Rate the rows shown: n next, p previous, a accept, u unsure, x exclude, Esc close";
  start.onclick = open;
  document.querySelector(".tools").append(start);
  mark();
  if (new URLSearchParams(location.hash.slice(2)).has("review")) open();
})();
