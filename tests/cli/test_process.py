"""What only a process of its own shows: imports, standard error, exit codes."""

import os
import subprocess
import sys

import pytest

_REPORT = """
import sys
from tfagents_core import cli
code = cli.main(sys.argv[1:])
print("tensorflow" in sys.modules)
sys.exit(code)
"""


def _run(program, *arguments, **environment):
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
        timeout=120,
    )


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--help"], 0),
        (["train", "--help"], 0),
        (["train", "d4pgg", "gym:CartPole-v1"], 2),
        (["train", "dqn", "nothing"], 2),
        (["train", "dqn", "python:nowhere:make"], 2),
        (["train", "dqn", "gym:CartPole-v1", "--steps", "0"], 2),
        (["evaluate", "nowhere"], 2),
        (["plot", "nowhere"], 2),
    ],
)
def test_what_needs_no_tensorflow_does_not_import_it(arguments, code):
    done = _run(_REPORT, *arguments)
    assert done.returncode == code, done.stderr
    assert done.stdout.splitlines()[-1] == "False"


_IMPORT = """
import sys
from tfagents_core.cli import tensorflow_import
tensorflow_import.import_quietly()
import tensorflow as tf
tf.config.list_physical_devices()
print("shown after all", file=sys.stderr)
"""


def test_importing_tensorflow_says_nothing():
    done = _run(_IMPORT, CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="3")
    assert (done.returncode, done.stderr) == (0, "shown after all\n")


_FAILING_IMPORT = """
import importlib, os
from tfagents_core.cli import tensorflow_import

def fail(name):
    os.write(2, b"library's own words\\n")
    raise ImportError("no " + name)

importlib.import_module = fail
tensorflow_import.import_quietly()
"""


def test_a_failing_import_shows_what_the_libraries_said():
    done = _run(_FAILING_IMPORT, TF_CPP_MIN_LOG_LEVEL="3")
    assert done.returncode == 1
    assert done.stderr.startswith("library's own words\n")
    assert "no tensorflow" in done.stderr


_WITHOUT_CLICK = """
import sys
sys.modules["click"] = None
from tfagents_core import cli
sys.exit(cli.main(["list"]))
"""


def test_without_click_the_extra_is_named():
    done = _run(_WITHOUT_CLICK)
    assert done.returncode == 2
    assert "pip install 'tfagents-core[tf]'" in done.stderr
    assert done.stderr.count("\n") == 1
