"""Checkpoints from elsewhere: whatever they hold, no code of theirs runs, and one line says why."""

import io
import os
import pickle
import tarfile
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer

from pseudolabel.core.errors import ModelError
from pseudolabel.models.checkpoints import load_checkpoint, load_weights

MARK = "ran"
COMMAND = f"touch {MARK}"


class Call:
    """Pickles as a call of a function."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


class Reached:
    """A call of whatever getattr returns; pickle itself demands a function here."""

    def __reduce__(self):
        return eval, (f"__import__('os').system({COMMAND!r})",)


def write_getattr_chain(path):
    """A pickle whose every name is in mmengine's list of safe names, and that calls os.system.

    It gives mmengine's own module another `np`, whose `array` is Python's eval.
    """

    def text(value):
        return b"X" + len(value).to_bytes(4, "little") + value.encode()

    def attribute(inner, name):
        return b"cbuiltins\ngetattr\n(" + inner + text(name) + b"tR"

    buffer = b"cmmengine.logging.history_buffer\nHistoryBuffer\n"
    run = attribute(attribute(b"cbuiltins\ngetattr\n", "__self__"), "eval")
    other_numpy = buffer + b")\x81}" + text("array") + run + b"sb"
    names = attribute(attribute(buffer, "__init__"), "__globals__")
    code = text(f"[__import__('os').system({COMMAND!r})]")
    call = buffer + b"(" + code + code + b"tR"
    content = b"\x80\x02(" + names + text("np") + other_numpy + b"s" + call + b"t."
    torch.save({}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, old in members.items():
            archive.writestr(name, content if name.endswith("data.pkl") else old)


def write_reduce(path):
    torch.save({"state_dict": Call(os.system, COMMAND)}, path)


def write_eval(path):
    torch.save({"state_dict": {"weight": torch.ones(2)}, "meta": Reached()}, path)


def write_plain_pickle(path):
    path.write_bytes(pickle.dumps({"state_dict": Call(os.system, COMMAND)}))


def write_legacy(path):
    content = {"state_dict": {"weight": Call(os.system, COMMAND)}}
    torch.save(content, path, _use_new_zipfile_serialization=False)


def write_nested_zip(path):
    write_reduce(path.with_name("inner.pth"))
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(path.with_name("inner.pth"), "inner.pth")


def write_tar(path):
    with tarfile.open(path, "w") as archive:
        for name in ("storages", "tensors", "pickle"):
            content = pickle.dumps(Call(os.system, COMMAND))
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def write_script(path):
    torch.jit.script(torch.nn.Linear(2, 2)).save(str(path))


def write_truncated(path):
    torch.save({"weight": torch.ones(300)}, path)
    path.write_bytes(path.read_bytes()[:900])


def write_list(path):
    torch.save({"state_dict": {"weight": [1.0, 2.0]}}, path)


def write_int_keys(path):
    torch.save({"state_dict": {0: torch.ones(2)}}, path)


def write_numbers(path):
    torch.save({"weight": torch.ones(2), "epoch": 3}, path)


def write_array(path):
    torch.save({"state_dict": {"weight": np.ones(3)}}, path)


def write_list_at_the_top(path):
    torch.save([torch.ones(2)], path)


def write_whole_model(path):
    torch.save(torch.nn.Linear(2, 2), path)


def write_repeated_tensor(path):
    torch.save({"weight": torch.ones(1).expand(1 << 40)}, path)


def write_made_up_tensor(path):
    torch.save({"weight": Call(torch.Tensor, 10**9)}, path)


def write_sparse(path):
    torch.save({"weight": torch.sparse_coo_tensor(torch.tensor([[0]]), [1.0], (10**9,))}, path)


def write_circle(path):
    circle = []
    circle.append(circle)
    torch.save({"state_dict": {"weight": circle}}, path)


def write_giant_storage(path):
    """A tensor of 2^30 values in the pickle, of 3 values in the file."""
    torch.save({"state_dict": {"weight": torch.ones(3)}}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content.replace(b"K\x03", b"J\x00\x00\x00\x40"))


def write_compressed(path):
    torch.save({"state_dict": {"weight": torch.zeros(1 << 20)}}, path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def write_replaced_methods(path):
    """An OrderedDict whose `items` is a number."""

    class Replaced:
        def __reduce__(self):
            return OrderedDict, (), {"items": 5, "keys": 5}, None, iter([("weight", [1])])

    torch.save({"state_dict": Replaced()}, path)


ATTACKS = {
    "getattr and HistoryBuffer": (write_getattr_chain, ""),
    "reduce": (write_reduce, "posix.system"),
    "eval in the logs": (write_eval, "eval, which is not part of weights"),
    "pickle": (write_plain_pickle, ""),
    "the old format": (write_legacy, "posix.system"),
    "a zip in a zip": (write_nested_zip, ""),
    "tar": (write_tar, ""),
    "TorchScript": (write_script, ""),
    "cut short": (write_truncated, ""),
    "a list": (write_list_at_the_top, "found list"),
    "a whole model": (write_whole_model, "torch.nn.modules.linear.Linear"),
    "a repeated tensor": (write_repeated_tensor, "a tensor larger than the file"),
    "a tensor from nothing": (write_made_up_tensor, "a tensor larger than the file"),
    "a sparse tensor": (write_sparse, ""),
    "a list in itself": (write_circle, "values inside each other"),
    "a giant storage": (write_giant_storage, "record size (12 bytes)"),
    "compressed": (write_compressed, "that unpack to"),
}
NOT_WEIGHTS = {
    "list values": (write_list, "list as 'weight'"),
    "int keys": (write_int_keys, "the name 0"),
    "numbers beside weights": (write_numbers, "int as 'epoch'"),
    "an array": (write_array, "ArrayOrLog as 'weight'"),
    "replaced methods": (write_replaced_methods, "list as 'weight'"),
}


def refused(load, path):
    """The message of the refusal, which is one short line."""
    with pytest.raises(ModelError, match=r"weights\.pth: expected a .*, found .") as caught:
        load(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 400
    return message


@pytest.mark.parametrize(("write", "reason"), ATTACKS.values(), ids=ATTACKS)
@pytest.mark.parametrize("load", [load_weights, load_checkpoint])
def test_a_hostile_file_runs_nothing_and_is_refused_in_one_line(tmp_path, write, reason, load):
    write(tmp_path / "weights.pth")
    assert reason in refused(load, tmp_path / "weights.pth")
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize(("write", "reason"), NOT_WEIGHTS.values(), ids=NOT_WEIGHTS)
def test_weights_are_tensors_by_name(tmp_path, write, reason):
    write(tmp_path / "weights.pth")
    message = refused(load_weights, tmp_path / "weights.pth")
    assert reason in message
    assert 'torch.save({"state_dict": model.state_dict()}' in message


def test_every_cut_of_a_checkpoint_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"weight": torch.ones(9)}, path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ModelError, match="expected a checkpoint of weights"):
            load_weights(path)


def test_the_advice_names_a_way_to_convert(tmp_path):
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pth")
    with pytest.raises(ModelError, match=r'torch\.save\(\{"state_dict": model\.state_dict\(\)\}'):
        load_weights(tmp_path / "model.pth")


def test_weights_beside_training_logs_are_read_and_the_logs_are_not(tmp_path):
    logs = {"log_scalars": {"loss": HistoryBuffer([1.0], [1])}, "best": np.float64(0.5)}
    content = {"state_dict": {"module.weight": torch.ones(2)}, "message_hub": logs}
    torch.save(content, tmp_path / "zoo.pth")
    assert load_weights(tmp_path / "zoo.pth")["weight"].tolist() == [1, 1]
    with pytest.raises(ModelError, match="not part of weights"):
        load_checkpoint(tmp_path / "zoo.pth")


def test_the_list_of_other_packages_does_not_count_and_stays_as_it_was(tmp_path):
    torch.save({"weight": torch.ones(2), "more": Call(os.path.join, "a", "b")}, tmp_path / "a.pth")
    with torch.serialization.safe_globals([os.path.join]):
        with pytest.raises(ModelError, match="posixpath.join"):
            load_weights(tmp_path / "a.pth")
        assert os.path.join in torch.serialization.get_safe_globals()
