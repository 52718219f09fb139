"""A key names one item for ever: across removals, resets, restores and shards."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest

from tfagents_core import replay

from . import helpers


def make(**options: Any) -> replay.Replay:
    table = helpers.make_table(pattern=None, sampler=replay.Lifo(), max_size=4)
    rb = replay.Replay(helpers.STEPS, [table], **options)
    rb.append_one(helpers.make_row(np.random.default_rng(0)), first=True)
    return rb


def make_items(rb: replay.Replay, n: int) -> list[int]:
    return [rb.create_item("table", 1) for _ in range(n)]


def test_a_key_of_an_item_that_a_restore_lost_is_stale(tmp_path: pathlib.Path) -> None:
    rb = make()
    kept = make_items(rb, 4)
    rb.save(tmp_path / "replay")
    lost = make_items(rb, 3)
    restored = make()
    restored.restore(tmp_path / "replay")
    new = make_items(restored, 2)
    table = restored.tables["table"]
    assert table.update_priorities(lost, np.full(3, 9.0)) == 0
    assert table.stats().num_stale_updates == 3
    assert table.update_priorities(new, np.full(2, 5.0)) == 2
    # Items that were saved keep their keys; the new ones took the place of two.
    assert table.update_priorities(kept, np.full(4, 3.0)) == 2
    assert not set(new) & {*kept, *lost}


def test_restores_of_one_checkpoint_in_one_process_give_different_keys(
    tmp_path: pathlib.Path,
) -> None:
    rb = make()
    make_items(rb, 4)
    rb.save(tmp_path / "replay")
    seen: set[int] = set()
    for _ in range(5):
        rb.restore(tmp_path / "replay")
        keys = make_items(rb, 6)
        assert len(set(keys)) == 6
        assert not seen & set(keys)
        seen.update(keys)
        rb.check_valid()


def test_a_process_that_says_which_life_it_is_gives_keys_of_its_own(
    tmp_path: pathlib.Path,
) -> None:
    rb = make()
    make_items(rb, 4)
    rb.save(tmp_path / "replay")
    lives = []
    for life in (1, 2, 3):
        process = make(epoch=life)
        process.restore(tmp_path / "replay")
        lives.append(set(make_items(process, 4)))
    assert not lives[0] & lives[1]
    assert not lives[1] & lives[2]


def test_keys_before_a_reset_stay_stale() -> None:
    rb = make()
    before = make_items(rb, 4)
    rb.reset()
    rb.append_one(helpers.make_row(np.random.default_rng(0)), first=True)
    after = make_items(rb, 4)
    assert not set(before) & set(after)
    assert rb.tables["table"].delete(before) == 0
    assert rb.tables["table"].size == 4


def test_a_key_that_was_never_given_out_counts_as_stale() -> None:
    rb = make()
    table = rb.tables["table"]
    assert table.update_priorities([0, 5, 2**40], np.ones(3)) == 0
    (key,) = make_items(rb, 1)
    assert table.update_priorities([key + 1, key + 2**31, key], np.ones(3)) == 1
    assert table.delete([key + 1]) == 0
    assert table.stats().num_stale_updates == 5


def test_a_key_of_another_shard_is_refused() -> None:
    shards = [make(shard=shard) for shard in (0, 1, 63)]
    keys = [make_items(rb, 1) for rb in shards]
    assert len({key for (key,) in keys}) == 3
    for rb, own in zip(shards, keys, strict=True):
        assert rb.tables["table"].update_priorities(own, [2.0]) == 1
        for foreign in keys:
            if foreign != own:
                with pytest.raises(ValueError, match="never given out .* of shard"):
                    rb.tables["table"].update_priorities(foreign, [2.0])
    with pytest.raises(ValueError, match="never given out by table"):
        shards[0].tables["table"].delete([-1])


@pytest.mark.parametrize("bad", [{"shard": 64}, {"shard": -1}, {"epoch": 1024}])
def test_shards_and_epochs_beyond_the_room_in_a_key_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match=r"shard .* \[0, 64\), epoch .* \[0, 1024\)"):
        make(**bad)


def test_a_slot_that_every_new_item_takes_never_repeats_a_key() -> None:
    # The remover takes the newest item, so that two slots have all items but three.
    rb, table = helpers.make_replay(
        pattern=None, remover=replay.Lifo(), max_size=4, sampler=replay.Uniform()
    )
    rb.append_one(helpers.make_row(np.random.default_rng(0)), first=True)
    num_items = 3 * 2**16
    keys = make_items(rb, num_items)
    assert len(set(keys)) == num_items
    assert table.delete(keys[:-4]) + table.size >= 4
    rb.check_valid()
