// A subject's page: this scan among all, neighbours by key, enlarged pictures, its place kept in the
// address. Nothing is loaded but cohort-values.js, which stands beside the page or is not there.
(() => {
  const me = document.body.dataset.subject, cohort = window.glymflowCohort;
  const make = (name, parent, values = {}, text = "") => {
    const made = Object.assign(document.createElement(name), values);
    if (text) made.textContent = text;
    return parent.appendChild(made);
  };
  const inFrame = window.parent !== window;  // the review of scans has its own keys

  // ------------------------------------------------ enlarged pictures
  const zoom = make("dialog", document.body, {className: "zoom"});
  const enlarge = image => {
    const whole = image.closest(".flicker, .ringed") ?? image, copy = whole.cloneNode(true);
    const sizes = whole.querySelector?.("img") ?? whole;
    copy.style = `width: min(94vw, ${Math.floor(90 * sizes.width / sizes.height)}vh)`;
    copy.removeAttribute("tabindex");
    zoom.replaceChildren(copy);
    zoom.setAttribute("aria-label", image.alt);
    zoom.showModal();
  };
  zoom.onclick = () => zoom.close();
  document.querySelectorAll("main img").forEach(image => {
    if (image.previousElementSibling?.tagName === "IMG") return;  // the second of a flicker
    image.tabIndex = 0;
    image.setAttribute("role", "button");
    image.title = "Enlarge";
    const target = image.closest(".flicker") ?? image;
    target.onclick = () => enlarge(image);
    image.onkeydown = event => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); enlarge(image); }
    };
  });

  // ------------------------------------------------ objects and the slices in which they lie
  document.querySelectorAll(".objects").forEach(part => {
    const slices = [...part.querySelectorAll(".viewer figure")], buttons = [...part.querySelectorAll("button")];
    const show = button => {
      const chosen = slices[button.dataset.slice], ring = chosen.querySelector("i");
      slices.forEach(slice => { slice.hidden = slice !== chosen; });
      ring.style = `left: ${button.dataset.x}%; top: ${button.dataset.y}%`;
      chosen.querySelector("span").textContent = `object ${button.textContent}, `;
      buttons.forEach(other => other.setAttribute("aria-pressed", other === button));
    };
    buttons.forEach(button => { button.onclick = () => show(button); });
    if (buttons.length) show(buttons[0]);
  });

  // ------------------------------------------------ the place in the address: #?at=rois.0
  const heads = [...document.querySelectorAll("[data-at]")], seen = {};
  heads.forEach(head => {
    const name = head.dataset.at, n = seen[name] = (seen[name] ?? -1) + 1;
    head.dataset.place = `${name}.${n}`;
  });
  const folds = [...document.querySelectorAll("details[data-fold]")];
  const wanted = new URLSearchParams(location.hash.startsWith("#?") ? location.hash.slice(2) : "");
  const here = () => {
    const above = heads.filter(head => head.getBoundingClientRect().top < 140);
    const state = new URLSearchParams();
    if (window.scrollY > 60 && above.length) state.set("at", above.at(-1).dataset.place);
    const open = [...new Set(folds.filter(fold => fold.open).map(fold => fold.dataset.fold))];
    if (open.length) state.set("open", open.join(" "));
    return state.toString() ? "#?" + state : "";
  };
  const keep = () => history.replaceState(null, "", here() || location.pathname);
  const open = (wanted.get("open") ?? "").split(" ");
  folds.forEach(fold => {
    if (wanted.has("open") && open.includes(fold.dataset.fold)) fold.open = true;
    fold.ontoggle = () => { if (moved) keep(); };
  });
  let moved = false, waiting;
  addEventListener("scroll", () => { clearTimeout(waiting); waiting = setTimeout(() => moved && keep(), 150); });
  for (const kind of ["wheel", "keydown", "touchmove", "pointerdown"])
    addEventListener(kind, () => { moved = true; }, {passive: true});

  // ------------------------------------------------ neighbours
  if (cohort && !inFrame) {
    const at = cohort.subjects.indexOf(me), bar = document.querySelector("nav");
    const go = by => {
      const next = cohort.subjects[at + by];
      if (at >= 0 && next) location.href = encodeURIComponent(next) + ".html" + here();
    };
    const link = (by, text) => {
      const next = cohort.subjects[at + by];
      if (!next) return;
      const made = make("a", bar, {href: encodeURIComponent(next) + ".html", title: `Key ${by < 0 ? "← or k" : "→ or j"}`}, text(next));
      made.onclick = event => { event.preventDefault(); go(by); };
    };
    if (at >= 0) {
      link(-1, name => "← " + name);
      make("span", bar, {className: "soft"}, `${at + 1} of ${cohort.subjects.length}`);
      link(1, name => name + " →");
    }
    addEventListener("keydown", event => {
      if (event.ctrlKey || event.metaKey || event.altKey || zoom.open || /INPUT|SELECT|TEXTAREA/.test(event.target.tagName)) return;
      const by = {ArrowRight: 1, j: 1, ArrowLeft: -1, k: -1}[event.key];
      if (by) { event.preventDefault(); go(by); }
    });
  }

  // ------------------------------------------------ against the cohort
  if (cohort) {
    const card = document.getElementById("cohort"), svg = "http://www.w3.org/2000/svg";
    const draw = (name, parent, values) => {
      const made = document.createElementNS(svg, name);
      Object.entries(values).forEach(([key, value]) => made.setAttribute(key, value));
      return parent.appendChild(made);
    };
    const strip = (parent, label, digits, all, own) => {
      const sorted = all.filter(value => value !== null).sort((a, b) => a - b);
      if (sorted.length < 3 || !own.some(scan => scan.value !== null)) return false;
      const low = sorted[0], span = sorted.at(-1) - low || 1, x = value => 4 + 292 * (value - low) / span;
      const quantile = q => sorted[Math.round(q * (sorted.length - 1))];
      const text = value => value === null ? "n/a" : value.toFixed(digits);
      make("span", parent, {}, label);
      make("span", parent, {className: "soft n"}, text(low));
      const picture = draw("svg", parent, {viewBox: "0 0 300 24", role: "img", "aria-label":
        `${label}: ${own.map(scan => text(scan.value)).join(", ")} among ${sorted.length} from ${text(low)} to ${text(sorted.at(-1))}`});
      draw("rect", picture, {x: x(quantile(.25)), width: Math.max(x(quantile(.75)) - x(quantile(.25)), 1), y: 5, height: 14, class: "box"});
      draw("path", picture, {class: "all", d: sorted.map(value => `M${x(value).toFixed(1)} 6v12`).join("")});
      own.forEach(scan => {
        if (scan.value === null) return;
        const dot = draw("circle", picture, {cx: x(scan.value), cy: 12, r: 4.5, class: scan.status || "none"});
        draw("title", dot, {}).textContent = `${scan.name}: ${text(scan.value)}`;
      });
      make("span", parent, {className: "soft n"}, text(sorted.at(-1)));
      const below = value => {  // ties count half, so that the middle of a cohort is 50 %
        const less = sorted.filter(other => other < value).length, same = sorted.filter(other => other === value).length;
        return Math.round(100 * (less + same / 2) / sorted.length);
      };
      const said = make("span", parent, {className: "own"});
      own.forEach((scan, k) => {
        if (scan.value === null) return;
        make("b", said, {title: scan.name}, (k ? " · " : "") + text(scan.value));
        make("span", said, {className: "soft"}, ` higher than ${below(scan.value)} %`);
      });
      return true;
    };
    let shown = 0, out = [];
    cohort.domains.forEach(({title, measures, scans}) => {
      const own = scans.filter(scan => scan[0] === me);
      out.push(...own.filter(scan => scan[4]).map(scan => scan[2] || scan[1] || scan[0]));
      if (!own.length) return;
      const box = document.createElement("div");
      box.className = "strips";
      measures.forEach(([label, digits], k) => {
        const mine = own.map(scan => ({name: scan[2] || scan[1] || scan[0], status: scan[3], value: scan[5][k]}));
        shown += strip(box, label, digits, scans.map(scan => scan[5][k]), mine);
      });
      if (!box.childElementCount) return;
      make("h3", card, {}, `${title}: ${own.length === 1 ? "this scan" : own.length + " scans of this subject"} among ${scans.length}`);
      card.append(box);
    });
    if (shown) {
      make("p", card, {className: "small soft"}, "Line: a scan of the cohort; box: the middle half; dot: this subject, in the colour of its quality control.");
      card.hidden = false;
    }
    if (out.length) {
      const note = document.getElementById("rated");
      note.textContent = `A reader excluded: ${out.join(", ")}.`;
      note.hidden = false;
    }
  }

  // last, for the strips move what is below them
  const target = heads.find(head => head.dataset.place === wanted.get("at")) ?? heads.find(head => head.dataset.at === (wanted.get("at") ?? "").split(".")[0]);
  if (target) {
    document.documentElement.style.scrollBehavior = "auto";
    target.scrollIntoView();
    document.documentElement.style.scrollBehavior = "";
  }
})();
