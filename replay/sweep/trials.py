"""Variants that are chosen by what came of those before: Optuna's tree-structured Parzen estimator, in batches.

A batch is asked for as a whole and told in order, and the estimator is seeded by the count of trials that it knows: so
the same seed tries the same variants on any number of workers, and after a search was stopped and went on. Of several
sessions each is a step: a trial that lies below the median of the trials before it ends there, if PnL is all that
matters.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from papertrader.replay.sweep.outcomes import Blocks, Outcome, Part, merged, session_part
from papertrader.replay.sweep.variants import Axes, Range, Variant
from papertrader.replay.sweep.workers import Workers, WorkersError
from papertrader.shared.service.config import SettingsError, Tables

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution

BATCH: Final = 10
STUDY: Final = "papertrader"
PARTS: Final = "parts"
ASKED: Final = "asked"


class Objective(NamedTuple):
    """What is wanted of an outcome: as much of it as can be, or as little."""

    direction: str
    of: Callable[[Outcome], float]


OBJECTIVES: Final[Mapping[str, Objective]] = {
    "pnl": Objective("maximize", lambda item: item.pnl_per_hour.value),
    "drawdown": Objective("minimize", lambda item: item.max_drawdown),
    "adverse": Objective("minimize", lambda item: 1.0 if item.adverse_share is None else item.adverse_share),
}
"""What a search may want: PnL per hour; a small drawdown; few adverse fills (none known counts as all)."""


class Search(NamedTuple):
    """What is searched: `asked` names it whole, so that a kept search is continued by the same one only."""

    axes: Axes
    objectives: tuple[str, ...]
    seed: int
    sessions: int
    asked: str


class Tried(NamedTuple):
    """The outcomes of all trials that ran to their end, in order, and how many ended early."""

    outcomes: list[Outcome]
    pruned: int


def tried(
    search: Search,
    trials: int,
    replayed: Callable[[Sequence[tuple[Variant, int]]], list[Part]],
    storage: Path | None = None,
    told: Callable[[int], None] = lambda _: None,
) -> Tried:
    """Try so many variants, those of the storage included. `replayed` gives the parts of variants and sessions."""
    study = _study(search, storage)
    spaces = {key: _space(values) for key, values in search.axes.items()}
    while (done := len(_finished(study))) < trials:
        told(done)
        study.sampler = _sampler(search.seed + done)
        asked = [study.ask(spaces) for _ in range(min(BATCH, trials - done))]
        _run(study, search, asked, replayed)
    told(done)
    return _told(study)


def session_parts(workers: Workers, tables: Tables, cache: Path | None = None) -> Any:
    """The function `replayed` of `tried` by workers."""

    def replayed(items: Sequence[tuple[Variant, int]]) -> list[Part]:
        found = dict(workers.each(partial(_part_of, tables, cache), items))
        return [found[place] for place in range(len(items))]

    return replayed


def _part_of(tables: Tables, cache: Path | None, item: tuple[Variant, int]) -> Part:
    return session_part(tables, *item, cache)


def _study(search: Search, storage: Path | None) -> "Study":
    try:
        import optuna
    except ImportError:
        raise WorkersError("--trials needs Optuna: pip install 'papertrader[sweep]'") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(
        storage=f"sqlite:///{storage.resolve()}" if storage else None,
        study_name=STUDY,
        directions=[OBJECTIVES[name].direction for name in search.objectives],  # type: ignore[misc]
        pruner=optuna.pruners.MedianPruner(n_startup_trials=BATCH, n_min_trials=BATCH),
        load_if_exists=True,
    )
    if study.user_attrs.setdefault(ASKED, search.asked) != search.asked:
        raise SettingsError(f"{storage} holds another search, of other tapes, settings or axes: name another file")
    study.set_user_attr(ASKED, search.asked)
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)  # its search was stopped
    return study


def _sampler(seed: int) -> Any:
    from optuna.samplers import TPESampler

    return TPESampler(seed=seed, n_startup_trials=BATCH, constant_liar=True)


def _space(values: Sequence[Any] | Range) -> "BaseDistribution":
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if not isinstance(values, Range):
        return CategoricalDistribution(values)
    if values.whole:
        return IntDistribution(int(values.low), int(values.high), log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)


def _finished(study: "Study") -> list[Any]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED))


def _run(
    study: "Study",
    search: Search,
    asked: Sequence["Trial"],
    replayed: Callable[[Sequence[tuple[Variant, int]]], list[Part]],
) -> None:
    """Replay a batch session by session and tell what came of it, in order."""
    from optuna.trial import TrialState

    parts: dict[int, list[Part]] = {trial.number: [] for trial in asked}
    alive = list(asked)
    for session in range(search.sessions):
        found = replayed([(trial.params, session) for trial in alive])
        for trial, part in zip(alive, found, strict=True):
            parts[trial.number].append(part)
        if session + 1 < search.sessions and search.objectives == ("pnl",):
            for trial in alive:
                trial.report(merged(trial.params, parts[trial.number]).pnl_per_hour.value, session)
            alive = [trial for trial in alive if not trial.should_prune()]
    for trial in asked:
        trial.set_user_attr(PARTS, msgspec.json.encode(parts[trial.number], enc_hook=list).decode())
        if trial in alive:
            whole = merged(trial.params, parts[trial.number])
            study.tell(trial, [OBJECTIVES[name].of(whole) for name in search.objectives])
        else:
            study.tell(trial, state=TrialState.PRUNED)


def _told(study: "Study") -> Tried:
    """What the trials came to, of a variant that was tried again once."""
    from optuna.trial import TrialState

    found: dict[str, Outcome] = {}
    pruned = 0
    for trial in _finished(study):
        if trial.state is TrialState.PRUNED:
            pruned += 1
        else:
            found.setdefault(str(trial.params), merged(trial.params, _parts(trial.user_attrs[PARTS])))
    return Tried(list(found.values()), pruned)


def _parts(text: str) -> list[Part]:
    from array import array

    rows: list[list[Any]] = msgspec.json.decode(text)
    return [
        Part(Blocks(*(array(code, column) for code, column in zip("qqd", blocks, strict=True))), *rest)
        for blocks, *rest in rows
    ]
