"""Compiled functions that cost little to call."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf
import tree

from tfagents_core import types
from tfagents_core.replay import columns


class _Graph(NamedTuple):
    """A function traced for one list of inputs."""

    function: Any  # A tf.types.experimental.ConcreteFunction.
    captures: list[tf.Tensor]
    dtypes: list[tf.DType]
    unused: dict[int, tf.Tensor]  # Stand-ins for inputs that nothing reads, by index.
    unflatten: Callable[[list[Any]], Any]


class Function:
    """A TensorFlow function from arrays to arrays that costs little to call.

    A call of `tf.function` takes about 400 us, most of which goes into sorting out its
    arguments: longer than a small network takes to act. Here the arguments are nests of
    arrays, of one structure at every call, so the graph is found by their shapes and
    dtypes and run by the operation that calls a graph: about 15 us, and 6 for each
    array. It is the same graph, with the same results to the bit.

    Each trace takes seconds, and inputs that keep changing their shapes or dtypes bring
    one each time: the first that is for other inputs gives a warning with both.

    Args:
        python_function: what to compile: takes nests of tensors, returns a nest.
        name: what it is called in the warning.
        parallel: whether independent operations run on several threads. That suits a
            learner; for a small policy, waking the threads would take longer than its
            operations do.
    """

    def __init__(
        self, python_function: Callable[..., Any], name: str, *, parallel: bool = False
    ) -> None:
        self._python_function = python_function
        self._name = name
        # By default TensorFlow runs small graphs without branches on one thread.
        self._executor = "DEFAULT" if parallel else ""
        self._graphs: dict[tuple[Any, ...], _Graph] = {}

    @property
    def num_traces(self) -> int:
        """How many lists of inputs the function was traced for."""
        return len(self._graphs)

    def __call__(self, *arguments: types.NestedArray) -> Any:
        """Calls the function.

        Args:
            *arguments: nests of NumPy arrays or tensors, of the same structure at every
                call.

        Returns:
            What the function returns, with NumPy arrays as leaves.
        """
        leaves = tree.flatten(arguments)
        key = tuple([(leaf.dtype, leaf.shape) for leaf in leaves])
        graph = self._graphs.get(key) or self._trace(key, arguments, leaves)
        for index, tensor in graph.unused.items():
            leaves[index] = tensor
        outputs = tf.raw_ops.StatefulPartitionedCall(
            args=[*leaves, *graph.captures],
            Tout=graph.dtypes,
            f=graph.function,
            executor_type=self._executor,
        )
        if not graph.dtypes:
            outputs = []  # Such an operation returns None.
        return graph.unflatten([output.numpy() for output in outputs])

    def _trace(
        self, key: tuple[Any, ...], arguments: Any, leaves: list[types.NestedArray]
    ) -> _Graph:
        if len(self._graphs) == 1:
            (first,) = self._graphs
            warnings.warn(
                f"{self._name} is compiled again, which takes seconds: first for "
                f"{_describe(first)}, now for {_describe(key)}; give it the same "
                "shapes and dtypes every time.",
                stacklevel=3,
            )
        structures: list[types.NestedTensor] = []

        def flat(*inputs: tf.Tensor) -> list[tf.Tensor]:
            result = self._python_function(*tree.unflatten_as(arguments, inputs))
            structures.append(tree.map_structure(lambda _: None, result))
            return [tf.convert_to_tensor(leaf) for leaf in tree.flatten(result)]

        inputs = [tf.TensorSpec(leaf.shape, leaf.dtype) for leaf in leaves]
        function = tf.function(flat).get_concrete_function(*inputs)
        self._graphs[key] = _Graph(
            function=function,
            captures=function.captured_inputs,
            dtypes=[output.dtype for output in function.outputs],
            unused={
                index: tf.constant(leaf)
                for index, leaf in enumerate(leaves)
                if not function.inputs[index].consumers()
            },
            unflatten=columns.make_unflatten(structures[-1]),
        )
        return self._graphs[key]


def _describe(key: tuple[Any, ...]) -> str:
    """Such as `float32 [1, 4], int32 [2]`."""
    return ", ".join(f"{dtype.name} {list(shape)}" for dtype, shape in key) or "()"
