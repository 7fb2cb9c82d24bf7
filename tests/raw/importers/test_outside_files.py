"""Sources that reach out: links, `..`, absolute names, pipes and files of other formats."""

from pathlib import Path

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image

from pseudolabel.core.errors import DataError
from tests.builders import coco, write_image, write_json
from tests.image_kinds import unreadable_kinds
from tests.pipes import nobody_waits
from tests.raw.importers.importing import imported

BOX = "<bndbox><xmin>2</xmin><ymin>2</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
FORMATS = ["coco", "yolo", "voc", "labelme", "masks", "csv", "folders", "label-studio"]
FORMATS += ["cvat", "via", "supervisely"]


def write_source(form, source, name):  # noqa: C901, PLR0912
    """A source of a format that names one image by `name`, and another one, a.png; no images."""
    names = ["a.png", name]
    if form == "coco":
        write_json(source / "labels.json", coco(names))
    elif form == "yolo":
        listed = "\n".join(names)
        write_text(source / "data.yaml", "names: [disc]\ntrain: train.txt\n")
        write_text(source / "train.txt", listed)
        for one in ("a", Path(name).stem):
            write_text(source / f"{one}.txt", "0 0.5 0.5 0.2 0.2\n")
    elif form == "voc":
        for row, one in enumerate(names):
            item = f"<object><name>disc</name>{BOX}</object>"
            text = f"<annotation><filename>{one}</filename><path>{one}</path>{item}</annotation>"
            write_text(source / f"{'al'[row]}.xml", text)
    elif form == "labelme":
        shape = {"label": "disc", "points": [[2, 2], [9, 9]], "shape_type": "rectangle"}
        for row, one in enumerate(names):
            content = {"shapes": [shape], "imagePath": one, "imageData": None}
            write_json(source / f"{'al'[row]}.json", content)
    elif form == "masks":
        for stem in ("a", "l"):
            (source / "masks").mkdir(exist_ok=True, parents=True)
            pixels = np.arange(1200, dtype=np.uint8).reshape(30, 40) % 2
            Image.fromarray(pixels).save(source / f"masks/{stem}.png")
    elif form == "csv":
        rows = [f"{one},disc,2,2,9,9" for one in names]
        write_text(source / "labels.csv", "\n".join(["file,label,x1,y1,x2,y2", *rows]))
    elif form == "label-studio":
        write_json(source / "labels.json", [label_studio_task(one) for one in names])
    elif form == "cvat":
        box = '<box label="disc" xtl="2" ytl="2" xbr="9" ybr="9" occluded="0"/>'
        images = [
            f'<image id="{row}" name="{one}" width="40" height="30">{box}</image>'
            for row, one in enumerate(names)
        ]
        write_text(source / "annotations.xml", f"<annotations>{''.join(images)}</annotations>")
    elif form == "via":
        region = {
            "shape_attributes": {"name": "rect", "x": 2, "y": 2, "width": 7, "height": 7},
            "region_attributes": {"class": "disc"},
        }
        content = {one: {"filename": one, "size": 1, "regions": [region]} for one in names}
        write_json(source / "via.json", content)
    elif form == "supervisely":
        write_json(source / "meta.json", {"classes": [{"title": "disc"}]})
        points = {"exterior": [[2, 2], [9, 9]], "interior": []}
        item = {"classTitle": "disc", "geometryType": "rectangle", "points": points}
        for one in names:
            content = {"size": {"width": 40, "height": 30}, "objects": [item]}
            write_json(source / "ds/ann" / f"{Path(one).name}.json", content)


def label_studio_task(name):
    value = {"x": 5, "y": 5, "width": 20, "height": 20, "rectanglelabels": ["disc"]}
    result = {"type": "rectanglelabels", "value": value, "original_width": 40}
    result |= {"original_height": 30, "from_name": "label", "to_name": "image"}
    return {"data": {"image": name}, "annotations": [{"result": [result]}]}


def write_text(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def image_folder(form, source):
    """Where the images of a source are."""
    folders = {"coco": "images", "masks": "images", "folders": "disc", "supervisely": "ds/img"}
    return source / folders.get(form, ".")


@pytest.fixture
def secret(tmp_path):
    """An image that is no part of any source."""
    path = tmp_path / "outside" / "l.png"
    write_image(path, 99)
    return path


def contents(root):
    return [path.read_bytes() for path in root.rglob("*") if path.is_file()]


def import_or_faults(form, source, root):
    """The written files' contents, or none if the import is refused."""
    options = {"classes": ("none", "disc")} if form == "masks" else {}
    try:
        imported(form, source, root, **options)
    except DataError as error:
        return [], [str(fault) for fault in error.faults]
    return contents(root), []


@pytest.mark.parametrize("form", FORMATS)
def test_the_sources_of_these_tests_can_be_imported(form, tmp_path):
    source = tmp_path / "source"
    write_source(form, source, "l.png")
    for number, name in enumerate(("a.png", "l.png")):
        write_image(image_folder(form, source) / name, number)
    copied, faults = import_or_faults(form, source, tmp_path / "root")
    assert faults == []
    for name in ("a.png", "l.png"):
        assert (image_folder(form, source) / name).read_bytes() in copied


@pytest.mark.parametrize("form", FORMATS)
def test_an_image_that_is_a_link_out_of_the_source_is_not_copied(form, tmp_path, secret):
    source = tmp_path / "source"
    write_source(form, source, "l.png")
    folder = image_folder(form, source)
    write_image(folder / "a.png", 1)
    (folder / "l.png").symlink_to(secret)
    copied, faults = import_or_faults(form, source, tmp_path / "root")
    assert secret.read_bytes() not in copied
    assert any("the link" in fault and "l.png" in fault for fault in faults)


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("folders", "masks")])
def test_a_folder_that_is_a_link_out_of_the_source_is_not_copied(form, tmp_path, secret):
    source = tmp_path / "source"
    write_source(form, source, "sub/l.png")
    folder = image_folder(form, source)
    write_image(folder / "a.png", 1)
    (folder / "sub").symlink_to(secret.parent)
    copied, faults = import_or_faults(form, source, tmp_path / "root")
    assert secret.read_bytes() not in copied
    assert faults


@pytest.mark.parametrize("is_absolute", [False, True])
@pytest.mark.parametrize(
    "form", [form for form in FORMATS if form not in ("folders", "masks", "supervisely")]
)
def test_names_that_lead_out_of_the_source_are_not_copied(form, is_absolute, tmp_path, secret):
    source = tmp_path / "source"
    write_source(form, source, str(secret) if is_absolute else "../outside/l.png")
    write_image(image_folder(form, source) / "a.png", 1)
    copied, faults = import_or_faults(form, source, tmp_path / "root")
    assert secret.read_bytes() not in copied
    assert faults


def test_a_mask_that_is_a_link_out_of_the_source_is_not_read(tmp_path):
    source = tmp_path / "source"
    write_source("masks", source, "l.png")
    for number, name in enumerate(("a.png", "l.png")):
        write_image(source / "images" / name, number)
    mask = source / "masks" / "l.png"
    mask.rename(tmp_path / "outside.png")
    mask.symlink_to(tmp_path / "outside.png")
    copied, faults = import_or_faults("masks", source, tmp_path / "root")
    assert copied == []
    found = f"the link 'l.png' to {str(tmp_path / 'outside.png')!r}"
    assert faults == [f"l.png: expected a path inside masks/, found {found}"]


@pytest.mark.parametrize("form", FORMATS)
def test_a_pipe_with_the_name_of_an_image_does_not_hang_an_import(form, tmp_path):
    source = tmp_path / "source"
    write_source(form, source, "l.png")
    folder = image_folder(form, source)
    write_image(folder / "a.png", 1)
    with nobody_waits(folder / "l.png"):
        copied, faults = import_or_faults(form, source, tmp_path / "root")
    assert faults or (folder / "a.png").read_bytes() in copied


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in ("masks", "folders")])
def test_a_pipe_with_the_name_of_a_label_file_does_not_hang_an_import(form, tmp_path):
    source = tmp_path / "source"
    write_source(form, source, "l.png")
    for name in ("a.png", "l.png"):
        write_image(image_folder(form, source) / name, 1)
    labels = [path for path in source.rglob("*") if path.is_file() and path.suffix != ".png"]
    for path in labels:
        path.unlink()
    with nobody_waits(*labels):
        copied, faults = import_or_faults(form, source, tmp_path / "root")
    assert copied == []
    assert faults


@pytest.mark.parametrize("form", FORMATS)
def test_postscript_with_the_name_of_an_image_reaches_no_other_program(form, tmp_path, monkeypatch):
    def opened(*_):
        raise AssertionError("opened")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", opened)
    source = tmp_path / "source"
    write_source(form, source, "l.png")
    folder = image_folder(form, source)
    write_image(folder / "a.png", 1)
    (folder / "l.png").write_bytes(unreadable_kinds()["eps.png"])
    _, faults = import_or_faults(form, source, tmp_path / "root")
    assert any("a file of no known image format" in fault for fault in faults)


@pytest.mark.parametrize("form", ["coco", "masks", "voc"])
def test_an_image_folder_that_is_a_link_out_of_the_source_is_not_read(form, tmp_path, secret):
    source = tmp_path / "source"
    write_source(form, source, "l.png")
    write_image(secret.parent / "a.png", 1)
    folder = source / ("JPEGImages" if form == "voc" else "images")
    folder.symlink_to(secret.parent)
    copied, faults = import_or_faults(form, source, tmp_path / "root")
    assert copied == []
    assert faults
