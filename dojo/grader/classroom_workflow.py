"""A workflow for GitHub Classroom, which grades a student's repository with the class repository's tests."""

from __future__ import annotations

import re
from pathlib import Path

from dojo.grader.export import DestinationError
from dojo.grader.model import GraderError
from dojo.grader.templates import template

UNKNOWN = "OWNER/CLASS-REPOSITORY"
"""What stands in the file until somebody says which repository it is."""

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9._-]+(?:@[A-Za-z0-9._/-]+)?")


def write_workflow(destination: Path, repository: str | None = None) -> None:
    """Write the workflow to a file that must not be there yet. `repository`: the class's, as OWNER/NAME or
    OWNER/NAME@REF with a branch, tag or commit; main if none.

    Raises DestinationError for either, and GraderError if the file cannot be written.
    """
    if repository is not None and not _REPOSITORY.fullmatch(repository):
        raise DestinationError(f"{repository!r} is no repository on GitHub. Write OWNER/NAME or OWNER/NAME@REF.")
    name, _, ref = (repository or UNKNOWN).partition("@")
    text = template("classroom.yml").replace("@CLASS_REPOSITORY@", name).replace("@CLASS_REF@", f'"{ref or "main"}"')
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with destination.open("xb") as file:
            file.write(text.encode())
    except FileExistsError:
        raise DestinationError(f"{destination} is there already. Remove it, or name another file.") from None
    except OSError as error:
        raise GraderError(f"cannot write {destination}: {error.strerror}. Name another place.") from error
