import cv2
import numpy as np
import pytest

from pseudolabel.formats.coco_reader import read_coco
from pseudolabel.params.sample import Sample
from pseudolabel.raw import SPLIT_READERS
from pseudolabel.raw.layout import read_raw
from pseudolabel.raw.sample import SAMPLES
from pseudolabel.raw.sample.scenes import (
    _LEAST_VISIBLE,
    _PARTICLES,
    SPECIMENS,
    box_of,
    draw_portrait,
    draw_scene,
)

SMALL = Sample(seed=1, gold=3, val=2, test=2, pool=4, width=96, height=80)


@pytest.mark.parametrize("task", SAMPLES)
def test_the_sample_is_valid_raw_data(tmp_path, task):
    SAMPLES[task](tmp_path / "sample", SMALL)
    raw = read_raw(tmp_path / "sample", SPLIT_READERS[task])
    assert (len(raw.gold.images), len(raw.val.images), len(raw.test.images)) == (3, 2, 2)
    oracle = read_coco(tmp_path / "sample" / "oracle.json")
    assert raw.pool.file_names.tolist() == oracle.images.file_names.tolist()
    assert cv2.imread(str(tmp_path / "sample" / "images" / "0001.png")).shape == (80, 96, 3)


@pytest.mark.parametrize("task", SAMPLES)
def test_the_same_seed_gives_the_same_bytes(tmp_path, task):
    for name in ("one", "two"):
        SAMPLES[task](tmp_path / name, SMALL)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.*"))
    assert len(files) == 11 + 4 + 11 * (task == "semantic")
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_scenes_have_all_classes_and_5_to_25_particles():
    rng = np.random.default_rng(0)
    scenes = [draw_scene(rng, 192, 160) for _ in range(30)]
    counts = [len(scene.particles) for scene in scenes]
    assert _PARTICLES[0] <= min(counts) < 9
    assert 18 < max(counts) <= _PARTICLES[1]
    classes = [particle.category_id for scene in scenes for particle in scene.particles]
    assert set(classes) == {1, 2, 3}
    assert all(0 < classes.count(number) < len(classes) * 0.6 for number in (1, 2, 3))


def test_covered_particles_are_not_labelled():
    rng = np.random.default_rng(0)
    for scene in (draw_scene(rng, 96, 80) for _ in range(10)):
        for index, particle in enumerate(scene.particles):
            above = np.zeros_like(particle.whole)
            for later in scene.particles[index + 1 :]:
                above |= later.whole
            assert not (particle.visible & above).any()
            assert particle.visible.sum() >= _LEAST_VISIBLE * particle.whole.sum()
            topmost = scene.classes[particle.visible]
            assert (topmost == particle.category_id).all()


def test_portraits_have_one_particle_of_any_class():
    rng = np.random.default_rng(0)
    scenes = [draw_portrait(rng, 64, 64) for _ in range(100)]
    assert all(len(scene.particles) == 1 for scene in scenes)
    classes = [scene.particles[0].category_id for scene in scenes]
    assert set(classes) == {category.id for category in SPECIMENS}
    assert classes.count(1) > 2 * classes.count(6)


def test_a_box_encloses_its_mask():
    mask = np.zeros((10, 12), bool)
    mask[2:5, 3:9] = True
    assert box_of(mask) == (3, 2, 9, 5)
