// All classes of a model, folded away, with a field to search them.

import { element } from "./js/frame.js";
import { fill } from "./js/numbers.js";

/** More are not drawn at once: a list of 22,000 names would make the page slow. */
const MOST = 600;

/** @param {{ model: any, el: HTMLElement }} context */
function render({ model, el }) {
  const root = element("details", "vx-classes");
  const summary = element("summary", "");
  const bar = element("div", "vx-classes-bar");
  const label = element("label", "vx-classes-search");
  const caption = element("span", "");
  const field = element("input", "vx-text");
  field.type = "search";
  field.autocomplete = "off";
  const count = element("output", "vx-classes-count");
  const list = element("ol", "vx-classes-list");
  const more = element("p", "vx-quiet");
  label.append(caption, field);
  bar.append(label, count);
  root.append(summary, bar, list, more);
  el.append(root);

  const plain = (text) => text.normalize("NFKC").toLocaleLowerCase();
  const show = () => {
    const heading = model.get("heading");
    summary.textContent = heading.title ?? "";
    caption.textContent = heading.search ?? "";
    const names = model.get("names");
    const wanted = plain(field.value.trim());
    const found = [];
    names.forEach((name, index) => {
      if (!wanted || plain(name).includes(wanted) || String(index) === wanted) found.push([name, index]);
    });
    list.replaceChildren(
      ...found.slice(0, MOST).map(([name, index]) => {
        const item = element("li", "");
        item.append(element("span", "vx-classes-number", String(index)), element("span", "", name));
        return item;
      }),
    );
    count.textContent = names.length ? fill(heading.count, { shown: found.length, total: names.length }) : "";
    more.textContent = found.length > MOST ? fill(heading.more, { count: found.length - MOST }) : "";
    more.hidden = found.length <= MOST;
  };

  root.open = model.get("opened");
  root.addEventListener("toggle", () => {
    if (root.open === model.get("opened")) return;
    model.set("opened", root.open);
    model.save_changes();
  });
  field.addEventListener("input", show);
  model.on("change:names", show);
  model.on("change:heading", show);
  show();
}

export default { render };
