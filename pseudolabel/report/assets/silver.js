"use strict";
// The silver of a round: filters, sorting, links, and the enlarged image.
(function () {
  const { site, load, element, picture, chances, sizeText, classLegend, lightbox, grid,
    className, classColour, swatch, scoreColours } = window.report;
  const [NAME, RELIABILITY, COUNT, CHANGE, DOUBT, REASON, CLASSES, BINS, REASONS] =
    [1, 5, 6, 7, 8, 9, 10, 11, 12];
  const SORTS = { reliability: RELIABILITY, objects: COUNT, change: CHANGE, doubt: DOUBT, name: NAME };
  const IMAGES_PER_FILE = 2000;
  const LABELS_PER_FILE = 200;
  const SCORE_BINS = 20;
  const UNITS = site.kind === "pixels" ? ["class", "classes"] : ["label", "labels"];
  const REFRESH_AFTER = 700;
  const CAPTION_HEIGHT = { objects: 46, pixels: 46, classes: 112 }[site.kind];
  // The controls and what they say when nothing was chosen.
  const CONTROLS = ["round", "sort", "order", "class", "reason", "low", "high", "name", "kept",
    "hidden", "dropped", "colour", "opacity"];
  const inputs = {};
  const defaults = {};
  let images = [];
  let chosen = [];
  let shownRound = null;
  let openImage = null;

  function value(input) {
    return input.type === "checkbox" ? String(input.checked) : input.value;
  }

  function setUp() {
    for (const name of CONTROLS) {
      const input = document.getElementById(name);
      if (input) {
        inputs[name] = input;
        input.addEventListener("input", changed);
      }
    }
    site.classes.forEach(function (name, index) {
      inputs.class.append(element("option", { value: index }, name));
    });
    for (const [name, input] of Object.entries(inputs)) {
      defaults[name] = value(input);
    }
    document.getElementById("controls").addEventListener("submit", function (event) {
      event.preventDefault();
    });
  }

  function round() {
    return site.rounds[inputs.round.value];
  }

  /** Write the controls and the open image into the address, which can be shared. */
  function writeAddress() {
    const parts = [];
    for (const [name, input] of Object.entries(inputs)) {
      if (value(input) !== defaults[name]) {
        parts.push(name + "=" + encodeURIComponent(value(input)));
      }
    }
    if (openImage !== null) {
      parts.push("image=" + openImage);
    }
    const address = "#" + parts.join("&");
    if (address !== (location.hash || "#")) {
      location.replace(address);
    }
  }

  function readAddress() {
    const given = new Map(location.hash.slice(1).split("&").map(function (part) {
      const at = part.indexOf("=");
      return [part.slice(0, at), decodeURIComponent(part.slice(at + 1))];
    }));
    for (const [name, input] of Object.entries(inputs)) {
      const text = given.has(name) ? given.get(name) : defaults[name];
      if (input.type === "checkbox") {
        input.checked = text === "true";
      } else {
        input.value = text;
      }
    }
    openImage = given.has("image") ? Number(given.get("image")) : null;
  }

  function changed() {
    writeAddress();
    refresh();
  }

  /** Show what the controls ask for; load the round if it is another one. */
  function refresh() {
    if (shownRound !== inputs.round.value) {
      shownRound = inputs.round.value;
      nameReasons();
      loadImages(shownRound);
      return;
    }
    document.documentElement.style.setProperty("--map-opacity", inputs.opacity ? inputs.opacity.value : 1);
    drawLegend();
    choose();
  }

  function nameReasons() {
    const before = inputs.reason.value;
    while (inputs.reason.options.length > 2) {
      inputs.reason.remove(2);
    }
    round().reasons.forEach(function (name, index) {
      inputs.reason.append(element("option", { value: index }, "dropped: " + name));
    });
    const named = new URLSearchParams(location.hash.slice(1)).get("reason");
    inputs.reason.value = named || before;
    if (inputs.reason.selectedIndex < 0) {
      inputs.reason.value = "";
    }
  }

  function loadImages(number) {
    images = [];
    const files = Math.ceil(round().images / IMAGES_PER_FILE);
    refresh();
    let next = 0;
    let shownAt = 0;
    function loadNext() {
      if (next === files || number !== shownRound) {
        return;
      }
      const name = "rounds/" + number + "/images-" + String(next).padStart(5, "0");
      load(name + ".js", name).then(function (rows) {
        if (number === shownRound) {
          rows.forEach(function (row, index) { row.place = next * IMAGES_PER_FILE + index; });
          images = images.concat(rows);
          next += 1;
          // The first file is shown at once. Sorting anew after each further one would take long.
          if (next === 1 || next === files || performance.now() - shownAt > REFRESH_AFTER) {
            refresh();
            shownAt = performance.now();
          }
          setTimeout(loadNext, 0);
        }
      });
    }
    loadNext();
  }

  function passes() {
    const index = inputs.class.value === "" ? null : Number(inputs.class.value);
    const reason = inputs.reason.value;
    const text = inputs.name.value.toLowerCase();
    const low = Math.floor(Number(inputs.low.value || 0) * SCORE_BINS + 1e-6);
    const high = Math.min(SCORE_BINS, Math.ceil(Number(inputs.high.value || 1) * SCORE_BINS - 1e-6));
    const bins = low > 0 || high < SCORE_BINS ? ((1 << high) - 1) & ~((1 << low) - 1) : null;
    return function (row) {
      return (index === null || row[CLASSES].includes(index))
        && (bins === null || (row[BINS] & bins) !== 0)
        && (text === "" || row[NAME].toLowerCase().includes(text))
        && (reason === "" || (reason === "kept" ? row[REASON] < 0
          : row[REASON] === Number(reason) || (row[REASONS] & (1 << Number(reason))) !== 0));
    };
  }

  function choose() {
    chosen = images.filter(passes());
    const column = SORTS[inputs.sort.value];
    const sign = inputs.order.value === "down" ? -1 : 1;
    const compare = column === NAME
      ? function (a, b) { return a[NAME] < b[NAME] ? -1 : a[NAME] > b[NAME] ? 1 : 0; }
      : function (a, b) { return a[column] - b[column]; };
    chosen.sort(function (a, b) { return sign * compare(a, b) || a.place - b.place; });
    const text = chosen.length.toLocaleString("en") + " of " + round().images.toLocaleString("en") + " images";
    document.getElementById("count").textContent = images.length < round().images ? text + ", loading" : text;
    tiles.show(chosen);
    showOpenImage();
  }

  function showOpenImage() {
    if (openImage === null) {
      enlarged.close();
      return;
    }
    const index = chosen.findIndex(function (row) { return row[0] === openImage; });
    if (index >= 0) {
      enlarged.open(index);
    }
  }

  function labelsOf(row) {
    const number = String(Math.floor(row.place / LABELS_PER_FILE)).padStart(5, "0");
    const name = "rounds/" + shownRound + "/labels-" + number;
    return load(name + ".js", name).then(function (rows) { return rows[row.place % LABELS_PER_FILE]; });
  }

  function panelOf(row, labels) {
    const reasons = round().reasons;
    if (site.kind === "pixels") {
      const name = String(row[0]).padStart(9, "0") + ".png";
      return labels.length ? { map: "rounds/" + shownRound + "/maps/" + name } : {};
    }
    if (site.kind === "classes") {
      return { bars: labels };
    }
    const outcomes = [["kept", "kept"], ["hidden", "hidden"], ...reasons.map(function (reason) {
      return ["dropped: " + reason, "dropped"];
    })];
    if (row[REASON] >= 0) {
      // A dropped image has no silver, whatever its labels are.
      outcomes[0] = outcomes[1] = ["image dropped: " + reasons[row[REASON]], "dropped"];
    }
    return { labels: labels, codes: outcomes };
  }

  function options(large) {
    return {
      large: large,
      colour: inputs.colour ? inputs.colour.value : "class",
      show: function (style) { return !inputs[style] || inputs[style].checked; },
    };
  }

  /** Return the value that images are sorted by, in words. */
  function sortText(row) {
    const texts = {
      change: (100 * row[CHANGE]).toFixed(0) + "% changed",
      doubt: "doubt " + row[DOUBT].toFixed(2),
    };
    return texts[inputs.sort.value] || "reliability " + row[RELIABILITY].toFixed(2);
  }

  function caption(row) {
    const parts = [sortText(row)];
    if (row[REASON] >= 0) {
      // First, because a long text is cut off.
      parts.unshift("dropped: " + round().reasons[row[REASON]]);
    } else if (site.kind !== "classes") {
      parts.push(row[COUNT] + " " + (row[COUNT] === 1 ? UNITS[0] : UNITS[1]));
    }
    return element("div", { class: "caption", title: row[NAME] }, element("div", {}, row[NAME]),
      element("div", { class: "quiet" }, parts.join(", ")));
  }

  function tile(row) {
    const made = element("a", { class: row[REASON] >= 0 ? "tile is-dropped" : "tile", "data-id": row[0] });
    made.href = address(row);
    const plain = picture(row, {}, {});
    made.append(plain, caption(row));
    labelsOf(row).then(function (labels) {
      const panel = panelOf(row, labels);
      plain.replaceWith(picture(row, panel, options(false)));
      if (panel.bars) {
        made.append(chances(panel.bars));
      }
    });
    made.addEventListener("click", function (event) {
      if (!event.ctrlKey && !event.metaKey && !event.shiftKey) {
        event.preventDefault();
        openImage = row[0];
        writeAddress();
        showOpenImage();
      }
    });
    return made;
  }

  function address(row) {
    const number = inputs.round.value === defaults.round ? "" : "round=" + inputs.round.value + "&";
    return "#" + number + "image=" + row[0];
  }

  function facts(row, labels) {
    const values = [sizeText(row), "reliability " + row[RELIABILITY].toFixed(2), "doubt " + row[DOUBT].toFixed(2)];
    if (round().compared) {
      values.push((100 * row[CHANGE]).toFixed(0) + "% changed since the round before");
    }
    const lines = [element("li", {}, values.join("; "))];
    if (site.kind === "pixels") {
      for (const [index, score, outcome, share] of labels) {
        lines.push(element("li", {}, swatch(classColour(index)), className(index) + ": "
          + (100 * share).toFixed(1) + "% of the image, confidence " + score.toFixed(2)
          + (outcome ? ", all of it ignored" : "")));
      }
    }
    return element("ul", { class: "facts" }, ...lines);
  }

  const tiles = grid(document.getElementById("grid"), CAPTION_HEIGHT, tile);
  const enlarged = lightbox(function (index) {
    const row = chosen[index];
    return labelsOf(row).then(function (labels) {
      const panel = panelOf(row, labels);
      const nodes = [element("div", { class: "panels" }, picture(row, panel, options(true)))];
      if (panel.bars) {
        nodes.push(chances(panel.bars));
      }
      return [...nodes, caption(row), facts(row, labels)];
    });
  }, function () { return chosen.length; }, function (index) {
    openImage = chosen[index][0];
    writeAddress();
  }, function () {
    openImage = null;
    writeAddress();
  });

  function drawLegend() {
    const box = document.getElementById("legend");
    if (inputs.colour && inputs.colour.value === "score") {
      box.replaceChildren(element("div", { class: "scale" }, element("span", {}, "score 0"),
        ...scoreColours.map(swatch), element("span", {}, "1")));
      return;
    }
    box.replaceChildren(classLegend());
  }

  setUp();
  readAddress();
  window.addEventListener("hashchange", function () { readAddress(); refresh(); });
  refresh();
})();
