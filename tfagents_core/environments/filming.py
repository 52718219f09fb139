"""Videos of episodes: MP4 files with H.264, which every player and browser shows.

An episode follows from its seed, its number and its actions, so it is filmed by
replaying it in another process. The process is separate because TensorFlow and Mesa
(OpenGL on machines without a graphics card) each contain a copy of LLVM and crash in
one process.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from typing import IO, Any

import dm_env
import numpy as np
import numpy.typing as npt
import tree

from tfagents_core import environments, types

_SUFFIX = ".mp4"
_PACKAGES = ("imageio", "imageio_ffmpeg")
_DEFAULT_FRAMES_PER_SECOND = 30.0
_PROGRAM = "from tfagents_core.environments import filming; filming.main()"

# Exceptions that the other process may report, by name.
_ERRORS: dict[str, type[Exception]] = {
    error.__name__: error
    for error in (
        environments.EnvironmentIdError,
        environments.MissingExtraError,
        environments.RenderingError,
        OSError,
    )
}


@contextlib.contextmanager
def camera(
    path: pathlib.Path,
    environment_id: str,
    *,
    seed: int,
    canonical_actions: bool = True,
) -> Iterator[Camera]:
    """Yields a camera that films an environment's first episode in another process.

    The process makes the environment and renders its first state before this yields, so
    an environment that cannot be filmed raises before any episode is played.

    Args:
        path: the MP4 file to write; its directory is created if needed.
        environment_id: as for `environments.make`.
        seed: the environment's seed.
        canonical_actions: whether actions will be canonical, as `environments.make`
            takes them, or else the task's own.

    Raises:
        ValueError: `path` does not end in `.mp4`.
        environments.RenderingError: this environment cannot be rendered, or not on this
            machine.
        environments.MissingExtraError: a package is not installed.
    """
    if path.suffix != _SUFFIX:
        raise ValueError(f"A video is an {_SUFFIX} file, and {str(path)!r} is not.")
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            # `python:` ids are to name the same modules there.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        )
        try:
            ready = Camera(process, log)
            ready.ask(
                path=os.path.abspath(path),
                environment_id=environment_id,
                seed=seed,
                canonical_actions=canonical_actions,
            )
            yield ready
        finally:
            process.kill()
            process.communicate()


class Camera:
    """Controls the process that films; see `camera`. Not thread-safe.

    Args:
        process: the process, which runs `main`.
        log: the file to which its standard error goes.
    """

    def __init__(self, process: subprocess.Popen[str], log: IO[str]) -> None:
        self._process = process
        self._log = log

    def film(
        self, actions: Sequence[types.NestedArray], rewards: Sequence[float]
    ) -> None:
        """Replays the episode and writes the video.

        Args:
            actions: the action of each step.
            rewards: the reward of each step, which must be the same in the replay.

        Raises:
            environments.RenderingError: a reward differs, so the environment is not
                deterministic.
            OSError: the file cannot be written.
        """
        leaves = [[np.asarray(a).tolist() for a in tree.flatten(x)] for x in actions]
        self.ask(actions=leaves, rewards=[float(reward) for reward in rewards])

    def ask(self, **request: Any) -> None:
        """Sends one request and waits for the answer.

        Raises:
            Exception: the exception that the answer reports, one of `_ERRORS`.
            OSError: the process died.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):  # Then there is no answer either.
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._log.seek(0)
            last_line = self._log.read().strip().rpartition("\n")[2]
            raise OSError(
                "The process that draws the video ended by itself, with code "
                f"{self._process.wait()}: {last_line or 'it said nothing.'}"
            )
        error = json.loads(answer)["error"]
        if error is not None:
            raise _ERRORS[error["kind"]](error["sentence"])


def main() -> None:
    """The process that films: answers requests, one JSON object per line."""
    # Libraries print to stdout too, which must not be taken for an answer.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    with _reported(answers):
        _check_packages()
        request = json.loads(sys.stdin.readline())
        environment = _make(
            request["environment_id"], request["seed"], request["canonical_actions"]
        )
        environment.reset()
        _check_picture(environment.render())
    path = pathlib.Path(request["path"])
    with _reported(answers):
        line = sys.stdin.readline()
        if line:
            _film(environment, path, **json.loads(line))


@contextlib.contextmanager
def _reported(answers: IO[str]) -> Iterator[None]:
    """Answers with the block's error, and then exits, or with no error."""
    error = None
    try:
        yield
    except tuple(_ERRORS.values()) as caught:
        traceback.print_exc()
        # The most derived class that has a name here; the caught one may be a subclass.
        kind = next(k for k in type(caught).__mro__ if k in _ERRORS.values())
        error = {"kind": kind.__name__, "sentence": str(caught)}
    print(json.dumps({"error": error}), file=answers, flush=True)
    if error is not None:
        sys.exit(1)


def _check_packages() -> None:
    for package in _PACKAGES:
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise environments.MissingExtraError(
                f"A video needs {package!r}, which is not installed: pip install "
                "'tfagents-core[video]'."
            ) from error


def _make(
    environment_id: str, seed: int, canonical_actions: bool
) -> dm_env.Environment:
    canonical = environments.make(
        environment_id, seed=seed, evaluation=True, render=True
    )
    if not callable(getattr(canonical, "render", None)):
        raise environments.RenderingError(
            f"{environment_id!r} has no method render() that returns a picture, so it "
            "cannot be filmed."
        )
    return canonical if canonical_actions else canonical.environment


def _check_picture(picture: Any) -> None:
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[-1] != 3:
        raise environments.RenderingError(
            f"A picture is uint8 [height, width, 3], and this environment's render() "
            f"returned {array.dtype} {list(array.shape)}, so it cannot be filmed."
        )


def _film(
    environment: dm_env.Environment,
    path: pathlib.Path,
    *,
    actions: Sequence[Sequence[Any]],
    rewards: Sequence[float],
) -> None:
    """Writes the video of the episode that has just begun."""
    fps = getattr(environment, "steps_per_second", _DEFAULT_FRAMES_PER_SECOND)
    spec = environment.action_spec()
    dtypes = [leaf.dtype for leaf in tree.flatten(spec)]
    with _writing(path, fps, num_frames=1 + len(actions)) as writer:
        writer.append_data(_with_even_sides(environment.render()))
        for values, reward in zip(actions, rewards, strict=True):
            leaves = [np.asarray(v, d) for v, d in zip(values, dtypes, strict=True)]
            timestep = environment.step(tree.unflatten_as(spec, leaves))
            if timestep.reward != reward:
                raise environments.RenderingError(
                    "The environment did not play the same episode again, so there is no "
                    "video of it: it is not deterministic."
                )
            writer.append_data(_with_even_sides(environment.render()))


@contextlib.contextmanager
def _writing(
    path: pathlib.Path, frames_per_second: float, *, num_frames: int
) -> Iterator[Any]:
    """Opens a video writer; the file gets its final name only when complete."""
    import imageio.v2 as imageio

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".unfinished{_SUFFIX}")
    try:
        writer = imageio.get_writer(
            unfinished,
            format="FFMPEG",
            fps=frames_per_second,
            codec="libx264",
            macro_block_size=2,  # By default sides are scaled to multiples of 16.
            ffmpeg_log_level="error",
        )
        with contextlib.closing(writer):  # Also after an error: ends the encoder.
            yield writer
        _check_whole(unfinished, num_frames)  # Before the final name is taken.
        os.replace(unfinished, path)
    except OSError as error:
        traceback.print_exc()  # Pages of the encoder's output.
        raise OSError(
            f"The video {path} could not be written; is there room on the disk?"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _check_whole(path: pathlib.Path, num_frames: int) -> None:
    """Counts the frames, because errors at the encoder's end go unreported."""
    import imageio_ffmpeg

    try:
        found, _ = imageio_ffmpeg.count_frames_and_secs(str(path))
    except RuntimeError as error:
        raise OSError("The video cannot be read.") from error
    if found != num_frames:
        raise OSError(f"The video has {found} frames, and not {num_frames}.")


def _with_even_sides(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Repeats the last row or column if needed: H.264 takes only even sides."""
    height, width, _ = picture.shape
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
