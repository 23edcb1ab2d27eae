// Sending a file in pieces, each when it is asked for; and finding the picture in what was dropped or pasted.
// Nothing here touches the page, so node can test it.

/**
 * @typedef {{ kind: string, upload?: number, received?: number }} Answer
 * @typedef {{ name: string, size: number, type?: string, slice: (from: number, to: number) => { arrayBuffer: () => Promise<ArrayBuffer> } }} FileLike
 * @typedef {(message: object, buffers?: ArrayBuffer[]) => void} Send
 */

/** Sends one file at a time; a new one takes the place of the one under way. */
export class Uploader {
  /**
   * @param {Send} send
   * @param {{ maxBytes: number, pieceBytes: number, number?: () => number }} limits
   */
  constructor(send, { maxBytes, pieceBytes, number = () => Math.floor(Math.random() * 2 ** 52) }) {
    this.send = send;
    this.maxBytes = maxBytes;
    this.pieceBytes = pieceBytes;
    this.number = number;
    /** @type {{ file: FileLike, upload: number } | null} */
    this.underWay = null;
  }

  /**
   * Announce a file. One that is too large is announced, too, so that the kernel says so, but never sent.
   * @param {FileLike} file
   */
  start(file) {
    const upload = this.number();
    this.underWay = file.size > this.maxBytes ? null : { file, upload };
    this.send({ kind: "begin", upload, name: file.name, size: file.size });
  }

  /**
   * The kernel's answer: which byte it wants next, or that it wants no more.
   * @param {Answer} answer
   */
  async answer(answer) {
    const current = this.underWay;
    if (!current || answer.upload !== current.upload) return;
    if (answer.kind !== "next") {
      this.underWay = null;
      return;
    }
    const offset = answer.received ?? 0;
    let piece;
    try {
      piece = await current.file.slice(offset, Math.min(offset + this.pieceBytes, current.file.size)).arrayBuffer();
    } catch {
      // The file has gone, or may not be read: the kernel says so on the page.
      if (this.underWay === current) this.cancel(true);
      return;
    }
    if (this.underWay !== current) return;
    this.send({ kind: "piece", upload: current.upload, offset }, [piece]);
  }

  /** @param {boolean} failed whether this is nobody's wish */
  cancel(failed = false) {
    if (!this.underWay) return;
    const { upload } = this.underWay;
    this.underWay = null;
    this.send({ kind: "cancel", upload, failed });
  }
}

/** What a window that asks for a picture offers. Cameras call HEIC ``.hif``, and a browser knows no type for it. */
export const PICTURE_FILES =
  "image/jpeg,image/png,image/webp,image/tiff,image/gif,image/heic,image/heif,.heic,.heif,.hif,.tif,.tiff";

const PICTURE_NAME = /\.(jpe?g|png|webp|tiff?|gif|heic|heif|hif)$/i;

/**
 * The first picture among some files; where none looks like one, the first file, so that its owner hears what is
 * wrong with it.
 * @template {{ name: string, type?: string }} T
 * @param {Iterable<T> | null | undefined} files
 * @returns {T | null}
 */
export function pickPicture(files) {
  const all = [...(files ?? [])];
  return all.find((file) => file.type?.startsWith("image/") || PICTURE_NAME.test(file.name)) ?? all[0] ?? null;
}

/**
 * Whether something that is dragged or pasted holds a file.
 * @param {{ types?: readonly string[] } | null | undefined} transfer
 */
export function holdsFile(transfer) {
  return [...(transfer?.types ?? [])].includes("Files");
}

/**
 * A label with its placeholders filled in. The result is text, for textContent.
 * @param {string} template
 * @param {Record<string, string | number>} values
 */
export function filled(template, values) {
  return template.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}
