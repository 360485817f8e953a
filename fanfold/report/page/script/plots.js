// The two plots of the timeline: the calls in their lanes, and how many ran at once.
const mostRunning = () => Math.max(...data.running, 1);
const hasOwnScale = () => Math.max(...data.waiting) > 2 * mostRunning(); // a long queue would flatten the curve
const plotPadding = (own) => [8, own ? 82 : 16, 0, 4]; // so that both plots' times are below each other

const plotCalls = (box, calls, view, point, pan) => {
  const laneCount = calls.lanes.length;
  const height = () => (box.clientWidth < 500 ? 320 : Math.min(520, Math.max(300, laneCount * 2 + 40)));
  const zoomIn = (plot) => {
    const { left, top, width, height: high } = plot.select;
    if (width < 4 && high < 4) return;
    const [kx, ky] = view.scale(plot);
    const x0 = view.x0 + left / kx, y0 = view.y0 + top / ky;
    clearSelection(plot);
    view.go({ x0, x1: x0 + width / kx, y0, y1: y0 + high / ky });
  };
  return addChart(box, plotPadding(hasOwnScale()), height, {
    scales: { x: { time: false, auto: false, range: asGiven }, y: { auto: false, dir: -1, range: asGiven } },
    axes: [
      axis({ values: seconds, space: 70, size: 30 }),
      axis({ values: (u, at) => at.map(() => ""), grid: { show: false }, ticks: { show: false }, size: 46 }),
    ],
    series: [{}, { show: true, paths: () => null, points: { show: false } }],
    cursor: {
      points: { show: false }, y: false,
      drag: { x: true, y: true, uni: 24, setScale: false, dist: 4 },
      bind: {
        dblclick: () => () => view.all(),
        mousedown: (u, target, handler) => (event) => (event.shiftKey ? pan(event) : handler(event)),
      },
    },
    hooks: {
      draw: [(plot) => paintCalls(plot, calls, view)],
      setSelect: [zoomIn],
      setCursor: [(plot) => {
        if (plot.cursor.left == null || plot.cursor.left < 0) return point(-1);
        point(nearestCall(plot, calls, view, plot.cursor.left, plot.cursor.top));
      }],
    },
  }, [[0, calls.whole], [0, laneCount]]);
};

const curveColumns = () => {
  const points = data.running.length;
  const closed = (numbers) => [...numbers, 0]; // at the end nothing runs
  const limit = data.limit <= 3 * mostRunning() ? data.limit : null; // one far above would flatten the curve
  const times = Array.from({ length: points + 1 }, (_, at) => (at / points) * data.seconds);
  return [times, closed(data.running), closed(data.waiting), Array(points + 1).fill(limit)];
};

const plotConcurrency = (box, view) => {
  const own = hasOwnScale(), stepped = uPlot.paths.stepped({ align: 1 }), hint = tip(box);
  const numbers = (u, at) => at.map((n) => compact.format(n));
  const line = (tone, width, more) => ({ stroke: () => colour(tone), width, points: { show: false }, ...more });
  return addChart(box, plotPadding(false), () => 190, {
    scales: { x: { time: false, auto: false, range: asGiven }, y: { range: fromZero }, queue: { range: fromZero } },
    axes: [
      axis({ values: seconds, space: 70, size: 30 }),
      axis({ values: numbers, size: 46 }),
      axis({ scale: "queue", side: 1, show: own, label: "Queued", labelSize: 20, labelFont: "12px system-ui, sans-serif", grid: { show: false }, values: numbers, size: 46 }),
    ],
    cursor: { y: false, drag: { x: true, y: false, setScale: false }, points: { show: false }, bind: { dblclick: () => () => view.all() } },
    series: [
      {},
      line("compute", 1, { fill: () => colour("compute"), paths: stepped }),
      line("soft", 1.5, { scale: own ? "queue" : "y", paths: stepped }),
      line("bad", 1.5, { dash: [5, 5] }),
    ],
    hooks: {
      setSelect: [(plot) => {
        const { left, width } = plot.select;
        if (width < 4) return;
        const [kx] = view.scale(plot), x0 = view.x0 + left / kx;
        clearSelection(plot);
        view.go({ x0, x1: x0 + width / kx, y0: view.y0, y1: view.y1 });
      }],
      setCursor: [(plot) => {
        const at = plot.cursor.idx;
        if (at == null || plot.cursor.left < 0) return hint.hide();
        hint.show(plot.cursor.left + 46, plot.cursor.top, time((at / data.running.length) * data.seconds),
          [["compute", "Running", grouped(plot.data[1][at])], ["soft-line", "Queued", grouped(plot.data[2][at])]]);
      }],
    },
  }, curveColumns());
};

// The call at a place, or the next one within a few pixels.
const nearestCall = (plot, calls, view, px, py) => {
  const { start, end, lanes } = calls, [kx, ky] = view.scale(plot);
  const s = view.x0 + px / kx, lane = Math.floor(view.y0 + py / ky), reach = Math.ceil(4 / ky);
  let best = -1, bestAway = 1e9;
  for (let l = Math.max(0, lane - reach); l <= Math.min(lanes.length - 1, lane + reach); l++) {
    const row = lanes[l] || [];
    let low = 0, high = row.length;
    while (low < high) { const mid = (low + high) >> 1; if (end[row[mid]] < s) low = mid + 1; else high = mid; }
    for (const i of [row[low - 1], row[low]]) {
      if (i === undefined) continue;
      const away = Math.max(0, start[i] - s, s - end[i]) * kx + Math.abs(l - lane) * ky * 0.5 - (calls.mark(i) ? 3 : 0);
      if (away < bestAway) { best = i; bestAway = away; }
    }
  }
  return bestAway < 8 ? best : -1;
};
