"""Commands that replay: tapes, single orders, and searches over settings."""

from pathlib import Path
from typing import Annotated, Any

import typer

from papertrader.cli.kernels import ensure_compiled
from papertrader.cli.options import (
    AsJson,
    Assets,
    FillModel,
    Seed,
    SettingsFile,
    Strategy,
    Tapes,
    VenueUrl,
    checked,
    fail,
    guarded,
    names,
    paths,
)
from papertrader.replay.settings import check_all, tables_of
from papertrader.shared.service.config import Settings, SettingsError


def replay(
    tapes: Tapes = None,
    settings: SettingsFile = None,
    source: Annotated[str | None, typer.Option(help="synthetic or tape")] = None,
    assets: Assets = None,
    duration: Annotated[float | None, typer.Option(help="seconds of event time after which the replay ends")] = None,
    seed: Seed = None,
    fill_model: FillModel = None,
    strategy: Strategy = None,
    report: Annotated[Path | None, typer.Option(help="write the HTML report here")] = None,
    latency_curve: Annotated[
        bool, typer.Option("--latency-curve", help="instead: what it costs if every command takes 50 to 800 ms longer")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Replay tapes as fast as the machine allows, with the numbers of a run; exit code 1 if a check failed."""
    from papertrader.cli.replay import run as run_replay

    feed: dict[str, Any] = {"source": source or ("tape" if tapes else None), "duration_s": duration, "seed": seed}
    feed |= {"tapes": paths(tapes), "assets": names(assets)}
    overrides = {"feed": feed, "fill_sim": {"seed": seed, "fill_model": fill_model}, "quoter": {"strategy": strategy}}
    tables = checked(settings, overrides)
    ensure_compiled("replay")
    if latency_curve:
        from papertrader.cli.latency import run as run_curve

        raise typer.Exit(guarded(lambda: run_curve(tables, as_json)))
    raise typer.Exit(guarded(lambda: run_replay(tables, report, as_json)))


def order(
    tapes: Annotated[list[Path], typer.Argument(help="a recorded tape, an array of hftbacktest, files of Tardis")],
    place: Annotated[
        list[str] | None, typer.Option(help='"TS_MS SIDE PRICE SIZE TIF" of an order; the N-th is order N')
    ] = None,
    cancel: Annotated[list[str] | None, typer.Option(help='"TS_MS N": cancel order N')] = None,
    account: Annotated[
        list[str] | None, typer.Option(help="KEY=VALUE, a setting of [fill_sim], e.g. fill_model=flat")
    ] = None,
    assets: Annotated[str | None, typer.Option(help="the asset, where the tape holds several")] = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """What would have happened to an order: when it was live, its queue, its fills or why none, the money after it."""
    from papertrader.cli.order import run as run_order

    feed: dict[str, Any] = {"source": "tape", "tapes": paths(tapes), "assets": names(assets)}
    tables = checked(settings, {"feed": feed})
    raise typer.Exit(guarded(lambda: run_order(tables, place or [], cancel or [], account or [], as_json)))


def sweep(
    tapes: Tapes = None,
    change: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="values to try, quoter.levels=1,2,3, or a range, quoter.min_edge_bps=0.5..8.0:log; several times",
        ),
    ] = None,
    settings: SettingsFile = None,
    strategy: Strategy = None,
    assets: Assets = None,
    duration: Annotated[float | None, typer.Option(help="seconds of event time after which each replay ends")] = None,
    random: Annotated[
        int | None, typer.Option(min=1, help="draw so many variants at random, not the whole grid")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="choose so many by what came of those before (Optuna's TPE), not the grid")
    ] = None,
    objective: Annotated[
        str, typer.Option(help="what --trials want: pnl, drawdown, adverse, several divided by commas")
    ] = "pnl",
    storage: Annotated[
        Path | None, typer.Option(help="keep the trials in this SQLite file, and go on with those that are there")
    ] = None,
    walk_forward: Annotated[
        int, typer.Option(min=0, help="cut the time in so many parts and one, and trade each with what was best before")
    ] = 0,
    seed: Annotated[int, typer.Option(help="seed of what is drawn")] = 1,
    workers: Annotated[int | None, typer.Option(min=1, help="processes (default: one per core)")] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="replay on the workers of the Dask scheduler at this address, tcp://HOST:PORT")
    ] = None,
    best: Annotated[
        int, typer.Option(min=0, help="so many of the best variants are judged under every fill model")
    ] = 1,
    same_orders: Annotated[
        bool,
        typer.Option("--same-orders", help="judge them by the same orders under every model, so that bounds bound"),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Search settings over tapes: PnL per hour with its uncertainty, and whether it survives other fill models."""
    import os

    from papertrader.cli.sweep import run as run_sweep
    from papertrader.replay.sweep.search import Plan, check_variants
    from papertrader.replay.sweep.variants import axes_of

    feed: dict[str, Any] = {"source": "tape" if tapes else None, "duration_s": duration}
    feed |= {"tapes": paths(tapes), "assets": names(assets)}
    try:
        tables = tables_of(settings, {"feed": feed, "quoter": {"strategy": strategy}})
        plan = Plan(
            axes=axes_of(change or []),
            random=random,
            trials=trials,
            objectives=tuple(names(objective) or ()),
            storage=storage,
            seed=seed,
            best=best,
            same_orders=same_orders,
            steps=walk_forward,
        )
        check_variants(tables, plan, check_all)
    except SettingsError as error:
        raise fail(error) from None
    count = workers or os.cpu_count() or 1
    ensure_compiled("replay")
    raise typer.Exit(guarded(lambda: run_sweep(tables, plan, count, scheduler, as_json)))


def twin(
    live: Annotated[
        list[Path] | None, typer.Option(help="the live record: Hyperliquid's or ccxt's JSON, or CSV; several make one")
    ] = None,
    tape: Annotated[list[Path] | None, typer.Option(help="the tapes of that time; several make one session")] = None,
    follow: Annotated[str | None, typer.Option(help="instead: a public address to follow live, as its ghost")] = None,
    source: Annotated[str, typer.Option(help="with --follow: the live venue")] = "hyperliquid",
    assets: Assets = None,
    account: Annotated[str, typer.Option(help="the paper account whose exchange is compared")] = "main",
    fit_share: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="share of the orders, the first ones, that settings are fitted to")
    ] = 0.5,
    report: Annotated[Path | None, typer.Option(help="write the HTML report here")] = None,
    write_settings: Annotated[Path | None, typer.Option(help="write the fitted settings here, as TOML")] = None,
    duration: Annotated[float | None, typer.Option(help="with --follow: seconds after which to stop")] = None,
    metrics_port: Annotated[int | None, typer.Option(help="with --follow: serve metrics to Prometheus here")] = None,
    venue_url: VenueUrl = None,
    settings: SettingsFile = None,
    as_json: AsJson = False,
) -> None:
    """Compare a live maker's orders with their simulation, order by order, and fit latency and queue to them."""
    if follow is not None:
        from papertrader.cli.ghost import run as run_ghost

        feed = {"source": source, "assets": names(assets), "duration_s": duration, "venue_url": venue_url}
        followed = Settings(checked(settings, {"feed": feed}))
        raise typer.Exit(guarded(lambda: run_ghost(followed, follow, account, metrics_port, as_json)))
    from papertrader.cli.twin import run as run_twin

    taped = {"source": "tape", "tapes": paths(tape), "assets": names(assets)}
    compared = Settings(checked(settings, {"feed": taped}))
    done = guarded(lambda: run_twin(compared, live or [], account, fit_share, report, write_settings, as_json))
    raise typer.Exit(done)
