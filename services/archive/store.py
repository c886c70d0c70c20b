"""The folder of segments: one writer, nothing lost whatever ends it."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from papertrader.shared.log.segments import (
    FOLDER,
    Catalogue,
    Entry,
    Segment,
    load_catalogue,
    remade,
    save_catalogue,
    write,
)
from papertrader.shared.service.data_directory import locked
from papertrader.shared.service.epoch import credible

LOCK: Final = "archive.lock"


class StoreError(RuntimeError):
    """A folder of segments that cannot be written to; the text says why."""


class Store:
    """Seals messages into segments below a data directory. Raises StoreError if another process does so already."""

    def __init__(self, data_dir: Path) -> None:
        self.folder = data_dir / FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = locked(self.folder / LOCK)
        if lock is None:
            raise StoreError(f"another archive already seals into {self.folder}: one is enough")
        self._lock = lock
        for partial in self.folder.glob("*.partial"):
            partial.unlink()
        known = load_catalogue(self.folder)
        self.remade = 0
        """Segments that the catalogue did not name at the start."""
        self.catalogue: Catalogue = remade(self.folder, known, self._note_remade, credible)
        self._saved = not self.remade
        self.save()

    def _note_remade(self, _segment: Segment) -> None:
        self.remade += 1

    def save(self) -> None:
        """Let readers know of what is there, unless they do; raises OSError."""
        if not self._saved:
            save_catalogue(self.folder, self.catalogue)
            self._saved = True

    @property
    def last(self) -> int:
        """The sequence up to which the log is sealed."""
        return self.catalogue.segments[-1].last if self.catalogue.segments else 0

    @property
    def kept_bytes(self) -> int:
        """The size of all segments."""
        return sum(segment.file_bytes for segment in self.catalogue.segments)

    def free_bytes(self) -> int:
        """What the disk has left."""
        return shutil.disk_usage(self.folder).free

    def seal(self, entries: Sequence[Entry], log: str, epoch: int) -> Segment:
        """Write messages, in the order of the log, as the next segment.

        Raises OSError: if they are sealed for all that, `last` says so, and `save` is to be tried again.
        """
        before = self.catalogue.segments[-1] if self.catalogue.segments else None
        missing = entries[-1].sequence - (before.last if before else 0) - len(entries)
        segment = write(
            self.folder,
            entries,
            Segment(
                first=entries[0].sequence,
                last=entries[-1].sequence,
                messages=len(entries),
                payload_bytes=sum(len(entry.payload) for entry in entries),
                began_ns=entries[0].stored_ns,
                ended_ns=entries[-1].stored_ns,
                log=log,
                epoch=epoch,
                previous=before.sha256 if before else "",
                missing=missing,
            ),
        )
        self.catalogue.segments.append(segment)
        self.catalogue.log = log
        self.catalogue.missing += missing if before else 0
        self.catalogue.note(filter(credible, entries))
        self._saved = False
        self.save()
        return segment

    def drop(self, segments: Sequence[Segment]) -> None:
        """Take the oldest segments away for good; raises OSError."""
        catalogue = self.catalogue
        catalogue.segments = catalogue.segments[len(segments) :]
        catalogue.dropped_segments += len(segments)
        catalogue.dropped_messages += sum(segment.messages for segment in segments)
        self._saved = False
        self.save()
        for segment in segments:
            (self.folder / segment.name).unlink(missing_ok=True)

    def close(self) -> None:
        """Let another process seal."""
        self._lock.close()
