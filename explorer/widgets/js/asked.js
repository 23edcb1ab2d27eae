// What a page's address asks of the kernel.

/**
 * @param {{ ours: boolean, search: string, language: string, browser: readonly string[], known: string[],
 *   greet: boolean }} page ``ours``: under Voilà, not in JupyterLab; ``search``: the query of its address;
 *   ``language``: in which the page of ours was sent; ``browser``: the languages that its reader wants, the best first;
 *   ``known``: ours; ``greet``: whether nothing has been said of a language before.
 * @returns {Record<string, string>} The address's parameters, as far as they are meant for us, and a language.
 */
export function askedOf({ ours, search, language, browser, known, greet }) {
  const asked = Object.fromEntries(new URLSearchParams(search));
  // In JupyterLab the address is the user's own, and its parameters mean other things.
  const parameters = ours ? asked : "lang" in asked ? { lang: asked.lang } : {};
  if ("lang" in parameters) return parameters;
  // Where nothing is asked for, a page of our own goes on in the language that the browser was greeted in.
  if (ours) return { ...parameters, lang: language };
  const wanted = browser.map((one) => one.toLowerCase().split("-")[0]).find((one) => known.includes(one));
  return greet && wanted ? { ...parameters, lang: wanted } : parameters;
}
