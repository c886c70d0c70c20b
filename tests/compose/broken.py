"""What an operator does to the stack, and what goes wrong with it: scale, kill, cut off, stop and start."""

import time
from typing import Any, Final

from papertrader.shared.log.health import FOLDS
from tests.compose.healthy import MARKETS, keeps_up
from tests.compose.stack import Stack, until

ACCOUNT_STATE: Final = ('paper_pnl{part="realised"}', "paper_position", 'paper_count{count="fills"}')


def scale(stack: Stack, count: int) -> str:
    """So many workers of fill-sim, every market folded by exactly one of them, and their shares even."""
    stack.compose("up", "-d", "--wait", "--no-recreate", "--scale", f"fill-sim={count}")
    until(
        lambda: stack.value('count(up{job="fill-sim"} == 1)') == count, 40, lambda: stack.values('up{job="fill-sim"}')
    )
    shares = sorted([*[MARKETS // count] * (count - MARKETS % count), *[MARKETS // count + 1] * (MARKETS % count)])
    until(lambda: _shares(stack) == shares, 60, lambda: _shares(stack))
    one_owner_each(stack)
    return f"markets per worker: {_shares(stack)}"


def _shares(stack: Stack) -> list[int]:
    return sorted(int(value) for _, value in stack.values('paper_owned_markets{job="fill-sim"}'))


def one_owner_each(stack: Stack) -> None:
    """Every market is folded by one worker of each service, and all keep up."""
    until(
        lambda: all(stack.value(f'sum(paper_owned_markets{{job="{fold}"}})') == MARKETS for fold in FOLDS),
        60,
        lambda: stack.values("paper_owned_markets"),
    )
    keeps_up(stack)


def killed_service_is_named(stack: Stack, service: str) -> str:
    """`docker kill`: the alert that names the service fires and reaches Alertmanager; after `up` it resolves.

    That the one before has resolved is seen meanwhile, which saves a minute.
    """

    def named(alerts: list[Any]) -> bool:
        return any(alert["service"] == service for alert in alerts)

    assert not named(stack.firing("PaperServiceDown")), "it fires before"
    started = time.monotonic()
    stack.docker("kill", stack.container(service))
    until(lambda: named(stack.firing("PaperServiceDown")), 60, lambda: stack.values("up"))
    fired = time.monotonic() - started
    until(lambda: named(stack.told("PaperServiceDown")), 30, lambda: stack.told("PaperServiceDown"))
    others_resolved(stack, service)
    stack.compose("up", "-d", "--wait", "--no-recreate")
    one_owner_each(stack)
    return f"fired after {fired:.0f} s, {time.monotonic() - started:.0f} s until all was well"


def others_resolved(stack: Stack, service: str = "") -> None:
    """No service but this one is said to be down."""

    def others() -> set[str]:
        alerts = [*stack.firing("PaperServiceDown"), *stack.told("PaperServiceDown")]
        return {alert["service"] for alert in alerts} - {service}

    until(lambda: not others(), 90, others)


def cut_off_worker_loses_its_markets(stack: Stack) -> str:
    """A worker without network is a worker without markets; when it is back, nothing is counted twice."""
    owners = {labels["instance"].split(":")[0]: n for labels, n in stack.values('paper_owned_markets{job="fill-sim"}')}
    address = max(owners, key=lambda ip: owners[ip])
    assert 0 < owners[address] < MARKETS, owners
    form = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}"
    names = stack.compose("ps", "--format", "{{.Name}}", "fill-sim").split()
    victim = next(name for name in names if address in stack.docker("inspect", "-f", form, name).split())
    network = f"{stack.environment['COMPOSE_PROJECT_NAME']}_bus"
    stack.docker("network", "disconnect", network, victim)
    started = time.monotonic()
    rest = f'sum(paper_owned_markets{{job="fill-sim",instance!~"{address}:.*"}})'
    until(lambda: stack.value(rest) == MARKETS, 60, lambda: stack.values('paper_owned_markets{job="fill-sim"}'))
    took = time.monotonic() - started
    keeps_up(stack)
    stack.docker("network", "connect", "--alias", "fill-sim", network, victim)
    one_owner_each(stack)
    until(lambda: stack.value("min(paper_counts_equal)") == 1, 60, lambda: stack.values("paper_count"))
    return f"taken over after {took:.0f} s"


def accounts(stack: Stack) -> dict[str, float]:
    """What the paper accounts hold."""
    found = {}
    for expression in ACCOUNT_STATE:
        for labels, value in stack.values(expression):
            found[f"{labels['asset']} {labels['account']} {expression}"] = value
    return found


def accounts_survive(stack: Stack) -> str:
    """`down` and `up`: the same positions, profits and fills."""
    stack.compose("stop", "feed")
    time.sleep(8)  # what was said last is folded and scraped
    before = accounts(stack)
    assert len(before) == MARKETS * len(ACCOUNT_STATE), before
    stack.compose("down")
    stack.compose("up", "-d", "--wait", "--scale", "feed=0")
    until(lambda: accounts(stack) == before, 60, lambda: f"{accounts(stack)} instead of {before}")
    stack.compose("up", "-d", "--wait")
    fills = stack.value("sum(paper_fills_total)")
    until(lambda: stack.value("sum(paper_fills_total)") > fills, 240)
    until(lambda: stack.value("min(paper_counts_equal)") == 1, 60, lambda: stack.values("paper_count"))
    return f"{int(fills)} fills kept, and trading goes on"
