// Where the square that a model sees lies on the picture. `center` is the place in the free travel, 0 to 1.

/** @param {number} value */
export function clamp(value) {
  return Math.min(1, Math.max(0, value));
}

/**
 * The square's edge, as a part of the picture.
 * @param {number} center
 * @param {number} side the square's side as a part of the picture's
 */
export function edge(center, side) {
  return center * (1 - side);
}

/**
 * The place in the free travel where the square's edge lies at `position`.
 * @param {number} position
 * @param {number} side
 * @param {number} fallback what is kept where there is no travel
 */
export function centerAt(position, side, fallback) {
  return side < 1 ? clamp(position / (1 - side)) : fallback;
}

/**
 * Where an arrow key takes the square; null for other keys.
 * @param {string} key
 * @param {boolean} far with Shift
 * @param {{ x: number, y: number }} center
 */
export function moved(key, far, center) {
  const step = far ? 0.2 : 0.05;
  const by = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }[key];
  if (by) return { x: rounded(center.x + by[0]), y: rounded(center.y + by[1]) };
  if (key === "Home") return { x: 0, y: 0 };
  if (key === "End") return { x: 1, y: 1 };
  return null;
}

/** Steps of 0.05 that add up to whole ones. */
function rounded(value) {
  return Math.round(clamp(value) * 1e6) / 1e6;
}
