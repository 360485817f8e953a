// Light and dark; printed, a page is light.
const root = document.documentElement;

const offerThemes = () => {
  const systemIsDark = matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemIsDark.matches);
  const toggle = byId("theme");
  const nameToggle = () => { toggle.textContent = isDark() ? "Light theme" : "Dark theme"; };
  toggle.hidden = false;
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    nameToggle();
    repaint();
  });
  systemIsDark.addEventListener("change", () => { nameToggle(); repaint(); });
  nameToggle();
};

const fitToPaperAndWindow = () => {
  let before;
  addEventListener("beforeprint", () => {
    before = root.dataset.theme;
    root.dataset.theme = "light";
    for (const { resize } of charts) resize(690);
    repaint();
  });
  addEventListener("afterprint", () => {
    if (before) root.dataset.theme = before; else delete root.dataset.theme;
    for (const { resize } of charts) resize();
    repaint();
  });
  new ResizeObserver(() => { for (const { resize } of charts) resize(); }).observe(document.querySelector("main"));
};
