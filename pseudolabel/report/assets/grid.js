"use strict";
// A grid of any number of tiles: only those near the visible part of the page exist.
(function () {
  const GAP = 12;
  const LEAST_WIDTH = 190;
  const NARROW_WIDTH = 150;

  /** Return a grid in an element. make(item, width) returns the tile of an item. */
  function grid(box, captionHeight, make) {
    let items = [];
    let tiles = new Map();
    let columns = 1;
    let width = 0;
    let height = 0;

    function measure() {
      const whole = box.clientWidth;
      const least = whole < 500 ? NARROW_WIDTH : LEAST_WIDTH;
      columns = Math.max(1, Math.floor((whole + GAP) / (least + GAP)));
      width = Math.floor((whole - GAP * (columns - 1)) / columns);
      height = Math.round(width * 3 / 4) + captionHeight + GAP;
      box.style.height = Math.ceil(items.length / columns) * height + "px";
    }

    function update() {
      const top = -box.getBoundingClientRect().top;
      const spare = window.innerHeight;
      const first = Math.max(0, Math.floor((top - spare) / height)) * columns;
      const last = Math.ceil((top + window.innerHeight + spare) / height) * columns;
      const kept = new Map();
      for (let place = first; place < Math.min(last, items.length); place += 1) {
        const tile = tiles.get(place) || make(items[place]);
        tiles.delete(place);
        kept.set(place, tile);
        const x = (place % columns) * (width + GAP);
        const y = Math.floor(place / columns) * height;
        tile.style.width = width + "px";
        tile.style.transform = "translate(" + x + "px, " + y + "px)";
        if (!tile.isConnected) {
          box.append(tile);
        }
      }
      for (const tile of tiles.values()) {
        tile.remove();
      }
      tiles = kept;
    }

    /** Show other items, or the same ones drawn anew. */
    function show(others) {
      items = others;
      for (const tile of tiles.values()) {
        tile.remove();
      }
      tiles = new Map();
      measure();
      update();
    }

    let waiting = false;
    function later() {
      if (!waiting) {
        waiting = true;
        requestAnimationFrame(function () {
          waiting = false;
          update();
        });
      }
    }
    window.addEventListener("scroll", later, { passive: true });
    window.addEventListener("resize", function () { measure(); later(); });
    return { show };
  }

  window.report.grid = grid;
})();
