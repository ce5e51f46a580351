"use strict";
// Each scene has tiles with reconstructions and one with the truth. The wipe shows the tile chosen
// on the left of the cut and the truth on its right. Without a script the tiles are still there.
for (const scene of document.querySelectorAll(".scene")) {
  const tiles = [...scene.querySelectorAll("button.tile")];
  const truth = scene.querySelector(".tile.truth img");
  const wipe = scene.querySelector(".wipe");
  if (!wipe || !truth || tiles.length === 0) continue;
  const stage = wipe.querySelector(".stage");
  const over = wipe.querySelector(".over");
  const under = wipe.querySelector(".under");
  const range = wipe.querySelector("input");
  const name = wipe.querySelector(".name");
  const cut = (value) => {
    range.value = value;
    wipe.style.setProperty("--cut", range.value + "%");
  };
  const choose = (tile) => {
    const image = tile.querySelector("img");
    over.src = image.src;
    over.alt = image.alt;
    over.classList.toggle("tiny", image.classList.contains("tiny"));
    name.textContent = "\u25c0 " + tile.dataset.name;
    for (const other of tiles) other.setAttribute("aria-pressed", String(other === tile));
  };
  under.src = truth.src;
  under.alt = truth.alt;
  under.classList.toggle("tiny", truth.classList.contains("tiny"));
  for (const tile of tiles) tile.addEventListener("click", () => choose(tile));
  range.addEventListener("input", () => cut(range.value));
  const drag = (event) => {
    const box = stage.getBoundingClientRect();
    cut(Math.round((1000 * (event.clientX - box.left)) / box.width) / 10);
  };
  stage.addEventListener("pointerdown", (event) => {
    stage.setPointerCapture(event.pointerId);
    drag(event);
  });
  stage.addEventListener("pointermove", (event) => {
    if (stage.hasPointerCapture(event.pointerId)) drag(event);
  });
  wipe.hidden = false;
  cut(50);
  choose(tiles.find((tile) => tile.dataset.best === "yes") ?? tiles[0]);
}
