// The handout's page: unpacks its data, shows the recorded widgets with their own front ends, and answers what a kernel
// would. Nothing here asks anybody for anything.

import { answerAttention } from "./attention_answers.js";
import { arraysOf, unpacked } from "./packed.js";

/** What a widget's front end knows as its model; nobody is at the other end. */
class Model {
  constructor(state) {
    this.state = state;
    this.listeners = new Map();
    /** @type {(content: any) => void} */
    this.answer = () => {};
  }
  get(name) {
    return this.state[name];
  }
  set(name, value) {
    const changes = typeof name === "string" ? { [name]: value } : name;
    const changed = Object.keys(changes).filter((key) => this.state[key] !== changes[key]);
    Object.assign(this.state, changes);
    for (const key of changed) this.fire(`change:${key}`);
    if (changed.length) this.fire("change");
  }
  save_changes() {}
  on(event, listener) {
    if (!this.listeners.has(event)) this.listeners.set(event, []);
    this.listeners.get(event).push(listener);
  }
  off(event, listener) {
    this.listeners.set(event, (this.listeners.get(event) ?? []).filter((one) => one !== listener));
  }
  fire(event, ...given) {
    for (const listener of [...(this.listeners.get(event) ?? [])]) listener(...given);
  }
  send(content) {
    this.answer(content);
  }
}

/**
 * Show the page.
 * @param {{render: (context: {model: any, el: HTMLElement}) => unknown}[]} modules Front ends, by number.
 */
async function open(modules) {
  const page = document.querySelector(".vx-handout");
  let data;
  try {
    data = await unpacked(document.getElementById("vx-data").textContent);
  } catch (error) {
    page.classList.add("vx-handout-failed");
    console.warn("the handout cannot be unpacked", error);
    return;
  }
  document.getElementById("vx-data").remove();
  const { header } = data;
  const array = arraysOf(data);
  const revived = (state) =>
    Object.fromEntries(Object.entries(state).map(([name, value]) => [name, value?.$array === undefined ? value : array(value.$array)]));
  const models = header.widgets.map((state) => new Model(revived(state)));
  const wishes = [...navigator.languages, header.language].map((tag) => tag.toLowerCase().split("-")[0]);
  let language = wishes.find((tag) => tag in header.languages) ?? header.language;

  const change = (changes) => {
    for (const [number, state] of Object.entries(changes)) models[number].set(revived(state));
  };

  // What the file's own controls change is written down for each of their values.
  const answered = () => {
    for (const { widget, trait, answers } of header.answers) {
      const answer = answers[String(models[widget].get(trait))];
      if (answer) change(answer[language]);
    }
  };
  for (const { widget, trait } of header.answers) models[widget].on(`change:${trait}`, answered);

  // A token that is picked in one place is picked in all of them.
  let following = false;
  for (const { widget, trait, values } of header.links) {
    models[widget].on(`change:${trait}`, () => {
      const value = models[widget].get(trait);
      const token = value < 0 ? -1 : values.indexOf(value);
      if (following || token < 0) return;
      following = true;
      for (const link of header.links) models[link.widget].set(link.trait, link.values[token]);
      following = false;
    });
  }

  if (header.attention) {
    const { widget, layers } = header.attention;
    const view = models[widget];
    // Each array is unpacked when its layer is first wanted.
    answerAttention(view, (layer) => {
      const read = (name) => array(layers[layer][name], Float32Array);
      return { q: read("q"), k: read("k"), lse: read("lse"), highs: read("highs") };
    });
  }

  function say() {
    const words = header.words[language];
    document.documentElement.lang = language;
    document.title = words.title;
    for (const part of page.querySelectorAll("[data-words]")) {
      const value = words[part.dataset.words];
      if (part.dataset.html === undefined) part.textContent = value;
      else part.innerHTML = value;
    }
    for (const button of page.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === language));
    }
  }

  function speak(next) {
    language = next;
    say();
    change(header.states[language]);
    answered();
  }

  const rendered = [];
  const build = (node) => {
    const el = document.createElement("div");
    el.classList.add(...(node.kind === "box" ? ["widget-box"] : []), ...node.classes);
    const model = models[node.id];
    const show = () => {
      el.style.display = model.get("display");
      el.style.visibility = model.get("visibility");
    };
    model.on("change:display", show);
    model.on("change:visibility", show);
    show();
    if (node.kind === "box") el.append(...node.children.map(build));
    else if (node.kind === "html") {
      const content = el.appendChild(document.createElement("div"));
      content.className = "widget-html-content";
      // Made by the explorer's own panels, which escape whatever comes from a user.
      const fill = () => {
        content.innerHTML = model.get("value");
        el.hidden = !model.get("value");
      };
      model.on("change:value", fill);
      fill();
    } else rendered.push(() => modules[node.module].render({ model, el }));
    return el;
  };

  change(header.states[language]);
  const main = page.querySelector("main");
  for (const { stage, classes, children } of header.stages) {
    const section = document.createElement("section");
    section.id = stage;
    section.classList.add(...classes);
    section.append(...children.map(build));
    main.append(section);
  }
  for (const button of page.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => speak(button.dataset.language));
  }
  say();
  page.classList.add("vx-handout-open");
  // Drawings measure their room: they come when they have it.
  for (const render of rendered) render();
  answered();
}

export default { open };
