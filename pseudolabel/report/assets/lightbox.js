"use strict";
// A dialog that shows one image large, as a whole or pixel by pixel; arrow keys step to the next.
(function () {
  const { element } = window.report;

  /**
   * Return a lightbox.
   * show(index) returns a promise of the elements to show; count() the number of images.
   * moved(index) is called when another image is shown, closed() when the dialog closes.
   */
  function lightbox(show, count, moved, closed) {
    const content = element("div", {});
    const buttons = element("div", { class: "bar-buttons" });
    const dialog = element("dialog", { "aria-label": "Enlarged image" }, buttons, content);
    let current = 0;

    function button(text, title, act) {
      const made = element("button", { type: "button", title: title, "aria-label": title }, text);
      made.addEventListener("click", act);
      buttons.append(made);
      return made;
    }
    const actual = button("1:1", "actual size, or the whole image (key 1)", toggleSize);
    button("\u2190", "previous image (left arrow)", function () { step(-1); });
    const next = button("\u2192", "next image (right arrow)", function () { step(1); });
    next.setAttribute("autofocus", "");
    button("\u2715", "close (Escape)", function () { dialog.close(); });

    function toggleSize() {
      actual.setAttribute("aria-pressed", dialog.classList.toggle("actual"));
    }

    function step(by) {
      const next = current + by;
      if (next >= 0 && next < count()) {
        moved(next);
        open(next);
      }
    }

    function open(index) {
      current = index;
      show(index).then(function (nodes) {
        if (index === current) {
          content.replaceChildren(...nodes);
        }
      });
      if (!dialog.open) {
        dialog.showModal();
      }
    }

    dialog.addEventListener("keydown", function (event) {
      if (event.key === "1") {
        toggleSize();
      }
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (by) {
        event.preventDefault();
        step(by);
      }
    });
    dialog.addEventListener("click", function (event) {
      if (event.target === dialog) {
        dialog.close();
      }
    });
    dialog.addEventListener("close", closed);
    document.body.append(dialog);
    return { open, close: function () { if (dialog.open) { dialog.close(); } } };
  }

  window.report.lightbox = lightbox;
})();
