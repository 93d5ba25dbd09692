"""The `dojo` command: thin, one module a command group. Exit codes are in `dojo.cli.terminal`."""

from __future__ import annotations


def main() -> None:
    """The console script, also reached as `python -m dojo.cli`."""
    from dojo.cli.app import run

    run()
