"use strict";
// A compressed picture, decoded here once.
const bytesOf = (id) => Uint8Array.from(atob($(id).textContent), (c) => c.charCodeAt(0));

async function load() {
  const started = performance.now(), pause = () => new Promise((resume) => setTimeout(resume));
  const { width, height, pixels } = await decode(bytesOf("file"), new Int16Array(bytesOf("start").buffer), (done) => {
    say(`Decoding … ${Math.floor(100 * done)} %`);
    return pause();
  });
  const decoded = Object.assign(document.createElement("canvas"), { width, height });
  decoded.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  load.seconds = (performance.now() - started) / 1000;
  return decoded;
}

// At once with as many pixels as the screen has: there is nothing to compute.
const renderers = () => [[`decoded in ${load.seconds.toFixed(1)} s`, (decoded) => {
  share = 1;
  return () => drawPixels(canvas, decoded);
}]];
