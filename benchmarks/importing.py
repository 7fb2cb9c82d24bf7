"""Time and memory of importing 100,000 images, beside the readers of supervision.

    python -m benchmarks.importing   # as in docs/benchmarks.md

The images are small and of one colour, with eight boxes on average, as a COCO file and as YOLO.
Each reader runs in a process of its own; the program prints its seconds and its peak resident
memory. This project also checks every image file, and copies it into the raw root, which
supervision does not; both parts are timed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.hundred_thousand import images_asked_for, write_root

READ = """
import sys, time
from pathlib import Path
form, folder = sys.argv[1], Path(sys.argv[2])
from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from pseudolabel.raw.importers.writer import write_raw_root
source = folder / "gold.json" if form == "coco" else folder
start = time.perf_counter()
found = IMPORTERS[form](ImportRequest(source, "gold"))
read = time.perf_counter()
write_raw_root(found, folder / f"root_{form}")
parts = [read - start, time.perf_counter() - read]
count = sum(len(split.content["annotations"]) for split in found.splits.values())
"""
SUPERVISION = """
import sys, time
from pathlib import Path
import supervision as sv
form, folder = sys.argv[1], Path(sys.argv[2])
start = time.perf_counter()
if form == "coco":
    data = sv.DetectionDataset.from_coco(str(folder / "images"), str(folder / "gold.json"))
else:
    data = sv.DetectionDataset.from_yolo(
        str(folder / "images/000"), str(folder / "labels/000"), str(folder / "data.yaml")
    )
parts = [time.perf_counter() - start]
count = sum(map(len, data.annotations.values()))
"""
PRINT = """
import json
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(json.dumps([parts, int(status["VmHWM"].split()[0]) / 1e6, count]))
"""


def write_yolo(root: Path) -> None:
    """Write the labels of gold.json as YOLO, and a data.yaml."""
    content = json.loads((root / "gold.json").read_bytes())
    lines: dict[int, list[str]] = {row["id"]: [] for row in content["images"]}
    sizes = {row["id"]: (row["width"], row["height"]) for row in content["images"]}
    for row in content["annotations"]:
        x, y, across, down = row["bbox"]
        width, height = sizes[row["image_id"]]
        values = [(x + across / 2) / width, (y + down / 2) / height, across / width, down / height]
        numbers = " ".join(f"{value:.6f}" for value in values)
        lines[row["image_id"]].append(f"{row['category_id'] - 1} {numbers}\n")
    for row in content["images"]:
        path = (root / "labels" / row["file_name"]).with_suffix(".txt")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(lines[row["id"]]), encoding="utf-8")
    names = [row["name"] for row in content["categories"]]
    (root / "data.yaml").write_text(f"names: {json.dumps(names)}\ntrain: images\n")


def main() -> None:
    """Write the data, run each reader, and print the table."""
    images = images_asked_for(__doc__)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        write_root(root, images, np.random.default_rng(0), labelled_share=1.0, folders=1)
        write_yolo(root)
        print("| reader | format | reading, s | writing, s | peak, GB | boxes |")
        print("| --- | --- | --- | --- | --- | --- |")
        for form in ("coco", "yolo"):
            for reader, code in (("pseudolabel", READ), ("supervision", SUPERVISION)):
                command = [sys.executable, "-c", code + PRINT, form, name]
                run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                parts, peak, count = json.loads(run.stdout.splitlines()[-1])
                cells = [f"{part:.1f}" for part in parts] + ["-"] * (2 - len(parts))
                print(f"| {reader} | {form} | {' | '.join(cells)} | {peak:.2f} | {count:,} |")


if __name__ == "__main__":
    main()
