"""Raw roots in a bucket: the same data as in a folder, read once, and never more than asked for."""

import errno
import logging
import shutil
import subprocess
import sys
from argparse import ArgumentTypeError
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from pseudolabel.cli.raw_root import new_root_argument, raw_root_argument
from pseudolabel.core import bucket, image_cache
from pseudolabel.core.bucket import address_of, raw_root, read_object, shown_path
from pseudolabel.core.errors import BucketError, BusyError, DataError, ReviewError
from pseudolabel.core.files import hash_bytes, read_json
from pseudolabel.core.image_cache import cached_image, keep_image, limit_cache
from pseudolabel.core.regular_files import read_content
from pseudolabel.formats.image_files import ChangedImageError, read_unchanged
from pseudolabel.manifest import bucket_files
from pseudolabel.manifest.manifest import Changes, read_manifest, write_manifest
from pseudolabel.params.data import Data
from pseudolabel.raw.label_maps import read_label_maps
from pseudolabel.raw.layout import read_raw
from pseudolabel.raw.repair import repair
from pseudolabel.raw.sample import SAMPLES
from pseudolabel.review.coco_exchange import write_to_review
from pseudolabel.review.labels import LabelledImage
from tests import builders
from tests.buckets import BUCKET, s3_server, upload
from tests.conftest import SMALL
from tests.raw.test_layout import BOXES

MB = 1_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with s3_server(tmp_path_factory.mktemp("cache")) as client:
        yield client


@pytest.fixture
def client(server, tmp_path, monkeypatch):
    """A client of a server with an empty bucket; the working folder and the cache are new."""
    for row in server.list_objects_v2(Bucket=BUCKET).get("Contents", []):
        server.delete_object(Bucket=BUCKET, Key=row["Key"])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PSEUDOLABEL_CACHE", str(tmp_path / "cache"))
    return server


@pytest.fixture
def folder(tmp_path):
    made = builders.raw_root(tmp_path / "raw", gold_count=3, pool_count=3, val=1)
    (made / "images" / "not_an_image.png").write_text("text")
    (made / "images" / ".DS_Store").write_text("junk")
    return made


@pytest.fixture
def read_images(monkeypatch):
    """The addresses that were read from the bucket."""
    read = []

    def record(address):
        read.append(address)
        return read_object(address)

    for module in ("core.regular_files", "manifest.bucket_files"):
        monkeypatch.setattr(f"pseudolabel.{module}.read_object", record)
    return read


def names(addresses):
    return sorted(address.rpartition("/")[2] for address in addresses)


@pytest.mark.parametrize("address", ["s3://pond", "s3://pond/raw", "s3://pond/a b/ä"])
def test_a_path_stands_for_an_address(address):
    root = raw_root(address)
    assert not root.is_absolute()
    assert address_of(root) == shown_path(root) == address
    for base in (root, root.absolute()):
        assert address_of(base / "images" / "1.png") == f"{address}/images/1.png"
    assert raw_root(root) == root


@pytest.mark.parametrize("path", ["data/sample", "/data", "s3/pond"])
def test_other_paths_stand_for_themselves(path):
    root = raw_root(path)
    assert str(root) == shown_path(root) == path
    assert address_of(root) is None


@pytest.mark.parametrize("address", ["s3://", "s3:///raw", "s3://pond/", "s3://pond/../raw"])
def test_a_faulty_address_is_refused(address):
    with pytest.raises(ValidationError, match="s3://bucket/folder, without a slash at its end"):
        Data.model_validate({"root": address, "workers": 0, "cache_gb": 1.0})
    with pytest.raises(Exception, match="s3://bucket/folder, without a slash at its end"):
        raw_root_argument(address)


def test_the_manifest_of_a_bucket_is_that_of_the_folder(client, folder, tmp_path):
    root = raw_root(upload(client, folder, "raw"))
    of_bucket = read_manifest(root)
    of_folder = read_manifest(folder)
    assert of_bucket.summary == of_folder.summary
    assert of_bucket.images == of_folder.images
    for name in of_folder.images:
        assert of_bucket.facts(name) == of_folder.facts(name)
    line = write_manifest(root, tmp_path / "manifest.json", tmp_path / "kept", MB)
    assert line == "s3://pond/raw: 10 files, 8 images: 10 new, 0 changed, 0 removed"


def test_only_what_changed_is_read_again(client, folder, tmp_path, read_images):
    root = raw_root(upload(client, folder, "raw"))
    kept = tmp_path / "kept.parquet"
    first = read_manifest(root, kept)
    assert len(read_images) == 10
    read_images.clear()
    again = read_manifest(root, kept)
    assert read_images == []
    assert again.changes == Changes(0, 0, 0)
    assert again.summary == first.summary
    builders.write_image(folder / "images" / "pool" / "1.png", 77)
    builders.write_image(folder / "images" / "pool" / "new.png", 78)
    (folder / "gold.json").write_bytes((folder / "gold.json").read_bytes() + b"\n")
    upload(client, folder, "raw")
    client.delete_object(Bucket=BUCKET, Key="raw/val.json")
    changed = read_manifest(root, kept)
    assert names(read_images) == ["1.png", "gold.json", "new.png"]
    assert changed.changes == Changes(new=1, changed=2, removed=1)
    assert not (root / "val.json").exists()
    assert (root / "gold.json").read_bytes() == (folder / "gold.json").read_bytes()


def test_raw_data_of_a_bucket_are_those_of_the_folder(client, folder, read_images):
    root = raw_root(upload(client, folder, "raw"))
    limit_cache(MB)
    of_bucket = read_raw(root, BOXES, hashes=True)
    of_folder = read_raw(folder, BOXES, hashes=True)
    assert of_bucket.gold.images.hashes.tolist() == of_folder.gold.images.hashes.tolist()
    assert of_bucket.pool.file_names.tolist() == of_folder.pool.file_names.tolist()
    assert of_bucket.perceptual_hashes == of_folder.perceptual_hashes
    assert of_bucket.unreadable == of_folder.unreadable == ["not_an_image.png"]
    # The hashes take the images from the cache; what is no image is looked at again.
    images = sorted(name for name in names(read_images) if name[0].isdigit())
    assert images == names(of_folder.perceptual_hashes)
    assert len(read_images) == 7 + 2 + 2


def test_label_maps_are_copied(client, tmp_path):
    folder = tmp_path / "raw"
    SAMPLES["semantic"](folder, SMALL)
    root = raw_root(upload(client, folder, "maps"))
    read_manifest(root)
    of_bucket, faults = read_label_maps(root, "gold")
    assert faults == []
    assert len(of_bucket.images) == 6
    assert of_bucket.images.file_names.tolist() == (
        read_label_maps(folder, "gold")[0].images.file_names.tolist()
    )


def test_an_image_is_read_once_and_checked(client, folder, read_images):
    root = raw_root(upload(client, folder, "raw"))
    path = root / "images" / "pool" / "1.png"
    content = (folder / "images" / "pool" / "1.png").read_bytes()
    digest = hash_bytes(content)
    assert read_unchanged(path, digest) == read_unchanged(path, digest) == content
    assert len(read_images) == 1
    client.put_object(Bucket=BUCKET, Key="raw/images/pool/1.png", Body=b"another")
    # The cache still has the content that was asked for.
    assert read_unchanged(path, digest) == content
    shutil.rmtree(image_cache._folder())
    image_cache._cache.cache_clear()
    with pytest.raises(ChangedImageError, match="^s3://pond/raw/images/pool/1.png: expected the"):
        read_unchanged(path, digest)
    client.delete_object(Bucket=BUCKET, Key="raw/images/pool/1.png")
    with pytest.raises(FileNotFoundError, match="no such object: 's3://pond/raw/images/pool/1"):
        read_unchanged(path, digest)


@pytest.mark.usefixtures("client")
def test_the_cache_is_bounded():
    limit_cache(3 * MB)
    contents = [bytes([number]) * 100_000 for number in range(100)]
    for content in contents:
        keep_image(hash_bytes(content), content)
    kept = [cached_image(hash_bytes(content)) == content for content in contents]
    assert 15 <= sum(kept) <= 30
    assert kept[-1]
    files = [*image_cache._folder().rglob("*.val")]
    assert sum(path.stat().st_size for path in files) <= 3 * MB
    limit_cache(200_000)
    assert sum(cached_image(hash_bytes(content)) is not None for content in contents) <= 2


@pytest.mark.usefixtures("client")
def test_a_damaged_entry_of_the_cache_is_not_used():
    content = b"image" * 20_000
    keep_image(hash_bytes(content), content)
    (file,) = image_cache._folder().rglob("*.val")
    file.write_bytes(b"other" * 20_000)
    assert cached_image(hash_bytes(content)) is None


@pytest.mark.usefixtures("client")
def test_the_cache_runs_no_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    cache = image_cache._cache(image_cache._folder())
    cache.set("digest", Evil())
    assert cached_image("digest") is None
    assert not (tmp_path / "ran").exists()


def test_a_bucket_without_images_is_refused(client, folder):
    shutil.rmtree(folder / "images")
    root = raw_root(upload(client, folder, "raw"))
    for other in (root, raw_root("s3://pond/nothing")):
        with pytest.raises(DataError, match=r"s3://pond/\w+: images: expected a folder of images"):
            read_manifest(other)


@pytest.mark.parametrize(
    "key", ["/etc/passwd", "a//b.json", "images//x.png", "x" * 256, "a.json?versionId=1"]
)
def test_names_that_lead_out_of_the_root_are_refused(client, folder, key):
    upload(client, folder, "raw")
    # A client would shorten the path of such a key.
    objects = [bucket.BucketObject("images/1.png", 1, "a"), bucket.BucketObject(key, 1, "b")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bucket_files, "list_objects", lambda _: iter(objects))
        with pytest.raises(DataError, match="expected the name of a file, found another one"):
            read_manifest(raw_root("s3://pond/raw"))


@pytest.mark.parametrize("key", ["../gold.json", "images/../../x.png", ".ssh/config"])
def test_hidden_names_and_those_that_lead_upwards_are_left_out(key, monkeypatch):
    objects = [bucket.BucketObject("images/1.png", 1, "a"), bucket.BucketObject(key, 1, "b")]
    monkeypatch.setattr(bucket_files, "list_objects", lambda _: iter(objects))
    states = bucket_files.read_bucket_states("s3://pond/raw", raw_root("s3://pond/raw"))
    assert states.names == [b"images/1.png"]


@pytest.mark.parametrize("key", ["gold.json", "images"])
def test_a_file_that_is_also_a_folder_is_refused(client, folder, key):
    upload(client, folder, "raw")
    client.put_object(Bucket=BUCKET, Key=f"raw/{key}", Body=b"{}")
    client.put_object(Bucket=BUCKET, Key=f"raw/{key}/more.json", Body=b"{}")
    with pytest.raises(DataError, match=f"'{key}': expected a file or a folder, found both"):
        read_manifest(raw_root("s3://pond/raw"))


def test_a_label_file_that_is_too_large_is_refused(client, folder, monkeypatch):
    upload(client, folder, "raw")
    monkeypatch.setattr(bucket_files, "MOST_BYTES", 10)
    with pytest.raises(DataError, match="'gold.json': expected at most 10 bytes"):
        read_manifest(raw_root("s3://pond/raw"))


@pytest.mark.usefixtures("client")
def test_a_bucket_that_does_not_exist_is_told():
    with pytest.raises(BucketError, match="s3://lake/raw"):
        read_manifest(raw_root("s3://lake/raw"))
    # It must not look like an image that is missing.
    with pytest.raises(BucketError, match="s3://lake: expected a bucket, found none"):
        read_content(raw_root("s3://lake/raw") / "images" / "1.png")


@pytest.mark.usefixtures("client")
def test_a_server_that_does_not_answer_is_told(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    path = raw_root("s3://pond/far") / "images" / "1.png"
    bucket._file_system().clear_instance_cache()
    with pytest.raises(BucketError, match="s3://pond/far/images/1.png: expected a bucket that can"):
        read_content(path)
    bucket._file_system().clear_instance_cache()


@pytest.mark.usefixtures("client")
def test_a_root_in_a_bucket_is_not_repaired(tmp_path):
    with pytest.raises(DataError, match="s3://pond/raw: expected a folder, copied from the bucket"):
        repair(raw_root("s3://pond/raw"), tmp_path / "new", "detection")


@pytest.mark.parametrize("damage", ["none", "half-written", "no list"])
def test_no_label_file_stays_that_is_not_in_the_bucket(client, folder, damage):
    (folder / "masks" / "deeper").mkdir(parents=True)
    (folder / "masks" / "deeper" / "1.png").write_bytes(b"map")
    root = raw_root(upload(client, folder, "raw"))
    read_manifest(root)
    assert (root / "masks" / "deeper" / "1.png").read_bytes() == b"map"
    if damage == "half-written":
        (root / ".etags.json").write_bytes(b"")
    elif damage == "no list":
        (root / ".etags.json").unlink()
    for name in ("val.json", "masks/deeper/1.png"):
        client.delete_object(Bucket=BUCKET, Key=f"raw/{name}")
    # What was a folder may become a file.
    client.put_object(Bucket=BUCKET, Key="raw/masks", Body=b"a file")
    read_manifest(root)
    assert sorted(path.name for path in root.iterdir()) == [".etags.json", "gold.json", "masks"]
    assert (root / "masks").read_bytes() == b"a file"
    client.delete_object(Bucket=BUCKET, Key="raw/masks")
    read_manifest(root)
    assert not (root / "masks").exists()


def test_two_processes_do_not_copy_at_once(client, folder):
    root = raw_root(upload(client, folder, "raw"))
    code = "import sys, time; from pathlib import Path; from pseudolabel.core.workdir import *\n"
    code += "with output_lock(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", code, str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match="another run is writing"):
            read_manifest(root)
        other.kill()
    read_manifest(root)
    assert (root / "gold.json").is_file()


@pytest.mark.parametrize("damage", ["a file", "no database", "full disk"])
def test_a_cache_that_cannot_be_used_costs_time_alone(
    client, folder, damage, monkeypatch, capsys, tmp_path
):
    root = raw_root(upload(client, folder, "raw"))
    monkeypatch.setenv("PSEUDOLABEL_CACHE", str(tmp_path / damage))
    cache = tmp_path / damage / "images"
    if damage == "a file":
        cache.parent.mkdir()
        cache.write_text("no folder")
    elif damage == "no database":
        cache.mkdir(parents=True)
        (cache / "cache.db").write_text("no database" * 500)
    else:

        def fail(*_, **__):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("diskcache.Cache.set", fail)
    raw = read_raw(root, BOXES, hashes=True)
    assert raw.unreadable == ["not_an_image.png"]
    assert len(raw.perceptual_hashes) == len(raw.gold.images) + len(raw.pool) + 1
    warnings = capsys.readouterr().err
    assert warnings.count("expected a folder for a cache of images, found") == 1
    if damage != "full disk":
        with pytest.raises(BucketError, match="set PSEUDOLABEL_CACHE to another folder"):
            limit_cache(MB)


@pytest.mark.usefixtures("client")
def test_a_new_cache_is_larger_than_the_default_of_diskcache():
    keep_image("digest", b"content")
    assert image_cache._cache(image_cache._folder()).size_limit == 50_000 * MB
    limit_cache(MB)
    image_cache._cache.cache_clear()
    assert image_cache._cache(image_cache._folder()).size_limit == MB


def test_an_image_costs_one_request(client, folder, caplog):
    root = raw_root(upload(client, folder, "raw"))
    caplog.set_level(logging.INFO)
    caplog.clear()
    read_content(root / "images" / "pool" / "1.png")
    requests = [line for line in caplog.messages if "pool/1.png" in line]
    assert len(requests) == 1
    assert "GET /pond/raw/images/pool/1.png" in requests[0]


def test_an_image_that_is_gone_stops_the_copies_for_a_review(client, folder, tmp_path):
    root = raw_root(upload(client, folder, "raw"))
    image = LabelledImage("pool/gone.png", 4, 4, ())
    batch = SimpleNamespace(images=[image], folder=tmp_path / "batch")
    with pytest.raises(ReviewError, match="^s3://pond/raw/images/pool/gone.png: expected an image"):
        write_to_review(batch, root, [])


def test_a_bucket_is_not_written():
    with pytest.raises(ArgumentTypeError, match="to be copied to the bucket with `aws s3 sync`"):
        new_root_argument("s3://pond/new")
    assert new_root_argument("new") == Path("new")


def test_nothing_is_copied_twice(client, folder, read_images):
    root = raw_root(upload(client, folder, "raw"))
    bucket_files.read_bucket_states("s3://pond/raw", root)
    assert names(read_images) == ["gold.json", "val.json"]
    bucket_files.read_bucket_states("s3://pond/raw", root)
    assert len(read_images) == 2
    assert set(read_json(root / ".etags.json")) == {"gold.json", "val.json"}
