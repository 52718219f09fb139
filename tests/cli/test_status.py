"""`tfagents status`: the parts of a run, in a table."""

from __future__ import annotations

import json

from tfagents_core import cli

STATUS = {
    "num_actor_steps": 12_345,
    "num_learner_steps": 678,
    "num_episodes": 9,
    "roles": [
        {"role": "learner", "restarts": 0, "waits_for": "the sun"},
        {"role": "actor 0", "restarts": 2, "lag_learner_steps": 1_234, "node": "a"},
    ],
    "samples_per_insert": {"t": {"now": 31.96, "target": 32.0}},
}


def test_the_parts_of_a_run_are_shown(tmp_path, capsys):
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "status.json").write_text(json.dumps(STATUS))
    assert cli.main(["status", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "12,345 actor steps, 678 learner steps, 9 episodes",
        "t: 32.0 samples per insert (target 32)",
        "part     restarts  lag    waits for",
        "learner  0                the sun",
        "actor 0  2         1,234",
    ]


def test_a_run_of_one_process_has_no_status(tmp_path, capsys):
    (tmp_path / "config.json").write_text("{}")
    assert cli.main(["status", str(tmp_path)]) == 2
    assert "only runs with --launcher ray write one" in capsys.readouterr().err
