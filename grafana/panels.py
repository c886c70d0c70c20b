"""The few kinds of panel that the dashboards are made of."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, statetimeline, table, timeseries
from grafana_foundation_sdk.models import common as common_models
from grafana_foundation_sdk.models import dashboard as models

DATASOURCE: Final = common_models.DataSourceRef(type_val="prometheus", uid="${datasource}")
MARKET: Final = 'venue=~"$venue",asset=~"$asset"'
ACCOUNT: Final = f'{MARKET},account=~"$account"'
BY_MARKET: Final = "venue, asset"
BY_ACCOUNT: Final = "venue, asset, account"
GREEN, AMBER, RED, GREY = "green", "orange", "red", "text"


class Query(NamedTuple):
    """A PromQL expression and the legend of its series."""

    expression: str
    legend: str


Queries = Iterable[Query] | Query
Steps = Mapping[float | None, str]
"""Colours by the value from which they hold; None is everything below."""


def _queries(queries: Queries) -> list[Query]:
    return [queries] if isinstance(queries, Query) else list(queries)


def _prepared(panel: Any, title: str, description: str, unit: str, width: int, height: int) -> Any:
    panel.title(title).description(description).unit(unit).datasource(DATASOURCE)
    return panel.grid_pos(models.GridPos(w=width, h=height))


def _target(query: Query, place: int) -> prometheus.Dataquery:
    return (
        prometheus.Dataquery()
        .datasource(DATASOURCE)
        .ref_id(chr(ord("A") + place))
        .expr(query.expression)
        .legend_format(query.legend)
    )


def _thresholds(steps: Steps) -> dashboard.ThresholdsConfig:
    levels = [models.Threshold(value=value, color=color) for value, color in steps.items()]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(levels)


def _words(words: Mapping[int, tuple[str, str]]) -> list[Any]:
    options = {
        str(value): models.ValueMappingResult(text=text, color=color, index=index)
        for index, (value, (text, color)) in enumerate(words.items())
    }
    return [models.ValueMap(options=options)] if options else []


def lines(
    title: str,
    description: str,
    unit: str,
    queries: Queries,
    *,
    width: int = 8,
    height: int = 8,
    stacked: bool = False,
    points: bool = False,
    low: float | None = None,
    high: float | None = None,
) -> timeseries.Panel:
    """Values over time; `stacked` for parts of a whole, `points` for values that stand alone."""
    panel = _prepared(timeseries.Panel(), title, description, unit, width, height)
    panel.line_width(1).fill_opacity(30 if stacked else 0).span_nulls(False)
    panel.legend(common.VizLegendOptions().show_legend(True).placement(common_models.LegendPlacement.BOTTOM))
    if stacked:
        panel.stacking(common.StackingConfig().mode(common_models.StackingMode.NORMAL).group("A"))
    if points:
        panel.override_by_regexp("/fill/", [_override("custom.drawStyle", "points"), _override("custom.pointSize", 7)])
    if low is not None:
        panel.min(low)
    if high is not None:
        panel.max(high)
    for place, query in enumerate(_queries(queries)):
        panel.with_target(_target(query, place).range())
    return panel


def _override(name: str, value: Any) -> models.DynamicConfigValue:
    return models.DynamicConfigValue(id_val=name, value=value)


def numbers(
    title: str,
    description: str,
    unit: str,
    queries: Queries,
    *,
    width: int = 4,
    height: int = 4,
    steps: Steps | None = None,
    words: Mapping[int, tuple[str, str]] | None = None,
    decimals: int | None = None,
) -> stat.Panel:
    """The newest values in large figures on a ground whose colour says whether they are good."""
    panel = _prepared(stat.Panel(), title, description, unit, width, height)
    panel.reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    panel.color_mode(common_models.BigValueColorMode.BACKGROUND if steps else common_models.BigValueColorMode.NONE)
    panel.graph_mode(common_models.BigValueGraphMode.NONE).thresholds(_thresholds(steps or {None: GREY}))
    panel.text_mode(common_models.BigValueTextMode.VALUE_AND_NAME)
    panel.mappings(_words(words or {}))
    if decimals is not None:
        panel.decimals(decimals)
    for place, query in enumerate(_queries(queries)):
        panel.with_target(_target(query, place).instant())
    return panel


def states(
    title: str,
    description: str,
    queries: Queries,
    words: Mapping[int, tuple[str, str]],
    *,
    width: int = 24,
    height: int = 8,
) -> statetimeline.Panel:
    """States over time, one row each."""
    panel = _prepared(statetimeline.Panel(), title, description, "none", width, height)
    panel.mappings(_words(words)).show_value(common_models.VisibilityMode.NEVER).row_height(0.8).merge_values(True)
    panel.thresholds(_thresholds({None: GREY}))
    for place, query in enumerate(_queries(queries)):
        panel.with_target(_target(query, place).range())
    return panel


def rows(title: str, description: str, unit: str, queries: Queries, *, width: int = 12, height: int = 8) -> table.Panel:
    """A table: one row per combination of labels, one column per query, named by its legend."""
    panel = _prepared(table.Panel(), title, description, unit, width, height)
    named = {}
    for place, query in enumerate(_queries(queries)):
        target = _target(query, place).format(prometheus_table()).instant()
        panel.with_target(target)
        named[f"Value #{chr(ord('A') + place)}"] = query.legend
    panel.with_transformation(models.DataTransformerConfig(id_val="merge", options={}))
    hidden = dict.fromkeys(("Time", "__name__", "instance", "job"), True)
    panel.with_transformation(
        models.DataTransformerConfig(id_val="organize", options={"excludeByName": hidden, "renameByName": named})
    )
    return panel


def prometheus_table() -> Any:
    """The format of answers that tables need."""
    from grafana_foundation_sdk.models.prometheus import PromQueryFormat

    return PromQueryFormat.TABLE


def board(
    title: str, uid: str, description: str, sections: Mapping[str, Iterable[Any]], *, one_asset: bool = False
) -> dashboard.Dashboard:
    """A dashboard: rows of panels under headings, the four variables, hand-overs and gaps as annotations."""
    built = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["papertrader"])
        .readonly()
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("utc")
        .with_variable(dashboard.DatasourceVariable("datasource").label("data source").type("prometheus"))
        .with_variable(_variable("venue", "label_values(paper_mid, venue)"))
        .with_variable(_variable("asset", 'label_values(paper_mid{venue=~"$venue"}, asset)', several=not one_asset))
        .with_variable(_variable("account", f"label_values(paper_equity{{{MARKET}}}, account)"))
        .annotation(
            _annotation("gap", f"sum by (venue, asset) (increase(paper_feed_gaps_total{{{MARKET}}}[1m])) > 0", RED)
        )
        .annotation(_annotation("hand-over", "sum by (job) (increase(paper_lease_changes_total[1m])) > 0", "blue"))
        .link(
            dashboard.DashboardLink("Paper trader")
            .type(models.DashboardLinkType.DASHBOARDS)
            .tags(["papertrader"])
            .keep_time(True)
            .include_vars(True)
        )
    )
    for heading, panels in sections.items():
        built.with_row(dashboard.Row(heading))
        for panel in panels:
            built.with_panel(panel)
    return built


def _variable(name: str, query: str, several: bool = True) -> dashboard.QueryVariable:
    variable = (
        dashboard.QueryVariable(name)
        .label(name)
        .datasource(DATASOURCE)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
    )
    if several:
        all_of_them = models.VariableOption(text="All", value="$__all")
        variable.multi(True).include_all(True).all_value(".*").current(all_of_them)
    return variable


def _annotation(name: str, expression: str, color: str) -> dashboard.AnnotationQuery:
    return (
        dashboard.AnnotationQuery()
        .name(name)
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color(color)
        .expr(expression)
        .step("30s")
        .title_format(name)
        .text_format("{{venue}} {{asset}} {{job}}")
    )
