// Sets the theme before anything is painted: what was chosen on this page, else what the system asks for.
(function () {
  let chosen = null;
  try { chosen = localStorage.getItem("theme"); } catch { /* Storage may be switched off. The system's choice is used. */ }
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => { document.documentElement.dataset.theme = chosen ?? (system.matches ? "dark" : "light"); };
  apply();
  system.addEventListener("change", apply);
})();
