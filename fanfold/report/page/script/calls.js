// The calls of a run, decoded: times in seconds, lanes, and what happened to each.
const SLOW = 1, COPY = 2; // flags of a call

class Calls {
  constructor(data) {
    this.data = data;
    this.columns = data.calls;
    this.count = this.columns.task.length;
    this.whole = data.seconds;
    const numbers = () => new Float64Array(this.count);
    this.start = numbers(); this.end = numbers(); this.queued = numbers();
    this.waits = numbers(); // since when its lane was free, or it was queued
    this.edges = data.stages.map(numbers); // where each stage begins
    this.lanes = [];
    this.#decode();
    this.marked = Array.from({ length: this.count }, (_, i) => i).filter((i) => this.mark(i));
  }

  #decode() {
    const { columns, start, end, queued, waits, lanes, data: { ticks } } = this;
    let now = 0;
    for (let i = 0; i < this.count; i++) {
      now += columns.after[i];
      start[i] = now / ticks;
      end[i] = (now + columns.took[i]) / ticks;
      queued[i] = (now - columns.queued[i]) / ticks;
      this.#placeStages(i);
      (lanes[columns.lane[i]] ||= []).push(i);
    }
    for (const lane of lanes) lane.forEach((i, at) => { waits[i] = Math.max(queued[i], at ? end[lane[at - 1]] : 0); });
  }

  // A worker measures durations, so its stages end where the call ended.
  #placeStages(i) {
    const { init, handler, fetch, store } = this.columns;
    const backFrom = (ticks) => (this.isMeasured(i) ? Math.max(this.start[i], this.end[i] - ticks / this.data.ticks) : this.end[i]);
    const begins = [init[i] + handler[i], handler[i], handler[i] - fetch[i], store[i]].map(backFrom);
    [this.start[i], ...begins].forEach((s, stage) => { this.edges[stage][i] = s; });
  }

  isCoordinator(i) { return this.data.coordinators[this.columns.function[i]] === 1; }

  isMeasured(i) { return this.columns.init[i] >= 0; }

  mark(i) {
    const { outcome, flags, attempt } = this.columns;
    if (this.data.marks[outcome[i]]) return this.data.marks[outcome[i]];
    if (flags[i] & COPY) return "copy";
    if (flags[i] & SLOW) return "straggler";
    return attempt[i] > 1 ? "retry" : "";
  }

  task(i) { return this.data.tasks[this.columns.task[i]] + (this.columns.number[i] < 0 ? "" : ` ${this.columns.number[i]}`); }

  functionName(i) { return this.data.functions[this.columns.function[i]]; }

  error(i) { return this.columns.error[i] < 0 ? "" : ` ${this.data.errors[this.columns.error[i]]}`; }

  seconds(i) { return this.end[i] - this.start[i]; }

  middle(i) { return (this.start[i] + this.end[i]) / 2; }

  // Key, name and seconds of each stage of a worker that measured them.
  stages(i) {
    if (!this.isMeasured(i) || this.isCoordinator(i)) return [];
    const { took, init, handler, fetch, store } = this.columns;
    const spent = {
      lambda_: Math.max(0, took[i] - init[i] - handler[i]),
      init: init[i], fetch: fetch[i], store: store[i],
      compute: Math.max(0, handler[i] - fetch[i] - store[i]),
    };
    return this.data.stages.map(([key, name]) => [key, name, spent[key] / this.data.ticks]);
  }

  shownStages(i) { return this.stages(i).filter(([key, , s]) => s > 0 || key !== "init"); } // a warm one has no start

  outcome(i) {
    const { outcome, flags, attempt, init } = this.columns;
    return [
      this.data.outcomes[outcome[i]],
      flags[i] & SLOW ? "straggler" : "",
      flags[i] & COPY ? "second copy" : "",
      attempt[i] > 1 ? `attempt ${attempt[i]}` : "",
      this.isMeasured(i) ? (init[i] > 0 ? "cold" : "warm") : "",
    ].filter(Boolean).join(", ");
  }

  // The call in a lane above or below whose time is nearest.
  beside(i, way) {
    const away = (other) => Math.abs(this.middle(other) - this.middle(i));
    for (let lane = this.columns.lane[i] + way; lane >= 0 && lane < this.lanes.length; lane += way) {
      const row = this.lanes[lane] || [];
      if (row.length) return row.reduce((a, b) => (away(b) < away(a) ? b : a));
    }
    return i;
  }

  // The next call in its lane, or else in the order of starts.
  along(i, way) {
    const row = this.lanes[this.columns.lane[i]], next = row[row.indexOf(i) + way];
    return next ?? Math.min(Math.max(i + way, 0), this.count - 1);
  }
}
