"""Time and peak memory of the report, and the first paint of its silver page.

    python -m benchmarks.report_speed            # as in docs/benchmarks.md
    python -m benchmarks.report_speed --pools 1000 --browser

Each pool has noise images and 25 random predictions per image, without any model. Indexing and
comparing run in processes of their own, a second time without any change. The program prints their
seconds, their seconds of CPU and their peak resident memory (VmHWM). With --browser, it opens the
silver page in Chromium and prints when the first tile was there.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage

import cv2
import numpy as np
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from benchmarks.preset_params import preset_params
from pseudolabel.core.datasets import PARTIAL, TUNING
from pseudolabel.core.files import hash_bytes, write_csv, write_json
from pseudolabel.core.project import PREPARED, RoundFolder
from pseudolabel.core.records import Annotations, Category, Dataset, Images
from pseudolabel.evaluation.history import outcome_path
from pseudolabel.evaluation.objects import BoxScorer
from pseudolabel.formats.shards import shard_path, write_shard
from pseudolabel.formats.split_folder import SplitFolder
from pseudolabel.silver.filter import write_silver
from pseudolabel.silver.objects import BoxFilter

CLASSES = (Category(1, "disc"), Category(2, "rod"), Category(3, "star"))
PER_IMAGE = 25
SHARD_IMAGES = 2000
SIZES = {1000: (1280, 960)}
"""Width and height of the images of a pool; small ones for large pools, to save the disk."""
SMALL = (96, 72)
STEPS = {
    "index": "write_round_index(RoundFolder(1), PREPARED, 'detection')",
    "compare": "write_site(PREPARED, METRICS, REPORT, params)",
}
WATCH = """
new MutationObserver(function (_, observer) {
  if (document.querySelector(".tile")) {
    observer.disconnect();
    requestAnimationFrame(function () { window.firstTile = performance.now(); });
  }
}).observe(document, { childList: true, subtree: true });
"""
RUN = """
import sys
from pathlib import Path
from benchmarks.preset_params import preset_params
from pseudolabel.core.project import METRICS, PREPARED, REPORT, RoundFolder
from pseudolabel.report.round_index import write_round_index
from pseudolabel.report.site import write_site
import os
params = preset_params("detection")
os.chdir(sys.argv[1])
data = params.data.model_copy(update={"root": Path("raw")})
params = params.model_copy(update={"round": 1, "data": data})
%s
# Not getrusage: its peak includes the process before exec, which is the benchmark itself.
status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
print(status["VmHWM"].split()[0])
"""


def write_images(folder: Path, first: int, count: int, size: tuple[int, int]) -> Images:
    """Write noise images, and return their records."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(first)
    coarse = rng.integers(0, 256, (64, 24, 32, 3), np.uint8)
    names, hashes = [], []
    for number in range(first, first + count):
        pixels = cv2.resize(coarse[number % len(coarse)], size)
        # The number, written in the pixels, makes each image another one.
        pixels[:8, :24] = np.array([[255 * (number >> bit & 1)] * 3 for bit in range(24)], np.uint8)
        content = cv2.imencode(".png" if size == SMALL else ".jpg", pixels)[1].tobytes()
        name = f"{number:06d}.{'png' if size == SMALL else 'jpg'}"
        (folder / name).write_bytes(content)
        names.append(name)
        hashes.append(hash_bytes(content))
    widths, heights = ([side] * count for side in size)
    return Images.build(list(range(first, first + count)), names, widths, heights, hashes)


def random_rows(images: Images, seed: int) -> Annotations:
    """Return random predictions for images."""
    rng = np.random.default_rng(seed)
    count = PER_IMAGE * len(images)
    sides = np.array([images.widths[0], images.heights[0]], np.float32)
    corners = rng.uniform(0, 0.8, (count, 2)) * sides
    boxes = np.concatenate([corners, corners + rng.uniform(0.02, 0.2, (count, 2)) * sides], axis=1)
    return Annotations.predicted(
        np.repeat(images.ids, PER_IMAGE),
        rng.integers(1, 4, count).astype(np.int32),
        boxes.astype(np.float32),
        rng.random(count).astype(np.float32),
        1,
    )


def make_project(folder: Path, pool: int) -> None:
    """Write a project after round 1 into a folder, up to the index of round 0."""
    section = preset_params("detection").filter.model_copy(
        update={"score": 0.5, "alarms": "off", "calibrate": False}
    )
    os.chdir(folder)
    splits = {"gold": 20, "val": 40, TUNING: 0, "pool": pool}
    SplitFolder(PREPARED / PARTIAL).write(Dataset(Images.empty(), Annotations.empty(), CLASSES))
    first = 1
    for split, count in splits.items():
        images = write_images(Path("raw/images"), first, count, SIZES.get(pool, SMALL))
        first += count
        rows = Annotations.empty() if split == "pool" or not count else random_rows(images, first)
        rows = replace(rows, ids=np.arange(1, len(rows) + 1), rounds=np.zeros(len(rows), np.int16))
        SplitFolder(PREPARED / split).write(Dataset(images, rows, CLASSES))
    facts = {"images": splits, "annotations": dict.fromkeys(splits, 0), "removed": []}
    facts |= {"transductive": False, "classes_without_gold": [], "unreadable": []}
    facts |= {"largest_deviation": None, "distributions": []}
    write_json(PREPARED / "report.json", facts)
    write_rounds(SplitFolder(PREPARED / "val").read(), pool)
    images = SplitFolder(PREPARED / "pool").read().images
    target = RoundFolder(1).predictions
    for number, begin in enumerate(range(0, pool, SHARD_IMAGES)):
        part = images[begin : begin + SHARD_IMAGES]
        write_shard(shard_path(target, number), random_rows(part, begin))
    teacher = {"round": 1, "weights": "feed", "images": pool, "shard_images": SHARD_IMAGES}
    write_json(target / "teacher.json", teacher)
    with contextlib.redirect_stdout(None):
        write_silver(PREPARED, target, None, RoundFolder(1).silver, section, BoxFilter)


def write_rounds(val: Dataset, pool: int) -> None:
    """Write the models' records and the evaluations of rounds 0 and 1."""
    history = []
    for number in (0, 1):
        folder = RoundFolder(number)
        record = {"weights": f"feed{number}", "initial_weights": None}
        write_json(folder.model / "training.json", record | {"data": {"gold": {"hash": ""}}})
        write_csv(folder.model / "curve.csv", [{"iteration": 1, "loss": 1.0}])
        scorer = BoxScorer(val, 100)
        scorer.add(random_rows(val.images, number))
        overall, by_class = scorer.result()
        row = {"round": number, "headline": ["mAP"], "val": overall | {"by_class": by_class}}
        row |= {"over_champion": None, "silver_agreement": None, "champion": number}
        row |= {"transductive": False, "iterations": 1, "weights_mb": 1.0}
        row["data"] = {"silver": {"images": pool, "annotations": pool}} if number else {}
        if number:
            row["over_champion"] = {"round": 0, "gain": 0.0, "interval": None}
        history.append(row)
        path = outcome_path(folder.evaluation, number, "val")
        path.parent.mkdir(parents=True)
        scorer.write(path)
        write_json(folder.evaluation / "history.json", history)
        write_json(folder.evaluation / "speed.json", [1.0] * len(history))


def measure(step: str, folder: Path, root: Path) -> str:
    """Run a step, and return its seconds and its peak memory as text."""
    start, before = time.perf_counter(), getrusage(RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", RUN % STEPS[step], str(folder)],
        cwd=root,
        env=dict(os.environ, PYTHONPATH=str(root)),
        capture_output=True,
        text=True,
        check=True,
    )
    peak = int(done.stdout.split()[-1]) / 1024
    seconds, after = time.perf_counter() - start, getrusage(RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{step} {seconds:.1f} s ({busy:.1f} s of CPU), {peak:.0f} MiB"


def first_paint(report: Path) -> str:
    """Return when the silver page showed its first content and its first tile, as text."""
    options = ChromeOptions()
    for option in ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"):
        options.add_argument(option)
    options.binary_location = str(shutil.which("chromium"))
    driver = Chrome(options, Service(str(shutil.which("chromedriver"))))
    try:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        driver.get(f"file://{report}/silver.html")
        script = "const n = performance.getEntriesByName('first-contentful-paint'); "
        script += "return window.firstTile && n.length ? [n[0].startTime, window.firstTile] : null"
        paint, tile = WebDriverWait(driver, 60).until(lambda page: page.execute_script(script))
    finally:
        driver.quit()
    return f"first paint {paint / 1000:.2f} s, first tiles {tile / 1000:.2f} s"


def main() -> None:
    """Measure each pool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pools", type=int, nargs="+", default=[1000, 10_000, 100_000])
    parser.add_argument("--browser", action="store_true", help="open the silver page, too")
    arguments = parser.parse_args()
    root = Path.cwd()
    for pool in arguments.pools:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make_project(folder, pool)
            subprocess.run(
                [sys.executable, "-c", RUN % STEPS["index"].replace("(1)", "(0)"), name],
                cwd=root,
                env=dict(os.environ, PYTHONPATH=str(root)),
                capture_output=True,
                check=True,
            )
            for run in ("first", "again"):
                steps = [measure(step, folder, root) for step in STEPS]
                print(f"{pool:,} images, {run}: {'; '.join(steps)}", flush=True)
            if arguments.browser:
                print(f"{pool:,} images: {first_paint(folder / 'report')}", flush=True)
            os.chdir(root)


if __name__ == "__main__":
    main()
