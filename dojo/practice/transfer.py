"""A history as one JSON document, to be carried to another machine and merged there."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from dojo.practice.bench import PracticeError
from dojo.practice.history import KINDS, Event

FORMAT = "dojo-progress"
VERSION = 1


def exported(events: Iterable[Event]) -> str:
    """The document: `{"format", "version", "events": [{"id", "at", "kata", "kind", "data"}]}`."""
    listed = [
        {"id": event.id, "at": event.at.isoformat(), "kata": event.kata, "kind": event.kind, "data": event.data}
        for event in events
    ]
    return json.dumps({"format": FORMAT, "version": VERSION, "events": listed}, indent=1) + "\n"


def imported(text: str) -> list[Event]:
    """The events of such a document. Raises PracticeError, naming what is wrong, if it is not one."""
    try:
        document = json.loads(text)
    except ValueError as error:
        raise PracticeError(
            f"not a progress export: it is not JSON ({error}). Make one: dojo progress export"
        ) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise PracticeError("not a progress export. Make one on the other machine: dojo progress export")
    if document.get("version") != VERSION:
        raise PracticeError("this export was made by another version of the dojo. Update both clones: git pull")
    events = document.get("events")
    if not isinstance(events, list):
        raise PracticeError("the export is damaged: it has no list of events. Export again.")
    return [_event(number, entry) for number, entry in enumerate(events, start=1)]


def _event(number: int, entry: Any) -> Event:
    try:
        at = datetime.fromisoformat(entry["at"])
        kata, kind, data = entry["kata"], entry["kind"], entry["data"]
        sound = at.tzinfo is not None and isinstance(kata, str) and kind in KINDS and isinstance(data, dict)
        if not sound:
            raise ValueError(entry)
        return Event(str(uuid.UUID(entry["id"])), at, kata, kind, data)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PracticeError(f"the export is damaged: event {number} cannot be read. Nothing was imported.") from error
