// Numbers as text, elements, and tables that change only the cells that have changed. All text goes in as text.

export const byId = id => document.getElementById(id);
export const known = value => value !== null && value !== undefined;

export function number(value, digits = 2, signed = false) {
  if (!known(value)) return "–";
  const text = Math.abs(value).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const negative = value < 0 && Number(text.replace(/,/g, "")) !== 0;
  return (negative ? "−" : signed && value > 0 ? "+" : "") + text;
}

export const percent = (value, digits = 0) => known(value) ? `${number(value * 100, digits)} %` : "–";
export const plain = value => known(value)
  ? Number(value.toPrecision(10)).toLocaleString("en-US", { maximumFractionDigits: 10 }).replace("-", "−") : "–";
export const size = value => known(value) ? plain(Number(value.toPrecision(6))) : "–";
export const clock = ns => new Date(ns / 1e6).toISOString().slice(11, 19);
export const moment = ns => `${new Date(ns / 1e6).toISOString().slice(0, 19).replace("T", " ")} UTC`;
export const tone = value => !known(value) || value === 0 ? "" : value > 0 ? "good" : "bad";

export function duration(seconds) {
  if (!known(seconds)) return "–";
  if (seconds < 60) return `${number(seconds, seconds < 10 ? 1 : 0)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor(seconds % 3600 / 60)} min`;
  return `${Math.floor(seconds / 86400)} d ${Math.floor(seconds % 86400 / 3600)} h`;
}

export function element(tag, text = "", className = "") {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  if (className) made.className = className;
  return made;
}

export function setText(node, text) { if (node.textContent !== text) node.textContent = text; }
export function setClass(node, name) { if (node.className !== name) node.className = name; }
export function show(id, ...parts) { byId(id).replaceChildren(...parts); }
export function say(id, text) { setText(byId(id), text); }

// A description list of [name, value, tone] whose names stay the same.
export function facts(id, items) {
  const list = byId(id);
  if (list.children.length !== items.length) {
    list.replaceChildren(...items.map(() => {
      const pair = element("div");
      pair.append(element("dt"), element("dd"));
      return pair;
    }));
  }
  items.forEach(([name, value, style = ""], index) => {
    const [title, text] = list.children[index].children;
    setText(title, name);
    setText(text, value);
    setClass(text, style);
  });
}

// A table in a box that scrolls sideways where the screen is narrow. Columns: [heading, "text" or "number"].
export class Table {
  constructor(id, label, columns, { empty = "nothing yet" } = {}) {
    this.box = byId(id);
    this.columns = columns;
    this.label = label;
    this.emptyText = empty;
    this.body = null;
  }

  build() {
    const table = element("table"), head = element("thead"), row = element("tr");
    this.body = element("tbody");
    this.columns.forEach(([name, kind]) => {
      const cell = element("th", name, kind);
      cell.scope = "col";
      row.append(cell);
    });
    if (this.columns.some(([name]) => name)) head.append(row);
    table.append(head, this.body);
    table.setAttribute("aria-label", this.label);
    this.box.replaceChildren(table);
    this.box.classList.add("scroll");
    this.box.tabIndex = 0;
    this.box.setAttribute("role", "region");
    this.box.setAttribute("aria-label", this.label);
  }

  // Rows: { cells: [text, or a node], tones: [class], className, title }.
  update(rows, empty = this.emptyText) {
    if (!rows.length) return this.clear(empty);
    if (!this.body) this.build();
    while (this.body.children.length > rows.length) this.body.lastChild.remove();
    rows.forEach((row, index) => this.row(this.body.children[index] || this.body.appendChild(this.blank()), row));
  }

  blank() {
    const row = element("tr");
    this.columns.forEach(([, kind], index) => {
      const cell = element(index ? "td" : "th", "", kind);
      if (!index) cell.scope = "row";
      row.append(cell);
    });
    return row;
  }

  row(node, { cells, tones = [], className = "" }) {
    setClass(node, className);
    cells.forEach((value, index) => {
      const cell = node.children[index];
      if (value instanceof Node) { if (cell.firstChild !== value) cell.replaceChildren(value); }
      else setText(cell, value);
      setClass(cell, `${this.columns[index][1]} ${tones[index] || ""}`.trim());
    });
  }

  clear(text) {
    this.body = null;
    this.box.classList.remove("scroll");
    ["tabindex", "role", "aria-label"].forEach(name => this.box.removeAttribute(name));
    if (this.box.textContent !== text || this.box.querySelector("table")) this.box.replaceChildren(element("p", text, "empty"));
  }
}
