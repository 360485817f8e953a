// Draws calls on the canvas of a plot.
const paintCalls = (plot, calls, view) => {
  const { ctx } = plot, { left, top, width, height } = plot.bbox;
  const kx = width / view.width, ky = height / view.height;
  const { start, end, waits, edges, columns: { lane } } = calls;
  const thick = Math.max(1, ky > 3 ? ky * 0.8 : ky);
  const x = (s) => left + (s - view.x0) * kx;
  const y = (i) => top + (lane[i] + 0.5 - view.y0) * ky - thick / 2;
  const seen = [];
  for (let i = 0; i < calls.count; i++) {
    if (end[i] >= view.x0 && waits[i] <= view.x1 && lane[i] + 1 >= view.y0 && lane[i] <= view.y1) seen.push(i);
  }
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.fillStyle = colour("queued");
  for (const i of seen) {
    if (start[i] - waits[i] > 1 / kx) ctx.fillRect(x(waits[i]), y(i) + thick * 0.4, (start[i] - waits[i]) * kx, Math.max(1, thick * 0.2));
  }
  const bars = (tone, from, to, which) => {
    ctx.fillStyle = colour(tone);
    for (const i of seen) {
      if (!which(i)) continue;
      const w = (to[i] - from[i]) * kx;
      if (w > 0.15) ctx.fillRect(x(from[i]), y(i), w, thick);
    }
  };
  const isWorker = (i) => calls.isMeasured(i) && !calls.isCoordinator(i);
  calls.data.stages.forEach(([key], stage) => bars(key, edges[stage], edges[stage + 1] || end, isWorker));
  bars("coordinate", start, end, (i) => calls.isCoordinator(i));
  bars("unmeasured", start, end, (i) => !calls.isMeasured(i) && !calls.isCoordinator(i));
  for (const i of calls.marked) {
    if (end[i] < view.x0 || end[i] > view.x1 || lane[i] + 1 < view.y0 || lane[i] > view.y1) continue;
    drawMark(ctx, calls.mark(i), x(end[i]), y(i) + thick / 2, 4.5 * devicePixelRatio);
  }
  if (ky > 11 * devicePixelRatio) drawNames(ctx, calls, seen, x, y, thick, left);
  ctx.restore();
};

const MARKS = {
  failed(ctx, x, y, r) { ctx.moveTo(x - r, y - r); ctx.lineTo(x + r, y + r); ctx.moveTo(x + r, y - r); ctx.lineTo(x - r, y + r); },
  throttled(ctx, x, y, r) { ctx.moveTo(x, y - r); ctx.lineTo(x + r, y + r); ctx.lineTo(x - r, y + r); ctx.closePath(); },
  late(ctx, x, y, r) { ctx.moveTo(x, y - r); ctx.lineTo(x + r, y); ctx.lineTo(x, y + r); ctx.lineTo(x - r, y); ctx.closePath(); },
  copy(ctx, x, y, r) { ctx.rect(x - r, y - r, 1.3 * r, 1.3 * r); ctx.rect(x - 0.3 * r, y - 0.3 * r, 1.3 * r, 1.3 * r); },
  straggler(ctx, x, y, r) { ctx.moveTo(x, y + r); ctx.lineTo(x, y - r); ctx.lineTo(x + 1.6 * r, y - r * 0.4); ctx.lineTo(x, y + r * 0.2); },
  retry(ctx, x, y, r) { ctx.arc(x, y, r * 0.8, 0, 7); },
};

const drawMark = (ctx, kind, x, y, r) => {
  ctx.beginPath();
  MARKS[kind](ctx, x, y, r);
  if (kind === "straggler") { ctx.fillStyle = colour(kind); ctx.fill(); }
  for (const [stroke, width] of [[colour("card"), 4.5], [colour(kind), 2]]) {
    ctx.strokeStyle = stroke;
    ctx.lineWidth = width * devicePixelRatio;
    ctx.stroke();
  }
};

const drawNames = (ctx, calls, seen, x, y, thick, left) => {
  ctx.font = `${Math.min(12, thick / devicePixelRatio - 2) * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textBaseline = "middle";
  ctx.textAlign = "left";
  for (const i of seen) {
    const from = Math.max(x(calls.start[i]), left) + 4 * devicePixelRatio, text = calls.task(i);
    const room = x(calls.end[i]) - from - 8 * devicePixelRatio;
    if (room < 20 * devicePixelRatio || ctx.measureText(text).width > room) continue;
    ctx.fillStyle = calls.isCoordinator(i) ? colour("ink") : "#000";
    ctx.globalAlpha = 0.85;
    ctx.fillText(text, from, y(i) + thick / 2);
    ctx.globalAlpha = 1;
  }
};
