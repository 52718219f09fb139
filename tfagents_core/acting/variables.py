"""How an actor's copy of the variables follows the learner's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

from tfagents_core import core


class VariableClient:
    """Copies groups of variables from a source at every `update_period`-th update.

    For actors whose variables are their own: in another thread or process, or held
    back on purpose. Not thread-safe; the source's thread-safety is its own.

    Args:
        source: where the values come from.
        variables: the actor's variables by the source's group name, in its order.
        update_period: calls of `update` between two copies.

    Raises:
        ValueError: `update_period` is not positive.
    """

    def __init__(
        self,
        source: core.VariableSource,
        variables: Mapping[str, Sequence[tf.Variable]],
        *,
        update_period: int,
    ) -> None:
        if update_period < 1:
            raise ValueError(f"update_period must be positive, not {update_period}.")
        self._source = source
        self._variables = dict(variables)
        self._update_period = update_period
        self._num_updates = 0

    def update(self) -> None:
        """Counts one step and, when the period is over, copies the variables."""
        self._num_updates += 1
        if self._num_updates % self._update_period == 0:
            self.copy()

    def copy(self) -> None:
        """Copies the variables now.

        Raises:
            ValueError: the source's group has another number of variables.
        """
        values = self._source.get_variables(list(self._variables))
        for (name, own), new in zip(self._variables.items(), values, strict=True):
            if len(own) != len(new):
                raise ValueError(
                    f"The source's {name!r} has {len(new)} variables, the actor's "
                    f"{len(own)}: their networks differ."
                )
            for variable, value in zip(own, new, strict=True):
                variable.assign(value)
