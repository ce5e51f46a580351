"use strict";
// Moves and zooms what another script draws: it has `load`, and `renderers`, of which the first that can draws. `#picture`
// after the address leaves only the picture.
const $ = (id) => document.getElementById(id);
const view = $("view"), picture = { width: +view.dataset.width, height: +view.dataset.height };
const flags = location.hash.slice(1).split(",");
document.body.classList.toggle("bare", flags.includes("picture"));
// x and y: the picture's point in the middle of the screen, in its pixels. scale: screen pixels for each of them.
const at = { x: picture.width / 2, y: picture.height / 2, scale: 1 };
const MAX_SCALE = 2 ** 44;
// `share`: of the screen's pixels along each side, few of them at first and while the picture moves.
let canvas = $("picture"), draw = null, split = 0.5, share = flags.includes("picture") ? 1 : 0.25, pending = 0, settling = 0;

const say = (text) => { $("message").textContent = text; };
const pixels = () => ({ width: view.clientWidth * devicePixelRatio, height: view.clientHeight * devicePixelRatio });
const whole = () => Math.min(pixels().width / picture.width, pixels().height / picture.height);

// The picture's point in the corner of the screen. At 1:1, pixels of the picture are whole pixels of the screen.
function corner() {
  const { width, height } = pixels();
  const exact = [at.x - width / 2 / at.scale, at.y - height / 2 / at.scale];
  return at.scale === 1 ? exact.map(Math.ceil) : exact;
}

// Draws a picture of pixels where the view is.
function drawPixels(target, source) {
  const { width, height } = pixels(), context = target.getContext("2d");
  [target.width, target.height] = [width, height];
  context.imageSmoothingEnabled = at.scale < 1;
  context.fillStyle = "#0f0f0f";
  context.fillRect(0, 0, width, height);
  // Only what is seen: a picture enlarged a million times is more than a canvas takes.
  const [x, y] = corner();
  const [left, top] = [Math.max(x, 0), Math.max(y, 0)];
  const [w, h] = [Math.min(x + width / at.scale, picture.width) - left, Math.min(y + height / at.scale, picture.height) - top];
  if (w > 0 && h > 0)
    context.drawImage(source, left, top, w, h, (left - x) * at.scale, (top - y) * at.scale, w * at.scale, h * at.scale);
}

function drawOriginal() {
  if (!$("original")) return;
  drawPixels($("original"), $("source"));
  view.style.setProperty("--split", `${100 * split}%`);
  $("divider").setAttribute("aria-valuenow", Math.round(100 * split));
}

async function frame() {
  const started = performance.now(), { width, height } = pixels();
  [canvas.width, canvas.height] = [width * share, height * share].map((side) => Math.max(1, Math.round(side)));
  await draw();
  const seconds = (performance.now() - started) / 1000;
  // While the picture moves, as many pixels as are drawn in a twentieth of a second.
  frame.share = draw.isQuick ? 1 : Math.min(1, Math.max(0.125, share * Math.sqrt(0.05 / Math.max(seconds, 1e-3))));
}

async function redraw() {
  if (!draw || pending++) return;
  drawOriginal();
  $("zoom").textContent = at.scale < 1000 ? `${+at.scale.toPrecision(3)}×` : `${at.scale.toExponential(1).replace("e+", "e")}×`;
  let again = false;
  try {
    await new Promise(requestAnimationFrame);
    await frame();
    again = pending > 1;
  } finally {
    pending = 0;
  }
  if (again) return redraw();
  clearTimeout(settling);
  if (share < 1) settling = setTimeout(() => { share = 1; redraw(); }, 200);
  else document.documentElement.dataset.drawn = $("renderer").textContent;
}

const moved = () => { share = frame.share ?? 1; redraw(); };

function zoom(factor, x = view.clientWidth / 2, y = view.clientHeight / 2) {
  const before = at.scale, from = [x - view.clientWidth / 2, y - view.clientHeight / 2].map((v) => v * devicePixelRatio);
  at.scale = Math.min(MAX_SCALE, Math.max(whole() / 8, at.scale * factor));
  at.x += from[0] / before - from[0] / at.scale;
  at.y += from[1] / before - from[1] / at.scale;
  moved();
}

function move(dx, dy) {
  at.x = Math.min(picture.width, Math.max(0, at.x - dx * devicePixelRatio / at.scale));
  at.y = Math.min(picture.height, Math.max(0, at.y - dy * devicePixelRatio / at.scale));
  moved();
}

function fit(scale = whole()) {
  Object.assign(at, { x: picture.width / 2, y: picture.height / 2, scale });
  moved();
}

function listen() {
  const fingers = new Map();
  view.addEventListener("wheel", (e) => { e.preventDefault(); zoom(2 ** (-e.deltaY / (e.ctrlKey ? 50 : 250)), e.clientX, e.clientY); }, { passive: false });
  view.addEventListener("dblclick", (e) => zoom(e.shiftKey ? 0.5 : 2, e.clientX, e.clientY));
  view.addEventListener("pointerdown", (e) => { view.setPointerCapture(e.pointerId); fingers.set(e.pointerId, e); view.classList.add("moving"); });
  view.addEventListener("pointermove", (e) => {
    const before = fingers.get(e.pointerId);
    if (!before) return;
    const other = [...fingers.values()].find((finger) => finger.pointerId !== e.pointerId);
    const distance = (finger) => Math.hypot(finger.clientX - other.clientX, finger.clientY - other.clientY);
    move((e.clientX - before.clientX) / fingers.size, (e.clientY - before.clientY) / fingers.size);
    if (other) zoom(distance(e) / Math.max(1, distance(before)), (e.clientX + other.clientX) / 2, (e.clientY + other.clientY) / 2);
    fingers.set(e.pointerId, e);
  });
  for (const kind of ["pointerup", "pointercancel"])
    view.addEventListener(kind, (e) => { fingers.delete(e.pointerId); view.classList.toggle("moving", fingers.size > 0); });
  const keys = { "+": () => zoom(1.5), "=": () => zoom(1.5), "-": () => zoom(1 / 1.5), 0: () => fit(), 1: () => fit(1),
    ArrowLeft: () => move(60, 0), ArrowRight: () => move(-60, 0), ArrowUp: () => move(0, 60), ArrowDown: () => move(0, -60) };
  addEventListener("keydown", (e) => { if (!e.ctrlKey && !e.metaKey && !e.altKey) keys[e.key]?.(); });
  for (const [id, key] of [["in", "+"], ["out", "-"], ["fit", 0], ["one", 1]]) $(id).onclick = keys[key];
  const divider = $("divider"), slide = (to) => { split = Math.min(1, Math.max(0, to)); drawOriginal(); };
  divider?.addEventListener("pointerdown", (e) => { e.stopPropagation(); divider.setPointerCapture(e.pointerId); });
  divider?.addEventListener("pointermove", (e) => divider.hasPointerCapture(e.pointerId) && slide(e.clientX / view.clientWidth));
  divider?.addEventListener("keydown", (e) => {
    const step = { ArrowLeft: -0.02, ArrowRight: 0.02 }[e.key];
    if (step) { e.stopPropagation(); slide(split + step); }
  });
  let before = whole();
  addEventListener("resize", () => { if (at.scale === before) at.scale = whole(); before = whole(); redraw(); });
}

// Draws with the first that can; where a device is lost later, with those after it.
async function start(table, renderers) {
  const reasons = [];
  for (const [i, [name, renderer]] of renderers.entries()) {
    const fresh = () => canvas.replaceWith((canvas = canvas.cloneNode()));
    try {
      draw = await renderer(table);
      $("renderer").textContent = name;
      say("");
      await redraw();
      draw.lost?.then(() => { fresh(); return start(table, renderers.slice(i + 1)); });
      return;
    } catch (error) {
      reasons.push(error.message);
      draw = null;
      fresh();
    }
  }
  say(`This browser cannot draw the picture: ${reasons.join("; ")}.`);
  document.documentElement.dataset.drawn = "nothing";
}

(async () => {
  await $("source")?.decode();
  at.scale = flags.includes("picture") ? 1 : whole();
  listen();
  await start(await load(), renderers());
})().catch((error) => say(`The picture cannot be shown: ${error.message}`));
