"""JSON lines: always valid JSON, whatever is logged and whoever is killed."""

import json

import numpy as np
import pytest

from tfagents_core import loggers


def _read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def _write(file, **values):
    logger = loggers.JsonLinesLogger(file)
    logger.write("eval", values)
    logger.close()


def test_a_row_is_its_kind_and_its_values(tmp_path):
    _write(tmp_path / "m.jsonl", num_actor_steps=3, episode_return=1.5)
    assert _read(tmp_path / "m.jsonl") == [
        {"kind": "eval", "num_actor_steps": 3, "episode_return": 1.5}
    ]


def test_numpy_values_become_numbers_and_lists(tmp_path):
    _write(
        tmp_path / "m.jsonl",
        scalar=np.float32(0.5),
        count=np.int64(7),
        flag=np.bool_(True),
        array=np.array([[1, 2], [3, 4]]),
        several=[np.float64(1.0), 2],
        nested={"a": np.uint8(1)},
        path=tmp_path,
        none=None,
    )
    assert _read(tmp_path / "m.jsonl") == [
        {
            "kind": "eval",
            "scalar": 0.5,
            "count": 7,
            "flag": True,
            "array": [[1, 2], [3, 4]],
            "several": [1.0, 2],
            "nested": {"a": 1},
            "path": str(tmp_path),
            "none": None,
        }
    ]


@pytest.mark.parametrize("value", [float("nan"), np.float32("inf"), -np.inf])
def test_what_json_cannot_say_becomes_null(tmp_path, value):
    _write(tmp_path / "m.jsonl", loss=value, losses=[1.0, value])
    assert _read(tmp_path / "m.jsonl") == [
        {"kind": "eval", "loss": None, "losses": [1.0, None]}
    ]


@pytest.mark.parametrize("value", [object(), b"bytes", np.array([object()])])
def test_a_value_without_a_json_form_is_named_and_writes_nothing(tmp_path, value):
    logger = loggers.JsonLinesLogger(tmp_path / "m.jsonl")
    with pytest.raises(TypeError, match="'culprit'"):
        logger.write("train", {"fine": 1, "culprit": value})
    logger.close()
    assert (tmp_path / "m.jsonl").read_text() == ""


def test_every_row_is_on_disk_at_once(tmp_path):
    logger = loggers.JsonLinesLogger(tmp_path / "m.jsonl")
    for step in range(3):
        logger.write("train", {"num_actor_steps": step})
        assert len(_read(tmp_path / "m.jsonl")) == step + 1
    logger.close()


def test_opening_again_appends_and_cuts_off_a_torn_line(tmp_path):
    path = tmp_path / "m.jsonl"
    path.write_text('{"kind": "train"}\n{"kind": "tra')
    _write(path, num_actor_steps=1)
    assert _read(path) == [{"kind": "train"}, {"kind": "eval", "num_actor_steps": 1}]


def test_missing_directories_are_made_and_closing_twice_is_harmless(tmp_path):
    logger = loggers.JsonLinesLogger(tmp_path / "a" / "b" / "m.jsonl")
    logger.close()
    logger.close()
    assert (tmp_path / "a" / "b" / "m.jsonl").exists()
