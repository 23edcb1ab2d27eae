// Runs before anything else of the page: shows the dashboard when it is there, and says in words what is wrong when
// Python fails, when the connection drops, or when the kernel is gone.
"use strict";
(() => {
  /** @type {Record<string, Record<string, string>>} */
  const texts = JSON.parse(document.getElementById("vx-texts").textContent);
  const say = (key) => (texts[document.documentElement.lang] ?? texts.en)[key];
  const byId = (id) => document.getElementById(id);
  let leaving = false;
  let shown = false;
  /** Seconds that a page may take, once its kernel is there, before a reader is told that they may try again. */
  const PATIENT = 60;

  // ---- progress -----------------------------------------------------------------------------------------------------

  const progress = (key) => {
    const line = byId("vx-progress-text");
    if (line) line.textContent = say(key);
  };

  // Voilà calls these from the parts of the page that it streams.
  window.voila_heartbeat = () => progress("still-starting");
  window.voila_process = () => {};
  window.voila_finish = () => {};
  window.vxKernelReady = () => {
    progress("loading");
    // A notebook that was run without any output has lost it, and there is nothing to wait for.
    if (!byId("vx-cells")?.childElementCount) alertWith("not-shown", { reload: true });
    // What is on its way after so long may never come; what comes after all, is shown all the same.
    setTimeout(() => !shown && !current && alertWith("slow", { reload: true }), 1000 * PATIENT);
  };

  /** Shows the dashboard in the shell's place, in one frame, once it has a size. */
  const swap = () => {
    const cells = byId("vx-cells");
    if (!shown && cells?.textContent.includes("Error displaying widget")) {
      watching.disconnect();
      alertWith("not-shown", { reload: true });
      return;
    }
    // The dashboard is there when its stages are; of another notebook any widget will do.
    const parts = cells?.querySelector(".vx") ? ".vx-stages, .vx-stage" : ".jupyter-widgets, .vx-output-text";
    const dashboard = cells?.querySelector(parts);
    if (shown || !dashboard || dashboard.getBoundingClientRect().height < 1) return;
    shown = true;
    watching.disconnect();
    if (current === "slow") quiet();
    const top = window.scrollY;
    cells.classList.remove("vx-waiting");
    byId("vx-shell")?.remove();
    window.scrollTo(0, top);
    performance.mark("vx-dashboard-shown");
  };
  const watching = new MutationObserver(() => requestAnimationFrame(swap));
  document.addEventListener("DOMContentLoaded", () => {
    const cells = byId("vx-cells");
    if (cells) watching.observe(cells, { childList: true, subtree: true });
    for (const node of document.querySelectorAll("script.vx-kernel-error")) {
      const { name, message, details } = JSON.parse(node.textContent);
      alertWith("cell-error", { message: message ? `${name}: ${message}` : name, details, reload: true });
      progress("failed");
    }
  });

  // ipywidgets' front end gives the kernel four seconds to describe its widgets. On a busy machine (a class opens the
  // page, a model is loaded) that is too short, and the page then shows "model not found" in place of the dashboard.
  const plainTimeout = window.setTimeout.bind(window);
  window.setTimeout = (call, delay, ...parameters) => {
    const impatient = delay === 4000 && typeof call === "function" && String(call).includes("Control comm did not respond");
    return plainTimeout(call, impatient ? 120_000 : delay, ...parameters);
  };

  // anywidget gives each widget two seconds to load its module, and leaves it empty for good where that was too short.
  const plainSignal = AbortSignal.timeout.bind(AbortSignal);
  AbortSignal.timeout = (delay) => plainSignal(delay === 2000 ? 120_000 : delay);

  // ---- alerts -------------------------------------------------------------------------------------------------------

  /** What the alert now says; a lost kernel outweighs all that follows from it. */
  let current = "";

  function alertWith(key, { message = "", details = "", reload = false, waiting = false } = {}) {
    const panel = byId("vx-alert");
    if (!panel || key === current || current === "lost-kernel") return;
    current = key;
    panel.replaceChildren();
    panel.classList.toggle("vx-alert-waiting", waiting);
    panel.dataset.reason = key;
    const sentence = document.createElement("p");
    sentence.textContent = say(key);
    panel.append(sentence);
    if (message) {
      const line = document.createElement("pre");
      line.textContent = message;
      panel.append(line);
    }
    if (details) {
      const more = document.createElement("details");
      const summary = document.createElement("summary");
      summary.textContent = say("details");
      const text = document.createElement("pre");
      text.textContent = details;
      more.append(summary, text);
      panel.append(more);
    }
    const buttons = document.createElement("div");
    buttons.className = "vx-alert-buttons";
    const button = (label, action) => {
      const element = document.createElement("button");
      element.type = "button";
      element.className = "vx-button";
      element.textContent = label;
      element.addEventListener("click", action);
      buttons.append(element);
    };
    if (reload) button(say("reload"), () => window.location.reload());
    if (!waiting) button(say("close"), quiet);
    if (buttons.childElementCount) panel.append(buttons);
    panel.hidden = false;
  }

  function quiet() {
    const panel = byId("vx-alert");
    current = "";
    panel.hidden = true;
    panel.replaceChildren();
    delete panel.dataset.reason;
  }

  window.vxServerError = () => {
    progress("failed");
    alertWith("server-error", { reload: true });
  };

  // ---- the kernel's connection --------------------------------------------------------------------------------------

  /** Header's message type and content's bytes of a kernel message, in either of Jupyter's two wire formats. */
  function read(data) {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      return { type: message.header?.msg_type, content: () => message.content };
    }
    const view = new DataView(data);
    const count = Number(view.getBigUint64(0, true));
    const offset = (index) => Number(view.getBigUint64(8 * (index + 1), true));
    const part = (index) => JSON.parse(new TextDecoder().decode(new Uint8Array(data, offset(index), offset(index + 1) - offset(index))));
    return count > 4 ? { type: part(1).msg_type, content: () => part(4) } : { type: "", content: () => ({}) };
  }

  function received(data) {
    let message;
    try {
      message = read(data);
    } catch {
      return; // Not a message of a format that we know; the page itself reads it.
    }
    if (message.type === "error") {
      const { ename, evalue, traceback = [] } = message.content();
      const plain = traceback.join("\n").replace(/\u001b\[[0-9;]*m/g, "");
      console.error(`Python: ${ename}: ${evalue}`);
      alertWith("python-error", { message: `${ename}: ${evalue}`, details: plain });
    } else if (message.type === "status") {
      const state = message.content().execution_state;
      if (state === "restarting" || state === "autorestarting" || state === "dead") {
        alertWith("lost-kernel", { reload: true });
      }
    }
  }

  /** Seconds without any answer after which a server counts as gone, and between two questions. */
  const PATIENCE = 8;
  const PAUSE = 2;
  let asking = false;
  let connected = false;

  /** Asks the server, until the connection is back, why it ended. */
  async function diagnose(address) {
    if (asking) return;
    asking = true;
    const [, base, kernel] = address.pathname.match(/^(.*)\/api\/kernels\/([^/]+)\//);
    let answered = performance.now();
    while (!leaving && (current === "reconnecting" || current === "lost-server")) {
      try {
        const answer = await fetch(`${base}/api/kernels/${kernel}`, { cache: "no-store" });
        answered = performance.now();
        if (answer.status === 404) alertWith("lost-kernel", { reload: true });
      } catch {
        if (performance.now() - answered > 1000 * PATIENCE) alertWith("lost-server", { reload: true });
      }
      await new Promise((resolve) => setTimeout(resolve, 1000 * PAUSE));
    }
    asking = false;
  }

  /** For the page's tests, and for whoever looks into a broken page. */
  window.vxConnection = { socket: null };
  const Plain = window.WebSocket;
  window.WebSocket = class extends Plain {
    constructor(...parameters) {
      super(...parameters);
      const address = new URL(String(parameters[0]), window.location.href);
      if (!/\/api\/kernels\/[^/]+\/channels/.test(address.pathname)) return;
      window.vxConnection.socket = this;
      this.addEventListener("open", () => {
        connected = true;
        if (current === "reconnecting" || current === "lost-server") quiet();
      });
      this.addEventListener("message", (event) => {
        if (event.data instanceof Blob) event.data.arrayBuffer().then(received);
        else received(event.data);
      });
      this.addEventListener("close", () => {
        connected = false;
        // Most connections are back before a reader has noticed anything.
        setTimeout(() => {
          if (leaving || connected) return;
          if (current !== "lost-server") alertWith("reconnecting", { waiting: true });
          diagnose(address);
        }, 1000);
      });
    }
  };

  window.addEventListener("pagehide", () => (leaving = true));
  window.addEventListener("beforeunload", () => (leaving = true));
  // A page that comes back from the browser's memory has lost its kernel when it was left.
  window.addEventListener("pageshow", (event) => event.persisted && window.location.reload());
})();
