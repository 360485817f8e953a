// What of the timeline is shown: seconds from x0 to x1, lanes from y0 to y1.
class View {
  #changed;
  #pending = false;

  constructor(whole, laneCount, changed) {
    const margin = whole * 0.01 || 0.01;
    this.most = { x0: -margin, x1: whole + margin, y0: -0.5, y1: Math.max(laneCount, 4) + 0.5 };
    this.least = Math.max(whole * 1e-5, 0.0005);
    this.#changed = changed;
    Object.assign(this, this.most);
  }

  get width() { return this.x1 - this.x0; }

  get height() { return this.y1 - this.y0; }

  go(to) {
    const fit = (from, until, lowest, highest, shortest) => {
      const length = Math.min(Math.max(until - from, shortest), highest - lowest);
      const begin = Math.min(Math.max((from + until - length) / 2, lowest), highest - length);
      return [begin, begin + length];
    };
    const { most } = this;
    [this.x0, this.x1] = fit(to.x0, to.x1, most.x0, most.x1, this.least);
    [this.y0, this.y1] = fit(to.y0, to.y1, most.y0, most.y1, 4);
    if (this.#pending) return;
    this.#pending = true;
    requestAnimationFrame(() => {
      this.#pending = false;
      this.#changed();
    });
  }

  all() { this.go(this.most); }

  zoom(factor, atX = 0.5, atY = 0.5) {
    const w = this.width * factor, h = this.height * factor;
    const x = this.x0 + atX * this.width, y = this.y0 + atY * this.height;
    this.go({ x0: x - atX * w, x1: x + (1 - atX) * w, y0: y - atY * h, y1: y + (1 - atY) * h });
  }

  shift(byX, byY) {
    const x = byX * this.width, y = byY * this.height;
    this.go({ x0: this.x0 + x, x1: this.x1 + x, y0: this.y0 + y, y1: this.y1 + y });
  }

  around(x, y, w, h) { this.go({ x0: x - w / 2, x1: x + w / 2, y0: y - h / 2, y1: y + h / 2 }); }

  // CSS pixels per second and per lane, in a plot.
  scale(plot) { return [plot.over.clientWidth / this.width, plot.over.clientHeight / this.height]; }
}
