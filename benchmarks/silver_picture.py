"""A picture of one image of the pool: its true labels, and the silver of two rounds.

    cd my_project && python -m benchmarks.silver_picture --out silver.jpg

For objects with boxes or masks; the true labels come from oracle.json in `data.root`. The image is
neither the best nor the worst: among the images that both rounds keep, it is the one with the
median share of true objects that the first of the two rounds finds. Ties go by file name.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from benchmarks.true_labels import true_labels
from pseudolabel.core.project import ROUNDS, RoundFolder
from pseudolabel.core.records import Annotations
from pseudolabel.formats.shards import read_shards
from pseudolabel.formats.silver_folder import DECISIONS, kept_images
from pseudolabel.pages.drawing import read_rgb
from pseudolabel.params.loading import load_params
from pseudolabel.silver.matching import MATCH_IOU, overlaps_of

STYLES = {
    "true label": {"edgecolor": "#1f77b4"},
    "silver, right": {"edgecolor": "#2ca02c"},
    "silver, not among the true labels": {"edgecolor": "#d62728"},
    "hidden": {"edgecolor": "#ff9f1c", "facecolor": "#ff9f1c80", "fill": True},
    "missed": {"edgecolor": "#1f77b4", "linestyle": (0, (2, 1.5))},
}


@dataclass(frozen=True)
class Silver:
    """The silver of one image, compared with its true labels.

    Attributes:
        kept: labels that the student learns.
        hidden: uncertain objects, which the student does not see.
        right: (n,) whether a kept label matches a true object of its class.
        found: (m,) whether a kept label of its class matches each true object.
        missed: (m,) true objects that are neither found nor hidden.
    """

    kept: Annotations
    hidden: Annotations
    right: NDArray[np.bool_]
    found: NDArray[np.bool_]
    missed: NDArray[np.bool_]


def compare(rows: Annotations, true: Annotations, height: int, width: int) -> Silver:
    """Return the silver of an image, compared with its (m,) true objects."""
    kept, hidden = rows[~rows.crowds], rows[rows.crowds]
    matches = overlaps_of(kept, true, height, width) >= MATCH_IOU
    matches &= kept.category_ids[:, None] == true.category_ids[None]
    covered = (overlaps_of(hidden, true, height, width) >= MATCH_IOU).any(axis=0)
    found = matches.any(axis=0)
    return Silver(kept, hidden, matches.any(axis=1), found, ~found & ~covered)


def draw(axes: Axes, pixels: NDArray[np.uint8], title: str, boxes: dict[str, Annotations]) -> None:
    """Draw an image with boxes in the styles of their kinds."""
    axes.imshow(pixels)
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()
    for kind, rows in boxes.items():
        for x1, y1, x2, y2 in rows.boxes_xyxy.tolist():
            style = {"fill": False, "linewidth": 1.6} | STYLES[kind]
            axes.add_patch(Rectangle((x1, y1), x2 - x1, y2 - y1, **style))


def draw_picture(rounds: tuple[int, int], output: Path) -> None:
    """Choose the image, draw it three times, write the picture, and print what it shows."""
    params = load_params()
    with true_labels(params.data.root, params.task) as truth:
        dataset = truth.dataset
    images = dataset.images
    silver: dict[int, list[Silver]] = {}
    both = np.ones(len(images), bool)
    true = [rows[~rows.crowds] for rows in dataset.annotations.by_image(images.ids)]
    for number in rounds:
        folder = RoundFolder(number).silver
        both &= np.isin(images.ids, kept_images(folder / DECISIONS))
        silver[number] = [
            compare(rows, true[row], int(images.heights[row]), int(images.widths[row]))
            for row, rows in enumerate(read_shards(folder).by_image(images.ids))
        ]
    shares = [one.found.mean() if len(one.found) else 0.0 for one in silver[rounds[0]]]
    rows = [row for row in np.argsort(images.file_names, kind="stable") if both[row]]
    row = sorted(rows, key=lambda row: shares[row])[len(rows) // 2]
    pixels = read_rgb(params.data.root / "images" / images.file_names[row], images.hashes[row])
    figure = Figure(figsize=(12, 3.6), layout="constrained")
    panels = figure.subplots(1, 3)
    title = f"true labels (not used): {len(true[row])}"
    draw(panels[0], pixels, title, {"true label": true[row]})
    print(f"image: {images.file_names[row]}")
    for panel, number in zip(panels[1:], rounds, strict=True):
        one = silver[number][row]
        title = f"silver of round {number}: finds {int(one.found.sum())}"
        title += f", misses {int(one.missed.sum())}"
        kinds = {
            "hidden": one.hidden,
            "missed": true[row][one.missed],
            "silver, right": one.kept[one.right],
            "silver, not among the true labels": one.kept[~one.right],
        }
        draw(panel, pixels, title, kinds)
        print(
            f"round {number}: " + ", ".join(f"{len(rows)} {kind}" for kind, rows in kinds.items())
        )
    lines = [
        Line2D([], [], color=style["edgecolor"], linestyle=style.get("linestyle", "-"), label=kind)
        for kind, style in STYLES.items()
    ]
    figure.legend(handles=lines, loc="outside lower center", ncols=len(lines), fontsize=9)
    figure.savefig(output, dpi=110, pil_kwargs={"quality": 85})


def main() -> None:
    """Draw the picture that the command line asks for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("silver.jpg"), help="the picture to write")
    parser.add_argument("--rounds", type=int, nargs=2, help="default: 1 and the last round")
    arguments = parser.parse_args()
    last = max(int(path.parent.name) for path in ROUNDS.glob("*/silver"))
    draw_picture(tuple(arguments.rounds or (1, last)), arguments.out)


if __name__ == "__main__":
    main()
