"""TensorBoard events, read back with TensorBoard's own reader."""

import numpy as np
import pytest
from tensorboard.backend.event_processing import event_accumulator

from tfagents_core import loggers


def _scalars(directory):
    events = event_accumulator.EventAccumulator(str(directory))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_scalars_lie_under_kind_and_name_against_actor_steps(tmp_path):
    logger = loggers.TensorBoardLogger(tmp_path)
    logger.write("train", {"num_actor_steps": 5, "episode_return": np.float32(1.5)})
    logger.write("train", {"num_actor_steps": 9, "episode_return": 2})
    logger.write("eval", {"num_actor_steps": 9, "episode_return": np.array(4.0)})
    logger.close()
    assert _scalars(tmp_path) == {
        "train/episode_return": [(5, 1.5), (9, 2.0)],
        "eval/episode_return": [(9, 4.0)],
    }


def test_what_is_no_single_number_is_left_out(tmp_path):
    logger = loggers.TensorBoardLogger(tmp_path)
    values = {"episode_returns": [1.0], "array": np.ones(2), "note": "x", "none": None}
    logger.write("eval", {"num_actor_steps": 1, "episode_return": 3.0, **values})
    logger.close()
    assert _scalars(tmp_path) == {"eval/episode_return": [(1, 3.0)]}


def test_a_row_without_actor_steps_is_refused(tmp_path):
    logger = loggers.TensorBoardLogger(tmp_path)
    with pytest.raises(KeyError, match="num_actor_steps"):
        logger.write("eval", {"episode_return": 3.0})
    logger.close()


def test_closing_twice_is_harmless(tmp_path):
    logger = loggers.TensorBoardLogger(tmp_path)
    logger.close()
    logger.close()
