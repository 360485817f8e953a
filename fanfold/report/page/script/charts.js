// What all charts have in common: colours, axes, sizes.
const charts = []; // of {plot, resize(width)}

// Colours of the style sheet, resolved: a canvas knows no variables.
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

const axis = (more) => ({
  stroke: () => colour("soft"),
  grid: { stroke: () => colour("line"), width: 1 },
  ticks: { stroke: () => colour("line"), width: 1, size: 4 },
  font: "13px system-ui, sans-serif",
  ...more,
});
const addChart = (box, padding, height, options, columns) => {
  const width = () => Math.max(200, box.clientWidth - 4);
  const plot = new uPlot(
    { width: width(), height: height(), legend: { show: false }, padding, ...options }, columns, box);
  charts.push({ plot, resize: (to) => plot.setSize({ width: to || width(), height: height() }) });
  return plot;
};
const fromZero = (plot, least, most) => [0, Math.max(most, 1) * 1.08];
const seconds = (plot, splits) => splits.map((s) => `${+s.toFixed(6)} s`);
const asGiven = (plot, least, most) => [least, most];
const clearSelection = (plot) => plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);

// Columns of layers.
const drawStack = (box) => {
  const { label, labels, layers } = data.stacks[box.dataset.stack];
  const tops = [];
  layers.forEach((layer, at) => tops.push(layer.numbers.map((n, x) => n + (at ? tops[at - 1][x] : 0))));
  const hint = tip(box);
  addChart(box, [8, 16, 0, 4], () => 240, {
    scales: { x: { time: false, range: [-0.6, labels.length - 0.4] }, y: { range: (u, min, max) => [0, max * 1.05 || 1] } },
    axes: [
      axis({ grid: { show: false }, space: 14 + 7 * Math.max(2, ...labels.map((one) => one.length)), size: 30, incrs: [1, 2, 3, 6, 12, 24, 48, 96, 240, 480, 960], values: (u, at) => at.map((x) => labels[x] ?? "") }),
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
};
