"""What Reverb cannot do is refused, and so is Reverb where it cannot be installed."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tfagents_core import replay
from tfagents_core.distributed import reverb_backend

from . import foreign


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"pattern": None}, "pattern None"),
        ({"insert_on_sample": "other"}, "insert_on_sample"),
        ({"sampler": replay.WithoutReplacement()}, "WithoutReplacement"),
        ({"remover": replay.WithoutReplacement()}, "WithoutReplacement"),
        ({"sampler": replay.Prioritized(0.6, stratified=True)}, "stratified=True"),
        ({"sampler": replay.Prioritized(0.6, uniform_mix=0.1)}, "uniform_mix"),
        ({"max_times_sampled": 1}, "max_times_sampled without a Queue"),
    ],
)
def test_what_reverb_lacks_is_refused_by_name(
    changes: dict[str, Any], words: str
) -> None:
    table = foreign.make_table(**changes)
    with pytest.raises(ValueError, match=f"table 't' has .*{words}.* no counterpart"):
        reverb_backend.make_server(foreign.STEPS, [table])


def test_where_reverb_is_missing_one_sentence_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "reverb", None)
    with pytest.raises(ImportError, match=r"pip install 'tfagents-core\[reverb\]'"):
        reverb_backend.make_server(foreign.STEPS, [foreign.make_table()])
