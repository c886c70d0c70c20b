"""The monitor's judgement of a replayed session: what it says after it has heard all of it, as on the bus."""

from collections.abc import Mapping

from papertrader.replay.replay import Replayed
from papertrader.replay.rounds import read_stretch, stretches
from papertrader.replay.world import KINDS
from papertrader.services.monitor.config import MonitorConfig
from papertrader.services.monitor.facts.liveness import FEED, ServiceHealth
from papertrader.services.monitor.facts.market import known_readings
from papertrader.services.monitor.service import Monitor
from papertrader.shared.service.config import Settings
from papertrader.shared.service.fold import Received, Round, canonical


def judged(replayed: Replayed, settings: Settings) -> Monitor:
    """The monitor after it has heard a replayed session, as it would have on the bus."""
    session = replayed.session
    monitor = Monitor(session.market, settings.by_account("monitor", MonitorConfig))
    previous_ts, last = 0, session.rounds - 1
    for stretch in stretches(session):
        readings = known_readings(read_stretch(stretch, monitor.market_data))
        market_data, said = stretch.market_data(), said_in(replayed, stretch.first - 1, len(readings))
        for (number, ts, id_, _), reading in zip(stretch.rounds(), readings, strict=True):
            round_ = Round(
                number=id_,
                ts=ts,
                previous_ts=previous_ts,
                heard=canonical(said.get(number - 1, ())),
                market_data=tuple(market_data.get(number, ())),
                final=number == last,
            )
            monitor.hear(round_, reading)
            previous_ts = ts
    monitor.liveness = _feed_ended(session.bad)
    return monitor


def said_in(replayed: Replayed, first: int, rounds: int) -> dict[int, list[Received]]:
    """What was said in so many rounds from the first on, by round."""
    found: dict[int, list[Received]] = {}
    for kind in KINDS:
        for sequence, (number, account, message) in enumerate(replayed.messages(kind, first, first + rounds)):
            found.setdefault(number, []).append(Received(kind, account, message, sequence))
    return found


def _feed_ended(bad: Mapping[str, int]) -> dict[str, ServiceHealth]:
    return {FEED: ServiceHealth(heartbeat_age_s=0.0, bad_messages=dict(bad), final=True)}
