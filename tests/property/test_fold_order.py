"""However the publishers of a round interleave, every fold hears the same."""

from hypothesis import given
from hypothesis import strategies as st

from papertrader.shared.log.kinds import ACCOUNT_KINDS
from papertrader.shared.messages import Cancel, Control, Message, Place
from papertrader.shared.service.fold import Received, Round, canonical

Speech = tuple[str, str, list[Message]]
"""What one publisher says on one subject in a round: kind, account and messages in its order."""


@st.composite
def speeches(draw: st.DrawFn) -> list[Speech]:
    places = st.tuples(st.sampled_from(sorted(ACCOUNT_KINDS)), st.sampled_from(("main", "bold", "shy")))
    subjects = draw(st.lists(places, unique=True, max_size=6))
    count = st.integers(1, 4)
    return [
        (kind, account, [Control(ts=number, action="pause") for number in range(draw(count))])
        for kind, account in subjects
    ]


def interleaved(talk: list[Speech], data: st.DataObject) -> list[Received]:
    """One order in which the log may hold what was said: each subject keeps its own order."""
    waiting = [(kind, account, list(said)) for kind, account, said in talk]
    log: list[Received] = []
    while waiting:
        place = data.draw(st.integers(0, len(waiting) - 1))
        kind, account, said = waiting[place]
        log.append(Received(kind, account, said.pop(0), sequence=len(log) + 1))
        waiting = [speech for speech in waiting if speech[2]]
    return log


def heard(log: list[Received]) -> list[tuple[str, str, Message]]:
    return [(item.kind, item.account, item.message) for item in canonical(log)]


@given(speeches(), st.data())
def test_every_interleaving_is_heard_alike(talk: list[Speech], data: st.DataObject) -> None:
    assert heard(interleaved(talk, data)) == heard(interleaved(talk, data))


@given(speeches(), st.data())
def test_each_subject_keeps_its_order(talk: list[Speech], data: st.DataObject) -> None:
    said = canonical(interleaved(talk, data))
    round_ = Round(number=1, ts=2, previous_ts=1, heard=said, market_data=())
    assert len(said) == sum(len(messages) for _, _, messages in talk)
    for kind, account, messages in talk:
        assert round_.of(kind, account) == messages


def test_kinds_are_heard_in_the_documented_order() -> None:
    kinds = ["orders", "fills", "acks", "markouts", "control", "estimate", "calibration", "account"]
    log = [Received(kind, "main", Cancel(ts=1, order_id=number), number) for number, kind in enumerate(kinds, 1)]
    assert [item.kind for item in canonical(log)] == [kind for kind in ACCOUNT_KINDS if kind in kinds]


def test_two_programs_on_one_subject_are_heard_in_the_order_of_the_log() -> None:
    own = Place(ts=1, order_id=1, side="buy", price=1.0, size=1.0)
    foreign = Cancel(ts=9, order_id=7)
    log = [Received("orders", "main", foreign, 4), Received("orders", "main", own, 5)]
    assert [item.message for item in canonical(reversed(log))] == [foreign, own]
