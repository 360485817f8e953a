// Every call as a table, 50 at a time.
const PAGE = 50;

const callRow = (calls, i) => {
  const { columns, data: { stages, ticks } } = calls;
  const ms = (spent) => (spent / (ticks / 1000)).toFixed(1);
  const spent = new Map(calls.stages(i).map(([key, , s]) => [key, ms(s * ticks)]));
  const row = element("tr");
  for (const text of [calls.functionName(i), calls.task(i)]) row.appendChild(element("td")).appendChild(element("bdi", "", text));
  row.appendChild(element("td", "num", columns.attempt[i]));
  row.appendChild(element("td", "", calls.outcome(i)));
  row.appendChild(element("td", "num", calls.start[i].toFixed(3)));
  const times = [ms(columns.queued[i]), ...stages.map(([key]) => spent.get(key) ?? ""), ms(columns.took[i])];
  for (const text of times) row.appendChild(element("td", "num", text));
  return row;
};

const offerTable = (calls) => {
  let first = 0, order = null;
  const bySlowness = (a, b) => calls.seconds(b) - calls.seconds(a);
  const fill = () => {
    order ||= Array.from({ length: calls.count }, (_, i) => i)
      .sort(byId("order").value === "slow" ? bySlowness : (a, b) => a - b);
    byId("rows").replaceChildren(...order.slice(first, first + PAGE).map((i) => callRow(calls, i)));
    byId("which").textContent = `${grouped(first + 1)} to ${grouped(Math.min(first + PAGE, calls.count))} of ${grouped(calls.count)}`;
    byId("earlier").disabled = first === 0;
    byId("later").disabled = first + PAGE >= calls.count;
  };
  byId("calls").addEventListener("toggle", () => { if (byId("calls").open) fill(); });
  byId("order").addEventListener("change", () => { order = null; first = 0; fill(); });
  byId("earlier").addEventListener("click", () => { first -= PAGE; fill(); });
  byId("later").addEventListener("click", () => { first += PAGE; fill(); });
};
