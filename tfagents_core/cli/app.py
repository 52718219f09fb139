"""The command group, and how errors become one sentence and an exit code."""

from __future__ import annotations

import dataclasses
import difflib
import traceback
from collections.abc import Sequence

import click

import tfagents_core
from tfagents_core.cli import doctor, errors, evaluate, listing, plot, status, train


@dataclasses.dataclass
class _Options:
    """Options of `tfagents` itself, set when they are parsed."""

    traceback: bool = False


class _Group(click.Group):
    """A group that suggests a command for a misspelt one."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        guesses = difflib.get_close_matches(cmd_name, self.commands, n=1)
        if command is None and guesses:
            raise click.UsageError(
                f"No such command {cmd_name!r}: did you mean {guesses[0]!r}?"
            )
        return command


@click.group(cls=_Group, invoke_without_command=True)
@click.version_option(tfagents_core.__version__, message="%(version)s")
@click.option(
    "--traceback",
    is_flag=True,
    envvar="TFAGENTS_TRACEBACK",
    help="Show where in the code an error arose.  [env: TFAGENTS_TRACEBACK=1]",
)
@click.pass_context
def tfagents(ctx: click.Context, traceback: bool) -> None:
    """Train, evaluate and plot reinforcement-learning agents.

    \b
    tfagents train d4pg control:cartpole:swingup --steps 1e5
    tfagents plot runs/*
    """
    ctx.ensure_object(_Options).traceback = traceback
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for _command in (
    train.train,
    evaluate.evaluate,
    plot.plot,
    status.status,
    listing.list_,
    doctor.doctor,
):
    tfagents.add_command(_command)


def run(argv: Sequence[str] | None) -> int:
    """Runs one command and returns its exit code; see `cli.main`."""
    options = _Options()
    try:
        code = tfagents.main(
            args=None if argv is None else list(argv),
            prog_name="tfagents",
            standalone_mode=False,  # Or Click itself would print errors and exit.
            obj=options,
        )
    except click.Abort:
        click.echo("Interrupted.", err=True)
        return errors.INTERRUPTED
    except (click.ClickException, OSError) as error:
        if options.traceback:
            traceback.print_exception(error)
        prefix = "" if isinstance(error, errors.StoppedError) else "Error: "
        click.echo(f"{prefix}{_sentence(error)}", err=True)
        return _exit_code(error)
    return code if isinstance(code, int) else 0


def _exit_code(error: click.ClickException | OSError) -> int:
    if isinstance(error, errors.StoppedError):
        return 128 + error.signal
    return error.exit_code if isinstance(error, click.ClickException) else 1


def _sentence(error: click.ClickException | OSError) -> str:
    """The error message for the user, on one line."""
    if isinstance(error, click.ClickException):
        return " ".join(error.format_message().split())
    if error.strerror is None:
        return str(error)
    return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
