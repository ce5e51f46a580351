"use strict";
// The whole picture is a function of the plane, computed for each pixel of the screen. `#picture` after the address leaves
// only the picture; `#webgl2` does without WebGPU.
const $ = (id) => document.getElementById(id);
const view = $("view"), picture = { width: +view.dataset.width, height: +view.dataset.height };
const [rows, perRow, planes] = [view.dataset.rows, view.dataset.row, view.dataset.planes].map(Number);
const flags = location.hash.slice(1).split(",");
document.body.classList.toggle("bare", flags.includes("picture"));
// x and y: the picture's point in the middle of the screen, in its pixels. scale: screen pixels for each of them.
const at = { x: picture.width / 2, y: picture.height / 2, scale: 1 };
// Floats have too few digits for points closer than this part of the picture: between them colours are interpolated.
const CELL = 2 ** -18;
const MAX_SCALE = 2 ** 44;
// `share`: of the screen's pixels along each side, few of them at first and while the picture moves.
let canvas = $("picture"), draw = null, split = 0.5, share = flags.includes("picture") ? 1 : 0.25, pending = 0, settling = 0;

async function unpack() {
  const deflated = Uint8Array.from(atob($("table").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([deflated]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const table = new Uint8Array(bytes.length), n = bytes.length / planes;
  for (let plane = 0; plane < planes; plane++)
    for (let i = 0; i < n; i++) table[i * planes + plane] = bytes[plane * n + i];
  return table;
}

// Draws in bands, since drivers stop a program that takes seconds at a time.
const bands = (height, band) => {
  const step = Math.max(16, Math.ceil(height / 16));
  for (let y = 0; y < height; y += step) band(y, Math.min(step, height - y));
};

async function webgpu(table) {
  const adapter = await navigator.gpu?.requestAdapter();
  if (!adapter) throw new Error("there is no WebGPU");
  const device = await adapter.requestDevice();
  const format = navigator.gpu.getPreferredCanvasFormat();
  const module = device.createShaderModule({ code: $("wgsl").textContent });
  const pipeline = await device.createRenderPipelineAsync({
    layout: "auto",
    vertex: { module, entryPoint: "corners" },
    fragment: { module, entryPoint: "pixel", targets: [{ format }] },
  });
  const buffer = (size, usage) => device.createBuffer({ size, usage: usage | GPUBufferUsage.COPY_DST });
  const numbers = buffer(table.byteLength, GPUBufferUsage.STORAGE), uniforms = buffer(48, GPUBufferUsage.UNIFORM);
  device.queue.writeBuffer(numbers, 0, table);
  const entries = [numbers, uniforms].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const context = canvas.getContext("webgpu");
  context.configure({ device, format, alphaMode: "opaque" });
  const paint = async (values) => {
    device.queue.writeBuffer(uniforms, 0, values);
    const target = context.getCurrentTexture().createView();
    bands(canvas.height, (y, height) => {
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginRenderPass({ colorAttachments: [{ view: target, loadOp: y ? "load" : "clear", storeOp: "store" }] });
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.setScissorRect(0, y, canvas.width, height);
      pass.draw(3);
      pass.end();
      device.queue.submit([encoder.finish()]);
    });
    await device.queue.onSubmittedWorkDone();
  };
  return Object.assign(paint, { lost: device.lost });
}

async function webgl2(table) {
  const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, preserveDrawingBuffer: true });
  if (!gl) throw new Error("there is no WebGL2");
  const program = gl.createProgram();
  const corners = "#version 300 es\nvoid main() { gl_Position = vec4(vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0, 0.0, 1.0); }";
  for (const [kind, text] of [[gl.VERTEX_SHADER, corners], [gl.FRAGMENT_SHADER, $("glsl").textContent]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, text.trimStart());
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader));
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program));
  gl.useProgram(program);
  gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32UI, perRow, rows, 0, gl.RGBA_INTEGER, gl.UNSIGNED_INT, new Uint32Array(table.buffer));
  for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
  if (gl.getError()) throw new Error("the table does not fit into a texture");
  gl.enable(gl.SCISSOR_TEST);
  canvas.addEventListener("webglcontextlost", () => say("The graphics driver stopped; reload the page to try again."));
  const place = gl.getUniformLocation(program, "view");
  return async (values) => {
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.uniform4fv(place, values);
    bands(canvas.height, (y, height) => {
      gl.scissor(0, y, canvas.width, height);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
      gl.flush();
    });
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  };
}

const say = (text) => { $("message").textContent = text; };
const pixels = () => ({ width: view.clientWidth * devicePixelRatio, height: view.clientHeight * devicePixelRatio });
const whole = () => Math.min(pixels().width / picture.width, pixels().height / picture.height);

// The picture's point in the corner of the screen. At 1:1, pixels of the picture are whole pixels of the screen.
function corner() {
  const { width, height } = pixels();
  const exact = [at.x - width / 2 / at.scale, at.y - height / 2 / at.scale];
  return at.scale === 1 ? exact.map(Math.ceil) : exact;
}

// What the shaders call `view`, for a canvas of `share` of the screen's pixels.
function values() {
  const scale = at.scale * canvas.width / pixels().width, [x, y] = corner();
  const step = [1 / (scale * picture.width), 1 / (scale * picture.height)];
  const from = [x / picture.width, y / picture.height];
  const deep = Math.max(...step) < CELL;
  const unit = deep ? CELL : 1, base = from.map((v) => (deep ? Math.floor(v / CELL) : 0));
  const first = from.map((v, i) => v / unit - base[i]);
  const samples = deep ? 2 : Math.min(4, Math.max(1, Math.ceil(1 / scale - 1e-6)));
  return new Float32Array([...first, ...step.map((s) => s / unit), ...base, unit, deep, samples, canvas.height, 0, 0]);
}

function drawOriginal() {
  const target = $("original");
  if (!target) return;
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
    context.drawImage($("source"), left, top, w, h, (left - x) * at.scale, (top - y) * at.scale, w * at.scale, h * at.scale);
  view.style.setProperty("--split", `${100 * split}%`);
  $("divider").setAttribute("aria-valuenow", Math.round(100 * split));
}

async function frame() {
  const started = performance.now(), { width, height } = pixels();
  [canvas.width, canvas.height] = [width * share, height * share].map((side) => Math.max(1, Math.round(side)));
  await draw(values());
  const seconds = (performance.now() - started) / 1000;
  // While the picture moves, as many pixels as are drawn in a twentieth of a second.
  frame.share = Math.min(1, Math.max(0.125, share * Math.sqrt(0.05 / Math.max(seconds, 1e-3))));
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
  for (const [i, renderer] of renderers.entries()) {
    const fresh = () => canvas.replaceWith((canvas = canvas.cloneNode()));
    try {
      draw = await renderer(table);
      $("renderer").textContent = { webgpu: "WebGPU", webgl2: "WebGL2" }[renderer.name];
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
  say(`This browser cannot draw the network: ${reasons.join("; ")}.`);
  document.documentElement.dataset.drawn = "nothing";
}

(async () => {
  await $("source")?.decode();
  at.scale = flags.includes("picture") ? 1 : whole();
  listen();
  await start(await unpack(), flags.includes("webgl2") ? [webgl2] : [webgpu, webgl2]);
})().catch((error) => say(`The page is damaged: ${error.message}`));
