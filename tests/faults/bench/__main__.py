"""The command of the bench: campaigns by seed, or one that was written down."""

import argparse
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from papertrader.cli.supervisor import RunError
from tests.faults.bench.catalogue import KINDS, Campaign, Disk, campaign_of, draw, text_of
from tests.faults.bench.children import Apart, apart, load_everything
from tests.faults.bench.judging import Outcome, wrong
from tests.faults.bench.running import run
from tests.faults.bench.shrinking import shrunk
from tests.faults.bench.tables import market

EXACT_EVERY: Final = 10
"""One campaign of so many starts its processes as a run does; in the others they are forked."""
FAILED: Final = 1
LOOK_EVERY_S: Final = 0.1


class Trial(NamedTuple):
    """A campaign, its seed and the market that it is run against."""

    seed: int
    tape: Path | None
    campaign: Campaign


class Tried(NamedTuple):
    """What is wrong, empty if nothing is, and how long it took, s."""

    fault: str
    took_s: float


class Bench:
    """Campaigns against some markets, each compared with the undisturbed run of its own."""

    def __init__(self, folder: Path, tapes: list[Path | None], kept: Path | None = None) -> None:
        self.folder, self._tapes, self._kept = folder, tapes, kept
        self._undisturbed: dict[Path | None, Outcome] = {}

    def market_of(self, seed: int) -> Path | None:
        """The market of a seed: all have their turn."""
        return self._tapes[seed % len(self._tapes)]

    def run_undisturbed(self) -> None:
        """Run every market once: what campaigns are compared with."""
        under_way = {tape: Apart(self._calm, tape, folder=self.folder) for tape in self._tapes}
        for tape, one in under_way.items():
            calm = one.value()
            say(f"undisturbed {named(tape)}: {len(calm.words)} words, {calm.fills} fills, said {calm.said}")
            assert calm.fills, "nothing is filled: nothing could be lost"
            assert not (calm_wrong := wrong(calm, calm, ())), calm_wrong
            self._undisturbed[tape] = calm

    def tried(self, trial: Trial) -> Tried:
        """Run a campaign."""
        began = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            try:
                outcome = self._run(Path(place), *trial)
                fault = wrong(outcome, self._undisturbed[trial.tape], trial.campaign)
                fault += f"; it noted {outcome.noted}" if fault else ""
            except RunError as error:
                fault = f"the run does not start: {error}"
            except Exception as error:
                traceback.print_exc()
                fault = f"the bench broke: {type(error).__name__}: {error}"
            if fault and self._kept:
                shutil.copytree(place, self._kept / str(trial.seed), dirs_exist_ok=True)
        return Tried(fault, time.monotonic() - began)

    def _calm(self, tape: Path | None) -> Outcome:
        with tempfile.TemporaryDirectory(dir=self.folder) as place:
            return self._run(Path(place), 0, tape, ())

    def _run(self, place: Path, seed: int, tape: Path | None, campaign: Campaign) -> Outcome:
        return run(place / "run", market(tape), campaign, exact=seed % EXACT_EVERY == 0)


def named(tape: Path | None) -> str:
    """What a market is called."""
    return tape.name if tape else "synthetic"


def say(text: str) -> None:
    """Tell whoever reads."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def trials(arguments: argparse.Namespace, bench: Bench) -> Iterator[Trial]:
    """The campaigns that are asked for, as long as there is time."""
    if arguments.campaign:
        yield Trial(arguments.seed, bench.market_of(arguments.seed), campaign_of(arguments.campaign))
        return
    kinds = [kind for kind in KINDS if kind is not Disk or os.geteuid() == 0]
    began = time.monotonic()
    for seed in range(arguments.seed, arguments.seed + arguments.campaigns):
        if arguments.seconds and time.monotonic() - began > arguments.seconds:
            return
        yield Trial(seed, bench.market_of(seed), draw(seed, kinds))


def results(bench: Bench, wanted: Iterator[Trial], jobs: int) -> Iterator[tuple[Trial, Tried]]:
    """Every campaign with its result, so many at once."""
    under_way: dict[Apart[Tried], Trial] = {}
    while True:
        while len(under_way) < jobs and (trial := next(wanted, None)) is not None:
            under_way[Apart(bench.tried, trial, folder=bench.folder)] = trial
        if not under_way:
            return
        for one in [one for one in under_way if one.ended]:
            yield under_way.pop(one), one.value()
        time.sleep(LOOK_EVERY_S)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.bench", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="seed of the first campaign")
    parser.add_argument("--campaigns", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=0.0, help="begin no campaign after so long")
    parser.add_argument("--jobs", type=int, default=1, help="so many campaigns at once")
    parser.add_argument("--tape", type=Path, action="append", help="a recorded market, beside the synthetic one")
    parser.add_argument("--campaign", help="run this one, as JSON")
    parser.add_argument("--kept", type=Path, help="where the directories of failing campaigns are left")
    parser.add_argument("--keep-going", action="store_true", help="shrink nothing, and go on after a failure")
    return parser.parse_args()


def main() -> None:
    """Run campaigns until one fails, then print its smallest reproducer; exit code 1 if one has failed."""
    arguments = parsed()
    load_everything()
    count, faults, failures = 0, Counter[str](), 0
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        bench = Bench(Path(folder), [None, *(arguments.tape or [])], arguments.kept)
        bench.run_undisturbed()
        for trial, tried in results(bench, trials(arguments, bench), arguments.jobs):
            seed, tape, campaign = trial
            count += 1
            faults.update(type(one).__name__ for one in campaign)
            told = f"seed {seed} on {named(tape)}: {len(campaign)} faults, {tried.took_s:.0f} s"
            say(f"{told}: {tried.fault or 'as it must be'}")
            if not tried.fault:
                continue
            failures += 1
            say(text_of(campaign))
            if not arguments.keep_going:
                smallest = shrunk(campaign, partial(fails, bench, trial))
                say(f"smallest that fails: seed {seed} on {named(tape)}:\n{text_of(smallest)}")
                break
    say(f"{count} campaigns, {failures} failed; {dict(sorted(faults.items()))}")
    raise SystemExit(FAILED if failures else 0)


def fails(bench: Bench, trial: Trial, part: Campaign) -> bool:
    """Whether something is wrong with a part of a campaign."""
    return bool(apart(bench.tried, trial._replace(campaign=part), folder=bench.folder).fault)


if __name__ == "__main__":
    main()
