// Plotly's code, once a page.

/** @type {Window & Record<string, any>} */
const shared = globalThis;
const PATIENCE = 20_000;

/**
 * Plotly, from wherever on this page it was loaded first; else from the kernel, through the model of a chart.
 *
 * The code is run by a script element whose address is a blob: not from a CDN, and not as an AMD module, since
 * RequireJS, which Voilà's page has, would catch it.
 * @param {object} model Of a chart that can ask.
 * @param {string} version
 * @param {AbortSignal} signal Ends the asking, when the chart is closed.
 * @returns {Promise<any>}
 */
export function loadPlotly(model, version, signal) {
  const library = (shared[`__vitExplorerPlotly_${version}`] ??= { asked: -Infinity, loading: null, waiting: [] });
  if (library.loading) return library.loading;
  return new Promise((resolve, reject) => {
    library.waiting.push([resolve, reject]);
    function ask() {
      // One chart asks for all. A busy kernel answers late; a chart that was closed meanwhile gets no answer.
      if (library.loading || performance.now() - library.asked < PATIENCE) return;
      library.asked = performance.now();
      model.send({ kind: "library" });
    }
    function listener(message, buffers) {
      if (message.kind !== "library" || library.loading) return;
      const loading = (library.loading = unpacked(buffers[0]).then(run));
      const all = library.waiting.splice(0);
      loading.then(
        (plotly) => all.forEach(([done]) => done(plotly)),
        (error) => {
          Object.assign(library, { loading: null, asked: -Infinity });
          all.forEach(([, failed]) => failed(error));
        },
      );
    }
    const timer = setInterval(ask, PATIENCE);
    const stop = () => {
      clearInterval(timer);
      model.off("msg:custom", listener);
    };
    library.waiting.push([stop, stop]);
    signal.addEventListener("abort", stop);
    model.on("msg:custom", listener);
    ask();
  });
}

async function unpacked(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

function run(source) {
  const mail = `__vitExplorerMail_${Math.random().toString(36).slice(2)}`;
  const before = "(function () { var module = { exports: {} }, exports = module.exports, define = undefined;\n";
  const after = `\nwindow[${JSON.stringify(mail)}] = module.exports; })();`;
  const address = URL.createObjectURL(new Blob([before, source, after], { type: "text/javascript" }));
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.onload = () => {
      URL.revokeObjectURL(address);
      script.remove();
      const library = shared[mail];
      delete shared[mail];
      if (library?.newPlot) resolve(library);
      else reject(new Error("plotly"));
    };
    script.onerror = () => reject(new Error("script"));
    script.src = address;
    document.head.append(script);
  });
}

/**
 * A figure in the page's look, where the figure says nothing else.
 * @param {{data?: object[], layout?: object}} figure
 * @param {import("./frame.js").Theme} theme
 * @param {{font: string, height: number, width: number}} place
 * @returns {{data: object[], layout: object}}
 */
export function dressed(figure, theme, { font, height, width }) {
  const layout = figure.layout ?? {};
  const size = Math.max(16, layout.font?.size ?? 16);
  const axis = {
    gridcolor: theme.line,
    linecolor: theme.line,
    zerolinecolor: theme.muted,
    zerolinewidth: 1,
    automargin: true,
    title: { standoff: 12, font: { size } },
    tickfont: { size },
    // Room between the labels and the plot.
    ticks: "outside",
    ticklen: 6,
    tickcolor: "rgba(0,0,0,0)",
  };
  const template = {
    data: { bar: [{ textangle: 0, cliponaxis: false, textposition: "outside" }] },
    layout: {
      colorway: [theme.accent, "#0072b2", "#e69f00", "#00563b", "#6fb1ff", "#131c2e", "#6b7f00"],
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      hoverlabel: { font: { size, family: font }, bgcolor: theme.surface, bordercolor: theme.line },
      legend: { font: { size }, orientation: "h", x: 0, y: 1, yanchor: "bottom" },
      xaxis: axis,
      yaxis: axis,
      margin: { l: 16, r: 16, t: layout.title ? 56 : 24, b: 16 },
      bargap: 0.25,
      dragmode: false,
      title: { font: { size: 18, weight: 600 }, x: 0, xanchor: "left" },
    },
  };
  const given = { ...layout };
  delete given.template;
  return {
    data: figure.data ?? [],
    layout: {
      ...given,
      template,
      font: { color: theme.ink, family: font, ...layout.font, size },
      width,
      height: layout.height ?? height,
      autosize: false,
    },
  };
}
