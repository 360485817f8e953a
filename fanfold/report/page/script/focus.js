// The call that the pointer or a key is at: framed, and described beside it and below the timeline.
class Focus {
  #calls; #view; #plot; #hint; #ring; #timer;

  constructor(calls, view, plot, hint) {
    this.#calls = calls; this.#view = view; this.#plot = plot; this.#hint = hint;
    this.#ring = plot.over.appendChild(element("div", "focus"));
    this.call = -1;
  }

  frame() {
    const { call } = this, over = this.#plot.over, ring = this.#ring;
    ring.hidden = call < 0;
    if (call < 0) return;
    const [kx, ky] = this.#view.scale(this.#plot);
    const left = (this.#calls.start[call] - this.#view.x0) * kx, top = (this.#calls.columns.lane[call] - this.#view.y0) * ky;
    const width = Math.max(6, this.#calls.seconds(call) * kx);
    ring.hidden = left + width < 0 || left > over.clientWidth || top + ky < 0 || top > over.clientHeight;
    Object.assign(ring.style, { left: `${left - 2}px`, top: `${top - 2}px`, width: `${width + 4}px`, height: `${Math.max(6, ky) + 4}px` });
  }

  point(i) {
    this.call = i;
    this.frame();
    if (i < 0) return this.#hint.hide();
    const calls = this.#calls, view = this.#view, { cursor, bbox } = this.#plot;
    const [kx, ky] = view.scale(this.#plot);
    const x = cursor.left >= 0 ? cursor.left : (Math.min(calls.end[i], view.x1) - view.x0) * kx;
    const y = cursor.left >= 0 ? cursor.top : (calls.columns.lane[i] - view.y0) * ky;
    this.#hint.show(x + bbox.left / devicePixelRatio, y + 12, `${calls.task(i)} · ${calls.functionName(i)}`, this.#lines(i));
    this.#describe(i);
  }

  #lines(i) {
    const calls = this.#calls, queued = calls.start[i] - calls.queued[i];
    return [
      ["", calls.outcome(i), ""],
      ["", "From second", calls.start[i].toFixed(3)],
      ...(queued > 0.0005 ? [["queued", "Queued before", time(queued)]] : []),
      ...calls.shownStages(i).map(([key, label, s]) => [key, label, time(s)]),
      ["", "Total", time(calls.seconds(i))],
    ];
  }

  #describe(i) {
    clearTimeout(this.#timer);
    const calls = this.#calls;
    this.#timer = setTimeout(() => {
      byId("detail").textContent = `${calls.task(i)}, ${calls.functionName(i)}: ${calls.outcome(i)}; started at ${calls.start[i].toFixed(3)} s, took ${time(calls.seconds(i))}.`
        + calls.shownStages(i).map(([, label, s]) => ` ${label} ${time(s)}.`).join("") + calls.error(i);
    }, 120);
  }

  // Points at a call, and moves the view to it if it is not in sight.
  visit(i) {
    const calls = this.#calls, view = this.#view, lane = calls.columns.lane[i];
    this.#plot.setCursor({ left: -10, top: -10 }, false);
    if (calls.start[i] < view.x0 || calls.end[i] > view.x1 || lane < view.y0 || lane + 1 > view.y1) {
      view.around(calls.middle(i), lane, Math.max(view.width, calls.seconds(i) * 1.5), view.height);
      requestAnimationFrame(() => this.point(i));
    }
    this.point(i);
  }

  visitNextMarked() {
    const { marked } = this.#calls;
    if (marked.length) this.visit(marked.find((i) => i > this.call) ?? marked[0]);
  }

  along(way) { this.visit(this.call < 0 ? 0 : this.#calls.along(this.call, way)); }

  beside(way) { this.visit(this.call < 0 ? 0 : this.#calls.beside(this.call, way)); }

  // Zooms at the call in focus.
  zoom(factor) {
    if (this.call < 0) return this.#view.zoom(factor);
    const { x0, x1, y0, y1 } = this.#view;
    const at = (value, from, to) => Math.min(1, Math.max(0, (value - from) / (to - from)));
    this.#view.zoom(factor, at(this.#calls.middle(this.call), x0, x1), at(this.#calls.columns.lane[this.call], y0, y1));
  }
}
