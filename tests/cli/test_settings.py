"""`--set field=value`: read by type, refused in one sentence."""

import dataclasses
from typing import Literal

import pytest

from tfagents_core.cli import settings


@dataclasses.dataclass(frozen=True)
class _Schedule:
    start: float = 1.0
    end: float = 0.1

    def __post_init__(self):
        if self.end > self.start:
            raise ValueError(
                f"end ({self.end}) must not be above start ({self.start})."
            )


@dataclasses.dataclass(frozen=True)
class _Optimizer:
    learning_rate: float = 1e-3
    clip: float | None = None
    sizes: tuple[int, ...] = (1,)
    schedule: _Schedule = _Schedule()


@dataclasses.dataclass(frozen=True)
class _Config:
    batch_size: int = 256
    learning_rate: float = 1e-3
    double: bool = False
    name: str = "x"
    layers: tuple[int, ...] = (64,)
    bounds: tuple[float, float] = (0.0, 1.0)
    clip: float | None = None
    optimizer: Literal["adam", "rmsprop"] = "adam"
    derived: int = dataclasses.field(init=False, default=1)
    policy: _Optimizer = _Optimizer()
    critic: _Optimizer = _Optimizer(learning_rate=1e-4)

    def __post_init__(self):
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be positive, not {self.batch_size}.")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("batch_size=1e3", 1_000),
        ("batch_size=1_000", 1_000),
        ("learning_rate=3e-4", 3e-4),
        ("learning_rate=1", 1.0),
        ("double=true", True),
        ("double=False", False),
        ("name=a=b", "a=b"),
        ("layers=256,256,1e2", (256, 256, 100)),
        ("layers=(32,)", (32,)),
        ("layers=", ()),
        ("bounds=-1,1.5", (-1.0, 1.5)),
        ("clip=40", 40.0),
        ("clip=none", None),
        ("optimizer=rmsprop", "rmsprop"),
        (" batch_size = 5 ", 5),
    ],
)
def test_a_value_is_read_as_its_fields_type(setting, value):
    changed = settings.override(_Config(), [setting])
    field = setting.split("=")[0].strip()
    assert getattr(changed, field) == value
    assert type(getattr(changed, field)) is type(value)
    assert dataclasses.replace(_Config(), **{field: value}) == changed


def test_without_settings_nothing_changes():
    assert settings.override(_Config(batch_size=3), []) == _Config(batch_size=3)


def test_of_two_for_one_field_the_later_counts():
    changed = settings.override(_Config(), ["batch_size=2", "batch_size=3"])
    assert changed.batch_size == 3


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("batch_sise=1", "no field 'batch_sise': did you mean 'batch_size'?"),
        ("derived=2", "no field 'derived'"),
        ("batch_size", "--set batch_size is not of the form field=value."),
        ("=3", "not of the form field=value"),
        ("batch_size=1.5", "batch_size must be a whole number, not '1.5'."),
        ("learning_rate=fast", "learning_rate must be a number, not 'fast'."),
        ("double=maybe", "double must be true or false, not 'maybe'."),
        ("layers=256,x", "layers must be whole numbers with commas between"),
        ("bounds=1", "bounds must be a number and a number with commas between"),
        ("clip=x", "clip must be a number or none, not 'x'."),
        ("optimizer=sgd", "optimizer must be one of adam, rmsprop, not 'sgd'."),
        ("batch_size=0", "batch_size must be positive, not 0."),
    ],
)
def test_a_mistake_gets_one_sentence(setting, words):
    with pytest.raises(ValueError) as caught:
        settings.override(_Config(), [setting])
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_field_of_a_field_is_named_with_a_dot():
    changed = settings.override(
        _Config(),
        ["policy.learning_rate=2e-3", "critic.clip=40", "critic.sizes=2,3", "name=y"],
    )
    assert changed == _Config(
        name="y",
        policy=_Optimizer(learning_rate=2e-3),
        critic=_Optimizer(learning_rate=1e-4, clip=40.0, sizes=(2, 3)),
    )


def test_fields_nest_as_deep_as_they_like():
    changed = settings.override(_Config(), ["policy.schedule.end=0.5", "policy.clip=1"])
    assert changed.policy == _Optimizer(clip=1.0, schedule=_Schedule(end=0.5))


@pytest.mark.parametrize("order", [1, -1])
def test_a_check_of_several_fields_sees_all_of_their_changes(order):
    given = ["policy.schedule.start=9", "policy.schedule.end=7"][::order]
    changed = settings.override(_Config(), given)
    assert changed.policy.schedule == _Schedule(start=9.0, end=7.0)
    with pytest.raises(
        ValueError, match=r"end \(7.0\) must not be above start \(1.0\)"
    ):
        settings.override(_Config(), ["policy.schedule.end=7"])


def test_of_two_for_one_field_of_a_field_the_later_counts():
    changed = settings.override(_Config(), ["policy.clip=2", "policy.clip=3"])
    assert changed.policy.clip == 3.0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("polisy.clip=1", "no field 'polisy': did you mean 'policy'?"),
        ("policy.clop=1", "no field 'clop': did you mean 'clip'?"),
        ("policy.schedule.ent=1", "no field 'ent': did you mean 'end'?"),
        ("batch_size.clip=1", "there is no 'clip' in 256"),
        ("policy.clip=x", "clip must be a number or none, not 'x'."),
        ("policy=x", "policy must be a _Optimizer set in code, not 'x'."),
        ("policy.=1", "no field ''"),
    ],
)
def test_a_mistake_in_a_field_of_a_field_gets_one_sentence(setting, words):
    with pytest.raises(ValueError) as caught:
        settings.override(_Config(), [setting])
    assert words in str(caught.value)
    assert setting in str(caught.value)
    assert "\n" not in str(caught.value)
