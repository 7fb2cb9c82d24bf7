"""Checks, training, labelling and pages see every kind of image file alike: upright, in 8 bits."""

import re
import tracemalloc

import cv2
import numpy as np
import pytest
from mmcv.transforms import LoadImageFromFile
from mmengine.dataset import Compose
from PIL import EpsImagePlugin

from pseudolabel.core.errors import DataError, Fault
from pseudolabel.core.records import Images
from pseudolabel.formats.image_decoder import decode_image, decode_small
from pseudolabel.formats.image_files import read_image_fact
from pseudolabel.formats.image_header import UnreadableImageError
from pseudolabel.models.transforms import LOAD
from pseudolabel.pages.drawing import read_rgb
from pseudolabel.predictions.image_loader import image_loader
from pseudolabel.raw import SPLIT_READERS
from pseudolabel.raw.layout import read_raw
from pseudolabel.raw.perceptual_hashes import perceptual_hashes
from pseudolabel.splits.prepare import prepare
from tests.builders import coco, raw_root, splitting, write_json
from tests.image_kinds import HEIGHT, WIDTH, readable_kinds, unreadable_kinds, upright

READABLE, UNREADABLE = readable_kinds(), unreadable_kinds()
DEEP = [name for name in READABLE if re.search("_bits|int32|float|double", name)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("kinds")
    for name, content in (READABLE | UNREADABLE).items():
        (path / name).write_bytes(content)
    return path


def label(folder, names):
    """The pixels that labelling loads, and the row numbers of the files that it cannot load."""
    rows = Images.build(range(len(names)), names, [1] * len(names), [1] * len(names))
    ((batches, _, unreadable),) = image_loader(rows, folder, [[]], len(names), 0)
    return (batches[0]["img"] if batches else []), unreadable


def stretched(values):
    values = values.astype(float)
    return 255 * (values - values.min()) / np.ptp(values)


@pytest.mark.parametrize("name", READABLE)
def test_all_stages_load_the_same_upright_picture(folder, name):
    fact = read_image_fact(folder, name)
    assert (fact.width, fact.height) == (WIDTH, HEIGHT)
    loaded = Compose([LOAD])({"img_path": str(folder / name)})
    assert loaded["img_shape"] == loaded["ori_shape"] == (HEIGHT, WIDTH)
    trained = loaded["img"]
    assert trained.shape == (HEIGHT, WIDTH, 3)
    assert trained.dtype == np.uint8
    (labelled,), unreadable = label(folder, [name])
    assert unreadable == []
    assert np.array_equal(labelled, trained)
    assert np.array_equal(read_rgb(folder / name, fact.digest), trained[..., ::-1])
    expected = upright().astype(float)
    if np.ptp(trained, axis=2).max() == 0:
        expected = np.repeat(expected @ [[0.299], [0.587], [0.114]], 3, axis=2)
    if name in DEEP:
        expected = stretched(expected)
    assert np.abs(trained[..., ::-1] - expected).mean() < 6


@pytest.mark.parametrize("name", READABLE)
def test_images_of_more_than_8_bits_are_known_by_their_header(folder, name):
    assert read_image_fact(folder, name).is_deep == (name in DEEP)


ORDINARY = ["colour.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg", "several.jpg", "png.jpg"]
ORDINARY += ["colour.png", "grey.png", "grey_alpha.png", "palette.png", "alpha.png", "animated.png"]
ORDINARY += [f"turned{turn}.{suffix}" for turn in range(2, 9) for suffix in ("jpg", "png")]
ORDINARY += ["colour.bmp", "palette.bmp", "colour.webp", "alpha.webp", "animated.webp"]


@pytest.mark.parametrize("name", ORDINARY)
def test_ordinary_files_have_exactly_the_pixels_of_mmcv(folder, name):
    expected = LoadImageFromFile()({"img_path": str(folder / name)})["img"]
    assert np.array_equal(decode_image((folder / name).read_bytes()), expected)


@pytest.mark.parametrize("name", UNREADABLE)
def test_a_file_that_cannot_be_loaded_is_a_fault_of_the_check(tmp_path, name):
    root = raw_root(tmp_path, gold_count=1)
    (root / "images/gold" / name).write_bytes(UNREADABLE[name])
    write_json(root / "gold.json", coco([f"gold/{name}"], width=WIDTH, height=HEIGHT))
    for hashes in (False, True):
        with pytest.raises(DataError, match=re.escape(f"image id 1 (gold/{name}): expected a")):
            read_raw(root, SPLIT_READERS["detection"], hashes=hashes)


@pytest.mark.parametrize("name", UNREADABLE)
def test_training_and_labelling_refuse_what_the_check_refuses(folder, name):
    with pytest.raises(UnreadableImageError, match=re.escape(name)):
        Compose([LOAD])({"img_path": str(folder / name)})
    assert label(folder, [name]) == ([], [0])
    assert perceptual_hashes(folder, [name])[0] == {}


def test_a_postscript_file_never_reaches_ghostscript(tmp_path, monkeypatch):
    def opened(*_):
        raise AssertionError("opened")

    monkeypatch.setattr(EpsImagePlugin, "EpsImageFile", opened)
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", opened)
    root = raw_root(tmp_path, gold_count=1)
    for path in (root / "images/gold/0.png", root / "masks/gold/0.png"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(UNREADABLE["eps.png"])
    assert isinstance(read_image_fact(root / "images", "gold/0.png"), Fault)
    _, faults = SPLIT_READERS["semantic"](root, "gold")
    assert "a readable masks/gold/0.png" in {fault.expected for fault in faults}


def test_every_kind_has_the_hash_of_its_upright_picture(folder):
    names = [name for name in READABLE if name not in DEEP]
    hashes, damaged = perceptual_hashes(folder, names)
    assert damaged == {}
    shown = {name: turns[0] for name, turns in hashes.items()}
    distances = {name: (shown[name] ^ shown["colour.png"]).bit_count() for name in names}
    assert {name: bits for name, bits in distances.items() if bits > 12} == {}


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_jpeg_is_decoded_small_for_its_hash(orientation):
    pixels = cv2.resize(upright()[..., ::-1], (1200, 800))
    content = cv2.imencode(".jpg", pixels)[1].tobytes()
    if orientation == 6:
        exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
        content = (
            content[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + content[2:]
        )
    small, whole = decode_small(content, 64), decode_image(content)
    assert small.shape == ((100, 150, 3) if orientation == 1 else (150, 100, 3))
    resized = cv2.resize(whole, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(float) - resized).mean() < 3


@pytest.mark.parametrize("progressive", [0, 1], ids=["baseline", "progressive"])
@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
def test_a_large_jpeg_that_is_cut_short_is_found_by_its_hash_as_by_training(share, progressive):
    noise = np.random.default_rng(0).integers(0, 255, (800, 1200, 3), np.uint8)
    content = cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_PROGRESSIVE, progressive])[1].tobytes()
    content = content[: int(len(content) * share)]
    for decode in (decode_image, lambda content: decode_small(content, 64)):
        with pytest.raises(UnreadableImageError):
            decode(content)


def test_stretched_images_are_counted_in_a_warning(tmp_path, capsys):
    root = raw_root(tmp_path / "raw", gold_count=4, pool_count=2)
    names = ["12_bits.png", "float.tif"]
    for name in names:
        (root / "images/pool" / name).write_bytes(READABLE[name])
    prepare(root, tmp_path / "prepared", "detection", splitting(), 0)
    printed = capsys.readouterr().out
    expected = "warning: images of more than 8 bits per channel: 2, such as 'pool/12_bits.png'. S"
    assert expected in printed


def test_images_of_more_than_8_bits_are_stretched_in_little_memory():
    for shape in ((3000, 2000), (3000, 2000, 3)):
        content = cv2.imencode(".png", np.full(shape, 7, np.uint16))[1].tobytes()
        decode_image(content)
        tracemalloc.start()
        decode_image(content)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        # 3 bytes of the result, 1 to 3 of stretched channels, 2 to 6 of the decoded file.
        assert peak < (7 if len(shape) == 2 else 14) * 3000 * 2000 + 50_000_000
