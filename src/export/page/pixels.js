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
  const context = decoded.getContext("2d");
  context?.putImageData(new ImageData(pixels, width, height), 0, 0);
  // A canvas that is too large stays empty without a word.
  if (!context?.getImageData(width - 1, height - 1, 1, 1).data[3])
    throw new Error(`${width} x ${height} pixels are more than this browser draws`);
  load.seconds = (performance.now() - started) / 1000;
  return decoded;
}

// Always as many pixels as the screen has: there is nothing to compute.
const renderers = () => [[`decoded in ${load.seconds.toFixed(1)} s`, (decoded) => {
  share = 1;
  return Object.assign(() => drawPixels(canvas, decoded), { isQuick: true });
}]];
