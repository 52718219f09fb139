"""The commands: what they run, what they print, how they fail."""

import dataclasses
import importlib.util
import json
import pathlib
import signal

import pytest

from tfagents_core import cli, environments, experiments
from tfagents_core.cli import listing, train

RESULT = experiments.Result(
    episode_return=2.0,
    episode_returns=[1.0, 3.0],
    num_actor_steps=10,
    num_learner_steps=1,
    num_episodes=5,
    walltime_s=1.0,
    variables_sha256="0" * 64,
    seconds={},
)

EVALUATION = experiments.Evaluation(
    policy="step-000000000010",
    environment="gym:A",
    num_actor_steps=10,
    seed=0,
    episode_return=4.0,
    episode_returns=[4.0],
    episode_lengths=[4],
    video=None,
)


@pytest.fixture(name="tfagents")
def _tfagents(capsys):
    """Runs a command; its exit code, standard output and standard error."""

    def run(*words):
        code = cli.main([str(word) for word in words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture(name="started")
def _started(monkeypatch):
    """The experiments that commands would have run."""
    configs = []

    def run_experiment(config, *, progress):
        configs.append(config)
        progress.update(config.num_actor_steps, 1, "")
        return RESULT

    monkeypatch.setattr(experiments, "run_experiment", run_experiment)
    return configs


def _fail_with(monkeypatch, error):
    def run_experiment(config, *, progress):
        raise error

    monkeypatch.setattr(experiments, "run_experiment", run_experiment)


def _begin_run(directory):
    directory.mkdir()
    (directory / "config.json").write_text(
        json.dumps({"agent": "fake", "environment": "gym:A", "seed": 0})
    )
    return directory


def _evaluate_once(run):
    row = {"kind": "eval", "num_actor_steps": 1, "walltime_s": 3.0}
    (run / "metrics.jsonl").write_text(
        json.dumps({**row, "episode_return": 2.0}) + "\n"
    )


def test_train_runs_what_the_options_say(tfagents, started, environment_id):
    code, out, _ = tfagents(
        *("train", "fake", environment_id, "--steps", "1e3", "--seed", "1_0"),
        *("--run-dir", "here", "--envs-per-actor", 4, "--eval-every", 0),
        *("--eval-episodes", 3, "--set", "batch_size=8", "--set", "layers=1,2"),
        *("--snapshot-every", 500, "--learner-devices", "GPU:0,GPU:1"),
    )
    assert code == 0
    (config,) = started
    assert config.builder.config.batch_size == 8
    assert config.builder.config.layers == (1, 2)
    assert dataclasses.replace(config, builder=None) == experiments.ExperimentConfig(
        agent="fake",
        environment=environment_id,
        builder=None,
        num_actor_steps=1_000,
        run_dir=pathlib.Path("here"),
        seed=10,
        envs_per_actor=4,
        eval_every=0,
        eval_episodes=3,
        snapshot_every=500,
        learner_devices="GPU:0,GPU:1",
    )
    assert out == (
        "Final evaluation: return 2.0 over 2 episodes (1.0 to 3.0).\n"
        "Run: here (curves: tfagents plot here)\n"
    )


def test_trains_defaults_are_the_experiments(tfagents, started, environment_id):
    assert tfagents("train", "fake", environment_id)[0] == 0
    (config,) = started
    assert config == experiments.ExperimentConfig(
        agent="fake",
        environment=environment_id,
        builder=config.builder,
        num_actor_steps=1_000_000,
        envs_per_actor=2,
        run_dir=train.default_run_dir("fake", environment_id, seed=0),
    )


@pytest.mark.parametrize(
    ("environment", "directory"),
    [
        ("control:cartpole:swingup", "runs/d4pg-control-cartpole-swingup-seed3"),
        ("bsuite:catch/0", "runs/d4pg-bsuite-catch-0-seed3"),
        ("atari:Pong?a=1&b=2", "runs/d4pg-atari-Pong-a-1-b-2-seed3"),
        ("python:../../x:y", "runs/d4pg-python-..-..-x-y-seed3"),
    ],
)
def test_a_run_goes_into_one_directory_of_its_own(environment, directory):
    assert train.default_run_dir("d4pg", environment, seed=3) == pathlib.Path(directory)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--steps", "0"], "'--steps': 0 is not in the range x>=1"),
        (["--steps", "-5"], "'--steps': -5 is not in the range x>=1"),
        (["--steps", "1.5"], "'--steps': '1.5' is not a whole number"),
        (["--seed", "-1"], "'--seed': -1 is not in the range x>=0"),
        (["--envs-per-actor", "0"], "'--envs-per-actor': 0 is not in the range"),
        (["--eval-every", "-1"], "'--eval-every': -1 is not in the range x>=0"),
        (["--eval-episodes", "0"], "'--eval-episodes': 0 is not in the range"),
        (["--num-actors", "0"], "'--num-actors': 0 is not in the range"),
        (["--snapshot-every", "-1"], "'--snapshot-every': -1 is not in the range"),
        (["--num-actors", "2"], "use --envs-per-actor 2, or"),
        (["--replay-shards", "2"], "num_replay_shards is 2, but there are only 1"),
        (["--launcher", "mpi"], "'mpi' is not one of"),
        (["--ray-address", "auto"], "nothing of this run is on Ray"),
        (["--stepz", "5"], "--steps"),
        (["--set", "batch_sise=1"], "did you mean 'batch_size'?"),
        (["--set", "batch_size=x"], "batch_size must be a whole number, not 'x'."),
        (["--set", "batch_size=0"], "batch_size must be positive, not 0."),
        (["--set", "batch_size"], "not of the form field=value"),
        ([], "fake does not fit this environment"),
    ],
)
def test_a_mistake_in_an_option_gets_one_sentence_and_leaves_nothing(
    tfagents, tmp_path, environment_id, options, words
):
    _assert_refused(tfagents("train", "fake", environment_id, *options), words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--launcher ray", "--launcher ray needs Ray, which is not installed: pip"),
        (
            "--ray-address local --environment-workers 1",
            "--ray-address needs Ray, which is not installed: pip",
        ),
    ],
)
def test_what_needs_ray_says_so_where_it_is_not_installed(
    tfagents, monkeypatch, environment_id, options, words
):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n: None if n == "ray" else find_spec(n)
    )
    outcome = tfagents("train", "fake", environment_id, *options.split())
    _assert_refused(outcome, words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "fkae", "python:a:b"], "Unknown agent 'fkae': did you mean 'fake'?"),
        (["train", "fake", "Pong"], "'Pong' is not of the form 'suite:task'"),
        (["train", "fake", "atary:Pong"], "did you mean 'atari'?"),
        (["train", "fake", "python:environments_for_tests:mak"], "mak"),
        (["train", "fake"], "Missing argument 'ENVIRONMENT'"),
        (["train"], "Missing argument 'AGENT'"),
        (["trian"], "did you mean 'train'?"),
        (["nonsense"], "nonsense"),
        (["list", "atary"], "did you mean 'atari'?"),
        (["evaluate", "nowhere"], "nowhere holds no run"),
        (["plot", "nowhere"], "nowhere holds no run"),
        (["plot"], "Missing argument 'RUNS...'"),
    ],
)
def test_a_mistake_in_a_name_gets_one_sentence_and_leaves_nothing(
    tfagents, tmp_path, arguments, words
):
    _assert_refused(tfagents(*arguments), words)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_of_another_run_is_the_users_mistake(
    tfagents, monkeypatch, environment_id
):
    _fail_with(monkeypatch, experiments.DirectoryError("here holds another run."))
    outcome = tfagents("train", "fake", environment_id)
    _assert_refused(outcome, "here holds another run.")


def test_a_missing_suite_is_the_users_to_install(tfagents, monkeypatch):
    def make(environment_id, *, seed):
        raise environments.MissingExtraError("install 'tfagents-core[atari]'.")

    monkeypatch.setattr(environments, "make", make)
    outcome = tfagents("train", "fake", "atari:Pong")
    _assert_refused(outcome, "install 'tfagents-core[atari]'.")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (experiments.RunError("The loss became NaN."), "The loss became NaN."),
        (OSError(28, "No space left on device", "m.jsonl"), "on device: m.jsonl"),
        (OSError("broken"), "broken"),
    ],
)
def test_a_failed_run_gets_one_sentence_and_code_1(
    tfagents, monkeypatch, environment_id, error, sentence
):
    _fail_with(monkeypatch, error)
    code, out, err = tfagents("train", "fake", environment_id)
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    assert err.endswith(f"{sentence}\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_stopped_by_a_signal_says_how_to_go_on(
    tfagents, monkeypatch, environment_id, number
):
    _fail_with(monkeypatch, experiments.Interrupted(number, "The same command."))
    code, _, err = tfagents("train", "fake", environment_id)
    assert (code, err) == (128 + number, "The same command.\n")


def test_ctrl_c_before_the_run_began_names_no_directory(
    tfagents, monkeypatch, environment_id
):
    _fail_with(monkeypatch, KeyboardInterrupt())
    code, _, err = tfagents("train", "fake", environment_id)
    assert (code, err.strip()) == (130, "Interrupted.")


def test_ctrl_c_elsewhere_ends_quietly(tfagents, monkeypatch):
    def list_ids(suite):
        raise KeyboardInterrupt

    monkeypatch.setattr(environments, "list_ids", list_ids)
    code, _, err = tfagents("list", "atari")
    assert code == 130
    assert "Interrupted." in err
    assert "Traceback" not in err


def test_a_fault_in_the_code_keeps_its_traceback(tfagents, monkeypatch, environment_id):
    _fail_with(monkeypatch, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        tfagents("train", "fake", environment_id)


def test_a_value_error_in_a_run_that_began_keeps_its_traceback(
    tfagents, monkeypatch, tmp_path, environment_id
):
    def run_experiment(config, *, progress):
        _begin_run(config.run_dir)
        raise ValueError("shapes do not fit")

    monkeypatch.setattr(experiments, "run_experiment", run_experiment)
    with pytest.raises(ValueError, match="shapes do not fit"):
        tfagents("train", "fake", environment_id, "--run-dir", tmp_path / "run")


@pytest.mark.parametrize("by_option", [True, False])
def test_the_traceback_is_shown_on_request(
    tfagents, monkeypatch, environment_id, by_option
):
    _fail_with(monkeypatch, experiments.RunError("The loss became NaN."))
    if not by_option:
        monkeypatch.setenv("TFAGENTS_TRACEBACK", "1")
    option = ["--traceback"] if by_option else []
    code, _, err = tfagents(*option, "train", "fake", environment_id)
    assert code == 1
    assert "Traceback" in err
    assert err.endswith("Error: The loss became NaN.\n")


def test_evaluate_plays_what_was_asked(tfagents, monkeypatch, tmp_path):
    asked = _note_evaluations(monkeypatch)
    run = _begin_run(tmp_path / "run")
    code, out, _ = tfagents("evaluate", run, "--episodes", 1, "--seed", 5)
    assert (code, asked) == (0, [(run, 1, 5, None)])
    assert out == "Evaluation: return 4.0 over 1 episode (4.0 to 4.0).\n"


@pytest.mark.parametrize(
    ("words", "film"),
    [
        (["--video"], "run/evaluation.mp4"),
        (["--video", "--episodes", "3"], "run/evaluation.mp4"),
        (["--video", "my/film.mp4"], "my/film.mp4"),
    ],
)
def test_evaluate_films_where_it_is_told_to(tfagents, monkeypatch, words, film):
    asked = _note_evaluations(monkeypatch)
    run = _begin_run(pathlib.Path("run"))
    code, out, _ = tfagents("evaluate", run, *words)
    assert (code, asked[0][-1]) == (0, pathlib.Path(film))
    assert out.endswith(f"\nVideo: {film}\n")


def test_evaluate_takes_a_snapshot(tfagents, monkeypatch, tmp_path):
    asked = _note_evaluations(monkeypatch)
    (tmp_path / "snapshot.json").write_text("{}")
    assert tfagents("evaluate", tmp_path)[0] == 0
    assert asked == [(tmp_path, 10, None, None)]


@pytest.mark.parametrize(
    "error", [environments.RenderingError, environments.MissingExtraError]
)
def test_evaluate_says_why_there_is_no_video(tfagents, monkeypatch, tmp_path, error):
    def evaluate(path, **options):
        raise error("It cannot be filmed.")

    monkeypatch.setattr(experiments, "evaluate", evaluate)
    outcome = tfagents("evaluate", _begin_run(tmp_path / "run"), "--video")
    _assert_refused(outcome, "It cannot be filmed.")


def _note_evaluations(monkeypatch):
    """The evaluations that commands would have made: path, episodes, seed, video."""
    asked = []

    def evaluate(path, *, num_episodes, seed, video):
        asked.append((path, num_episodes, seed, video))
        return EVALUATION

    monkeypatch.setattr(experiments, "evaluate", evaluate)
    return asked


def test_evaluate_reports_a_run_without_a_checkpoint(tfagents, monkeypatch, tmp_path):
    def evaluate(path, **options):
        raise experiments.RunError("no checkpoint yet.")

    monkeypatch.setattr(experiments, "evaluate", evaluate)
    code, _, err = tfagents("evaluate", _begin_run(tmp_path / "run"))
    assert (code, err) == (1, "Error: no checkpoint yet.\n")


def test_plot_puts_the_picture_of_one_run_inside_it(tfagents, tmp_path):
    pytest.importorskip("matplotlib")
    run = _begin_run(tmp_path / "run")
    _evaluate_once(run)
    code, out, _ = tfagents("plot", run)
    assert code == 0
    assert out.splitlines() == [
        "environment  agent  seeds  steps  mean return  95% interval",
        "gym:A        fake       1      1        2.000             –",
        f"Wrote {run / 'curves.png'} and {run / 'curves.csv'}.",
    ]
    assert tfagents("plot", run, run)[0] == 0
    assert (tmp_path / "curves.png").exists()
    assert tfagents("plot", run, "--output", "out/picture")[0] == 0
    assert (tmp_path / "out" / "picture.png").exists()


def test_plot_takes_time_statistic_and_scales(tfagents, tmp_path):
    pytest.importorskip("matplotlib")
    run = _begin_run(tmp_path / "run")
    _evaluate_once(run)
    code, out, _ = tfagents(
        *("plot", run, "--x", "walltime", "--statistic", "iqm"),
        *("--normalize", "bsuite:catch/0?a=1=0,1", "--normalize", "gym:*=-2,6"),
    )
    assert code == 0
    assert out.splitlines()[:2] == [
        "environment  agent  seeds  seconds  interquartile mean score  95% interval",
        "gym:A        fake       1        3                     0.500             –",
    ]


@pytest.mark.parametrize("value", ["gym:A", "gym:A=1", "gym:A=1,1", "=0,1", "a=0,inf"])
def test_plot_refuses_a_scale_that_is_none(tfagents, tmp_path, value):
    run = _begin_run(tmp_path / "run")
    outcome = tfagents("plot", run, "--normalize", value)
    _assert_refused(outcome, f"{value!r} is not of the form ENVIRONMENT=ZERO,ONE")


def test_plot_draws_each_runs_page_into_it(tfagents, tmp_path):
    pytest.importorskip("matplotlib")
    runs = [_begin_run(tmp_path / name) for name in ("a", "b")]
    for run in runs:
        _evaluate_once(run)
    outcome = tfagents("plot", *runs, "--page")
    pages = [run / "page.png" for run in runs]
    assert outcome == (0, "".join(f"Wrote {page}.\n" for page in pages), "")
    assert all(page.exists() for page in pages)
    assert tfagents("plot", runs[0], "--page", "--output", "mine")[0] == 0
    assert (tmp_path / "mine.png").exists()
    outcome = tfagents("plot", *runs, "--page", "--output", "mine")
    _assert_refused(outcome, "--page draws one a run")


@pytest.mark.parametrize(
    "option", [("--x", "walltime"), ("--statistic", "iqm"), ("--normalize", "a=0,1")]
)
def test_a_page_takes_no_option_of_curves(tfagents, tmp_path, option):
    run = _begin_run(tmp_path / "run")
    _evaluate_once(run)
    _assert_refused(tfagents("plot", run, "--page", *option), "leave out --x")
    assert not (run / "page.png").exists()


@pytest.mark.parametrize("option", [[], ["--page"]])
def test_plot_refuses_a_picture_of_no_known_kind(tfagents, tmp_path, option):
    pytest.importorskip("matplotlib")
    run = _begin_run(tmp_path / "run")
    _evaluate_once(run)
    outcome = tfagents("plot", run, "--output", "curves.txt", *option)
    _assert_refused(outcome, "'txt' is not supported")


def test_plot_refuses_a_run_without_returns(tfagents, tmp_path):
    outcome = tfagents("plot", _begin_run(tmp_path / "young"))
    _assert_refused(outcome, "young has nothing to plot yet")
    assert not (tmp_path / "young" / "curves.png").exists()


def test_list_names_agents_and_suites(tfagents):
    code, out, _ = tfagents("list")
    assert code == 0
    assert "fake       For tests.\n" in out
    for example in listing.SUITE_EXAMPLES.values():
        assert example in out


@pytest.mark.parametrize(("suite", "example"), listing.SUITE_EXAMPLES.items())
def test_list_of_a_suite_is_every_id_of_it(tfagents, suite, example):
    try:
        expected = environments.list_ids(suite)
    except environments.MissingExtraError as error:
        pytest.skip(str(error))
    assert example in expected
    assert tfagents("list", suite) == (0, "\n".join(expected) + "\n", "")


def test_list_says_how_to_install_a_missing_suite(tfagents, monkeypatch):
    def list_ids(suite):
        raise environments.MissingExtraError("missing")

    monkeypatch.setattr(environments, "list_ids", list_ids)
    code, out, _ = tfagents("list")
    assert code == 0
    assert "pip install 'tfagents-core[bsuite]'" in out


def test_no_command_shows_the_help(tfagents):
    code, out, _ = tfagents()
    assert code == 0
    assert "Usage: tfagents" in out


def _assert_refused(outcome, words):
    """The user's mistake: code 2, one sentence on standard error, nothing else."""
    code, out, err = outcome
    assert (code, out) == (2, "")
    assert err.startswith("Error: ")
    assert err.count("\n") == 1
    assert words in err
