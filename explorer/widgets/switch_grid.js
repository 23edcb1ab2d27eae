// Rows and columns of switches: every head of every layer, and the layers' two halves.

import { element } from "./js/frame.js";

const MOVES = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const root = element("div", "vx-switches");
  const title = element("div", "vx-switches-title");
  const scroll = element("div", "vx-switches-scroll");
  const table = element("table", "");
  scroll.append(table);
  root.append(title, scroll);
  el.append(root);
  let cells = [];
  let place = [0, 0];

  const key = (row, col) => `${row} ${col}`;
  const off = () => new Set(model.get("off").map(([row, col]) => key(row, col)));

  function put(next) {
    model.set("off", next);
    model.save_changes();
    mark();
  }

  function toggle(row, col) {
    const list = model.get("off");
    const without = list.filter(([r, c]) => r !== row || c !== col);
    put(without.length < list.length ? without : [...list, [row, col]]);
  }

  /** All of a row's leading switches: off where one is still on, else on. */
  function toggleRow(row) {
    const lead = model.get("lead");
    const others = model.get("off").filter(([r, c]) => r !== row || c >= lead);
    const all = model.get("off").length - others.length === lead;
    const whole = Array.from({ length: lead }, (_, col) => [row, col]);
    put(all ? others : [...others, ...whole]);
  }

  function build() {
    const [rows, cols, lead] = [model.get("rows"), model.get("cols"), model.get("lead")];
    cells = [];
    const head = element("tr", "");
    head.append(element("td", ""));
    cols.forEach((name, col) => {
      const cell = element("th", col >= lead ? "vx-switches-apart" : "", name.short);
      cell.scope = "col";
      cell.title = name.long;
      head.append(cell);
    });
    const body = rows.map((name, row) => {
      const line = element("tr", "");
      const start = element("th", "");
      start.scope = "row";
      const whole = element("button", "vx-switch-row", name.short);
      whole.type = "button";
      whole.title = model.get("row_hint").replace("{row}", name.long);
      whole.addEventListener("click", () => toggleRow(row));
      start.append(whole);
      line.append(start);
      cells.push(
        cols.map((column, col) => {
          const cell = element("td", col >= lead ? "vx-switches-apart" : "");
          const button = element("button", "vx-switch");
          button.type = "button";
          button.title = `${name.long}, ${column.long}`;
          button.setAttribute("role", "switch");
          button.setAttribute("aria-label", button.title);
          button.addEventListener("click", () => {
            enter(row, col);
            toggle(row, col);
          });
          button.addEventListener("keydown", (event) => walk(event, row, col));
          cell.append(button);
          line.append(cell);
          return button;
        }),
      );
      return line;
    });
    table.replaceChildren(head, ...body);
    // Also while there are none yet: one of those that come is reached by the tab key.
    place = [rows, cols].map((line, axis) => Math.max(0, Math.min(place[axis], line.length - 1)));
    mark();
  }

  /** The tab key comes to one switch, the arrows go on from there. */
  function enter(row, col) {
    const [before] = [cells[place[0]]?.[place[1]]];
    if (before) before.tabIndex = -1;
    place = [row, col];
    cells[row][col].tabIndex = 0;
  }

  function walk(event, row, col) {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    const to = [row + move[0], col + move[1]];
    const button = cells[to[0]]?.[to[1]];
    if (!button) return;
    enter(...to);
    button.focus();
  }

  function mark() {
    const dark = off();
    title.textContent = model.get("title");
    table.setAttribute("aria-label", model.get("title"));
    const [lead, cut] = [model.get("lead"), model.get("cuts")];
    cells.forEach((line, row) => {
      const gone = dark.has(key(row, cut));
      line.forEach((button, col) => {
        const isOff = dark.has(key(row, col));
        button.setAttribute("aria-checked", String(!isOff));
        button.classList.toggle("vx-is-off", isOff);
        // Where a layer's attention is off, its heads have nothing to say.
        button.classList.toggle("vx-is-idle", gone && col < lead);
        button.tabIndex = row === place[0] && col === place[1] ? 0 : -1;
      });
    });
  }

  model.on("change:off", mark);
  model.on("change:title", mark);
  for (const trait of ["rows", "cols", "lead", "row_hint"]) model.on(`change:${trait}`, build);
  build();
}

export default { render };
