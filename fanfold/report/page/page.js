"use strict";
// Draws what a page cannot hold as it is: the timeline, curves and columns. Texts of the run become text nodes only.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const charts = []; // of {box, plot, height()}

  // ---- Colours: those of the style sheet, resolved, for a canvas knows no variables.
  const probe = document.body.appendChild(element("span"));
  probe.hidden = true;
  let palette = new Map();
  const colour = (name) => {
    if (!palette.has(name)) {
      probe.style.color = `var(--${name})`;
      palette.set(name, getComputedStyle(probe).color);
    }
    return palette.get(name);
  };
  const repaint = () => {
    palette = new Map();
    for (const { plot } of charts) plot.redraw(false, true);
  };

  // ---- Light and dark.
  const root = document.documentElement;
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches);
  const toggle = byId("theme");
  const nameToggle = () => { toggle.textContent = isDark() ? "Light theme" : "Dark theme"; };
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameToggle();
    repaint();
  });
  systemIsDark.addEventListener("change", () => { nameToggle(); repaint(); });
  nameToggle();

  // ---- Tables that are wider than the page say so.
  const boxes = new ResizeObserver((changed) => {
    for (const { target } of changed) target.classList.toggle("more", target.scrollWidth > target.clientWidth + 1);
  });
  for (const box of document.querySelectorAll(".scroll")) boxes.observe(box);

  // ---- Numbers for a glance.
  const english = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });
  const grouped = (n) => english.format(n); // as in the tables
  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const time = (s) => (s < 0.9995 ? `${(s * 1000).toFixed(s < 0.0995 ? 1 : 0)} ms` : `${s.toFixed(s < 100 ? 2 : 1)} s`);

  // ---- A small box beside the pointer.
  const tip = (box) => {
    const made = box.appendChild(element("div", "tip"));
    made.hidden = true;
    made.setAttribute("aria-hidden", "true"); // what it says is also in a live region, or in a table
    return {
      hide() { made.hidden = true; },
      show(x, y, title, lines) {
        made.replaceChildren(element("strong", "", title));
        for (const [key, name, value] of lines) {
          const line = made.appendChild(element("div"));
          if (key) line.appendChild(element("i", `key ${key}`));
          line.appendChild(element("span", "", name));
          line.appendChild(element("span", "", value));
        }
        made.hidden = false;
        const right = x + made.offsetWidth + 24 < box.clientWidth;
        made.style.left = `${Math.max(4, right ? x + 14 : x - made.offsetWidth - 14)}px`;
        made.style.top = `${Math.max(4, Math.min(y + 12, box.clientHeight - made.offsetHeight - 6))}px`;
      },
    };
  };

  // ---- What all charts have in common.
  const axis = (more) => ({
    stroke: () => colour("soft"),
    grid: { stroke: () => colour("line"), width: 1 },
    ticks: { stroke: () => colour("line"), width: 1, size: 4 },
    font: "12px system-ui, sans-serif",
    ...more,
  });
  const add = (box, padding, height, options, columns) => {
    const width = () => Math.max(200, box.clientWidth - 4);
    const plot = new uPlot(
      { width: width(), height: height(), legend: { show: false }, padding, ...options }, columns, box);
    const overlay = plot.root.querySelector(".u-over");
    charts.push({ box, plot, overlay, resize: (to) => plot.setSize({ width: to || width(), height: height() }) });
    return plot;
  };
  const fromZero = (plot, least, most) => [0, Math.max(most, 1) * 1.08];
  const seconds = (plot, splits) => splits.map((s) => `${+s.toFixed(6)} s`);

  // ---- Columns of layers.
  for (const box of document.querySelectorAll(".stack")) {
    const { label, labels, layers } = data.stacks[box.dataset.stack];
    const tops = [];
    layers.forEach((layer, at) => tops.push(layer.numbers.map((n, x) => n + (at ? tops[at - 1][x] : 0))));
    const hint = tip(box);
    add(box, [8, 16, 0, 4], () => 240, {
      scales: { x: { time: false, range: [-0.6, labels.length - 0.4] }, y: { range: (u, min, max) => [0, max * 1.05 || 1] } },
      axes: [
        axis({ grid: { show: false }, space: 28, size: 30, incrs: [1, 2, 3, 6, 12, 24], values: (u, at) => at.map((x) => labels[x] ?? "") }),
        axis({ values: (u, at) => at.map((n) => compact.format(n)), size: 56 }),
      ],
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      series: [{}, ...layers.map((layer) => ({
        fill: () => colour(layer.tone), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.78, 80] }),
      })).reverse()],
      hooks: { setCursor: [(u) => {
        const at = u.cursor.idx;
        if (at == null || u.cursor.left < 0) return hint.hide();
        hint.show(u.cursor.left + u.bbox.left / devicePixelRatio, u.cursor.top, `${label} ${labels[at]}`,
          layers.map((layer) => [layer.tone, layer.name, grouped(layer.numbers[at])]));
      }] },
    }, [labels.map((_, at) => at), ...tops.reverse()]);
  }

  if (data.calls) drawCalls();

  // ---- Print: on paper it is day.
  let before;
  addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    root.dataset.theme = "light";
    for (const { resize } of charts) resize(690);
    repaint();
  });
  addEventListener("afterprint", () => {
    if (before) root.dataset.theme = before; else delete root.dataset.theme;
    for (const { resize } of charts) resize();
    repaint();
  });
  new ResizeObserver(() => { for (const { resize } of charts) resize(); }).observe(document.querySelector("main"));

  function drawCalls() {
    const SECOND = 10000;
    const STAGES = [["lambda_", "Waiting for Lambda"], ["init", "Cold start"], ["fetch", "Fetching"], ["compute", "Computing"], ["store", "Storing"]];
    const OUTCOMES = ["done", "late", "throttled", "failed", "given_up"];
    const OUTCOME_NAMES = ["done", "late", "throttled", "failed", "given up"];
    const { calls, seconds: whole } = data;
    const count = calls.task.length;
    const start = new Float64Array(count), end = new Float64Array(count), queued = new Float64Array(count);
    const edges = STAGES.map(() => new Float64Array(count)); // where each stage begins
    let now = 0, laneCount = 0;
    const lanes = [];
    for (let i = 0; i < count; i++) {
      now += calls.after[i];
      start[i] = now / SECOND;
      end[i] = (now + calls.took[i]) / SECOND;
      queued[i] = (now - calls.queued[i]) / SECOND;
      const told = calls.init[i] >= 0;
      const backFrom = (tenths) => Math.max(start[i], end[i] - tenths / SECOND);
      edges[0][i] = start[i];
      edges[1][i] = told ? backFrom(calls.init[i] + calls.handler[i]) : end[i];
      edges[2][i] = told ? backFrom(calls.handler[i]) : end[i];
      edges[3][i] = told ? backFrom(calls.handler[i] - calls.fetch[i]) : end[i];
      edges[4][i] = told ? backFrom(calls.store[i]) : end[i];
      (lanes[calls.lane[i]] ||= []).push(i);
      laneCount = Math.max(laneCount, calls.lane[i] + 1);
    }
    const waits = new Float64Array(count); // since when its lane was free, or it was queued
    for (const lane of lanes) lane.forEach((i, at) => { waits[i] = Math.max(queued[i], at ? end[lane[at - 1]] : 0); });
    const coordinates = (i) => data.coordinators[calls.function[i]] === 1;
    const told = (i) => calls.init[i] >= 0;
    const mark = (i) => {
      if (calls.outcome[i] > 2) return "failed";
      if (calls.outcome[i] === 2) return "throttled";
      if (calls.outcome[i] === 1) return "late";
      if (calls.flags[i] & 2) return "copy";
      if (calls.flags[i] & 1) return "straggler";
      return calls.attempt[i] > 1 ? "retry" : "";
    };
    const marked = [];
    for (let i = 0; i < count; i++) if (mark(i)) marked.push(i);
    const nameOf = (i) => data.tasks[calls.task[i]] + (calls.number[i] < 0 ? "" : ` ${calls.number[i]}`);
    const spent = (i) => (told(i) && !coordinates(i) ? STAGES.map(([key, name], stage) => [key, name, {
      lambda_: Math.max(0, calls.took[i] - calls.init[i] - calls.handler[i]),
      init: calls.init[i], fetch: calls.fetch[i], store: calls.store[i],
      compute: Math.max(0, calls.handler[i] - calls.fetch[i] - calls.store[i]),
    }[key] / SECOND]) : []);
    const worthTelling = (i) => spent(i).filter(([key, , s]) => s > 0 || key !== "init"); // a warm one has no start
    const outcome = (i) => [OUTCOME_NAMES[calls.outcome[i]], calls.flags[i] & 1 ? "straggler" : "", calls.flags[i] & 2 ? "second copy" : "",
      calls.attempt[i] > 1 ? `attempt ${calls.attempt[i]}` : "",
      told(i) ? (calls.init[i] > 0 ? "cold" : "warm") : ""].filter(Boolean).join(", ");

    // The view: seconds from x0 to x1, lanes from y0 to y1.
    const margin = whole * 0.01 || 0.01;
    const all = () => ({ x0: -margin, x1: whole + margin, y0: -0.5, y1: Math.max(laneCount, 4) + 0.5 });
    let view = all(), focused = -1, pending = false;
    const box = byId("timeline"), curveBox = byId("concurrency");
    const mostQueued = Math.max(...data.waiting), mostRunning = Math.max(...data.running, 1);
    const ownScale = mostQueued > 2 * mostRunning; // a long queue would flatten the curve
    const padding = (own) => [8, own ? 82 : 16, 0, 4]; // so that both charts' times stand below each other
    const hint = tip(box);

    const paint = (u) => {
      const { ctx } = u, { left, top, width, height } = u.bbox;
      const kx = width / (view.x1 - view.x0), ky = height / (view.y1 - view.y0);
      const x = (s) => left + (s - view.x0) * kx;
      const thick = Math.max(1, ky > 3 ? ky * 0.8 : ky);
      const seen = [];
      for (let i = 0; i < count; i++) {
        if (end[i] >= view.x0 && waits[i] <= view.x1 && calls.lane[i] + 1 >= view.y0 && calls.lane[i] <= view.y1) seen.push(i);
      }
      const y = (i) => top + (calls.lane[i] + 0.5 - view.y0) * ky - thick / 2;
      ctx.save();
      ctx.beginPath();
      ctx.rect(left, top, width, height);
      ctx.clip();
      ctx.fillStyle = colour("queued");
      for (const i of seen) {
        if (start[i] - waits[i] > 1 / kx) ctx.fillRect(x(waits[i]), y(i) + thick * 0.4, (start[i] - waits[i]) * kx, Math.max(1, thick * 0.2));
      }
      const part = (name, from, to, which) => {
        ctx.fillStyle = colour(name);
        for (const i of seen) {
          if (!which(i)) continue;
          const w = (to[i] - from[i]) * kx;
          if (w > 0.15) ctx.fillRect(x(from[i]), y(i), w, thick);
        }
      };
      const worker = (i) => told(i) && !coordinates(i);
      STAGES.forEach(([key], stage) => part(key, edges[stage], edges[stage + 1] || end, worker));
      part("coordinate", start, end, coordinates);
      part("untold", start, end, (i) => !told(i) && !coordinates(i));
      const size = 4.5 * devicePixelRatio;
      for (const i of marked) {
        if (end[i] < view.x0 || end[i] > view.x1 || calls.lane[i] + 1 < view.y0 || calls.lane[i] > view.y1) continue;
        sign(ctx, mark(i), x(end[i]), y(i) + thick / 2, size);
      }
      if (ky > 11 * devicePixelRatio) name(ctx, seen, x, y, thick, left);
      ctx.restore();
    };
    const sign = (ctx, kind, x, y, r) => {
      ctx.beginPath();
      if (kind === "failed") { ctx.moveTo(x - r, y - r); ctx.lineTo(x + r, y + r); ctx.moveTo(x + r, y - r); ctx.lineTo(x - r, y + r); }
      else if (kind === "throttled") { ctx.moveTo(x, y - r); ctx.lineTo(x + r, y + r); ctx.lineTo(x - r, y + r); ctx.closePath(); }
      else if (kind === "late") { ctx.moveTo(x, y - r); ctx.lineTo(x + r, y); ctx.lineTo(x, y + r); ctx.lineTo(x - r, y); ctx.closePath(); }
      else if (kind === "copy") { ctx.rect(x - r, y - r, 1.3 * r, 1.3 * r); ctx.rect(x - 0.3 * r, y - 0.3 * r, 1.3 * r, 1.3 * r); }
      else if (kind === "straggler") { ctx.moveTo(x, y + r); ctx.lineTo(x, y - r); ctx.lineTo(x + 1.6 * r, y - r * 0.4); ctx.lineTo(x, y + r * 0.2); }
      else ctx.arc(x, y, r * 0.8, 0, 7);
      if (kind === "straggler") { ctx.fillStyle = colour(kind); ctx.fill(); }
      for (const [stroke, width] of [[colour("card"), 4.5], [colour(kind), 2]]) {
        ctx.strokeStyle = stroke;
        ctx.lineWidth = width * devicePixelRatio;
        ctx.stroke();
      }
    };
    const name = (ctx, seen, x, y, thick, left) => {
      ctx.font = `${Math.min(12, thick / devicePixelRatio - 2) * devicePixelRatio}px system-ui, sans-serif`;
      ctx.textBaseline = "middle";
      ctx.textAlign = "left";
      for (const i of seen) {
        const from = Math.max(x(start[i]), left) + 4 * devicePixelRatio, text = nameOf(i);
        const room = x(end[i]) - from - 8 * devicePixelRatio;
        if (room < 20 * devicePixelRatio || ctx.measureText(text).width > room) continue;
        ctx.fillStyle = coordinates(i) ? colour("ink") : "#000";
        ctx.globalAlpha = 0.85;
        ctx.fillText(text, from, y(i) + thick / 2);
        ctx.globalAlpha = 1;
      }
    };

    const plot = add(box, padding(ownScale), () => (box.clientWidth < 500 ? 320 : Math.min(520, Math.max(300, laneCount * 2 + 40))), {
      scales: { x: { time: false, auto: false, range: (u, min, max) => [min, max] }, y: { auto: false, dir: -1, range: (u, min, max) => [min, max] } },
      axes: [axis({ values: seconds, space: 70, size: 30 }), axis({ values: (u, at) => at.map(() => ""), grid: { show: false }, ticks: { show: false }, size: 46 })],
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
      cursor: {
        points: { show: false }, y: false,
        drag: { x: true, y: true, uni: 24, setScale: false, dist: 4 },
        bind: {
          dblclick: () => () => go(all()),
          mousedown: (u, target, handler) => (event) => (event.shiftKey ? pan(event) : handler(event)),
        },
      },
      hooks: {
        draw: [paint],
        setSelect: [(u) => {
          const { left, top, width, height } = u.select;
          if (width < 4 && height < 4) return;
          const overX = u.over.clientWidth, overY = u.over.clientHeight;
          const at = { x: (px) => view.x0 + (px / overX) * (view.x1 - view.x0), y: (px) => view.y0 + (px / overY) * (view.y1 - view.y0) };
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          go({ x0: at.x(left), x1: at.x(left + width), y0: at.y(top), y1: at.y(top + height) });
        }],
        setCursor: [(u) => {
          if (u.cursor.left == null || u.cursor.left < 0) return point(-1);
          point(nearest(u.cursor.left, u.cursor.top));
        }],
      },
    }, [[0, whole], [0, laneCount]]);

    const points = data.running.length;
    const stepped = uPlot.paths.stepped({ align: 1 });
    const curveHint = tip(curveBox);
    const curve = add(curveBox, padding(false), () => 190, {
      scales: { x: { time: false, auto: false, range: (u, min, max) => [min, max] }, y: { range: fromZero }, queue: { range: fromZero } },
      axes: [
        axis({ values: seconds, space: 70, size: 30 }),
        axis({ values: (u, at) => at.map((n) => compact.format(n)), size: 46 }),
        axis({ scale: "queue", side: 1, show: ownScale, label: "Queued", labelSize: 20, labelFont: "12px system-ui, sans-serif", grid: { show: false }, values: (u, at) => at.map((n) => compact.format(n)), size: 46 }),
      ],
      cursor: { y: false, drag: { x: true, y: false, setScale: false }, points: { show: false }, bind: { dblclick: () => () => go(all()) } },
      series: [
        {},
        { stroke: () => colour("compute"), fill: () => colour("compute"), width: 1, paths: stepped, points: { show: false } },
        { scale: ownScale ? "queue" : "y", stroke: () => colour("soft"), width: 1.5, paths: stepped, points: { show: false } },
        { stroke: () => colour("bad"), width: 1.5, dash: [5, 5], points: { show: false } },
      ],
      hooks: {
        setSelect: [(u) => {
          const { left, width } = u.select;
          if (width < 4) return;
          const at = (px) => view.x0 + (px / u.over.clientWidth) * (view.x1 - view.x0);
          u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          go({ ...view, x0: at(left), x1: at(left + width) });
        }],
        setCursor: [(u) => {
          const at = u.cursor.idx;
          if (at == null || u.cursor.left < 0) return curveHint.hide();
          curveHint.show(u.cursor.left + 46, u.cursor.top, time((at / points) * whole),
            [["compute", "At work", grouped(u.data[1][at])], ["soft-line", "Queued", grouped(u.data[2][at])]]);
        }],
      },
    }, (() => {
      const shut = (numbers) => [...numbers, 0]; // at the end nothing is at work
      const limit = data.limit <= 3 * mostRunning ? data.limit : null; // one far above would flatten the curve
      return [Array.from({ length: points + 1 }, (_, at) => (at / points) * whole), shut(data.running), shut(data.waiting), Array(points + 1).fill(limit)];
    })());

    const go = (to) => {
      const most = all(), least = Math.max(whole * 1e-5, 0.0005);
      const fit = (from, until, lowest, highest, shortest) => {
        const length = Math.min(Math.max(until - from, shortest), highest - lowest);
        const begin = Math.min(Math.max((from + until - length) / 2, lowest), highest - length);
        return [begin, begin + length];
      };
      const [x0, x1] = fit(to.x0, to.x1, most.x0, most.x1, least);
      const [y0, y1] = fit(to.y0, to.y1, most.y0, most.y1, 4);
      view = { x0, x1, y0, y1 };
      if (pending) return;
      pending = true;
      requestAnimationFrame(() => {
        pending = false;
        plot.batch(() => {
          plot.setScale("x", { min: view.x0, max: view.x1 });
          plot.setScale("y", { min: view.y0, max: view.y1 });
        });
        curve.setScale("x", { min: view.x0, max: view.x1 });
        frame();
      });
    };
    const zoom = (factor, atX = 0.5, atY = 0.5) => {
      const w = (view.x1 - view.x0) * factor, h = (view.y1 - view.y0) * factor;
      const x = view.x0 + atX * (view.x1 - view.x0), y = view.y0 + atY * (view.y1 - view.y0);
      go({ x0: x - atX * w, x1: x + (1 - atX) * w, y0: y - atY * h, y1: y + (1 - atY) * h });
    };
    const shift = (byX, byY) => {
      const x = byX * (view.x1 - view.x0), y = byY * (view.y1 - view.y0);
      go({ x0: view.x0 + x, x1: view.x1 + x, y0: view.y0 + y, y1: view.y1 + y });
    };

    // The call at a place, or the next one within a few pixels.
    const nearest = (px, py) => {
      const kx = plot.over.clientWidth / (view.x1 - view.x0), ky = plot.over.clientHeight / (view.y1 - view.y0);
      const s = view.x0 + px / kx, lane = Math.floor(view.y0 + py / ky), reach = Math.ceil(4 / ky);
      let best = -1, bestAway = 1e9;
      for (let l = Math.max(0, lane - reach); l <= Math.min(laneCount - 1, lane + reach); l++) {
        const row = lanes[l] || [];
        let low = 0, high = row.length;
        while (low < high) { const mid = (low + high) >> 1; if (end[row[mid]] < s) low = mid + 1; else high = mid; }
        for (const i of [row[low - 1], row[low]]) {
          if (i === undefined) continue;
          const away = Math.max(0, start[i] - s, s - end[i]) * kx + Math.abs(l - lane) * ky * 0.5 - (mark(i) ? 3 : 0);
          if (away < bestAway) { best = i; bestAway = away; }
        }
      }
      return bestAway < 8 ? best : -1;
    };
    const ring = plot.over.appendChild(element("div", "focus"));
    const frame = () => {
      ring.hidden = focused < 0;
      if (focused < 0) return;
      const kx = plot.over.clientWidth / (view.x1 - view.x0), ky = plot.over.clientHeight / (view.y1 - view.y0);
      const left = (start[focused] - view.x0) * kx, top = (calls.lane[focused] - view.y0) * ky;
      const width = Math.max(6, (end[focused] - start[focused]) * kx);
      ring.hidden = left + width < 0 || left > plot.over.clientWidth || top + ky < 0 || top > plot.over.clientHeight;
      Object.assign(ring.style, { left: `${left - 2}px`, top: `${top - 2}px`, width: `${width + 4}px`, height: `${Math.max(6, ky) + 4}px` });
    };
    const lines = (i) => [
      ["", outcome(i), ""],
      ["", "From second", start[i].toFixed(3)],
      ...(start[i] - queued[i] > 0.0005 ? [["queued", "Queued before", time(start[i] - queued[i])]] : []),
      ...worthTelling(i).map(([key, label, s]) => [key, label, time(s)]),
      ["", "Total", time(end[i] - start[i])],
    ];
    const point = (i) => {
      focused = i;
      frame();
      if (i < 0) return hint.hide();
      const kx = plot.over.clientWidth / (view.x1 - view.x0), ky = plot.over.clientHeight / (view.y1 - view.y0);
      const x = plot.cursor.left >= 0 ? plot.cursor.left : (Math.min(end[i], view.x1) - view.x0) * kx;
      const y = plot.cursor.left >= 0 ? plot.cursor.top : (calls.lane[i] - view.y0) * ky;
      hint.show(x + plot.bbox.left / devicePixelRatio, y + 12, `${nameOf(i)} · ${data.functions[calls.function[i]]}`, lines(i));
      tell(i);
    };
    let telling;
    const tell = (i) => {
      clearTimeout(telling);
      telling = setTimeout(() => {
        const error = calls.error[i] < 0 ? "" : ` ${data.errors[calls.error[i]]}`;
        byId("detail").textContent = `${nameOf(i)}, ${data.functions[calls.function[i]]}: ${outcome(i)}; started at ${start[i].toFixed(3)} s, took ${time(end[i] - start[i])}.`
          + worthTelling(i).map(([, label, s]) => ` ${label} ${time(s)}.`).join("") + error;
      }, 120);
    };
    const visit = (i) => {
      plot.setCursor({ left: -10, top: -10 }, false);
      const { x0, x1, y0, y1 } = view;
      if (start[i] < x0 || end[i] > x1 || calls.lane[i] < y0 || calls.lane[i] + 1 > y1) {
        const w = Math.max(x1 - x0, (end[i] - start[i]) * 1.5), h = y1 - y0, x = (start[i] + end[i]) / 2, y = calls.lane[i];
        go({ x0: x - w / 2, x1: x + w / 2, y0: y - h / 2, y1: y + h / 2 });
        requestAnimationFrame(() => point(i));
      }
      point(i);
    };
    const nextMarked = () => visit(marked.find((i) => i > focused) ?? marked[0]);

    const beside = (way) => { // the call in a lane above or below whose time is nearest
      const middle = (start[focused] + end[focused]) / 2;
      for (let lane = calls.lane[focused] + way; lane >= 0 && lane < laneCount; lane += way) {
        const row = lanes[lane] || [];
        if (row.length) return row.reduce((a, b) => (Math.abs((start[b] + end[b]) / 2 - middle) < Math.abs((start[a] + end[a]) / 2 - middle) ? b : a));
      }
      return focused;
    };
    const along = (way) => {
      const row = lanes[calls.lane[focused]], next = row[row.indexOf(focused) + way];
      return next ?? Math.min(Math.max(focused + way, 0), count - 1);
    };
    const aim = () => { // where keys zoom: at what is focused
      if (focused < 0) return [0.5, 0.5];
      const at = (value, from, to) => Math.min(1, Math.max(0, (value - from) / (to - from)));
      return [at((start[focused] + end[focused]) / 2, view.x0, view.x1), at(calls.lane[focused], view.y0, view.y1)];
    };
    const KEYS = {
      ArrowRight: () => visit(focused < 0 ? 0 : along(1)), ArrowLeft: () => visit(focused < 0 ? 0 : along(-1)),
      ArrowDown: () => visit(focused < 0 ? 0 : beside(1)), ArrowUp: () => visit(focused < 0 ? 0 : beside(-1)),
      "+": () => zoom(0.6, ...aim()), "=": () => zoom(0.6, ...aim()), "-": () => zoom(1 / 0.6, ...aim()), 0: () => go(all()),
      n: () => marked.length && nextMarked(), Home: () => visit(0), End: () => visit(count - 1), Escape: () => point(-1),
    };
    box.addEventListener("keydown", (event) => {
      const key = KEYS[event.key] || KEYS[event.key.toLowerCase()];
      if (!key || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      key();
    });
    box.addEventListener("blur", () => point(-1));

    // Wheel, drag with Shift, and fingers.
    plot.over.addEventListener("wheel", (event) => {
      const { left, top, width, height } = plot.over.getBoundingClientRect();
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.008), (event.clientX - left) / width, (event.clientY - top) / height);
      } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) && view.x1 - view.x0 < whole) {
        event.preventDefault();
        shift(event.deltaX / width, 0);
      }
    }, { passive: false });
    function pan(event) {
      event.preventDefault();
      let { clientX, clientY } = event;
      const move = (next) => {
        shift((clientX - next.clientX) / plot.over.clientWidth, (clientY - next.clientY) / plot.over.clientHeight);
        ({ clientX, clientY } = next);
      };
      document.addEventListener("mousemove", move);
      document.addEventListener("mouseup", () => document.removeEventListener("mousemove", move), { once: true });
    }
    const fingers = new Map();
    plot.over.addEventListener("pointerdown", (event) => { if (event.pointerType === "touch") fingers.set(event.pointerId, event); });
    plot.over.addEventListener("pointermove", (event) => {
      const last = fingers.get(event.pointerId);
      if (!last) return;
      const { left, top, width, height } = plot.over.getBoundingClientRect();
      const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
      if (other) {
        const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
        zoom(apart(last) / apart(event), ((event.clientX + other.clientX) / 2 - left) / width, ((event.clientY + other.clientY) / 2 - top) / height);
      } else if (view.x1 - view.x0 < whole) shift((last.clientX - event.clientX) / width, 0);
      fingers.set(event.pointerId, event);
    });
    for (const gone of ["pointerup", "pointercancel"]) plot.over.addEventListener(gone, (event) => fingers.delete(event.pointerId));

    // Buttons.
    const DO = { in: () => zoom(0.6, ...aim()), out: () => zoom(1 / 0.6, ...aim()), left: () => shift(-0.3, 0), right: () => shift(0.3, 0), all: () => go(all()), next: nextMarked };
    for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", DO[button.dataset.do]);
    byId("timeline").previousElementSibling.hidden = false;
    for (const button of document.querySelectorAll("[data-call]")) {
      button.addEventListener("click", () => {
        const i = +button.dataset.call, w = Math.max((end[i] - start[i]) * 6, whole / 60);
        const middle = (start[i] + end[i]) / 2, lanesSeen = Math.min(laneCount, 24);
        go({ x0: middle - w / 2, x1: middle + w / 2, y0: calls.lane[i] - lanesSeen / 2, y1: calls.lane[i] + lanesSeen / 2 });
        box.scrollIntoView({ block: "center" });
        box.focus({ preventScroll: true });
        requestAnimationFrame(() => visit(i));
      });
    }

    // Every call as a table, 50 at a time.
    const PAGE = 50;
    let first = 0, order = null;
    const fill = () => {
      order ||= Array.from({ length: count }, (_, i) => i)
        .sort((a, b) => (byId("order").value === "slow" ? (end[b] - start[b]) - (end[a] - start[a]) : a - b));
      const ms = (tenths) => (tenths / 10).toFixed(1);
      byId("rows").replaceChildren(...order.slice(first, first + PAGE).map((i) => {
        const parts = new Map(spent(i).map(([key, , s]) => [key, ms(s * SECOND)]));
        const row = element("tr");
        for (const text of [data.functions[calls.function[i]], nameOf(i)]) row.appendChild(element("td")).appendChild(element("bdi", "", text));
        row.appendChild(element("td", "num", calls.attempt[i]));
        row.appendChild(element("td", "", outcome(i)));
        row.appendChild(element("td", "num", start[i].toFixed(3)));
        for (const text of [ms(calls.queued[i]), ...STAGES.map(([key]) => parts.get(key) ?? ""), ms(calls.took[i])]) row.appendChild(element("td", "num", text));
        return row;
      }));
      byId("which").textContent = `${grouped(first + 1)} to ${grouped(Math.min(first + PAGE, count))} of ${grouped(count)}`;
      byId("earlier").disabled = first === 0;
      byId("later").disabled = first + PAGE >= count;
    };
    byId("calls").addEventListener("toggle", () => { if (byId("calls").open) fill(); });
    byId("order").addEventListener("change", () => { order = null; first = 0; fill(); });
    byId("earlier").addEventListener("click", () => { first -= PAGE; fill(); });
    byId("later").addEventListener("click", () => { first += PAGE; fill(); });

    go(all());
  }
})();
