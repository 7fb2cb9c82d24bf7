"use strict";
// Galleries: images with one picture or two side by side; a click enlarges.
(function () {
  const { site, load, element, picture, chances, sizeText, classLegend, lightbox } = window.report;

  function panels(item, options) {
    return item.panels.map(function (panel) {
      const parts = [];
      if (panel.title) {
        parts.push(element("div", { class: "panel-title" }, panel.title));
      }
      parts.push(picture(item.image, panel, options));
      if (panel.bars) {
        parts.push(chances(panel.bars));
      }
      return element("div", {}, ...parts);
    });
  }

  function caption(item, ...lines) {
    const parts = [element("div", {}, item.image[1])];
    if (item.caption) {
      parts.push(element("div", { class: "quiet" }, item.caption));
    }
    for (const line of lines) {
      parts.push(element("div", { class: "quiet" }, line));
    }
    return element("figcaption", { class: "caption" }, ...parts);
  }

  function fill(box, items) {
    const enlarged = lightbox(function (index) {
      const item = items[index];
      const large = element("div", { class: "panels" }, ...panels(item, { large: true }));
      const legend = site.kind === "pixels" ? [classLegend()] : [];
      return Promise.resolve([large, ...legend, caption(item, sizeText(item.image))]);
    }, function () { return items.length; }, function () {}, function () {});
    if (items.some(function (item) { return item.panels.length > 1; })) {
      box.classList.add("pairs");
    }
    if (site.kind !== "classes") {
      box.before(classLegend());
    }
    items.forEach(function (item, index) {
      const title = "enlarge " + item.image[1];
      const button = element("button", { type: "button", "aria-label": title }, ...panels(item, {}));
      button.addEventListener("click", function () { enlarged.open(index); });
      box.append(element("figure", {}, button, caption(item)));
    });
  }

  for (const box of document.querySelectorAll(".gallery")) {
    const name = box.dataset.source;
    load("data/" + name + ".js", name).then(function (items) { fill(box, items); });
  }
})();
