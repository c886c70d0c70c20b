"""Settings of the monitor: what counts as silence, as slow, as stuck."""

from typing import Annotated, Literal, TypeAlias, get_args

import msgspec
from msgspec import Meta

NoticeKind: TypeAlias = Literal["fills", "checks", "pnl", "summary"]


class MonitorConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The limits that the validation checklist of one account is judged by."""

    silence_s: Annotated[
        float,
        Meta(ge=1, le=3600, description="an answer that is missing for so long is a broken wire, s of event time"),
    ] = 10.0
    heartbeat_limit_s: Annotated[
        float, Meta(ge=1, le=600, description="a service without a heartbeat for so long is down, s of wall time")
    ] = 5.0
    checkpoint_limit_s: Annotated[
        float, Meta(ge=1, le=86400, description="greatest age of a living service's newest checkpoint, s")
    ] = 330.0
    first_fill_s: Annotated[
        float, Meta(ge=1, le=86400, description="quoting time within which the first fill must come, s of event time")
    ] = 120.0
    fill_rate_after_s: Annotated[
        float, Meta(ge=1, le=86400, description="quoting time after which the fill rate is judged, s of event time")
    ] = 360.0
    min_fills_per_hour: Annotated[
        float, Meta(ge=0, le=1e6, description="least fill rate, fills per hour of quoting while the market trades")
    ] = 10.0
    quiet_prints_per_minute: Annotated[
        float, Meta(ge=0, le=1e6, description="a market with fewer public prints is quiet and not judged, per minute")
    ] = 1.0
    label_tolerance_s: Annotated[
        float, Meta(ge=0, le=600, description="how late after its 5 s an outcome may be, s of event time")
    ] = 1.0
    calibration_grace_s: Annotated[
        float, Meta(ge=1, le=86400, description="after a fill and an outcome, progress must leave 0 within, s")
    ] = 60.0
    residual_limit: Annotated[
        float, Meta(ge=0, le=1, description="largest residual of the PnL identity, as a fraction of turnover")
    ] = 1e-9
    toxicity_moments: Annotated[
        int, Meta(ge=30, le=1_000_000, description="market sweeps after which toxicity must have shown skill, count")
    ] = 1000
    stuck_after_s: Annotated[
        float, Meta(ge=60, le=86400, description="time without a change after which a regime may be stuck, s")
    ] = 1800.0
    stuck_sigma_ratio: Annotated[
        float, Meta(ge=1, le=100, description="ratio of σ's 90 % to 10 % quantile that must have changed the regime")
    ] = 2.0
    max_loss: Annotated[
        float,
        Meta(gt=0, le=1, description="the quoter's loss limit, fraction of the first equity: tells pause from death"),
    ] = 0.05
    max_drawdown: Annotated[
        float, Meta(gt=0, le=1, description="the quoter's drawdown limit, fraction of the peak equity")
    ] = 0.05
    leverage: Annotated[
        float, Meta(ge=0, le=1000, description="leverage of the margin rule; 0 takes the first one seen")
    ] = 0.0
    adverse_rate_limit: Annotated[
        float, Meta(ge=0, le=1, description="adverse rate above which classifier or spread need work, fraction")
    ] = 0.4
    max_locked_share: Annotated[
        float, Meta(ge=0, le=1, description="share of locked or crossed books above which the data is not trusted")
    ] = 0.01
    max_refused_share: Annotated[
        float, Meta(ge=0, le=1, description="share of refused market data above which the rest is not trusted")
    ] = 0.01
    max_unknown_queue_share: Annotated[
        float, Meta(ge=0, le=1, description="share of orders with an unknown queue above which fills are not trusted")
    ] = 0.2
    judge_every_s: Annotated[
        float, Meta(ge=0.1, le=60, description="how often the checklist is judged, s of event time")
    ] = 1.0
    say_every_s: Annotated[
        float, Meta(ge=0.1, le=600, description="how often an unchanged checklist is published, s of event time")
    ] = 5.0
    port: Annotated[int, Meta(ge=0, le=65535, description="port of the web page")] = 8080
    page_hosts: Annotated[
        tuple[str, ...],
        Meta(description="names beside localhost and addresses that the page answers to, as browsers ask for it"),
    ] = ()
    notices: Annotated[
        str, Meta(description="file of Apprise URLs, one a line, to which notices go; empty: none are sent")
    ] = ""
    notices_about: Annotated[tuple[NoticeKind, ...], Meta(description="what notices tell of")] = get_args(NoticeKind)
    notices_every_s: Annotated[
        float, Meta(ge=1, le=86400, description="least time between two messages to one address, s of wall time")
    ] = 60.0
    notice_pnl_below: Annotated[
        float | None, Meta(description="tell when total PnL falls below this, settlement currency")
    ] = None
    notice_pnl_above: Annotated[
        float | None, Meta(description="tell when total PnL rises above this, settlement currency")
    ] = None
