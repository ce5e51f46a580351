"use strict";
// The picture is a function of the plane, computed for each pixel of the screen. `#webgl2` after the address does without
// WebGPU.
const renderers = () => [["WebGPU", webgpu], ["WebGL2", webgl2]].slice(flags.includes("webgl2") ? 1 : 0);
// Floats have too few digits for points closer than this part of the picture: between them colours are interpolated.
const CELL = 2 ** -18;

async function load() {
  const planes = Number(view.dataset.planes);
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
  const paint = async () => {
    device.queue.writeBuffer(uniforms, 0, values());
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
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32UI, +view.dataset.row, +view.dataset.rows, 0, gl.RGBA_INTEGER, gl.UNSIGNED_INT, new Uint32Array(table.buffer));
  for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
  if (gl.getError()) throw new Error("the table does not fit into a texture");
  gl.enable(gl.SCISSOR_TEST);
  canvas.addEventListener("webglcontextlost", () => say("The graphics driver stopped; reload the page to try again."));
  const place = gl.getUniformLocation(program, "view");
  return async () => {
    gl.viewport(0, 0, canvas.width, canvas.height);
    gl.uniform4fv(place, values());
    bands(canvas.height, (y, height) => {
      gl.scissor(0, y, canvas.width, height);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
      gl.flush();
    });
    gl.readPixels(0, 0, 1, 1, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  };
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
