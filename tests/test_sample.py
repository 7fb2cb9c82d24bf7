import cv2
import numpy as np

from pseudolabel.formats.coco import read_coco
from pseudolabel.formats.raw import read_raw
from pseudolabel.params import Sample
from pseudolabel.sample import LEAST_VISIBLE, PARTICLES, box_of, draw_scene, write_sample

SMALL = Sample(seed=1, gold=3, val=2, test=2, pool=4, width=96, height=80)


def test_the_sample_is_sound_raw_data(tmp_path):
    write_sample(tmp_path / "sample", SMALL)
    raw = read_raw(tmp_path / "sample")
    assert (len(raw.gold.images), len(raw.val.images), len(raw.test.images)) == (3, 2, 2)
    oracle = read_coco(tmp_path / "sample" / "oracle.json")
    assert raw.pool.file_names.tolist() == oracle.images.file_names.tolist()
    assert cv2.imread(str(tmp_path / "sample" / "images" / "0001.png")).shape == (80, 96, 3)


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        write_sample(tmp_path / name, SMALL)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 11 + 4
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_scenes_have_all_classes_and_5_to_25_particles():
    rng = np.random.default_rng(0)
    scenes = [draw_scene(rng, 192, 160) for _ in range(30)]
    counts = [len(scene.masks) for scene in scenes]
    assert PARTICLES[0] <= min(counts) < 9
    assert 18 < max(counts) <= PARTICLES[1]
    classes = [it for scene in scenes for it in scene.category_ids]
    assert set(classes) == {1, 2, 3}
    assert all(0 < classes.count(it) < len(classes) * 0.6 for it in (1, 2, 3))


def test_particles_that_others_cover_are_not_labelled():
    rng = np.random.default_rng(0)
    for scene in (draw_scene(rng, 96, 80) for _ in range(10)):
        for index, mask in enumerate(scene.masks):
            above = np.zeros_like(mask)
            for later in scene.masks[index + 1 :]:
                above |= later
            assert (mask & ~above).sum() >= LEAST_VISIBLE * mask.sum()


def test_a_box_is_the_mask_s():
    mask = np.zeros((10, 12), bool)
    mask[2:5, 3:9] = True
    assert box_of(mask) == (3, 2, 9, 5)
