"""Weights travel in one piece, by version."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import tensorflow as tf

from tfagents_core import distributed
from tfagents_core.distributed import weights


def make_variables(factor: float) -> list[tf.Variable]:
    return [
        tf.Variable(factor * np.arange(6, dtype=np.float32).reshape(2, 3)),
        tf.Variable(int(factor), dtype=tf.int64),
        tf.Variable(factor * np.ones(4, np.float32)),
        tf.Variable(factor > 1, dtype=tf.bool),
    ]


def test_a_pack_carries_every_variable() -> None:
    learner, actor = make_variables(3.0), make_variables(1.0)
    packed = weights.VariablePack(learner).read()
    assert [array.shape for array in packed] == [(10,), (1,), (1,)]
    weights.VariablePack(actor).write(packed)
    for one, other in zip(learner, actor, strict=True):
        np.testing.assert_array_equal(one.numpy(), other.numpy())


def test_what_was_read_does_not_change_with_the_variable() -> None:
    """Even of a single variable, which nothing is joined to."""
    variable = tf.Variable(np.ones(5, np.float32))
    (read,) = weights.VariablePack([variable]).read()
    variable.assign_add(np.ones(5, np.float32))
    np.testing.assert_array_equal(read, np.ones(5))


def test_weights_of_other_networks_are_refused() -> None:
    packed = weights.VariablePack(make_variables(3.0)).read()
    with pytest.raises(ValueError, match="networks of actor and learner differ"):
        weights.VariablePack(make_variables(1.0)[:2]).write(packed)


def test_no_variables_need_no_call() -> None:
    pack = weights.VariablePack([])
    assert pack.read() == []
    pack.write([])


def test_only_newer_weights_are_fetched() -> None:
    store = weights.WeightStore()
    assert store.fetch(0) is None and store.version == 0
    assert store.publish([np.ones(1)], 10) == 1
    assert store.publish([np.zeros(1)], 20) == 2
    newest = store.fetch(1)
    assert newest is not None and (newest.version, newest.num_learner_steps) == (2, 20)
    assert store.fetch(2) is None


def test_an_actor_follows_at_its_period() -> None:
    store, own = weights.WeightStore(), make_variables(1.0)
    client = weights.WeightsClient(store, own, update_period=3)
    store.publish(weights.VariablePack(make_variables(3.0)).read(), 70)
    versions = []
    for _ in range(3):
        client.update()
        versions.append(client.version)
    assert versions == [0, 0, 1] and client.num_learner_steps == 70
    assert own[1].numpy() == 3


def test_an_actor_waits_for_the_first_weights() -> None:
    store, own = weights.WeightStore(), make_variables(1.0)
    client = weights.WeightsClient(store, own, update_period=1)
    with pytest.raises(TimeoutError, match="has published no weights"):
        client.wait(timeout_s=1e-3)
    packed = weights.VariablePack(make_variables(3.0)).read()
    publisher = threading.Thread(target=store.publish, args=[packed, 1])
    publisher.start()
    client.wait(timeout_s=60.0)
    publisher.join()
    assert own[1].numpy() == 3


def test_a_wait_for_weights_ends_with_the_run() -> None:
    stop = threading.Event()
    stop.set()
    client = weights.WeightsClient(weights.WeightStore(), [], update_period=1)
    with pytest.raises(distributed.StoppedError):
        client.wait(stop=stop)


def test_a_period_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="update_period"):
        weights.WeightsClient(weights.WeightStore(), [], update_period=0)
