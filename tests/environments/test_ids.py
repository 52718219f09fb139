"""Ids, their options, the sentences about wrong ones, and episode seeds."""

import dataclasses

import pytest

from tfagents_core.environments import errors, ids, seeding


@dataclasses.dataclass(frozen=True)
class _Options:
    on: bool = False
    count: int | None = None
    rate: float = 0.5
    path: str = ""

    def __post_init__(self):
        if self.rate < 0:
            raise ValueError("rate must be >= 0.")


def _read(text):
    return ids.read_options(ids.parse(text), _Options)


def test_an_id_is_suite_task_and_options():
    parsed = ids.parse("control:cartpole:swingup?flatten=false")
    assert parsed.suite == "control"
    assert parsed.task == "cartpole:swingup"
    assert parsed.options == {"flatten": "false"}


@pytest.mark.parametrize("text", ["", "Pong", ":Pong", "atari:", "?a=1"])
def test_an_id_without_suite_or_task_is_refused(text):
    with pytest.raises(errors.EnvironmentIdError, match="suite:task"):
        ids.parse(text)


@pytest.mark.parametrize("query", ["", "on", "on=", "=true", "on=true&&"])
def test_a_malformed_query_is_refused(query):
    with pytest.raises(errors.EnvironmentIdError, match="option=value"):
        ids.parse(f"s:t?{query}")


def test_an_option_given_twice_is_refused():
    with pytest.raises(errors.EnvironmentIdError, match="more than once"):
        ids.parse("s:t?on=true&on=false")


def test_options_are_read_by_their_declared_types():
    options = _read("s:t?on=true&count=3&rate=1e-2&path=/a%26b/c")
    assert options == _Options(on=True, count=3, rate=0.01, path="/a&b/c")


def test_options_left_out_keep_their_defaults():
    assert _read("s:t") == _Options()


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("on=yes", "true or false"),
        ("count=1.5", "an integer"),
        ("rate=fast", "a number"),
    ],
)
def test_a_value_of_another_type_is_refused(query, what):
    with pytest.raises(errors.EnvironmentIdError, match=f"must be {what}, not"):
        _read(f"s:t?{query}")


def test_an_unknown_option_names_the_nearest():
    with pytest.raises(errors.EnvironmentIdError, match="did you mean 'count'"):
        _read("s:t?counts=3")


def test_a_value_that_the_options_refuse_names_the_id():
    with pytest.raises(errors.EnvironmentIdError, match="'s:t.rate=-1': rate must be"):
        _read("s:t?rate=-1")


@pytest.mark.parametrize("word", ["pong", "PONG", "pOnG", "pon", "PON", "PONGG"])
def test_another_case_alone_is_recognised_as_the_name_meant(word):
    assert errors.did_you_mean(word, ["Pong", "Qbert"]) == "did you mean 'Pong'?"


def test_names_that_begin_alike_come_before_similar_ones():
    known = ["cartpole:balance", "cartpole:swingup", "carpool"]
    assert errors.did_you_mean("cartpole", known) == (
        "did you mean 'cartpole:balance' or 'cartpole:swingup'?"
    )


def test_where_nothing_is_similar_a_few_names_are_listed():
    assert errors.did_you_mean("xyz", ["b", "a"]) == "known: 'a', 'b'."
    assert errors.did_you_mean("xyz", "abcdefg").endswith("'e', ...")


def test_episode_seeds_differ_between_runs_and_episodes():
    seeds = {seeding.episode_seed(s, n) for s in range(20) for n in range(20)}
    assert len(seeds) == 400
    assert all(1 <= seed < 2**31 for seed in seeds)


def test_episode_seeds_are_the_same_on_every_machine():
    assert [seeding.episode_seed(0, n) for n in range(2)] == [1610069011, 673228720]


@pytest.mark.parametrize(("seed", "number"), [(-1, 0), (0, -1)])
def test_negative_seeds_and_episode_numbers_are_refused(seed, number):
    with pytest.raises(ValueError, match="-1"):
        seeding.episode_seed(seed, number)
