// Elements, and numbers for a glance. Texts of the run become text nodes only.
const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const element = (name, className, text) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
};

const english = new Intl.NumberFormat("en", { maximumFractionDigits: 3 });
const grouped = (n) => english.format(n); // as in the tables
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const time = (s) => (s < 0.9995 ? `${(s * 1000).toFixed(s < 0.0995 ? 1 : 0)} ms` : `${s.toFixed(s < 100 ? 2 : 1)} s`);

// A small box beside the pointer.
const tip = (box) => {
  const made = box.appendChild(element("div", "tip"));
  made.hidden = true;
  made.setAttribute("aria-hidden", "true"); // its text is also in a live region, or in a table
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

// Tables that are wider than the page say so.
const markWideTables = () => {
  const boxes = new ResizeObserver((changed) => {
    for (const { target } of changed) target.classList.toggle("more", target.scrollWidth > target.clientWidth + 1);
  });
  for (const box of document.querySelectorAll(".scroll")) boxes.observe(box);
};
