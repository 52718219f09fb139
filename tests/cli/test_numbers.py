"""Whole numbers as people write them."""

import pytest

from tfagents_core.cli import numbers


@pytest.mark.parametrize(
    ("text", "value"),
    [("100", 100), ("1e5", 100_000), ("1_000", 1_000), ("2.5e3", 2_500), ("-3", -3)],
)
def test_whole_numbers_are_read(text, value):
    assert numbers.parse_whole(text) == value


@pytest.mark.parametrize("text", ["", "1.5", "1e-3", "inf", "nan", "ten"])
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError):
        numbers.parse_whole(text)


def test_a_large_number_keeps_every_digit():
    assert numbers.parse_whole("9007199254740993") == 9_007_199_254_740_993
