// node --test tests/widgets/js/upload.test.mjs
import assert from "node:assert/strict";
import { test } from "node:test";

import { Uploader, filled, holdsFile, pickPicture } from "../../../explorer/widgets/js/upload.js";

const bytes = (length) => Uint8Array.from({ length }, (_, index) => (index * 7) % 251);
const fileOf = (content, name = "cat.jpg") => new File([content], name, { type: "image/jpeg" });

/** A kernel that asks for piece after piece, as picture_input.py does. */
function kernel(limits = {}) {
  const sent = [];
  const received = [];
  let announced = null;
  const uploader = new Uploader((message, buffers) => sent.push({ message, buffers }), {
    maxBytes: 1000,
    pieceBytes: 100,
    ...limits,
  });
  /** Answer everything that has been sent, until nothing more comes. */
  async function run(steps = Infinity) {
    for (let at = 0; at < sent.length && steps > 0; at += 1, steps -= 1) {
      const { message, buffers } = sent[at];
      if (message.kind === "begin") announced = message;
      if (message.kind === "piece") received.push(...new Uint8Array(buffers[0]));
      const kind = received.length < announced.size ? "next" : "stop";
      await uploader.answer({ kind, upload: message.upload, received: received.length });
    }
  }
  return { uploader, sent, received, run };
}

test("a file arrives whole, in pieces that are no larger than allowed", async () => {
  const { uploader, sent, received, run } = kernel();
  const content = bytes(950);
  uploader.start(fileOf(content));
  await run();
  assert.deepEqual(received, [...content]);
  assert.deepEqual(sent[0].message, { kind: "begin", upload: sent[0].message.upload, name: "cat.jpg", size: 950 });
  const pieces = sent.slice(1);
  assert.equal(pieces.length, 10);
  assert.deepEqual(pieces.map(({ message }) => message.offset), [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
  assert.ok(pieces.every(({ buffers }) => buffers[0].byteLength <= 100));
  assert.equal(uploader.underWay, null);
});

test("nothing is sent before it is asked for", async () => {
  const { uploader, sent } = kernel();
  uploader.start(fileOf(bytes(500)));
  assert.equal(sent.length, 1);
  await uploader.answer({ kind: "next", upload: sent[0].message.upload, received: 0 });
  assert.equal(sent.length, 2);
});

test("a file that is too large is announced and never sent", async () => {
  const { uploader, sent } = kernel();
  uploader.start(fileOf(bytes(1001)));
  assert.equal(sent[0].message.size, 1001);
  await uploader.answer({ kind: "next", upload: sent[0].message.upload, received: 0 });
  assert.equal(sent.length, 1);
});

test("a new file takes the place of the one under way, even while a piece is being read", async () => {
  const { uploader, sent } = kernel();
  uploader.start(fileOf(bytes(500), "first.jpg"));
  const first = sent[0].message.upload;
  const reading = uploader.answer({ kind: "next", upload: first, received: 0 });
  uploader.start(fileOf(bytes(300), "second.jpg"));
  await reading;
  assert.deepEqual(sent.map(({ message }) => message.kind), ["begin", "begin"]);
  await uploader.answer({ kind: "next", upload: first, received: 100 });
  assert.equal(sent.length, 2, "the first file is not gone on with");
  await uploader.answer({ kind: "next", upload: sent[1].message.upload, received: 200 });
  assert.equal(sent[2].buffers[0].byteLength, 100);
});

test("a file that cannot be read is given up, and the kernel is told", async () => {
  const { uploader, sent } = kernel();
  const gone = { name: "x.png", size: 10, slice: () => ({ arrayBuffer: () => Promise.reject(new Error("gone")) }) };
  uploader.start(gone);
  await uploader.answer({ kind: "next", upload: sent[0].message.upload, received: 0 });
  assert.deepEqual(sent[1].message, { kind: "cancel", upload: sent[0].message.upload, failed: true });
  assert.equal(uploader.underWay, null);
});

test("cancelling tells the kernel once", () => {
  const { uploader, sent } = kernel();
  uploader.cancel();
  assert.equal(sent.length, 0);
  uploader.start(fileOf(bytes(10)));
  uploader.cancel();
  uploader.cancel();
  assert.deepEqual(sent.map(({ message }) => message.kind), ["begin", "cancel"]);
  assert.equal(sent[1].message.failed, false);
});

test("the first picture is picked, else the first file", () => {
  const text = { name: "notes.txt", type: "text/plain" };
  const heic = { name: "IMG_1.HEIC", type: "" };
  assert.equal(pickPicture([text, heic]), heic);
  const camera = { name: "DSC00042.HIF", type: "" };
  assert.equal(pickPicture([text, camera]), camera);
  assert.equal(pickPicture([text]), text);
  assert.equal(pickPicture([]), null);
  assert.equal(pickPicture(undefined), null);
});

test("what holds a file is told from what holds text", () => {
  assert.equal(holdsFile({ types: ["text/plain", "Files"] }), true);
  assert.equal(holdsFile({ types: ["text/uri-list"] }), false);
  assert.equal(holdsFile(null), false);
});

test("placeholders are filled in once, and hostile names stay as they are", () => {
  assert.equal(filled("{name}: {percent} %", { name: "{percent}<b>$&", percent: 4 }), "{percent}<b>$&: 4 %");
  assert.equal(filled("{other}", {}), "{other}");
});
