"""The command of the bench: campaigns by seed, or one that was written down."""

import argparse
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from papertrader.cli.supervisor import RunError
from tests.faults.bench.catalogue import KINDS, Campaign, Disk, campaign_of, draw, text_of
from tests.faults.bench.running import Outcome, run, wrong
from tests.faults.bench.shrinking import shrunk
from tests.faults.bench.tables import market


class Bench:
    """Campaigns against some markets, each compared with the undisturbed run of its own."""

    def __init__(self, folder: Path, tapes: list[Path | None]) -> None:
        self._folder, self._tapes = folder, tapes
        self._undisturbed: dict[Path | None, Outcome] = {}

    def market_of(self, seed: int) -> Path | None:
        """The market of a seed: all have their turn."""
        return self._tapes[seed % len(self._tapes)]

    def fault(self, tape: Path | None, campaign: Campaign) -> str:
        """What is wrong with a campaign, empty if nothing is."""
        if tape not in self._undisturbed:
            calm = self._undisturbed[tape] = self._run(tape, ())
            _say(f"undisturbed {named(tape)}: {len(calm.words)} words, {calm.fills} fills, said {calm.said}")
            assert calm.fills, "nothing is filled: nothing could be lost"
            assert not (calm_wrong := wrong(calm, calm, ())), calm_wrong
        try:
            return wrong(self._run(tape, campaign), self._undisturbed[tape], campaign)
        except RunError as error:
            return f"the run does not start: {error}"

    def _run(self, tape: Path | None, campaign: Campaign) -> Outcome:
        with tempfile.TemporaryDirectory(dir=self._folder) as place:
            return run(Path(place) / "run", market(tape), campaign)


def named(tape: Path | None) -> str:
    """What a market is called."""
    return tape.name if tape else "synthetic"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _campaigns(arguments: argparse.Namespace) -> Iterator[tuple[int, Campaign]]:
    """The campaigns that are asked for, as long as there is time, each with its seed."""
    if arguments.campaign:
        yield arguments.seed, campaign_of(arguments.campaign)
        return
    kinds = [kind for kind in KINDS if kind is not Disk or os.geteuid() == 0]
    began = time.monotonic()
    for seed in range(arguments.seed, arguments.seed + arguments.campaigns):
        if arguments.seconds and time.monotonic() - began > arguments.seconds:
            return
        yield seed, draw(seed, kinds)


def _parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.bench", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="seed of the first campaign")
    parser.add_argument("--campaigns", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=0.0, help="begin no campaign after so long")
    parser.add_argument("--tape", type=Path, action="append", help="a recorded market, beside the synthetic one")
    parser.add_argument("--campaign", help="run this one, as JSON")
    parser.add_argument("--keep-going", action="store_true", help="shrink nothing, and go on after a failure")
    return parser.parse_args()


FAILED: Final = 1


def main() -> None:
    """Run campaigns until one fails, then print its smallest reproducer; exit code 1 if one has failed."""
    arguments = _parsed()
    count, faults, failures = 0, Counter[str](), 0
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        bench = Bench(Path(folder), [None, *(arguments.tape or [])])
        for seed, campaign in _campaigns(arguments):
            began, tape = time.monotonic(), bench.market_of(seed)
            fault = bench.fault(tape, campaign)
            count += 1
            faults.update(type(one).__name__ for one in campaign)
            told = f"seed {seed} on {named(tape)}: {len(campaign)} faults, {time.monotonic() - began:.0f} s"
            _say(f"{told}: {fault or 'as it must be'}")
            if not fault:
                continue
            failures += 1
            _say(text_of(campaign))
            if not arguments.keep_going:
                smallest = shrunk(campaign, lambda part, tape=tape: bool(bench.fault(tape, part)))
                _say(f"smallest that fails: seed {seed} on {named(tape)}:\n{text_of(smallest)}")
                break
    _say(f"{count} campaigns, {failures} failed; {dict(sorted(faults.items()))}")
    raise SystemExit(FAILED if failures else 0)


if __name__ == "__main__":
    main()
