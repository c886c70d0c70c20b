"""Properties of orders that wait for the mark, over generated marks and orders."""

from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from papertrader.shared import messages as m
from tests.unit.fill_sim_session import Session, book, cancel, context, ns, place

bounded = settings(max_examples=60, deadline=None, derandomize=True)
START_MS, STEP_MS = 1_000, 200
ENDS = ("filled", "cancelled", "expired", "rejected")


class Step(NamedTuple):
    """What is sent in a round, and how the mark moves in ticks; small numbers say the rest."""

    what: str
    move: int
    buys: bool
    away: int
    size: int
    other: int


steps = st.lists(
    st.builds(
        Step,
        st.sampled_from(("place", "stop", "profit", "child", "whole", "replace", "cancel", "nothing")),
        st.integers(-8, 8),
        st.booleans(),
        st.integers(0, 6),
        st.integers(1, 12),
        st.integers(1, 4),
    ),
    min_size=5,
    max_size=40,
)


def sent(step: Step, number: int, ms: float, mark: int) -> m.Message | None:
    """The command of a step."""
    sign, side = (1, "buy") if step.buys else (-1, "sell")
    if step.what == "nothing":
        return None
    if step.what == "cancel":
        return cancel(ms, number - step.other)
    if step.what == "place":
        return place(ms, number, side, (mark + sign * 2) / 10, step.size / 4, time_in_force="gtc")
    fields: dict[str, Any] = {
        "trigger": "take_profit" if step.what == "profit" else "stop",
        "reduce_only": step.away > 2,
    }
    if step.what == "child":
        fields |= {"parent": max(number - step.other, 1), "group": max(number - step.other, 1)}
    elif step.what == "whole":
        fields |= {"whole_position": True, "reduce_only": True, "group": 10_000}
    elif step.what == "replace":
        fields |= {"replaces": max(number - step.other, 1)}
    towards = sign if fields["trigger"] == "stop" else -sign
    at = mark + towards * step.away
    return m.Trigger(
        ts=ns(ms),
        order_id=number,
        side="buy" if step.buys else "sell",
        price=(at + sign * 20) / 10,
        size=step.size / 4,
        trigger_price=at / 10,
        time_in_force="gtc" if step.other == 1 else "ioc",
        **fields,
    )


@bounded
@given(made=steps)
def test_whatever_waits_is_answered_triggered_by_the_mark_alone_and_ends_once(made: list[Step]) -> None:
    session, mark = Session(), 1_000
    session.round(START_MS, book(START_MS, [(99.9, 50.0)], [(100.1, 50.0)]), context(START_MS, mark=100.0))
    triggers: dict[int, m.Trigger] = {}
    marks: list[float] = [100.0]
    for number, step in enumerate(made, start=1):
        ms = START_MS + STEP_MS * number
        command = sent(step, number, session.clock_ms, mark)
        if isinstance(command, m.Trigger):
            triggers[number] = command
        mark += step.move
        marks.append(mark / 10)
        shown = book(ms - 20, [((mark - 1) / 10, 50.0)], [((mark + 1) / 10, 50.0)])
        session.round(ms, shown, context(ms - 10, mark=mark / 10), said=() if command is None else (command,))
        state = session.exchange.account_states[0]
        assert 0 <= state["triggers_count"] <= 64
        assert abs(session.account.residual) < 1e-8
    for order_id, trigger in triggers.items():
        said = [status for status, _ in session.statuses(order_id) if status != "refused"]
        ended = [status for status in said if status in ENDS]
        assert len(ended) <= 1
        assert not ended or said[-1] == ended[0]
        if "triggered" in said:
            reached = max(marks) if (trigger.side == "buy") == (trigger.trigger == "stop") else min(marks)
            towards = 1 if (trigger.side == "buy") == (trigger.trigger == "stop") else -1
            assert towards * reached >= towards * trigger.trigger_price - 1e-9
            assert said.count("triggered") == 1
            assert said[0] == "waiting"
        fills = [fill for fill in session.fills if fill.order_id == order_id]
        assert not fills or "triggered" in said
    waiting = session.exchange.account_states[0]
    alive = {int(row["order_id"]) for row in waiting["triggers"][: waiting["triggers_count"]]}
    unended = {
        order_id
        for order_id in triggers
        if (said_ := [status for status, _ in session.statuses(order_id) if status != "refused"])
        and said_[-1] == "waiting"
    }
    assert unended <= alive
