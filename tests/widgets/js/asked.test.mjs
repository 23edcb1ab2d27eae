// What a page's address asks for, and in which language a notebook's page opens.

import assert from "node:assert/strict";
import { test } from "node:test";

import { askedOf } from "../../../explorer/widgets/js/asked.js";

const page = (changes) => askedOf({ ours: false, search: "", language: "en", browser: ["en-US"], known: ["en", "ja"], greet: true, ...changes });

test("a page of our own goes on in the language that it was sent in, whatever the browser wants", () => {
  assert.deepEqual(page({ ours: true, language: "ja" }), { lang: "ja" });
  assert.deepEqual(page({ ours: true, search: "?lang=ja&layer=3" }), { lang: "ja", layer: "3" });
});

test("a notebook's page opens in the first language of the browser's that there is", () => {
  assert.deepEqual(page({ browser: ["ja-JP", "en"] }), { lang: "ja" });
  assert.deepEqual(page({ browser: ["fr-FR", "JA"] }), { lang: "ja" });
  assert.deepEqual(page({ browser: ["fr"] }), {});
});

test("in JupyterLab the address says no more than the language, and what was chosen before counts", () => {
  assert.deepEqual(page({ search: "?layer=3&reset" , browser: ["fr"] }), {});
  assert.deepEqual(page({ search: "?lang=en", browser: ["ja"] }), { lang: "en" });
  assert.deepEqual(page({ browser: ["ja"], greet: false }), {});
});
