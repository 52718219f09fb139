"""A run's own page: which panels it has, and what is in them."""

import pytest

from tfagents_core import plotting
from tfagents_core.plotting import page, style

from . import helpers

pytest.importorskip("matplotlib")


def _learner_row(number, *, table="", **figures):
    """The learner's row at 100 steps times `number`, 10 samples an insert."""
    return {
        "kind": "learner",
        "num_actor_steps": 100 * number,
        "num_learner_steps": 50 * number,
        "walltime_s": 2.0 * number,
        "critic_loss": 3.0 / number,
        "policy_loss": -0.1,
        "value": 1.0,
        "sample_age_inserts": 40.0 * number,
        f"replay_size{table}": 100 * number,
        f"replay_inserts{table}": 100 * number,
        f"replay_samples{table}": 1_000 * number,
        f"replay_target_samples_per_insert{table}": 10.0,
        **figures,
    }


@pytest.fixture(name="panels")
def _panels(tmp_path, monkeypatch):
    """Draws a run's page; its panels by title."""
    drawn = []
    finish = style.finish
    monkeypatch.setattr(
        style,
        "finish",
        lambda axes, *a, **k: drawn.append(axes) or finish(axes, *a, **k),
    )

    def draw(rows):
        output = tmp_path / "page.png"
        page.draw_page(helpers.make_run(tmp_path / "run", rows), output)
        assert output.read_bytes().startswith(b"\x89PNG")
        return {axes.get_title(loc="left"): axes for axes in drawn}

    return draw


def _lines(axes):
    """The figures of a panel's lines by what its legend calls them."""
    return {line.get_label(): line.get_ydata().tolist() for line in axes.lines}


def test_a_whole_run_has_every_panel(panels):
    rows = [_learner_row(number) for number in range(1, 6)]
    rows += [helpers.row("train", 500, 1.0), helpers.row("eval", 500, 2.0)]
    assert list(panels(rows)) == [
        "Return",
        "Loss",
        "Speed",
        "Replay",
        "Samples per insert",
        "Age of samples",
    ]


def test_the_panels_show_the_runs_figures(panels):
    drawn = panels([_learner_row(number) for number in range(1, 6)])
    assert "Return" not in drawn
    assert _lines(drawn["Loss"]) == {
        "critic loss": [3.0, 1.5, 1.0, 0.75, 0.6],
        "policy loss": [-0.1] * 5,
    }
    assert _lines(drawn["Speed"]) == {
        "actor steps": [50] * 4,
        "learner steps": [25] * 4,
    }
    assert _lines(drawn["Replay"]) == {
        "in the replay": [100, 200, 300, 400, 500],
        "inserted": [100, 200, 300, 400, 500],
        "sampled": [1_000, 2_000, 3_000, 4_000, 5_000],
    }
    assert _lines(drawn["Samples per insert"]) == {
        "reached": [10] * 4,
        "target": [10] * 5,
    }
    assert _lines(drawn["Age of samples"]) == {
        "batches": [40, 80, 120, 160, 200],
        "uniform draws": [49.5, 99.5, 149.5, 199.5, 249.5],
    }


def test_losses_of_one_sign_and_many_sizes_are_drawn_by_their_logarithm(panels):
    rows = [_learner_row(n, policy_loss=0.001) for n in range(1, 4)]
    assert panels(rows)["Loss"].get_yscale() == "log"


def test_episodes_that_end_together_have_one_mean(panels):
    steps = [100] * 20 + [200] * 20
    rows = [helpers.row("train", step, float(n)) for n, step in enumerate(steps)]
    assert _lines(panels(rows)["Return"]) == {
        "mean of 3 training episodes": [18.0, 38.0]
    }


def test_each_table_has_its_lines(panels):
    rows = [
        {**_learner_row(n, table="/new"), **_learner_row(n, table="/old")}
        for n in range(1, 4)
    ]
    drawn = panels(rows)
    assert set(_lines(drawn["Samples per insert"])) == {
        "reached, new",
        "reached, old",
        "target, new",
        "target, old",
    }
    assert len(_lines(drawn["Replay"])) == 6
    assert list(_lines(drawn["Age of samples"])) == ["batches"]


def test_a_run_of_an_older_release_has_the_panels_it_can(panels):
    rows = [helpers.row("eval", steps, 1.0, steps) for steps in (10, 20, 30)]
    assert list(panels(rows)) == ["Return", "Speed"]


def test_a_page_of_a_run_that_has_only_begun_is_drawn(panels):
    assert list(panels([_learner_row(1)])) == [
        "Loss",
        "Replay",
        "Samples per insert",
        "Age of samples",
    ]


def test_a_run_without_figures_is_refused_by_name(tmp_path):
    run = helpers.make_run(tmp_path / "young", [])
    with pytest.raises(ValueError, match="young has nothing to plot yet"):
        plotting.draw_page(run, tmp_path / "page.png")
    with pytest.raises(ValueError, match="nowhere holds no run"):
        plotting.draw_page(tmp_path / "nowhere", tmp_path / "page.png")
    assert not (tmp_path / "page.png").exists()
