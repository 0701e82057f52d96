// The button that turns the theme, and word to whoever draws with colours of its own.

const root = document.documentElement;

export function isDark() {
  return root.dataset.theme === "dark";
}

// Colours of the style sheet by their names, for the charts.
export function colour(name) {
  return getComputedStyle(root).getPropertyValue(`--${name}`).trim();
}

export function startTheme(button) {
  const show = () => {
    const other = isDark() ? "Light" : "Dark";
    button.textContent = other;
    button.setAttribute("aria-label", `${other} theme`);
  };
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* Then it lasts until the reload. */ }
  });
  new MutationObserver(show).observe(root, { attributeFilter: ["data-theme"] });
  show();
}

export function onTheme(then) {
  new MutationObserver(then).observe(root, { attributeFilter: ["data-theme"] });
}
