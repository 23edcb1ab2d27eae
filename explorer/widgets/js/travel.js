// Going to a part of the page that is still growing.

/** So long nothing may have grown before the section that was gone to counts as reached. */
const SETTLED = 2500;
/** And so long at most: who reads for a while without touching anything wants no surprise any more. */
const LONGEST = 20000;
const BY_HAND = ["wheel", "touchstart", "pointerdown", "keydown"];

/**
 * Scroll to a section, and stay with it while stages, built as they come into view, push it away or (below it) make room
 * to scroll on; until the reader does something else.
 * @param {Element} section
 */
export function goTo(section) {
  // Where one stage at a time is shown, there is no way to scroll.
  document.dispatchEvent(new CustomEvent("vx-go", { detail: section }));
  if (section.closest(".vx-teaching")) return;
  // Below the bar, which is the higher the more it has to say.
  const bar = section.closest(".vx")?.querySelector(".vx-bar");
  if (bar instanceof HTMLElement && section instanceof HTMLElement) {
    section.style.scrollMarginTop = `calc(${bar.offsetHeight + 2}px + var(--vx-noted, 0px))`;
  }
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  // A long way is jumped: gliding over the stages between would have all of them built before the one that is wanted.
  const far = Math.abs(section.getBoundingClientRect().top) > 1.5 * window.innerHeight;
  section.scrollIntoView({ behavior: still || far ? "auto" : "smooth", block: "start" });
  const begun = performance.now();
  // The first report is of the sizes that things have; only later ones are about growth.
  let told = false;
  let timer = 0;
  const stop = () => {
    clearTimeout(timer);
    observer.disconnect();
    for (const name of BY_HAND) window.removeEventListener(name, stop, { capture: true });
  };
  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(stop, Math.min(SETTLED, begun + LONGEST - performance.now()));
  };
  const observer = new ResizeObserver(() => {
    if (!section.isConnected) return stop();
    if (told) {
      section.scrollIntoView({ behavior: "auto", block: "start" });
      wait();
    }
    told = true;
  });
  for (const sibling of section.parentElement?.children ?? []) observer.observe(sibling);
  wait();
  for (const name of BY_HAND) window.addEventListener(name, stop, { capture: true, passive: true });
}
