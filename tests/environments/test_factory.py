"""`make` and `list_ids`, and environments of the user's own."""

import subprocess
import sys

import dm_env
import pytest

from tfagents_core import environments
from tfagents_core.environments import wrappers

_USERS_MODULE = '''
import dm_env
import numpy as np
from dm_env import specs


class Dice(dm_env.Environment):
    """Shows a random number; seeds itself only where `Seeded` lets it."""

    def __init__(self, seed=0):
        self._rng = np.random.default_rng(seed)

    def _roll(self):
        return {"dice": np.float64(self._rng.integers(1000))}

    def reset(self):
        return dm_env.restart(self._roll())

    def step(self, action):
        return dm_env.transition(0.0, self._roll())

    def observation_spec(self):
        return {"dice": specs.Array((), np.float64)}

    def action_spec(self):
        return specs.DiscreteArray(2)


class Seeded(Dice):
    def seed(self, seed):
        self._rng = np.random.default_rng(seed)


def with_any(**settings):
    return Dice(**settings)


def without_seed():
    return Dice()


def cart_pole():
    import gymnasium
    return gymnasium.make("CartPole-v1")


def already_counted(seed):
    from tfagents_core import environments
    return environments.make("python:users_module:Seeded", seed=seed)


def nothing():
    return None


def broken():
    raise ValueError("the user's own")


number = 3
'''


@pytest.fixture(autouse=True)
def users_module(tmp_path, monkeypatch):
    (tmp_path / "users_module.py").write_text(_USERS_MODULE)
    (tmp_path / "needs_more.py").write_text("import nowhere_to_be_found")
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("users_module", None)


def _make(factory, *, seed=0):
    return environments.make(f"python:users_module:{factory}", seed=seed)


def _first(environment):
    return float(environment.reset().observation["dice"])


def test_a_users_environment_is_made_canonical():
    environment = _make("Dice")
    assert isinstance(environment, dm_env.Environment)
    assert environment.observation_spec()["dice"].dtype == "float32"
    assert environment.action_spec().dtype == "int32"
    assert environment.episode_number == 0


@pytest.mark.parametrize("factory", ["Dice", "Seeded", "with_any"])
def test_the_seed_reaches_the_users_factory(factory):
    assert _first(_make(factory, seed=1)) == _first(_make(factory, seed=1))
    assert _first(_make(factory, seed=1)) != _first(_make(factory, seed=2))


def test_a_factory_may_take_no_seed():
    assert _first(_make("without_seed", seed=1)) == _first(_make("without_seed"))


def test_a_users_environment_with_a_seed_method_has_pure_episodes(
    check_episodes_are_pure,
):
    check_episodes_are_pure(lambda seed: _make("Seeded?flatten=true", seed=seed))
    assert _make("Seeded").reseeds_episodes


def test_a_users_environment_without_says_so():
    assert not _make("Dice").reseeds_episodes


def test_observations_can_be_flattened():
    assert _make("Dice?flatten=true").reset().observation.shape == (1,)


def test_a_gymnasium_environment_is_adapted(check_episodes_are_pure):
    pytest.importorskip("gymnasium")
    check_episodes_are_pure(lambda seed: _make("cart_pole", seed=seed))


def test_an_environment_that_counts_its_episodes_is_taken_as_it_is():
    assert _first(_make("already_counted")) == _first(_make("Seeded"))


@pytest.mark.parametrize(
    ("environment_id", "match"),
    [
        ("python:users_module", "python:package.module:factory"),
        ("python:nowhere_to_be_found:make", "no module 'nowhere_to_be_found'"),
        ("python:users_module.deeper:make", "no module 'users_module.deeper'"),
        ("python:users_module:Dise", "no function 'Dise': did you mean 'Dice'"),
        ("python:users_module:number", "no function 'number'"),
        ("python:users_module:nothing", "returned 'NoneType'"),
        ("python:users_module:Dice?nonsense=1", "no option 'nonsense'"),
        ("contrl:cartpole:swingup", "did you mean 'control'"),
    ],
)
def test_a_wrong_id_is_refused_in_one_sentence(environment_id, match):
    with pytest.raises(environments.EnvironmentIdError, match=match) as error:
        environments.make(environment_id, seed=0)
    assert "\n" not in str(error.value)


def test_what_a_users_module_lacks_is_not_blamed_on_the_id():
    with pytest.raises(ModuleNotFoundError, match="nowhere_to_be_found"):
        environments.make("python:needs_more:make", seed=0)


def test_a_users_own_error_is_left_alone():
    with pytest.raises(ValueError, match="^the user's own$"):
        _make("broken")


def test_a_negative_seed_is_refused():
    with pytest.raises(ValueError, match="integer >= 0, not -1"):
        _make("Seeded", seed=-1)


@pytest.mark.parametrize(
    ("suite", "module", "package"),
    [
        ("control", "control", "dm_control"),
        ("atari", "atari", "ale_py"),
        ("bsuite", "bsuite", "bsuite"),
        ("gym", "gymnasium", "gymnasium"),
    ],
)
def test_a_missing_suite_names_the_extra_to_install(
    suite, module, package, monkeypatch
):
    name = f"tfagents_core.environments.{module}"
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.delattr(environments, module, raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(environments.MissingExtraError) as error:
        environments.make(f"{suite}:anything", seed=0)
    assert f"pip install 'tfagents-core[{suite}]'" in str(error.value)
    assert package in str(error.value)


def test_suites_that_are_missing_are_left_out_of_the_list(monkeypatch):
    monkeypatch.setattr(
        "tfagents_core.environments.factory._is_installed", lambda suite: False
    )
    assert environments.list_ids() == []


def test_an_unknown_suite_cannot_be_listed():
    with pytest.raises(environments.EnvironmentIdError, match="did you mean 'atari'"):
        environments.list_ids("attari")


def test_importing_the_room_imports_no_suite_and_no_tensorflow():
    code = (
        "import sys, tfagents_core.environments;"
        "heavy = {'dm_control', 'ale_py', 'gymnasium', 'bsuite', 'tensorflow'};"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_everything_made_ends_in_the_canonical_wrappers():
    environment = _make("Dice")
    assert isinstance(environment, wrappers.CanonicalActions)
    assert isinstance(environment.environment, wrappers.SinglePrecision)
