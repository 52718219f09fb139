"""Builds the C++ replay with CMake and installs `agents/` as `tfagents_core.agents`.

A top-level import name `agents` would overwrite another distribution's package, so
the folder is mapped into ours; the symbolic link `tfagents_core/agents` says the same
to type checkers and editors in a checkout.
"""

import pathlib
import re

import setuptools

HERE = pathlib.Path(__file__).parent
VERSION = re.search(
    r'__version__ = "(.+)"', (HERE / "tfagents_core/__init__.py").read_text()
).group(1)

GYM = ["gymnasium>=1.0,<2"]
EXTRAS = {
    "tf": [
        "tensorflow>=2.15,<2.22",
        "dm-sonnet>=2.0.2,<3",
        "tensorflow-probability>=0.23,<0.26",
        "tf-keras>=2.15,<2.22",
        "trfl>=1.2,<2",
        "dm-env>=1.6,<2",
        "click>=8.1,<9",
        "cloudpickle>=2",
        "rich>=13",
        "tensorboard>=2.15",
    ],
    # mujoco 4 lacks a field that dm-control 1.0.50 reads. dm-control needs labmaze, whose
    # wheels end at Python 3.12 and which the suite never imports: after that, this is
    # the rest of what it needs, and `pip install --no-deps dm-control` adds it.
    "control": [
        "mujoco>=3.17,<4",
        'dm-control>=1.0.28,<2; python_version < "3.13"',
        *(
            f'{name}; python_version >= "3.13"'
            for name in (
                "absl-py",
                "dm-env",
                "glfw",
                "lxml",
                "protobuf",
                "pyopengl",
                "pyparsing",
                "requests",
                "scipy",
                "tqdm",
            )
        ),
    ],
    "gym": GYM,
    "atari": [*GYM, "ale-py>=0.11,<0.13", "pillow>=10"],
    "bsuite": ["bsuite>=0.3.6,<0.4", "pandas>=2"],
    "plots": ["matplotlib>=3.8", "scipy>=1.15"],
    # Gymnasium draws its classic environments with what its extra of that name brings.
    "video": [
        "gymnasium[classic-control]>=1.0,<2",
        "imageio>=2.28",
        "imageio-ffmpeg>=0.4.9",
    ],
}
# Large, and of use only to who runs on many processes or machines.
RAY = {"ray": ["ray>=2.50,<3"]}
EXTRAS["all"] = sorted({name for names in EXTRAS.values() for name in names})
EXTRAS["dev"] = [
    "hypothesis>=6",
    "mypy>=1.11",
    "pytest>=8",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.5",
    "ruff>=0.8",
    "scipy>=1.15",
    "cmake>=3.18",
    "ninja>=1.11",
    "pybind11>=3.1",
]
# The last release on PyPI has wheels for Linux and Python up to 3.11, and works with this
# TensorFlow and nothing later: it wants an environment of its own.
EXTRAS["reverb"] = [
    *EXTRAS["tf"],
    "dm-reverb[tensorflow]==0.14.0",
    "tensorflow==2.15.*",
    "tensorflow-probability==0.23.*",
    "numpy<2",
]


def packages(folder: str, name: str) -> list[str]:
    """The package `name` at `folder` and every package below it."""
    return [name, *(f"{name}.{p}" for p in setuptools.find_packages(HERE / folder))]


setuptools.setup(
    name="tfagents-core",
    version=VERSION,
    description="Reinforcement-learning agents from simple parts, run at any scale.",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.10,<3.14",
    packages=[
        *(p for p in packages("tfagents_core", "tfagents_core") if ".agents" not in p),
        *packages("agents", "tfagents_core.agents"),
    ],
    package_dir={"tfagents_core.agents": "agents"},
    package_data={"tfagents_core": ["py.typed"], "tfagents_core.replay": ["*.pyi"]},
    install_requires=["numpy>=1.26", "dm-tree>=0.1.8"],
    extras_require={**EXTRAS, **RAY},
    entry_points={
        "console_scripts": ["tfagents = tfagents_core.cli:main"],
        "tfagents_core.agents": [
            "d4pg = tfagents_core.agents.d4pg:D4PGBuilder",
            "dqn = tfagents_core.agents.dqn:DQNBuilder",
            "ppo = tfagents_core.agents.ppo:PPOBuilder",
            "sac = tfagents_core.agents.sac:SACBuilder",
        ],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in range(10, 14)),
        "Programming Language :: C++",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    cmake_source_dir=".",
)
