"use strict";
// What all scripts share: the facts of the site, loading of data, and making of elements.
(function () {
  const site = window.reportData.site;
  const SVG = "http://www.w3.org/2000/svg";
  const SCORE_COLOURS = ["#440154", "#482878", "#3e4a89", "#31688e", "#26828e", "#1f9e89",
    "#35b779", "#6dcd59", "#b4de2c", "#fde725"];
  const loading = new Map();

  /** Return the data of a script by its name, once the script has run. */
  function load(path, name) {
    if (!loading.has(path)) {
      loading.set(path, new Promise(function (resolve, reject) {
        const script = document.createElement("script");
        script.src = path;
        script.addEventListener("load", function () {
          resolve(window.reportData[name]);
          delete window.reportData[name];
          script.remove();
        });
        script.addEventListener("error", function () { reject(new Error("missing: " + path)); });
        document.head.append(script);
      }));
    }
    return loading.get(path);
  }

  /** Return an element of HTML. Children are elements or plain texts, never HTML. */
  function element(name, attributes, ...children) {
    return filled(document.createElement(name), attributes, children);
  }

  /** Return an element of SVG. */
  function shape(name, attributes, ...children) {
    return filled(document.createElementNS(SVG, name), attributes, children);
  }

  function filled(node, attributes, children) {
    for (const [key, value] of Object.entries(attributes || {})) {
      node.setAttribute(key, value);
    }
    node.append(...children);
    return node;
  }

  function classColour(index) {
    return site.colours[index % site.colours.length];
  }

  function scoreColour(score) {
    return SCORE_COLOURS[Math.min(9, Math.floor(score * 10))];
  }

  function className(index) {
    return index < site.classes.length ? site.classes[index] : "nothing";
  }

  function swatch(colour) {
    return shape("svg", { viewBox: "0 0 10 10", class: "swatch", "aria-hidden": "true" },
      shape("rect", { width: 10, height: 10, fill: colour }));
  }

  window.report = { site, load, element, shape, classColour, scoreColour, className, swatch,
    scoreColours: SCORE_COLOURS };
})();
