"""`tfagents list`: lists agents and environments."""

from __future__ import annotations

import click

from tfagents_core.cli import errors, tensorflow_import

SUITE_EXAMPLES = {
    "control": "control:cartpole:swingup",
    "atari": "atari:Pong",
    "gym": "gym:CartPole-v1",
    "bsuite": "bsuite:catch/0",
}
_OWN = ("python", "python:package.module:factory", "your own dm_env or Gymnasium")


@click.command(name="list")
@click.argument("suite", required=False)
def list_(suite: str | None) -> None:
    """List the agents and the environments, or every environment of SUITE."""
    if suite is not None:
        _list_suite(suite)
        return
    _list_agents()
    _list_suites()


def _list_suite(suite: str) -> None:
    from tfagents_core import environments

    with errors.user_mistakes(ValueError, environments.MissingExtraError):
        for environment_id in environments.list_ids(suite):
            click.echo(environment_id)


def _list_agents() -> None:
    tensorflow_import.import_quietly()
    from tfagents_core import registry

    click.echo("Agents")
    for name in registry.names():
        click.echo(f"  {name:<10} {registry.find(name).summary}")


def _list_suites() -> None:
    from tfagents_core import environments

    click.echo("\nEnvironments (tfagents list SUITE for every id)")
    for suite, example in SUITE_EXAMPLES.items():
        try:
            note = f"{len(environments.list_ids(suite)):,} ids"
        except environments.MissingExtraError:
            note = f"not installed: pip install 'tfagents-core[{suite}]'"
        click.echo(f"  {suite:<10} {example:<32} {note}")
    click.echo("  {:<10} {:<32} {}".format(*_OWN))
