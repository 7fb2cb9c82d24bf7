"use strict";
// Pictures: an image with boxes, masks or a label map over it, or with bars below it.
(function () {
  const { site, element, shape, classColour, scoreColour, className, swatch } = window.report;
  const MOST_IN_LEGEND = 40;
  const MANY = 40;
  const TAG_SIZE = 12;
  const TAG_WIDTH = 640;
  const withLarge = new Set(site.with_large);

  /** Return the copy of an image: its address, and its width and height in pixels. */
  function copyOf(image, large) {
    const [, , hash, width, height] = image;
    const isLarge = large && withLarge.has(hash);
    const factor = Math.min(1, site.sides[isLarge ? 1 : 0] / Math.max(width, height));
    return {
      address: (isLarge ? site.large : site.thumbnails) + "/" + hash.slice(0, 2) + "/" + hash + ".jpg",
      width: Math.round(width * factor),
      height: Math.round(height * factor),
    };
  }

  /** Return the size of an image in words, and that of its enlarged copy if it is smaller. */
  function sizeText(image) {
    const [, , , width, height] = image;
    const copy = copyOf(image, true);
    const whole = width.toLocaleString("en") + " x " + height.toLocaleString("en") + " pixels";
    return copy.width === width ? whole
      : whole + ", shown from a copy of " + copy.width.toLocaleString("en") + " x "
        + copy.height.toLocaleString("en");
  }

  /** Return the colours of the classes. */
  function classLegend() {
    const items = site.classes.slice(0, MOST_IN_LEGEND).map(function (name, index) {
      return element("li", {}, swatch(classColour(index)), name);
    });
    const left = site.classes.length - items.length;
    if (left > 0) {
      items.push(element("li", {}, "and " + left.toLocaleString("en") + " more"));
    }
    return element("ul", { class: "legend" }, ...items);
  }

  /**
   * Return the picture of an image.
   * options.show(style): whether labels of a style are drawn. options.colour: "class" or "score".
   * options.large: whether it is the enlarged one. Its labels have their class written beside them.
   */
  function picture(image, panel, options) {
    const box = element("div", { class: "picture" });
    const copy = copyOf(image, options.large);
    box.style.setProperty("--width", copy.width + "px");
    box.style.setProperty("--height", copy.height + "px");
    box.append(element("img", { src: copy.address, alt: "", loading: "lazy", decoding: "async" }));
    if (panel.map) {
      box.append(element("img", { src: panel.map, alt: "", class: "map", loading: "lazy" }));
    }
    if (panel.labels) {
      box.append(overlay(image, panel, options));
    }
    return box;
  }

  function overlay(image, panel, options) {
    const [, , , width, height] = image;
    const svg = shape("svg", { viewBox: "0 0 " + width + " " + height, role: "img",
      class: panel.labels.length > MANY ? "dense" : "" });
    const tags = [];
    // The best labels are drawn last, so that they lie on top.
    for (const label of [...panel.labels].reverse()) {
      const [name, style] = panel.codes[label[2]];
      if (!options.show || options.show(style)) {
        drawLabel(svg, label, name, style, options);
        tags.unshift({ box: label[3], text: tagText(label, name, style) });
      }
    }
    if (options.large) {
      drawTags(svg, image, tags);
    }
    return svg;
  }

  function nameOf(label) {
    const [index, score] = label;
    return score === null ? className(index) : className(index) + " " + score.toFixed(2);
  }

  function isMain(style) {
    return style === "kept" || style === "wrong" || style === "region";
  }

  /** Return what is written beside a label. Hidden and dropped objects lie too close together. */
  function tagText(label, outcome, style) {
    const [index, score] = label;
    const parts = [];
    if (style === "kept" || style === "wrong") {
      // The name of the only class would be noise.
      parts.push(site.classes.length > 1 ? className(index) : "", score === null ? "" : score.toFixed(2));
    }
    if (style === "wrong" || style === "region") {
      parts.push(outcome);
    }
    return parts.filter(Boolean).join(" ");
  }

  function drawLabel(svg, label, outcome, style, options) {
    const [index, score, , box, outlines] = label;
    const colour = options.colour === "score" ? scoreColour(score) : classColour(index);
    const forms = outlines && outlines.length ? outlines.map(polygon) : [rectangle(box)];
    for (const form of forms) {
      if (isMain(style)) {
        svg.append(shape(form.name, { ...form.place, class: "halo" }));
      }
      const fill = { fill: colour, "fill-opacity": outlines && style !== "dropped" ? 0.25 : 0 };
      svg.append(shape(form.name, { ...form.place, ...fill, stroke: colour, class: "shape " + style },
        shape("title", {}, style === "region" ? outcome : nameOf(label) + ": " + outcome)));
    }
  }

  function rectangle(box) {
    const [left, top, right, bottom] = box;
    return { name: "rect", place: { x: left, y: top, width: right - left, height: bottom - top } };
  }

  function polygon(points) {
    return { name: "polygon", place: { points: points.join(" ") } };
  }

  /** Write tags, the most important ones first; one that would cover another is left out. */
  function drawTags(svg, image, tags) {
    // About 12 pixels on the screen, whatever the size of the image.
    const size = TAG_SIZE * Math.max(image[3], image[4]) / Math.min(window.innerWidth, TAG_WIDTH);
    const places = [];
    for (const { box, text } of tags) {
      const y = box[1] > size * 1.2 ? box[1] - size * 0.25 : box[1] + size;
      // An approximate width, so that no tag is cut off at the right edge.
      const width = text.length * size * 0.66;
      const x = Math.max(0, Math.min(box[0], image[3] - width));
      const isFree = places.every(function (place) {
        return Math.abs(place.y - y) >= 1.2 * size || x >= place.x + place.width || place.x >= x + width;
      });
      if (text && isFree) {
        places.push({ x: x, y: y, width: width });
        svg.append(shape("text", { x: x, y: y, "font-size": size, class: "tag" }, text));
      }
    }
  }

  /** Return the most probable classes as bars; without a probability, the name alone. */
  function chances(bars) {
    const box = element("div", { class: "chances" });
    for (const [index, chance] of bars) {
      box.append(element("span", { title: className(index) }, className(index)));
      if (chance === null) {
        box.append(element("span", {}), element("span", {}));
      } else {
        const bar = shape("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none" });
        bar.append(shape("rect", { width: 100 * chance, height: 10, fill: classColour(index) }));
        box.append(bar, element("span", {}, chance.toFixed(2)));
      }
    }
    return box;
  }

  Object.assign(window.report, { picture, chances, sizeText, classLegend });
})();
