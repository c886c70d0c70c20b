"""The recorder: raw frames of a live venue into hourly tapes, one per asset, with a manifest of what was missed."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from papertrader.services.feed.config import FeedConfig
from papertrader.services.feed.files.tape_file import PART, TORN, TapeFile, repair
from papertrader.services.feed.live.local_clock import LocalClock
from papertrader.services.feed.live.session import LiveSession, live_session
from papertrader.services.feed.venues.live import LiveError, LiveVenue
from papertrader.shared.log.subjects import token
from papertrader.shared.log.tasks import ended
from papertrader.shared.market.tape import DISCONNECTED, INSTRUMENT
from papertrader.shared.messages import Gap
from papertrader.shared.whole_file import write_whole

log = logging.getLogger(__name__)

FLUSH_S: Final = 0.5
RETRY_NS: Final = 5_000_000_000
"""How long to wait, after the disk refused a write, before trying again."""
ROLL_NS: Final = 3_600_000_000_000
MANIFEST: Final = "manifest.json"


class Recorded(msgspec.Struct):
    """One tape of the manifest. `repaired` says that the recorder was killed while it wrote it."""

    file: str
    asset: str
    first_ns: int
    last_ns: int
    frames: int
    bytes: int
    repaired: bool = False


class Missed(msgspec.Struct):
    """What is not on the tapes, and why. Times are the venue's, for `disk_full` and `stopped` those of receipt."""

    asset: str
    from_ns: int
    to_ns: int
    reason: str


class Manifest(msgspec.Struct):
    """All tapes of a directory."""

    venue: str
    tapes: list[Recorded] = []
    gaps: list[Missed] = []


class AssetTape:
    """The tapes of one asset: rolled every hour (UTC) by rename, so that a file by its final name is whole."""

    def __init__(self, directory: Path, venue: str, asset: str, closed: Callable[[Recorded], None]) -> None:
        self.asset = asset
        self.lost = 0
        self.stem = f"{venue}-{token(asset).replace('/', '-').replace(':', '-')}"
        self._directory = directory
        self._closed = closed
        self._lines: list[tuple[int, bytes]] = []
        self._file: TapeFile | None = None
        self._refused_ns = 0
        self._missed = False
        self._rules = b""  # the frame that told the trading rules last: every tape begins with it

    def missed(self) -> None:
        """Something was missed: what is written next begins with a break, however short it was."""
        self._missed = True

    def add(self, recv_ns: int, frame: bytes) -> None:
        """Take a frame; it is on the disk after the next flush."""
        self._lines.append((recv_ns, frame))
        if frame.startswith(INSTRUMENT):
            self._rules = frame

    def flush(self, now_ns: int) -> None:
        """Write what was taken; raises OSError if the disk takes it not, and drops it then."""
        lines, self._lines = self._lines, []
        if now_ns < self._refused_ns + RETRY_NS:
            self.lost += len(lines)
            return
        if lines and self._missed:
            lines.insert(0, (lines[0][0], DISCONNECTED))
            self._missed = False
        try:
            while lines:
                hour = lines[0][0] // ROLL_NS
                if self._file is not None and self._file.first_ns and self._file.first_ns // ROLL_NS != hour:
                    self.close()
                count = sum(1 for recv_ns, _ in lines if recv_ns // ROLL_NS == hour)
                if self._file is None:
                    self._file = self._open(lines[0][0])
                    if self._rules and not lines[0][1].startswith(INSTRUMENT):
                        self._file.append([(lines[0][0], self._rules)])
                self._file.append(lines[:count])
                lines = lines[count:]
        except OSError:
            self.lost += sum(1 for _, frame in lines if frame != DISCONNECTED)
            self._refused_ns, self._missed = now_ns, True
            with contextlib.suppress(OSError):
                self.close()
            raise

    def close(self) -> None:
        """End the tape that is being written."""
        file, self._file = self._file, None
        if file is not None:
            file.close()
            if file.frames:
                self._closed(_recorded(file, self.asset))

    def _open(self, recv_ns: int) -> TapeFile:
        start = datetime.fromtimestamp(recv_ns // 1_000_000_000, UTC)
        path = self._directory / f"{self.stem}-{start:%Y%m%dT%H%M%S}.gz"
        number = 1
        while path.exists() or path.with_name(path.name + PART).exists():
            path = path.with_name(f"{self.stem}-{start:%Y%m%dT%H%M%S}-{number}.gz")
            number += 1
        return TapeFile(path)


def _recorded(file: TapeFile, asset: str, repaired: bool = False) -> Recorded:
    return Recorded(file.path.name, asset, file.first_ns, file.last_ns, file.frames, file.size, repaired)


class Recorder:
    """Records the assets of a live venue into a directory."""

    def __init__(self, directory: Path, venue: LiveVenue, assets: tuple[str, ...]) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.frames = 0
        self._directory = directory
        self._clock = LocalClock()
        self._manifest = _read_manifest(directory, venue.name)
        self._tapes = {asset: AssetTape(directory, venue.name, asset, self._on_closed) for asset in assets}
        self._ended = {asset: self._end_of(asset) for asset in assets}
        self._salvage(venue.name)
        self._write_manifest()

    @property
    def refused(self) -> int:
        """Frames that the disk did not take."""
        return sum(tape.lost for tape in self._tapes.values())

    def tap(self, asset: str, recv_ns: int, frame: bytes) -> None:
        """Take a raw frame; one that belongs to no asset is not recorded."""
        tape = self._tapes.get(asset)
        if tape is None:
            return
        if last_ns := self._ended.pop(asset, 0):
            self._miss(Missed(asset, last_ns, recv_ns, "stopped"))
            tape.missed()
        self.frames += 1
        tape.add(recv_ns, frame.replace(b"\n", b" "))

    def lost(self, assets: frozenset[str], now_ns: int) -> None:
        """The connection of these assets broke."""
        for asset in assets:
            self._tapes[asset].add(now_ns, DISCONNECTED)

    async def run(self, session: LiveSession) -> None:
        """Flush twice a second and note what the session misses, until cancelled."""
        try:
            while True:
                await asyncio.sleep(FLUSH_S)
                self._note_gaps(session)
                self.flush()
        finally:
            self._note_gaps(session)
            self.flush()
            for tape in self._tapes.values():
                with contextlib.suppress(OSError):
                    tape.close()
            with contextlib.suppress(OSError):
                self._write_manifest()

    def flush(self) -> None:
        """Write what was received; a disk that refuses is a gap, and is asked again five seconds later."""
        now_ns = self._clock.now_ns()
        refusals: dict[str, OSError] = {}
        for tape in self._tapes.values():
            try:
                tape.flush(now_ns)
            except OSError as error:
                refusals[tape.asset] = error
                self._note(Missed(tape.asset, now_ns, now_ns + RETRY_NS, "disk_full"))
        if refusals:
            asset, refusal = next(iter(refusals.items()))
            log.error("the disk takes nothing of %s and %d others: %s", asset, len(refusals) - 1, refusal)
            self._save()

    def _note_gaps(self, session: LiveSession) -> None:
        for asset, market in session.markets.items():
            while market.backlog:
                for message in market.backlog.popleft().messages:
                    if isinstance(message, Gap):
                        self._miss(Missed(asset, message.from_ts, message.to_ts, message.reason))

    def _miss(self, missed: Missed) -> None:
        self._note(missed)
        self._save()

    def _note(self, missed: Missed) -> None:
        """Note a gap; one that goes on where the asset's last one ended makes that one longer."""
        before = next((gap for gap in reversed(self._manifest.gaps) if gap.asset == missed.asset), None)
        slack_ns = RETRY_NS if missed.reason == "disk_full" else 0
        if before is not None and before.reason == missed.reason and 0 <= missed.from_ns - before.to_ns <= slack_ns:
            before.to_ns = missed.to_ns
        else:
            self._manifest.gaps.append(missed)

    def _on_closed(self, recorded: Recorded) -> None:
        self._manifest.tapes.append(recorded)
        self._save()

    def _end_of(self, asset: str) -> int:
        return max((tape.last_ns for tape in self._manifest.tapes if tape.asset == asset), default=0)

    def _salvage(self, venue: str) -> None:
        """Make whole tapes of what a killed recorder has left."""
        for torn in self._directory.glob(f"*{PART}{TORN}"):  # killed while it repaired
            torn.replace(torn.with_name(torn.name.removesuffix(TORN)))
        for asset, tape in self._tapes.items():
            for part in sorted(self._directory.glob(f"{tape.stem}-*.gz{PART}")):
                file = repair(part)
                if file is not None:
                    log.warning("%s of %s was left unfinished: %d frames saved", file.path.name, venue, file.frames)
                    self._manifest.tapes.append(_recorded(file, asset, repaired=True))
                    self._ended[asset] = max(self._ended[asset], file.last_ns)

    def _save(self) -> None:
        try:
            self._write_manifest()
        except OSError as error:
            log.error("the manifest cannot be written: %s", error)

    def _write_manifest(self) -> None:
        content = msgspec.json.format(msgspec.json.encode(self._manifest), indent=1)
        write_whole(self._directory / MANIFEST, content)


def _read_manifest(directory: Path, venue: str) -> Manifest:
    """The manifest of a directory, a new one if there is none; raises ValueError if it is another venue's."""
    path = directory / MANIFEST
    if not path.exists():
        return Manifest(venue)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=Manifest)
    except msgspec.MsgspecError as error:
        raise ValueError(f"{path} is no manifest of a recorder: {error}") from None
    if found.venue != venue:
        raise ValueError(f"{directory} holds tapes of {found.venue}: record {venue} into another directory")
    return found


async def record(
    config: FeedConfig,
    venue: LiveVenue,
    directory: Path,
    stop: asyncio.Event,
    told: Callable[[Recorder, LiveSession], None] | None = None,
) -> None:
    """Record until `stop` is set or `duration_s` has passed; `told` hears once a second how it goes.

    Raises LiveError if the venue has not answered at all until then.
    """
    recorder = Recorder(directory, venue, config.assets)
    begun = asyncio.Event()
    tasks = [asyncio.ensure_future(_follow(config, venue, recorder, begun, told)), asyncio.ensure_future(stop.wait())]
    try:
        done, _ = await asyncio.wait(tasks, timeout=config.duration_s or None, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await asyncio.gather(*map(ended, tasks))
    if not begun.is_set():
        raise LiveError(f"{venue.name} has not answered: nothing was recorded; `papertrader doctor --source` says why")


async def _follow(
    config: FeedConfig,
    venue: LiveVenue,
    recorder: Recorder,
    begun: asyncio.Event,
    told: Callable[[Recorder, LiveSession], None] | None,
) -> None:
    async with live_session(config, venue, recorder.tap, recorder.lost) as session:
        begun.set()
        tasks = [asyncio.ensure_future(work) for work in (session.run(), recorder.run(session))]
        if told is not None:
            tasks.append(asyncio.ensure_future(_tell(told, recorder, session)))
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await asyncio.gather(*map(ended, tasks))


async def _tell(told: Callable[[Recorder, LiveSession], None], recorder: Recorder, session: LiveSession) -> None:
    while True:
        await asyncio.sleep(1.0)
        told(recorder, session)
