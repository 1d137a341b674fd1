// Points of the page's charts: the nearest to the mouse is named and becomes a link to its scan's
// page; by keyboard one stop of the tab key, arrows move, Enter opens. Below: the distributions.
(() => {
  const source = document.getElementById("distribution-values");
  if (!source) return;
  const {domains, splits} = JSON.parse(source.textContent), svg = "http://www.w3.org/2000/svg";
  const make = (name, parent, values = {}, text = "") => {
    const made = Object.assign(document.createElement(name), values);
    if (text !== "") made.textContent = text;
    return parent.appendChild(made);
  };
  const draw = (name, parent, values, text = "") => {
    const made = document.createElementNS(svg, name);
    Object.entries(values).forEach(([key, value]) => made.setAttribute(key, value));
    if (text !== "") made.textContent = text;
    return parent.appendChild(made);
  };
  const number = (value, digits) => value === null ? "n/a" : value.toFixed(digits).replace("-", "−");
  const nameOf = ([who, session, series]) =>
    series && series.startsWith(who) ? series : [who, session || series].filter(Boolean).join(" ");
  const pageOf = ([who, , series, , there]) => !there ? ""
    : who + ".html" + (series.startsWith(who) ? "#" + encodeURIComponent(series) : "");
  const all = (domain, i) => domain.measures
    .map(([label, digits], k) => [label, domain.values[k][i], digits])
    .filter(([, value]) => value !== null)
    .map(([label, value, digits]) => `${label} ${number(value, digits)}`).join(", ");

  // `box` holds a drawing; a point is {x, y: shares of its width and height, row, scan, said}
  const pointed = box => {
    const link = make("a", box, {className: "point", tabIndex: 0});
    const line = box.parentElement.querySelector(".said");
    let points = [], at = 0;
    const show = k => {
      at = k;
      const one = points[k], href = pageOf(one.scan);
      Object.assign(link.style, {left: 100 * one.x + "%", top: 100 * one.y + "%"});
      if (href) link.href = href; else { link.removeAttribute("href"); link.setAttribute("role", "img"); }
      link.setAttribute("aria-label", one.said());
      line.textContent = one.said();
      link.classList.add("seen");
    };
    box.addEventListener("mousemove", event => {
      const {left, top, width, height} = box.getBoundingClientRect();
      let best = -1, least = 20 ** 2;
      points.forEach((one, k) => {
        const away = (left + one.x * width - event.clientX) ** 2 + (top + one.y * height - event.clientY) ** 2;
        if (away < least) { least = away; best = k; }
      });
      if (best >= 0) show(best);
    });
    const leave = () => { if (document.activeElement !== link) { link.classList.remove("seen"); line.textContent = "\u00a0"; } };
    box.addEventListener("mouseleave", leave);
    box.addEventListener("click", event => { if (link.href && event.target !== link) link.click(); });
    link.onfocus = () => { if (points.length) show(at); };
    link.onblur = () => { link.classList.remove("seen"); line.textContent = "\u00a0"; };
    const other = by => {  // the nearest point of the next row
      const row = points[at].row + by, near = k => Math.abs(points[k].x - points[at].x);
      const there = points.keys().filter(k => points[k].row === row);
      return [...there].reduce((best, k) => best < 0 || near(k) < near(best) ? k : best, -1);
    };
    const moves = {
      ArrowRight: () => at + 1, ArrowLeft: () => at - 1, Home: () => 0, End: () => points.length - 1,
      ArrowDown: () => other(1), ArrowUp: () => other(-1),
    };
    link.onkeydown = event => {
      if (event.ctrlKey || event.metaKey || event.altKey || !moves[event.key]) return;
      event.preventDefault();
      const next = moves[event.key]();
      if (points[next]) show(next);
    };
    return found => {
      points = found.sort((a, b) => a.row - b.row || a.x - b.x);
      at = 0;
      link.hidden = !points.length;
      if (points.length) show(0);
      link.classList.remove("seen");
      line.textContent = "\u00a0";
    };
  };

  document.querySelectorAll("[data-points]").forEach(box => {
    const domain = domains[0];
    pointed(box)(JSON.parse(box.dataset.points).map(([x, y, i]) => {
      const scan = domain.scans[i];
      return {x, y, row: 0, scan, said: () => `${nameOf(scan)}, ${scan[3] || "not judged"}: ${all(domain, i)}`};
    }));
  });

  // ------------------------------------------------ distributions
  const card = document.getElementById("distributions"), tools = card.querySelector(".tools");
  const choose = (label, names, key) => {
    const told = make("label", tools, {}, label + " ");
    const select = make("select", told);
    names.forEach((name, k) => make("option", select, {value: k}, name));
    const kept = names.map(name => name.replaceAll(" ", "_")).indexOf(view.get(key));
    select.value = Math.max(kept, 0);
    select.onchange = () => {
      view.keep(key, select.value === "0" ? "" : names[select.value].replaceAll(" ", "_"));
      plot();
    };
    return select;
  };
  const measures = domains.flatMap((domain, d) => domain.measures.map((measure, k) => [d, k, measure[0]]));
  const preferred = measures.findIndex(([, , name]) => name === "ALPS mean");
  if (preferred > 0) measures.unshift(...measures.splice(preferred, 1));
  const measure = choose("measure", measures.map(([, , name]) => name), "spread.measure");
  const split = splits.length
    ? choose("split by", [...splits.map(one => one.name), "nothing"], "spread.by") : null;
  const box = card.querySelector(".drawn"), place = pointed(box);

  const ticks = (low, high) => {
    const rough = (high - low) / 6, size = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].find(by => by * size >= rough) * size, found = [];
    for (let k = Math.ceil(low / step); k * step <= high + step * 1e-6; k++) found.push(k * step);
    return [found, Math.max(0, -Math.floor(Math.log10(step) + 1e-9))];
  };
  const quantile = (sorted, q) => {
    const at = q * (sorted.length - 1), k = Math.floor(at);
    return sorted[k] + (at - k) * ((sorted[k + 1] ?? sorted[k]) - sorted[k]);
  };
  const plot = () => {
    const [d, k] = measures[measure.value], domain = domains[d], [label, digits] = domain.measures[k];
    const by = split ? Number(split.value) : splits.length, chosen = splits[by];
    const values = domain.values[k], level = chosen ? domain.levels[by] : values.map(() => 0);
    const names = chosen ? [...chosen.levels] : ["all scans"];
    if (chosen && values.some((value, i) => value !== null && level[i] < 0)) names.push("not known");
    const rows = names.map((name, row) => values.map((value, i) => i)
      .filter(i => values[i] !== null && (level[i] < 0 ? names.length - 1 : level[i]) === row)
      .sort((a, b) => values[a] - values[b]));
    const known = values.filter(value => value !== null), low = Math.min(...known), high = Math.max(...known);
    const room = (high - low || Math.abs(high) || 1) * .03, width = Math.max(box.clientWidth, 320);
    const x = value => 10 + (width - 20) * (value - low + room) / (high - low + 2 * room);
    const tall = rows.length > 6 ? 26 : 46, each = tall + 26, height = rows.length * each + 26;
    box.querySelector("svg")?.remove();
    const picture = draw("svg", box, {viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": `${label} of ${known.length} scans, by ${chosen ? chosen.name : "nothing"}`});
    const [marks, decimals] = ticks(low - room, high + room);
    marks.forEach(value => {
      draw("path", picture, {class: "rule", d: `M${x(value).toFixed(1)} 4V${height - 22}`});
      draw("text", picture, {x: x(value), y: height - 6, "text-anchor": "middle"}, number(value, decimals));
    });
    const points = [], paths = {};
    rows.forEach((scans, row) => {
      const sorted = scans.map(i => values[i]), middle = row * each + 22 + tall / 2, n = sorted.length;
      const head = draw("text", picture, {x: 4, y: row * each + 15});
      draw("tspan", head, {class: "level"}, names[row]);
      draw("tspan", head, {dx: 8}, `n = ${n}` + (n ? `, median ${number(quantile(sorted, .5), digits)}` : ""));
      if (n >= 5) {
        const [q1, q2, q3] = [.25, .5, .75].map(q => x(quantile(sorted, q)));
        draw("rect", picture, {class: "box", x: q1, y: middle - tall / 2, width: Math.max(q3 - q1, 1), height: tall});
        draw("path", picture, {class: "median", d: `M${q2} ${middle - tall / 2}v${tall}`});
      }
      const bins = new Map(), bin = value => Math.round(x(value) / 8);
      sorted.forEach(value => bins.set(bin(value), (bins.get(bin(value)) ?? 0) + 1));
      const most = Math.max(1, ...bins.values());
      scans.forEach((i, rank) => {
        const dense = bins.get(bin(values[i])) === 1 ? 0 : Math.sqrt(bins.get(bin(values[i])) / most);
        const y = middle + ((rank * .618034 + .5) % 1 - .5) * dense * tall * .86, scan = domain.scans[i];
        const status = ["pass", "warn", "fail"].includes(scan[3]) ? scan[3] : "none";
        (paths[status] ??= []).push(`M${x(values[i]).toFixed(1)} ${y.toFixed(1)}h0`);
        points.push({x: x(values[i]) / width, y: y / height, row, scan,
          said: () => `${nameOf(scan)}${chosen ? ", " + names[row] : ""}: ${label} ${number(values[i], digits)}, ${scan[3] || "not judged"}`});
      });
    });
    const size = known.length > 1000 ? 4 : known.length > 200 ? 5.5 : 8;
    ["pass", "none", "warn", "fail"].forEach(status => {
      if (paths[status]) draw("path", picture, {class: "points " + status, "stroke-width": size, d: paths[status].join("")});
    });
    place(points);
  };
  let drawnAt = 0, waiting;
  new ResizeObserver(() => {
    clearTimeout(waiting);
    waiting = setTimeout(() => { if (box.clientWidth && box.clientWidth !== drawnAt) { drawnAt = box.clientWidth; plot(); } }, 60);
  }).observe(box);
  plot();
  drawnAt = box.clientWidth;
})();
