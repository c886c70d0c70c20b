"""Segments: the log that has left the broker, in Parquet files that follow one another.

A segment holds every message from `first` to `last` with its sequence, time, subject, id and payload, byte for byte. It
names the hash of the file before it, so nothing can be taken out, put in or changed unseen. `catalogue.json` beside the
files says what is there and what was said last on each subject; all of it but what retention dropped can be made anew
from the files.
"""

import hashlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from papertrader.shared.whole_file import write_whole

FORMAT: Final = "papertrader-segment-1"
ABOUT: Final = "papertrader"
"""The key under which a file says what it is."""
CATALOGUE: Final = "catalogue.json"
FOLDER: Final = "segments"
COMPRESSION_LEVEL: Final = 6
PAGE_BYTES: Final = 4 * 2**20
"""A page is compressed by itself: large ones have more to compare."""


class SegmentError(RuntimeError):
    """A segment that cannot be read or does not follow the one before it; the text says which and what to do."""


class Entry(NamedTuple):
    """A message as the log holds it; `stored_ns` is when the broker took it, 0 if that is not known."""

    sequence: int
    subject: str
    message_id: str
    payload: bytes
    stored_ns: int = 0


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """What a segment holds. `log` and `epoch` are what made its end, `payload_bytes` is before compression.

    `missing` counts the messages before and within it that were never had. Of the file itself: `sha256`, `file_bytes`,
    which the file cannot say; `previous` is the hash of the file before it.
    """

    first: int
    last: int
    messages: int
    payload_bytes: int
    began_ns: int
    ended_ns: int
    log: str
    epoch: int = 0
    previous: str = ""
    missing: int = 0
    format: str = FORMAT
    sha256: str = ""
    file_bytes: int = 0

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.first:015d}-{self.last:015d}.parquet"


class Latest(msgspec.Struct, frozen=True):
    """A message that is the last of its kind."""

    sequence: int
    message_id: str
    payload: bytes


class Catalogue(msgspec.Struct, kw_only=True):
    """What a folder of segments holds: the segments in their order, and the last message of every subject.

    `said` has by subject and service what that service said last. `dropped` counts what retention took away, `missing`
    what was gone before it could be sealed, beside what was gone before the first segment.
    """

    log: str = ""
    segments: list[Segment] = []
    latest: dict[str, Latest] = {}
    said: dict[str, dict[str, Latest]] = {}
    dropped_messages: int = 0
    dropped_segments: int = 0
    missing: int = 0

    def note(self, entries: Iterable[Entry]) -> None:
        """Take messages into the account of what was said last."""
        for entry in entries:
            latest = Latest(entry.sequence, entry.message_id, entry.payload)
            self.latest[entry.subject] = latest
            if service := speaker(entry.message_id):
                self.said.setdefault(entry.subject, {})[service] = msgspec.structs.replace(latest, payload=b"")


_catalogue: Final = msgspec.json.Decoder(Catalogue)


def speaker(message_id: str) -> str:
    """The fold that said a message, by its id `service|market|round|place`; empty for another program's."""
    fields = message_id.split("|")
    return fields[0] if len(fields) == 4 else ""


def matches(pattern: str, subject: str) -> bool:
    """Whether a subject is one that a pattern with `*` and `>` stands for."""
    wanted, tokens = pattern.split("."), subject.split(".")
    if wanted[-1] == ">" and len(tokens) >= len(wanted):
        wanted, tokens = wanted[:-1], tokens[: len(wanted) - 1]
    return len(wanted) == len(tokens) and all(a in ("*", b) for a, b in zip(wanted, tokens, strict=True))


def write(folder: Path, entries: Sequence[Entry], segment: Segment) -> Segment:
    """Write a segment so that it is there whole or not at all; returns it with its hash. Raises OSError."""
    import polars as pl  # it is large, and most processes never read or write a segment

    rows = pl.DataFrame(
        {
            "sequence": [entry.sequence for entry in entries],
            "stored_ns": [entry.stored_ns for entry in entries],
            "subject": [entry.subject for entry in entries],
            "message_id": [entry.message_id for entry in entries],
            "payload": [entry.payload for entry in entries],
        },
        schema={
            "sequence": pl.Int64,
            "stored_ns": pl.Int64,
            "subject": pl.String,
            "message_id": pl.String,
            "payload": pl.Binary,
        },
    ).sort("subject", "sequence")
    about = {ABOUT: msgspec.json.encode(segment).decode()}
    file = io.BytesIO()  # so that what a full disk says is an OSError
    rows.write_parquet(
        file, compression="zstd", compression_level=COMPRESSION_LEVEL, data_page_size=PAGE_BYTES, metadata=about
    )
    content = file.getvalue()
    write_whole(folder / segment.name, content)
    return msgspec.structs.replace(segment, sha256=hashlib.sha256(content).hexdigest(), file_bytes=len(content))


def read(folder: Path, segment: Segment, patterns: Sequence[str] = (">",)) -> list[Entry]:
    """The messages of a segment on subjects that match, in the order of the log; raises SegmentError."""
    import polars as pl

    content = _checked(folder, segment)
    frame = pl.read_parquet(content)
    if ">" not in patterns:
        names = [name for name in frame["subject"].unique() if any(matches(pattern, name) for pattern in patterns)]
        frame = frame.filter(pl.col("subject").is_in(names))
    frame = frame.sort("sequence")
    return [
        Entry(*row) for row in frame.select("sequence", "subject", "message_id", "payload", "stored_ns").iter_rows()
    ]


def about(folder: Path, name: str) -> Segment:
    """What a file says that it holds; raises SegmentError."""
    import polars as pl

    path = folder / name
    try:
        content = path.read_bytes()
        said = msgspec.json.decode(pl.read_parquet_metadata(path)[ABOUT], type=Segment)
    except (OSError, KeyError, msgspec.DecodeError, pl.exceptions.PolarsError) as error:
        raise SegmentError(f"{path} is no segment of a log: {error}; put back the file that it was") from None
    if said.format != FORMAT or said.name != name:
        raise SegmentError(f"{path} holds {said.name} in the format {said.format}, this program reads {FORMAT}")
    return msgspec.structs.replace(said, sha256=hashlib.sha256(content).hexdigest(), file_bytes=len(content))


def _checked(folder: Path, segment: Segment) -> bytes:
    path = folder / segment.name
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SegmentError(
            f"{path} cannot be read: {error.strerror}; put it back, the log cannot do without it"
        ) from None
    if hashlib.sha256(content).hexdigest() != segment.sha256:
        raise SegmentError(f"{path} is not what was sealed: its hash is another; put back the file that it was")
    return content


def chained(segments: Iterable[Segment]) -> Iterator[Segment]:
    """The segments; raises SegmentError where one does not follow the one before it."""
    before: Segment | None = None
    for segment in segments:
        if before is not None and segment.previous != before.sha256:
            raise SegmentError(f"{segment.name} follows another segment than {before.name}: one of them was changed")
        if before is not None and segment.last - segment.messages - segment.missing != before.last:
            raise SegmentError(f"between {before.name} and {segment.name} a segment is missing: put it back")
        before = segment
        yield segment


def load_catalogue(folder: Path) -> Catalogue:
    """What a folder holds, by its catalogue; raises SegmentError for one that cannot be read."""
    try:
        return _catalogue.decode((folder / CATALOGUE).read_bytes())
    except FileNotFoundError:
        return Catalogue()
    except (OSError, msgspec.DecodeError) as error:
        raise SegmentError(f"{folder / CATALOGUE} cannot be read: {error}") from None


def save_catalogue(folder: Path, catalogue: Catalogue) -> None:
    """Replace the catalogue by a whole one; raises OSError."""
    write_whole(folder / CATALOGUE, msgspec.json.encode(catalogue))


def remade(
    folder: Path, known: Catalogue, told: Callable[[Segment], None], credible: Callable[[Entry], bool]
) -> Catalogue:
    """The catalogue with every segment that it does not name yet: all of them if it was lost. Raises SegmentError.

    A segment is written before the catalogue names it. Of messages that are not `credible` no account is taken.
    """
    named = {segment.name for segment in known.segments}
    for path in sorted(folder.glob("*.parquet")):
        if path.name in named or (known.segments and path.name < known.segments[-1].name):
            continue
        segment = about(folder, path.name)
        known.note(filter(credible, read(folder, segment)))
        known.log, known.missing = segment.log, known.missing + (segment.missing if known.segments else 0)
        known.segments.append(segment)
        told(segment)
    return known
