"""Prometheus metrics of the archive."""

from collections.abc import Iterator
from typing import Final

from papertrader.services.archive.service import Archive
from papertrader.shared.log.subjects import Market
from papertrader.shared.service.metrics import Metric, Sample

SEALED: Final = Metric("paper_archive_sealed_sequence", "gauge", "Sequence up to which the log is in segments", ())
SEGMENTS: Final = Metric("paper_archive_segments", "gauge", "Segments on disk", ())
BYTES: Final = Metric("paper_archive_bytes", "gauge", "Bytes of all segments on disk", ())
UNSEALED: Final = Metric("paper_archive_unsealed_messages", "gauge", "Messages that are in no segment yet", ())
FAILURES: Final = Metric("paper_archive_failures", "counter", "Times that a segment could not be written", ())
DROPPED: Final = Metric("paper_archive_dropped_messages", "counter", "Messages that retention dropped for good", ())
MISSING: Final = Metric(
    "paper_archive_missing_messages", "counter", "Messages that were gone before they could be sealed", ()
)
RATE: Final = Metric("paper_archive_bytes_per_day", "gauge", "Growth of the segments as in the last day, bytes", ())
FREE: Final = Metric("paper_archive_disk_free_bytes", "gauge", "What the disk of the segments has left", ())
DAYS: Final = Metric(
    "paper_archive_disk_full_days", "gauge", "Days until the disk is full; infinite if retention keeps it from that", ()
)
METRICS: Final[tuple[Metric, ...]] = (SEALED, SEGMENTS, BYTES, UNSEALED, FAILURES, DROPPED, MISSING, RATE, FREE, DAYS)


def samples(_market: Market, archive: Archive) -> Iterator[Sample]:
    """The samples of an archive."""
    catalogue = archive.store.catalogue
    values = {
        SEALED: archive.store.last,
        SEGMENTS: len(catalogue.segments),
        BYTES: archive.store.kept_bytes,
        UNSEALED: archive.unsealed,
        FAILURES: archive.failures,
        DROPPED: catalogue.dropped_messages,
        MISSING: archive.missing,
        RATE: archive.growth.file_bytes_per_day if archive.growth else 0.0,
        FREE: archive.store.free_bytes(),
        DAYS: archive.days_left,
    }
    for metric, value in values.items():
        yield Sample(metric, (), float(value))
