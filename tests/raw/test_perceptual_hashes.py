import cv2
import numpy as np
import pytest
from PIL import Image

from pseudolabel.raw.perceptual_hashes import perceptual_hashes


def picture(seed, side=200):
    """A smooth image: 12 blobs of random place and brightness."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    blobs = sum(
        rng.normal() * np.exp(-((x - rng.random()) ** 2 + (y - rng.random()) ** 2) / 0.02)
        for _ in range(12)
    )
    return (255 * (blobs - blobs.min()) / np.ptp(blobs)).astype(np.uint8)


def hash_distance(folder, one, other):
    found, damaged = perceptual_hashes(folder, [one, other])
    assert not damaged
    return (found[one][0] ^ found[other][0]).bit_count()


@pytest.mark.parametrize(
    "change",
    [
        lambda pixels: cv2.resize(pixels, (90, 90), interpolation=cv2.INTER_AREA),
        lambda pixels: np.clip(pixels.astype(int) + 12, 0, 255).astype(np.uint8),
        lambda pixels: cv2.GaussianBlur(pixels, (5, 5), 0),
    ],
    ids=["smaller", "brighter", "blurred"],
)
def test_similar_images_have_similar_hashes(tmp_path, change):
    for seed in range(5):
        cv2.imwrite(str(tmp_path / "one.png"), picture(seed))
        cv2.imwrite(str(tmp_path / "other.jpg"), change(picture(seed)))
        assert hash_distance(tmp_path, "one.png", "other.jpg") <= 4


@pytest.mark.parametrize("depth", [np.uint8, np.uint16], ids=["8 bits", "16 bits"])
def test_different_images_have_different_hashes(tmp_path, depth):
    for seed in range(8):
        # As from a microscope: 12 bits in a file of 16 bits.
        pixels = picture(seed).astype(depth) * (16 if depth is np.uint16 else 1)
        cv2.imwrite(str(tmp_path / f"{seed}.png"), pixels)
    distances = [
        hash_distance(tmp_path, f"{one}.png", f"{other}.png")
        for one in range(8)
        for other in range(one)
    ]
    assert min(distances) > 8


def test_images_of_floats_have_hashes(tmp_path):
    for seed in (1, 2):
        Image.fromarray(picture(seed).astype(np.float32) / 255).save(tmp_path / f"{seed}.tif")
    assert hash_distance(tmp_path, "1.tif", "2.tif") > 8


def test_damaged_files_are_listed(tmp_path):
    cv2.imwrite(str(tmp_path / "good.png"), picture(0))
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    found, damaged = perceptual_hashes(tmp_path, ["cut.png", "good.png"])
    assert (list(found), damaged) == (["good.png"], {"cut.png": "a damaged file"})


def test_a_mirrored_or_turned_picture_has_one_of_the_hashes_of_the_original(tmp_path):
    for seed in range(5):
        Image.fromarray(picture(seed)).save(tmp_path / "upright.png")
        upright = perceptual_hashes(tmp_path, ["upright.png"])[0]["upright.png"]
        nearest = []
        for turn in Image.Transpose:
            Image.fromarray(picture(seed)).transpose(turn).save(tmp_path / "turned.png")
            shown = perceptual_hashes(tmp_path, ["turned.png"])[0]["turned.png"][0]
            distances = [(shown ^ one).bit_count() for one in upright]
            assert min(distances) <= 2
            nearest.append(int(np.argmin(distances)))
        assert sorted(nearest) == list(range(1, 8))
