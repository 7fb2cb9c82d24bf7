"use strict";
// Pictures: an image with boxes, masks or a label map over it, or with bars below it.
(function () {
  const { site, element, shape, classColour, scoreColour, className } = window.report;

  function thumbnail(image) {
    const hash = image[2];
    return site.thumbnails + "/" + hash.slice(0, 2) + "/" + hash + ".jpg";
  }

  /**
   * Return the picture of an image.
   * options.show(style): whether labels of a style are drawn. options.colour: "class" or "score".
   * options.tags: whether labels have their class written beside them.
   */
  function picture(image, panel, options) {
    const box = element("div", { class: "picture" });
    box.append(element("img", { src: thumbnail(image), alt: "", loading: "lazy", decoding: "async" }));
    if (panel.map) {
      box.append(element("img", { src: panel.map, alt: "", class: "map", loading: "lazy" }));
    }
    if (panel.labels) {
      box.append(overlay(image, panel, options || {}));
    }
    return box;
  }

  function overlay(image, panel, options) {
    const [, , , width, height] = image;
    const svg = shape("svg", { viewBox: "0 0 " + width + " " + height, role: "img" });
    // The best labels are drawn last, so that they lie on top.
    for (const label of [...panel.labels].reverse()) {
      const [name, style] = panel.codes[label[2]];
      if (!options.show || options.show(style)) {
        drawLabel(svg, image, label, name, style, options);
      }
    }
    return svg;
  }

  function drawLabel(svg, image, label, outcome, style, options) {
    const [index, score, , box, outlines] = label;
    const colour = options.colour === "score" ? scoreColour(score) : classColour(index);
    const text = className(index) + " " + score.toFixed(2) + ": " + outcome;
    const forms = outlines && outlines.length ? outlines.map(polygon) : [rectangle(box)];
    for (const form of forms) {
      if (style === "kept" || style === "wrong") {
        svg.append(shape(form.name, { ...form.place, class: "halo" }));
      }
      const fill = { fill: colour, "fill-opacity": outlines && style !== "dropped" ? 0.25 : 0 };
      svg.append(shape(form.name, { ...form.place, ...fill, stroke: colour, class: "shape " + style },
        shape("title", {}, text)));
    }
    // Hidden and dropped objects lie close together: their tags would cover the image.
    if (options.tags && (style === "kept" || style === "wrong")) {
      drawTag(svg, image, box, className(index) + " " + score.toFixed(2), style === "wrong" ? outcome : "");
    }
  }

  function rectangle(box) {
    const [left, top, right, bottom] = box;
    return { name: "rect", place: { x: left, y: top, width: right - left, height: bottom - top } };
  }

  function polygon(points) {
    return { name: "polygon", place: { points: points.join(" ") } };
  }

  function drawTag(svg, image, box, text, outcome) {
    const size = Math.max(image[3], image[4]) / 45;
    const top = box[1] > size * 1.2 ? box[1] - size * 0.25 : box[1] + size;
    const whole = outcome ? text + " " + outcome : text;
    // An approximate width, so that no tag is cut off at the right edge.
    const left = Math.max(0, Math.min(box[0], image[3] - whole.length * size * 0.56));
    svg.append(shape("text", { x: left, y: top, "font-size": size, class: "tag" }, whole));
  }

  /** Return the most probable classes as bars; without a probability, the name alone. */
  function chances(bars) {
    const box = element("div", { class: "chances" });
    for (const [index, chance] of bars) {
      const bar = shape("svg", { viewBox: "0 0 100 10", preserveAspectRatio: "none" });
      if (chance !== null) {
        bar.append(shape("rect", { width: 100 * chance, height: 10, fill: classColour(index) }));
      }
      box.append(element("span", { title: className(index) }, className(index)), bar,
        element("span", {}, chance === null ? "" : chance.toFixed(2)));
    }
    return box;
  }

  Object.assign(window.report, { picture, chances });
})();
