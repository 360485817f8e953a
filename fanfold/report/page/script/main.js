// Draws what a page cannot hold as it is: the timeline, curves and columns.
const drawTimeline = (calls) => {
  const box = byId("timeline"), hint = tip(box);
  const view = new View(calls.whole, calls.lanes.length, () => {
    plot.batch(() => {
      plot.setScale("x", { min: view.x0, max: view.x1 });
      plot.setScale("y", { min: view.y0, max: view.y1 });
    });
    curve.setScale("x", { min: view.x0, max: view.x1 });
    focus.frame();
  });
  const plot = plotCalls(box, calls, view, (i) => focus.point(i), (event) => panFrom(event, plot.over, view));
  const curve = plotConcurrency(byId("concurrency"), view);
  const focus = new Focus(calls, view, plot, hint);
  listenToKeys(box, calls, view, focus);
  listenToWheel(plot.over, view, calls.whole);
  listenToFingers(plot.over, view, calls.whole);
  listenToButtons(box, calls, view, focus);
  view.all();
};

offerThemes();
markWideTables();
for (const box of document.querySelectorAll(".stack")) drawStack(box);
if (data.calls) {
  const calls = new Calls(data);
  if (byId("timeline")) drawTimeline(calls); // not where no Lambda worked
  offerTable(calls);
}
fitToPaperAndWindow();
