"""Whole numbers as people write them: `100000`, `100_000`, `1e5`."""

from __future__ import annotations

import click


def parse_whole(text: str) -> int:
    """Parses a whole number, such as `100000`, `100_000` or `1e5`.

    Raises:
        ValueError: `text` is not a whole number.
    """
    try:
        return int(text)
    except ValueError:
        value = float(text)
    if not value.is_integer():
        raise ValueError(f"{text!r} is not a whole number")
    return int(value)


class Whole(click.IntRange):
    """A Click type: a whole number of at least `minimum`."""

    name = "n"

    def __init__(self, minimum: int) -> None:
        super().__init__(min=minimum)

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> int:
        """Parses the option's text and checks its range."""
        try:
            number = parse_whole(str(value))
        except ValueError:
            text = f"{str(value)!r} is not a whole number, such as 100000 or 1e5."
            self.fail(text, param, ctx)
        return int(super().convert(number, param, ctx))
