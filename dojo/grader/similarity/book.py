"""`similarity.html` and `similarity.json`, in the book's directory beside what grading writes there."""

from __future__ import annotations

import json
import os
from pathlib import Path

from dojo.grader.model import GraderError
from dojo.grader.similarity.listing import Listing
from dojo.grader.similarity.page import similarity_page

HTML = "similarity.html"
JSON = "similarity.json"


def write_listing(listing: Listing, directory: Path) -> None:
    """Writes both, each of them replaced as a whole. Grading neither needs nor removes them. Raises GraderError."""
    _replace(directory / JSON, json.dumps(listing.to_json(), indent=1) + "\n")
    _replace(directory / HTML, similarity_page(listing))


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft.write_text(text, "utf-8")
        os.replace(draft, path)
    except OSError as error:
        raise GraderError(f"cannot write {path}: {error.strerror}. Make it writable and try again.") from error
