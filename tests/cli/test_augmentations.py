"""The page of augmented images, and the command that writes it."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

from pseudolabel.cli.augmentations_page import _picture, write_augmentations_page
from pseudolabel.formats.split_folder import SplitFolder
from tests.conftest import ROOT
from tests.gold_items import gold_dataset
from tests.training.test_augmentations import LISTS


@pytest.mark.parametrize("any_task", LISTS, indirect=True)
def test_the_page_shows_images_unchanged_and_augmented(any_task, tmp_path):
    params = any_task.params(train={"augmentations": LISTS[any_task.task]})
    write_augmentations_page(any_task.prepared, tmp_path / "page.html", params, 3, 2)
    text = (tmp_path / "page.html").read_text()
    assert (text.count("unchanged<"), text.count("augmented<")) == (3, 6)
    images = SplitFolder(any_task.prepared / "gold").read().images
    assert f"<h2>{images.file_names[0]}</h2>" in text


@pytest.mark.parametrize("any_task", ["instance", "semantic"], indirect=True)
def test_the_page_shows_gold_images_augmented_as_silver(any_task, tmp_path):
    flip, cutout = {"type": "RandomFlip", "prob": 0.5}, {"type": "albumentations.CoarseDropout"}
    lists = {"augmentations": [flip], "silver_augmentations": [cutout]}
    params = any_task.params(train=lists)
    write_augmentations_page(any_task.prepared, tmp_path / "page.html", params, 3, 2)
    text = (tmp_path / "page.html").read_text()
    captions = ("unchanged<", "augmented<", "augmented as silver<")
    assert [text.count(caption) for caption in captions] == [3, 6, 6]


def test_pictures_have_the_pixels_of_the_file(trained_tasks):
    task = trained_tasks("classification")
    item = gold_dataset(task, train={"augmentations": []})[0]
    name = SplitFolder(task.prepared / "gold").read().images.file_names[0]
    pixels = cv2.imread(str(task.root / "images" / name))[..., ::-1]
    assert np.array_equal(_picture(item, "classification")[:80], pixels)


def test_the_command_asks_for_prepared_data(tmp_path):
    command = [sys.executable, "-m", "pseudolabel", "augmentations"]
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "data/prepared: expected prepared data, which `dvc repro prepare` writes" in done.stderr
