"""Seeds for the parts of a run."""

from __future__ import annotations

from typing import Any

import pytest

from tfagents_core import seeds


def test_a_parts_seed_depends_on_nothing_but_its_arguments() -> None:
    assert seeds.derive(1, "environment", 3) == seeds.derive(1, "environment", 3)


@pytest.mark.parametrize(
    ("arguments", "seed"),
    [
        ((0, "environment"), 1940234547),
        ((0, "environment", 1), 593133964),
        ((123, "replay"), 1975689823),
    ],
)
def test_seeds_are_the_same_in_every_version(
    arguments: tuple[Any, ...], seed: int
) -> None:
    assert seeds.derive(*arguments) == seed


def test_runs_purposes_and_indices_all_give_seeds_of_their_own() -> None:
    drawn = {
        seeds.derive(run, purpose, index)
        for run in range(10)
        for purpose in ("environment", "networks", "actor", "replay")
        for index in range(25)
    }
    assert len(drawn) == 10 * 4 * 25


def test_an_index_left_out_is_0() -> None:
    assert seeds.derive(5, "actor") == seeds.derive(5, "actor", 0)


@pytest.mark.parametrize("run", [0, 1, 2**31, 2**64 + 1])
def test_seeds_fit_every_library(run: int) -> None:
    drawn = [seeds.derive(run, "environment", index) for index in range(100)]
    assert all(isinstance(seed, int) and 0 <= seed < 2**31 for seed in drawn)


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(ValueError, match="non-negative"):
        seeds.derive(-1, "environment")
