"""`papertrader export` and `papertrader verify`: the log of a run, written to files and folded again."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from papertrader.replay.log_file import LogError, differing_settings, write_log
from papertrader.replay.log_source import Source, Told, entries, opened
from papertrader.replay.proof import Proof, Search
from papertrader.replay.refold import Origins, origins_after, origins_of
from papertrader.replay.results import FileFormat, logged_run
from papertrader.replay.verify import Verifier
from papertrader.shared.log.segments import Entry
from papertrader.shared.service.config import Settings, load
from papertrader.shared.service.epoch import changes, code_fingerprint

DIFFERS: Final = 1
NOTHING_COMPARED: Final = 2
OUTPUTS_SHOWN: Final = 10


def chosen_settings(source: Source, settings: Path | None, say: Callable[[str], None]) -> Settings:
    """The settings to fold with: the given ones, else those that the log was recorded with, else the environment's."""
    if settings is None and source.recorded is not None:
        return Settings(source.recorded)
    given = load(settings)
    if source.recorded is not None:
        for line in differing_settings(source.recorded, given.tables):
            say(f"these settings are not those of the run: {line}")
    elif settings is None:
        say("folding with the default settings: a broker does not know those of the run; name them with --settings")
    return given


def export(output: Path, log: Path | None, nats: str | None, settings: Path | None) -> int:
    """Write a log to a file; returns the number of messages."""
    progress = Console(stderr=True)
    with opened(log, nats, settings) as source:
        tables = chosen_settings(source, settings, lambda text: progress.print(text, style="yellow")).tables

        async def copy() -> int:
            with write_log(output, tables) as writer:
                count = 0
                async for entry in _entries(source, progress, whole=False):
                    if not count and entry.sequence > 1:
                        progress.print(f"the log begins at sequence {entry.sequence}: what was before was dropped")
                    writer.write(entry)
                    count += 1
            return count

        return asyncio.run(copy())


def export_tables(
    output: Path, log: Path | None, nats: str | None, settings: Path | None, file_format: FileFormat
) -> int:
    """Write what a log tells of as tables; returns the number of rows. Raises RunError."""
    progress = Console(stderr=True)
    with opened(log, nats, settings) as source, _shown(progress) as told:
        tables = chosen_settings(source, settings, lambda text: progress.print(text, style="yellow")).tables
        run = logged_run(source, tables, told)
    run.save(output, file_format)
    return sum(len(item) for item in run.frames.values())


def verify(log: Path | None, nats: str | None, settings: Path | None, as_json: bool, fill: str | None = None) -> int:
    """Fold a log again and say whether everything came out the same, and of one fill what decided it; the exit code.

    A log with which nothing can be compared proves nothing: that is said, and is not success. Raises ProofError.
    """
    search, proof = Search(fill) if fill is not None else None, None
    progress = Console(stderr=True)
    with opened(log, nats, settings) as source:
        tables = chosen_settings(source, settings, lambda text: progress.print(text, style="yellow", highlight=False))
        verifier, first = Verifier(tables, origins_of(source.data_dir)), 0

        async def fold() -> None:
            nonlocal verifier, first
            async with aclosing(_entries(source, progress, whole=False)) as found:
                async for entry in found:
                    if not first and entry.sequence > 1:
                        verifier = Verifier(tables, remembered(source.data_dir, entry.sequence))
                    first = first or entry.sequence
                    verifier.take(entry)
                    if search is not None:
                        search.take(entry)

        async def collect(proof: Proof) -> None:
            async for entry in _entries(source, progress, whole=False):
                proof.take(entry)

        asyncio.run(fold())
        if search is not None:
            proof = Proof(*search.only())
            asyncio.run(collect(proof))
    verifier.finish()
    proved = {"proof": proof.result()} if proof is not None else {}
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(result(verifier) | {"first_sequence": first} | proved) + b"\n")
    else:
        if first > 1:
            sys.stdout.write(f"{beginning(verifier, first)}\n")
        _print(verifier)
        if proved:
            _print_proof(proved["proof"])
    if verifier.differences:
        return DIFFERS
    return NOTHING_COMPARED if nothing_compared(verifier) else 0


def remembered(data_dir: Path | None, first: int) -> Origins:
    """Where folds can begin on a log whose beginning is gone; raises LogError if nothing of that is kept."""
    origins = origins_after(data_dir, first)
    if not origins.starts:
        raise LogError(
            f"the log begins at sequence {first}: its beginning was dropped, or lies in segments that are not here, "
            "and no state that this program has saved since is kept beside it, so it cannot be folded again; name the "
            "--data-dir of the run, put its segments back, or export what you want to prove before it is dropped"
        )
    return origins


def beginning(verifier: Verifier, first: int) -> str:
    """From where on a log is proved whose beginning is gone."""
    return (
        f"the log begins at sequence {first}, what was before was dropped: it is proved from what every fold had saved "
        f"up to sequence {verifier.proved_from} on; {verifier.before} messages were said before"
    )


def _print_proof(proof: dict[str, Any]) -> None:
    """A fill's class, its probability, and the messages it follows from; the deciding ones are marked."""
    out = Console()
    known = "" if proof["probability"] is None else f", probability {proof['probability']:.3f}"
    out.print(f"fill {proof['fill']}, sequence {proof['sequence']}: {proof['class']}{known}", highlight=False)
    for line in proof["messages"]:
        rest = ", ".join(
            f"{name} {value}" for name, value in line.items() if name not in ("sequence", "what", "decides")
        )
        mark = "  <- decides" if line.get("decides") else ""
        out.print(
            f"  {line['sequence']:>8} {line['what']}: {rest}{mark}", highlight=False, markup=False, soft_wrap=True
        )


def nothing_compared(verifier: Verifier) -> str:
    """Why there was nothing to verify, empty if there was."""
    if verifier.verified or verifier.differences:
        return ""
    if not verifier.inputs and not verifier.refused:
        return "the log is empty"
    if not verifier.rounds:
        return "the log holds no whole round"
    return "no service has said anything in its rounds"


async def _entries(source: Source, console: Console, whole: bool = True) -> AsyncGenerator[Entry, None]:
    with _shown(console) as told:
        async with aclosing(entries(source, told, whole)) as found:
            async for entry in found:
                yield entry


@contextmanager
def _shown(console: Console) -> Iterator[Told]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("messages", total=None)
        yield lambda count, until: progress.update(task, completed=count, total=until or None)


def result(verifier: Verifier) -> dict[str, Any]:
    """What was found, as one JSON object."""
    first = verifier.first
    return {
        "same": None if nothing_compared(verifier) else not verifier.differences,
        "nothing_compared": nothing_compared(verifier),
        "rounds": verifier.rounds,
        "verified": dict(verifier.verified),
        "inputs": dict(verifier.inputs),
        "refused": dict(verifier.refused),
        "unanswered": verifier.unanswered,
        "foreign": verifier.foreign,
        "proved_from": verifier.proved_from,
        "before": verifier.before,
        "epochs": [
            {"from_sequence": sequence, "number": found.number, "version": found.version, "code": found.code}
            for sequence, found in verifier.epochs
        ],
        "differences": len(verifier.differences),
        "first_difference": list(first.lines()) if first else None,
    }


def epoch_lines(verifier: Verifier) -> Iterator[str]:
    """What changed where on the log, and what of it was made by other code than this program's."""
    last = None
    for sequence, found in verifier.epochs:
        if last is not None:
            yield f"epoch {found.number} begins at sequence {sequence}: {'; '.join(changes(last, found))}"
        if found.code != code_fingerprint():
            yield (
                f"epoch {found.number} was made by version {found.version} ({found.code}), this program is "
                f"{code_fingerprint()}: what differs may be the program's doing"
            )
        last = found


def _print(verifier: Verifier) -> None:
    out = Console()
    if nothing := nothing_compared(verifier):
        out.print(f"nothing to verify: {nothing}", style="bold red", highlight=False, soft_wrap=True)
        return
    for line in epoch_lines(verifier):
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(verifier.verified.items()))
    out.print(f"{verifier.rounds} rounds folded again; came out byte for byte the same: {kinds}", highlight=False)
    if verifier.refused.total():
        out.print(f"{verifier.refused.total()} messages were malformed, as they were for the services")
    if verifier.foreign:
        out.print(
            f"{verifier.foreign} messages of epochs of another program come out otherwise with this one, or not at "
            "all: only that program can prove them; this one is proved from where it went on",
            style="yellow",
            highlight=False,
        )
    if verifier.unanswered:
        out.print(f"{verifier.unanswered} messages of the last round are not there: the log ends before they were said")
    if (first := verifier.first) is None:
        out.print("no difference", style="green")
        return
    out.print(f"{len(verifier.differences)} differences; the first:", style="bold red")
    for line in first.lines():
        out.print(line, highlight=False, markup=False, soft_wrap=True)
