// All attention of a run: what the pointer rests on answers at once, in every head, without a word to the kernel.

import { MEAN, ROLLOUT, strongest, weightScale } from "./js/attention.js";
import { openControls, switches } from "./js/attention_controls.js";
import { AttentionStore } from "./js/attention_store.js";
import { placesOf } from "./js/attention_layout.js";
import { photoPane, stripPane } from "./js/attention_photo.js";
import { matrixPane } from "./js/attention_matrix.js";
import { distancePane, wallPane } from "./js/attention_wall.js";
import { element, watch } from "./js/frame.js";
import { byteArray, fill, floats, formatExact, formatShort } from "./js/numbers.js";
import { greyscale } from "./js/photo.js";

/** After the last arrow key, so long until the token counts as chosen. */
const SETTLED = 300;
const STRONGEST = 3;
const SMALL = 192;
/** Most tokens of a run whose rollout is asked for before it is opened. */
const COURTESY = 400;

const NOTHING = { token: -1, partner: -1, head: null };

/** Layers stay known when a widget is shown a second time. */
const stores = new WeakMap();

function render({ model, el }) {
  const root = element("div", "vxw vxa");
  const part = (name, parent = root) => parent.appendChild(element("div", `vxa-${name}`));
  el.append(root);
  if (!stores.has(model)) stores.set(model, new AttentionStore((question) => model.send(question)));
  const store = stores.get(model);

  /** What is pointed at, −1 for nothing; and the head that is compared, null for the open one. */
  let pointed = NOTHING;
  let photo = { image: null, grey: null, small: null };
  let loading = 0;
  let settle = 0;
  let shownLayer = 0;
  let drawn = false;

  const view = {
    model,
    store,
    places: placesOf(new Int32Array(0), 0, 0),
    distances: new Float32Array(0),
    label: (key, values) => fill(model.get("labels")[key], values),
    get run() {
      return store.run;
    },
    get layer() {
      return shownLayer;
    },
    get head() {
      return Math.max(ROLLOUT, Math.min(model.get("head"), store.run.heads - 1));
    },
    get direction() {
      return model.get("direction");
    },
    get log() {
      return model.get("log");
    },
    /** The layer that was asked for, which may still be on its way. */
    wantedLayer: () => Math.min(model.get("layer"), store.run.layers - 1),
    chosen: () => Math.min(model.get("token"), store.run.tokens - 1),
    /** The token that is pointed at, else the chosen one. */
    get token() {
      return pointed.token >= 0 ? pointed.token : view.chosen();
    },
    get partner() {
      return pointed.partner;
    },
    grey: () => photo.grey,
    smallGrey: () => photo.small,
    tall: () => Math.min(560, Math.max(300, window.innerHeight - 440)),
    /** A file name, as `picture_stem` makes it: of a layer or a head only what is of one alone. */
    stem(what, { layer = false, head = false } = {}) {
      const name = view.head >= 0 ? `head${view.head + 1}` : view.head === MEAN ? "mean" : "rollout";
      return [model.get("stem"), layer && `layer${view.layer + 1}`, head && name, what].filter(Boolean).join("-");
    },
    open(head = view.head) {
      // Small beside the heads the rollout is a courtesy; where it is large, it is sent when it is opened.
      if (head === ROLLOUT && view.head !== ROLLOUT && !courteous()) return null;
      return store.open(view.layer, head, view.token, view.direction);
    },
    scale(head, layer = view.layer) {
      const high = store.high(layer, head, model.get("per_head"));
      const label = view.label(head === ROLLOUT ? "rollout-label" : "scale-label");
      return Number.isNaN(high) ? null : weightScale(high, view.log, label);
    },
    /** "12 (row 1, column 4)" at length. */
    name(token) {
      const { run, places } = view;
      if (token < run.prefix.length) return run.prefix[token] ?? "";
      const patch = places.at(token);
      const cols = run.grid[1];
      return view.label("token-patch", { patch, row: Math.floor(patch / cols), col: patch % cols });
    },
    /** "12", where there is little room. */
    shortName: (token) => (token < view.run.prefix.length ? (view.run.prefix[token] ?? "") : String(view.places.at(token))),
    headName: (head) => (head >= 0 ? String(head + 1) : view.label(head === MEAN ? "head-mean" : "head-rollout")),
    headTitle(head = view.head, layer = view.layer) {
      const key = head === MEAN ? "title-mean" : head === ROLLOUT ? "title-rollout" : "title-head";
      return view.label(key, { layer: layer + 1, head: head + 1 });
    },
    title: () => view.label(`photo-title-${view.direction}`, { head: view.headTitle(), token: view.name(view.token) }),
    stripTitle: () => view.label(`strip-title-${view.direction}`, { layer: view.layer + 1 }),
    scaleNotes() {
      const scale = view.scale(view.head);
      if (!scale) return [view.label("loading")];
      if (view.head === ROLLOUT) return [view.label("rollout-note", { high: formatShort(scale.high) })];
      if (model.get("per_head")) return [view.label("scale-note-own")];
      const values = { high: formatShort(scale.high), uniform: formatShort(1 / view.run.tokens, 2) };
      return [view.label(view.log ? "scale-note-log" : "scale-note", values)];
    },
    readout() {
      const weights = view.open();
      if (view.partner >= 0) {
        const pair = view.direction === "looks" ? [view.token, view.partner] : [view.partner, view.token];
        const head = pointed.head ?? view.head;
        return [
          [view.label("query-short"), view.name(pair[0])],
          [view.label("key-short"), view.name(pair[1])],
          [view.headTitle(head), formatExact(store.weight(view.layer, head, ...pair), "…")],
        ];
      }
      if (!weights) return view.label(view.head === ROLLOUT ? "rollout-loading" : "loading");
      const best = strongest(weights, STRONGEST).map((token) => {
        const name = token < view.run.prefix.length ? view.shortName(token) : `${view.label("patch")} ${view.shortName(token)}`;
        return view.label("strongest-item", { token: name, weight: weights[token].toFixed(3) });
      });
      return [[view.label(`most-${view.direction}`), best.join(" · ")]];
    },
    /** Which head it is, and how far it looks. */
    aboutHead({ layer, head }) {
      const distance = view.distances[layer * store.run.heads + head];
      const said = Number.isNaN(distance ?? NaN) ? "…" : view.label("distance-read", { distance: distance.toFixed(2) });
      return [["", view.headTitle(head, layer)], [view.label("distance-short"), said]];
    },
    spoken() {
      const told = view.readout();
      return typeof told === "string" ? told : `${view.name(view.token)}: ${told.map((pair) => pair.join(" ")).join(", ")}`;
    },
    /** Point at a token (and a second one that it is compared with); nothing is sent. */
    preview(token, partner = -1) {
      clearTimeout(settle);
      if (token === pointed.token && partner === pointed.partner && pointed.head === null) return;
      pointed = { token, partner, head: null };
      paint();
    },
    /** Compare the token with another in some head. */
    compare(head, partner) {
      if (head === pointed.head && partner === pointed.partner) return;
      pointed = { token: -1, partner, head };
      paint();
    },
    /** Point by the keyboard: where the keys rest is chosen. */
    walk(token, partner = -1) {
      view.preview(token, partner);
      settle = setTimeout(() => view.choose({ token }, true), SETTLED);
    },
    /**
     * Choose a token, a layer or a head, here and in Python.
     * @param {Record<string, unknown>} values
     * @param {boolean} [keep] Whether what is pointed at stays so.
     */
    choose(values, keep = false) {
      clearTimeout(settle);
      if (!keep) pointed = NOTHING;
      drawn = false;
      // All in one, so that it is drawn once; and drawn before it is told.
      model.set(values);
      if (!drawn) paint();
      model.save_changes();
    },
  };

  const controls = openControls(part("controls"), view);
  const heading = (key) => ({ key, title: part("heading"), sentence: part("sentence") });
  const headings = [heading("hand")];
  const looking = part("controls");
  const strip = stripPane(part("strip"), view);
  const main = part("main");
  const large = photoPane(part("photo", main), view);
  const matrix = matrixPane(part("matrix", main), view);
  headings.push(heading("glance"));
  const markSwitches = switches(looking, part("controls"), view);
  const glance = part("glance");
  const wall = wallPane(part("wall", glance), view);
  const distance = distancePane(part("distance", glance), view);
  const panes = [strip, large, matrix, wall, distance];

  /** What follows the pointer. */
  function paint() {
    drawn = true;
    large.paint();
    strip.paint();
    matrix.paint();
  }

  function redraw(some = panes) {
    drawn = true;
    mark();
    for (const pane of some) pane.redraw();
  }

  /** The controls, as they stand now. */
  function mark() {
    controls.mark();
    markSwitches();
  }

  function readWords() {
    controls.fill();
    for (const { key, title, sentence } of headings) {
      title.textContent = view.label(`${key}-title`);
      sentence.textContent = view.label(`${key}-sentence`);
    }
  }

  /** The layer that is wanted is shown as soon as it is there; until then the one before stays. */
  function followLayer() {
    const wanted = view.wantedLayer();
    if (wanted < 0) return;
    // A small rollout is asked for first: both are drawn in one, when the layer is there.
    if (courteous()) store.rollout(wanted);
    if (store.layer(wanted)) shownLayer = wanted;
    if (view.head === ROLLOUT && shownLayer === wanted) store.rollout(wanted);
  }

  /** Whether rollouts are sent before one is opened. */
  const courteous = () => store.run.tokens <= COURTESY;

  /** What may be wanted next; asked for once all that is wanted now is drawn. */
  function lookAhead() {
    if (shownLayer === view.wantedLayer() && store.layer(shownLayer)) store.expectAround(shownLayer, courteous());
  }

  function readRun() {
    const run = model.get("run");
    if (!(run.key > 0)) return;
    if (store.start(run)) pointed = NOTHING;
    const bytes = byteArray(model.get("places"));
    const of = new Int32Array(bytes.slice().buffer);
    view.places = placesOf(of, run.prefix.length, run.grid[0] * run.grid[1]);
    shownLayer = Math.min(model.get("layer"), run.layers - 1);
    if (run.opened < 0) return;
    store.keep(run.opened, byteArray(model.get("opened")));
    const rolled = byteArray(model.get("rolled"));
    if (rolled.length) store.keepRollout(run.opened, rolled);
  }

  function readSummaries() {
    store.setHighs(floats(model.get("highs")));
    view.distances = floats(model.get("distances"));
  }

  async function readImage() {
    loading += 1;
    const mine = loading;
    const bytes = byteArray(model.get("image"));
    let image = null;
    if (bytes.length) {
      try {
        image = await createImageBitmap(new Blob([bytes], { type: model.get("mime") }));
      } catch (error) {
        console.error("the photo cannot be decoded", error);
      }
    }
    // The photo that was asked for last wins, whichever is decoded last.
    if (mine !== loading) return;
    photo = image ? { grey: greyscale(image), small: greyscale(smaller(image)) } : { grey: null, small: null };
    image?.close();
    redraw();
  }

  function answered(message, buffers) {
    if (!store.receive(message, buffers)) return;
    const before = shownLayer;
    followLayer();
    if (before !== shownLayer) {
      redraw();
      lookAhead();
    } else if (message.layer === shownLayer) {
      // Where the rollout is not open, it is one small picture.
      if (message.kind === "rollout" && view.head !== ROLLOUT) strip.paint();
      else redraw();
    }
  }

  const kinds = {
    run: "run", opened: "run", places: "run", image: "image", mime: "image", highs: "summaries", distances: "summaries",
    layer: "layer", head: "head", token: "token", direction: "draw", log: "colors", per_head: "colors",
    labels: "words", stem: "stem", wall: "wall", wall_shape: "wall", wall_kind: "sort", wall_order: "sort",
  };
  const stop = watch(model, kinds, update, answered);

  function update(dirty) {
    const any = (...names) => names.some((kind) => dirty.has(kind));
    const before = shownLayer;
    // Where the keyboard came to rest stays pointed at, until something else is picked elsewhere on the page.
    if (any("token") && pointed.token >= 0 && pointed.token !== model.get("token")) pointed = NOTHING;
    if (any("run")) readRun();
    if (any("run", "summaries")) readSummaries();
    if (any("run", "layer", "head", "summaries")) followLayer();
    if (any("run", "words")) readWords();
    if (any("image")) readImage();
    if (any("run", "wall", "colors", "summaries")) wall.refill();
    if (any("run", "words", "draw", "colors", "summaries") || before !== shownLayer) {
      redraw();
      lookAhead();
      return;
    }
    if (any("head")) {
      redraw([strip, large, matrix]);
      wall.paint();
      distance.paint();
    } else if (any("layer", "token", "sort")) mark();
    if (any("sort", "token", "wall")) wall.redraw();
    if (any("token")) paint();
  }

  readRun();
  readSummaries();
  followLayer();
  readWords();
  mark();
  wall.refill();
  readImage();
  lookAhead();
  return () => {
    loading += 1;
    clearTimeout(settle);
    stop();
    for (const pane of panes) (pane.destroy ?? pane.frame.destroy)();
    root.remove();
  };
}

/** A copy for small pictures, so that each of them is not made from the large one. */
function smaller(image) {
  const share = Math.min(1, SMALL / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.width * share));
  canvas.height = Math.max(1, Math.round(image.height * share));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

export default { render };
