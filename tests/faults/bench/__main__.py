"""The command of the bench: campaigns by seed, or one that was written down."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.faults.bench.catalogue import Campaign, campaign_of, draw, text_of
from tests.faults.bench.running import Outcome, run, wrong
from tests.faults.bench.shrinking import shrunk
from tests.faults.bench.tables import market


def main() -> None:
    """Run campaigns until one fails, then print its smallest reproducer."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.bench", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="seed of the first campaign")
    parser.add_argument("--campaigns", type=int, default=500)
    parser.add_argument("--tape", type=Path, help="a recorded market; else the synthetic one")
    parser.add_argument("--campaign", help="run this one, as JSON")
    arguments = parser.parse_args()
    tables = market(arguments.tape)
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        undisturbed = run(Path(folder) / "calm", tables, ())
        _say(f"undisturbed: {len(undisturbed.fills)} fills, said {undisturbed.said}")
        seeds = range(arguments.seed, arguments.seed + arguments.campaigns)
        given = [campaign_of(arguments.campaign)] if arguments.campaign else [draw(seed) for seed in seeds]
        for number, campaign in enumerate(given):
            if fault := _fault(Path(folder), tables, campaign, undisturbed):
                _say(f"campaign {number} of seed {arguments.seed + number} fails: {fault}\n{text_of(campaign)}")
                smallest = shrunk(campaign, lambda part: bool(_fault(Path(folder), tables, part, undisturbed)))
                _say(f"smallest that fails:\n{text_of(smallest)}")
                raise SystemExit(1)
            _say(f"seed {arguments.seed + number}: {len(campaign)} faults, as undisturbed")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _fault(folder: Path, tables: dict[str, object], campaign: Campaign, undisturbed: Outcome) -> str:
    with tempfile.TemporaryDirectory(dir=folder) as place:
        return wrong(run(Path(place) / "run", dict(tables), campaign), undisturbed, campaign)


if __name__ == "__main__":
    main()
