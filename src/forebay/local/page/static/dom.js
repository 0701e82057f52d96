// Small helpers over the document. Text goes in as text, never as markup: what a task says cannot become part of the page.

export const byId = (id) => document.getElementById(id);

// Sets a text only when it differs, so that a selection survives and nothing is laid out anew for nothing.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function setAttribute(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

export function show(element, isShown) {
  if (element.hidden === isShown) element.hidden = !isShown;
}

export function make(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text) element.textContent = text;
  return element;
}

// Copies a template; `part(name)` finds what its data-part names.
export function copy(templateId) {
  const element = byId(templateId).content.firstElementChild.cloneNode(true);
  const parts = {};
  for (const one of element.querySelectorAll("[data-part]")) parts[one.dataset.part] = one;
  return { element, parts };
}

// Holds a list's elements by key: they are updated in place, added and removed, so that focus and selection stay.
export class KeyedList {
  constructor(parent, create) {
    this.parent = parent;
    this.create = create;
    this.rows = new Map();
  }

  update(items, keyOf) {
    const focused = this.parent.contains(document.activeElement) ? document.activeElement : null;
    const keys = new Set(items.map(keyOf));
    for (const [key, row] of this.rows) {
      if (!keys.has(key)) {
        row.element.remove();
        this.rows.delete(key);
      }
    }
    let place = this.parent.firstElementChild;
    for (const item of items) {
      const key = keyOf(item);
      let row = this.rows.get(key);
      if (!row) {
        row = this.create(item);
        this.rows.set(key, row);
      }
      if (row.element === place) place = place.nextElementSibling;
      else this.parent.insertBefore(row.element, place);
      row.update(item);
    }
    if (focused && focused.isConnected && document.activeElement !== focused) focused.focus();
  }
}

// Fills a table's body with rows of cells; the first of each row is its heading.
export function fillTable(body, rows) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, number) => {
    const row = body.rows[number] ?? body.insertRow();
    cells.forEach((text, column) => {
      let cell = row.cells[column];
      if (!cell) {
        cell = make(column ? "td" : "th");
        if (!column) cell.scope = "row";
        row.append(cell);
      }
      setText(cell, text);
    });
  });
}
