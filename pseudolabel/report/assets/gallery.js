"use strict";
// Galleries: images with one picture or two side by side; a click enlarges.
(function () {
  const { load, element, picture, chances, lightbox } = window.report;

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

  function caption(item) {
    const parts = [element("div", {}, item.image[1])];
    if (item.caption) {
      parts.push(element("div", { class: "quiet" }, item.caption));
    }
    return element("figcaption", { class: "caption" }, ...parts);
  }

  function fill(box, items) {
    const enlarged = lightbox(function (index) {
      const item = items[index];
      const large = element("div", { class: "panels" }, ...panels(item, { tags: true }));
      return Promise.resolve([large, caption(item)]);
    }, function () { return items.length; }, function () {}, function () {});
    if (items.some(function (item) { return item.panels.length > 1; })) {
      box.classList.add("pairs");
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
