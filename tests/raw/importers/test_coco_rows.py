"""COCO: file names, ids, categories, sizes and boxes as real files have them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pseudolabel.formats.coco_annotations import Contract
from pseudolabel.formats.coco_reader import parse_coco
from pseudolabel.raw.importers import IMPORTERS
from pseudolabel.raw.importers.base import ImportRequest
from pseudolabel.raw.importers.image_search import find_image
from pseudolabel.raw.importers.source_files import FileIndex
from tests.builders import pseudolabel, write_image, write_json
from tests.raw.importers.importing import faults_of, imported

RENUMBERED = (
    "the ids of annotations, of which some were missing, doubled or no whole numbers, "
    "count from 1 now"
)


def one_image(folder, name, **changes):
    """A COCO file with one image and two boxes."""
    content = {
        "images": [{"id": 3, "file_name": name, "width": 40, "height": 30}],
        "categories": [{"id": 5, "name": "cat"}, {"id": 6, "name": "dog"}],
        "annotations": [
            {"id": 1, "image_id": 3, "category_id": 5, "bbox": [1, 2, 10, 12]},
            {"id": 2, "image_id": 3, "category_id": 6, "bbox": [4, 3, 20, 12]},
        ],
    }
    for key, change in changes.items():
        content[key] = [row | change for row in content[key]]
    write_json(folder / "result.json", content)
    return content


def read(path, **options):
    return IMPORTERS["coco"](ImportRequest(path, "gold", **options))


@pytest.mark.parametrize(
    ("name", "file", "kept"),
    [
        ("images/x.png", "images/x.png", "x.png"),
        ("images\\x.png", "images/x.png", "x.png"),
        ("images/1/x.png", "images/x.png", "x.png"),
        ("../../label-studio/data/media/upload/4/0123abcd-x.png", "images/0123abcd-x.png", None),
        ("../../label-studio/data/media/upload/4/0123abcd-x.png", "images/x.png", "x.png"),
        ("C:\\photos\\x.png", "images/x.png", "x.png"),
        ("/elsewhere/x.png", "sub/x.png", "sub/x.png"),
        ("JPEGImages/x.png", "JPEGImages/x.png", "x.png"),
        ("./x.png", "x.png", "x.png"),
        ("my%20x.png", "my x.png", "my%20x.png"),
        ("cam/x.png", "images/default/cam/x.png", "cam/x.png"),
    ],
)
def test_images_are_found_by_the_ending_of_their_path(tmp_path, name, file, kept):
    write_image(tmp_path / "source" / file, 1)
    one_image(tmp_path / "source", name)
    path = tmp_path / "source" / "result.json"
    content = imported("coco", path, tmp_path / "root")["gold"]
    written = content["images"][0]["file_name"]
    assert written == (kept or file.removeprefix("images/"))
    copied = (tmp_path / "root" / "images" / written).read_bytes()
    assert copied == (tmp_path / "source" / file).read_bytes()


def test_images_are_found_below_the_given_folder(tmp_path):
    write_image(tmp_path / "photos" / "a" / "x.png", 1)
    one_image(tmp_path / "source", "images\\a\\x.png")
    path = tmp_path / "source" / "result.json"
    written = imported("coco", path, tmp_path / "root", images=tmp_path / "photos")["gold"]
    assert written["images"][0]["file_name"] == "a/x.png"


def test_an_ambiguous_name_lists_three_candidates(tmp_path):
    for folder in "abcd":
        write_image(tmp_path / "source" / folder / "x.png", ord(folder))
    one_image(tmp_path / "source", "x.png")
    assert faults_of("coco", tmp_path / "source" / "result.json", tmp_path) == [
        (
            "result.json: image 'x.png': expected a name that only one image has, "
            "found 4: 'a/x.png', 'b/x.png', 'c/x.png', ..."
        )
    ]


@pytest.mark.parametrize("folder", ["masks", "SegmentationClass", "s/masks_machine"])
def test_a_mask_is_not_taken_for_its_image(tmp_path, folder):
    write_image(tmp_path / "source" / folder / "x.png", 1)
    one_image(tmp_path / "source", "x.png")
    path = tmp_path / "source" / "result.json"
    assert faults_of("coco", path, tmp_path) == [
        "result.json: image 'x.png': expected an image file, found no file"
    ]
    one_image(tmp_path / "source", f"{folder}/x.png")
    assert not read(path).faults


def test_an_image_of_another_split_is_not_meant(tmp_path):
    write_image(tmp_path / "source" / "val" / "x.png", 1)
    one_image(tmp_path / "source", "train/x.png")
    assert faults_of("coco", tmp_path / "source" / "result.json", tmp_path) == [
        "result.json: image 'train/x.png': expected an image file, found no file"
    ]


def test_two_names_of_one_file_are_a_fault(tmp_path):
    source = tmp_path / "source"
    write_image(source / "x.png", 1)
    for folder in "ab":
        content = one_image(source, f"{folder}/x.png")
        write_json(source / folder / "1.json", content)
    (source / "result.json").unlink()
    (fault,) = faults_of("coco", source, tmp_path)
    assert fault.startswith("b/1.json: image 'b/x.png': expected an image of its own")
    assert fault.endswith("found 'x.png', which is also 'a/x.png'")


PART = st.text("abc.:\\ ü\u0301%?=", min_size=1, max_size=4)


@settings(deadline=None, max_examples=80)
@given(parts=st.lists(PART, max_size=4), data=st.data())
def test_any_name_is_found_or_refused(parts, data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("names")
    files = data.draw(
        st.lists(st.sampled_from(["x.png", "a/x.png", "b/x.png", "a/b/x.png"]), unique=True)
    )
    for file in files:
        write_image(folder / file, 1)
    prefix = data.draw(st.sampled_from(["", "/", "../", "C:\\", "./"]))
    name = prefix + "/".join([*parts, "x.png"])
    found = find_image(FileIndex(folder), name)
    assert set(found) <= set(files)
    # A file is found whenever one has the name, and the most similar path wins.
    assert bool(found) == bool(files)
    for file in files:
        if name.endswith("/" + file) and "\\" not in name:
            assert all(len(match) >= len(file) for match in found)
    # The import never names an image that leads out of images/.
    one_image(folder, name)
    result = read(folder / "result.json")
    for split in result.splits.values():
        assert all(".." not in file.split("/") and "\\" not in file for file in split.files)
        assert not any(file.startswith("/") for file in split.files)


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"annotations": {"image_id": "3"}}, "ids in texts or with decimals became whole numbers"),
        (
            {"annotations": {"image_id": 3.0}, "images": {"id": 3.0}},
            "ids in texts or with decimals became whole numbers",
        ),
        (
            {"annotations": {"image_id": "img"}, "images": {"id": "img"}},
            "the ids of images, which are not all whole numbers from 0 up, count from 1 now",
        ),
        (
            {"annotations": {"id": 7}},
            RENUMBERED,
        ),
        (
            {"annotations": {"id": None}},
            RENUMBERED,
        ),
    ],
)
def test_ids_are_mended_and_said(tmp_path, changes, note):
    write_image(tmp_path / "x.png", 1)
    one_image(tmp_path, "x.png", **changes)
    assert read(tmp_path / "result.json").notes == [f"result.json: {note}"]
    imported("coco", tmp_path / "result.json", tmp_path / "root")
    dataset, faults = parse_coco(tmp_path / "root" / "gold.json", Contract.BOX)
    assert not faults
    assert dataset.annotations.boxes_xyxy.tolist() == [[1, 2, 11, 14], [4, 3, 24, 15]]
    assert [dataset.class_names[n] for n in (0, 1)] == ["cat", "dog"]
    assert dataset.annotations.category_ids.tolist() == [5, 6]


def test_the_command_says_what_it_changed_and_did_not_use(tmp_path):
    write_image(tmp_path / "x.png", 1)
    write_image(tmp_path / "y.png", 2)
    one_image(tmp_path, "x.png", annotations={"id": 7})
    command = ("import", "--from", "coco", tmp_path / "result.json", tmp_path / "root")
    status, output, _ = pseudolabel(*command)
    assert status == 0
    assert f"changed: result.json: {RENUMBERED}" in output.splitlines()
    assert "pool: 1 images that no label file names: 'y.png'" in output.splitlines()


def test_category_ids_as_texts_are_mended(tmp_path):
    write_image(tmp_path / "x.png", 1)
    content = one_image(tmp_path, "x.png")
    for row in content["categories"]:
        row["id"] = row["name"]
    for row, name in zip(content["annotations"], ("dog", "cat"), strict=True):
        row["category_id"] = name
    write_json(tmp_path / "result.json", content)
    written = imported("coco", tmp_path / "result.json", tmp_path / "root")["gold"]
    assert [row["category_id"] for row in written["annotations"]] == [2, 1]
    assert written["categories"] == [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("image_id", "annotation 1: expected the `image_id` of a known image, found 'other'"),
        ("category_id", "annotation 1: expected the `category_id` of a known category, found 9"),
    ],
)
def test_labels_of_unknown_images_and_categories_are_faults(tmp_path, key, fault):
    write_image(tmp_path / "x.png", 1)
    content = one_image(tmp_path, "x.png")
    content["annotations"][0][key] = "other" if key == "image_id" else 9
    write_json(tmp_path / "result.json", content)
    assert faults_of("coco", tmp_path / "result.json", tmp_path) == [f"result.json: {fault}"]


def test_doubled_image_ids_are_a_fault(tmp_path):
    for name in ("x.png", "y.png"):
        write_image(tmp_path / name, 1)
    content = one_image(tmp_path, "x.png")
    content["images"].append(content["images"][0] | {"file_name": "y.png"})
    write_json(tmp_path / "result.json", content)
    assert faults_of("coco", tmp_path / "result.json", tmp_path) == [
        "result.json: images: id 3: expected a unique id, found it again"
    ]


@pytest.mark.parametrize("as_folder", [False, True])
def test_an_unused_category_with_the_name_of_another_is_dropped(tmp_path, as_folder):
    source = tmp_path / "source"
    write_image(source / "x.png", 1)
    content = one_image(source, "x.png")
    content["categories"].insert(0, {"id": 0, "name": "cat", "supercategory": "none"})
    write_json(source / "result.json", content)
    path = source if as_folder else source / "result.json"
    found = read(path)
    assert found.unused == {"categories with the name of another": ["result.json: id 0, 'cat'"]}
    written = imported("coco", path, tmp_path / "root")["gold"]
    assert written["categories"] == [{"id": 5, "name": "cat"}, {"id": 6, "name": "dog"}]
    assert [row["category_id"] for row in written["annotations"]] == [5, 6]


def test_of_unused_categories_of_one_name_one_stays(tmp_path):
    write_image(tmp_path / "x.png", 1)
    content = one_image(tmp_path, "x.png")
    content["categories"] += [{"id": 7, "name": "cow"}, {"id": 8, "name": "cow"}]
    write_json(tmp_path / "result.json", content)
    written = imported("coco", tmp_path / "result.json", tmp_path / "root")["gold"]
    assert [row["name"] for row in written["categories"]] == ["cat", "dog", "cow"]


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", "utf-16"])
def test_a_byte_order_mark_is_read(tmp_path, mark):
    write_image(tmp_path / "x.png", 1)
    content = one_image(tmp_path, "x.png")
    text = json.dumps(content)
    data = text.encode(mark) if isinstance(mark, str) else mark + text.encode()
    (tmp_path / "result.json").write_bytes(data)
    assert imported("coco", tmp_path / "result.json", tmp_path / "root")["gold"] == content


@pytest.mark.parametrize(
    ("sides", "written"),
    [
        (("40", "30"), (40, 30)),
        ((40.0, 30.0), (40, 30)),
        ((None, None), (40, 30)),
        ((80, 60), (80, 60)),
        (("wide", 30), ("wide", 30)),
    ],
)
def test_sizes_are_whole_numbers_and_wrong_ones_stay(tmp_path, sides, written):
    write_image(tmp_path / "x.png", 1)
    one_image(tmp_path, "x.png", images={"width": sides[0], "height": sides[1]})
    (image,) = imported("coco", tmp_path / "result.json", tmp_path / "root")["gold"]["images"]
    assert (image["width"], image["height"]) == written


def test_boxes_as_shares_of_the_image_are_a_fault(tmp_path):
    write_image(tmp_path / "x.png", 1)
    one_image(tmp_path, "x.png", annotations={"bbox": [0.1, 0.2, 0.5, 1]})
    assert faults_of("coco", tmp_path / "result.json", tmp_path) == [
        "result.json: bbox: expected boxes in pixels, found 2 boxes with all values between 0 and 1"
    ]


@pytest.mark.parametrize("box", [[0, 0, 1, 1], [0.5, 0.5, 1.2, 0.5]])
def test_small_boxes_in_pixels_are_no_shares(tmp_path, box):
    write_image(tmp_path / "x.png", 1)
    one_image(tmp_path, "x.png", annotations={"bbox": box})
    assert not read(tmp_path / "result.json").faults
