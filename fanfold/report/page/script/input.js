// Keys, wheel, mouse, fingers and buttons of the timeline.
const listenToKeys = (box, calls, view, focus) => {
  const keys = {
    ArrowRight: () => focus.along(1), ArrowLeft: () => focus.along(-1),
    ArrowDown: () => focus.beside(1), ArrowUp: () => focus.beside(-1),
    "+": () => focus.zoom(0.6), "=": () => focus.zoom(0.6), "-": () => focus.zoom(1 / 0.6), 0: () => view.all(),
    n: () => focus.visitNextMarked(), Home: () => focus.visit(0), End: () => focus.visit(calls.count - 1), Escape: () => focus.point(-1),
  };
  box.addEventListener("keydown", (event) => {
    const key = keys[event.key] || keys[event.key.toLowerCase()];
    if (!key || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    key();
  });
  box.addEventListener("blur", () => focus.point(-1));
};

const listenToWheel = (over, view, whole) => {
  over.addEventListener("wheel", (event) => {
    const { left, top, width, height } = over.getBoundingClientRect();
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      view.zoom(Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * 0.008), (event.clientX - left) / width, (event.clientY - top) / height);
    } else if (Math.abs(event.deltaX) > Math.abs(event.deltaY) && view.width < whole) {
      event.preventDefault();
      view.shift(event.deltaX / width, 0);
    }
  }, { passive: false });
};

// Drag with Shift.
const panFrom = (event, over, view) => {
  event.preventDefault();
  let { clientX, clientY } = event;
  const move = (next) => {
    view.shift((clientX - next.clientX) / over.clientWidth, (clientY - next.clientY) / over.clientHeight);
    ({ clientX, clientY } = next);
  };
  document.addEventListener("mousemove", move);
  document.addEventListener("mouseup", () => document.removeEventListener("mousemove", move), { once: true });
};

// One finger pans, two zoom.
const listenToFingers = (over, view, whole) => {
  const fingers = new Map();
  over.addEventListener("pointerdown", (event) => { if (event.pointerType === "touch") fingers.set(event.pointerId, event); });
  over.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const { left, top, width, height } = over.getBoundingClientRect();
    const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
    if (other) {
      const apart = (one) => Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) || 1;
      view.zoom(apart(last) / apart(event), ((event.clientX + other.clientX) / 2 - left) / width, ((event.clientY + other.clientY) / 2 - top) / height);
    } else if (view.width < whole) view.shift((last.clientX - event.clientX) / width, 0);
    fingers.set(event.pointerId, event);
  });
  for (const name of ["pointerup", "pointercancel"]) over.addEventListener(name, (event) => fingers.delete(event.pointerId));
};

const listenToButtons = (box, calls, view, focus) => {
  const actions = {
    in: () => focus.zoom(0.6), out: () => focus.zoom(1 / 0.6), left: () => view.shift(-0.3, 0), right: () => view.shift(0.3, 0),
    all: () => view.all(), next: () => focus.visitNextMarked(),
  };
  for (const button of document.querySelectorAll("[data-do]")) button.addEventListener("click", actions[button.dataset.do]);
  box.previousElementSibling.hidden = false;
  for (const button of document.querySelectorAll("[data-call]")) {
    button.addEventListener("click", () => {
      const i = +button.dataset.call;
      view.around(calls.middle(i), calls.columns.lane[i], Math.max(calls.seconds(i) * 6, calls.whole / 60), Math.min(calls.lanes.length, 24));
      box.scrollIntoView({ block: "center" });
      box.focus({ preventScroll: true });
      requestAnimationFrame(() => focus.visit(i));
    });
  }
};
