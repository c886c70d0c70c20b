"""What commands say when something goes wrong that a user can do something about."""

import nats.errors
import pytest
import typer

from papertrader.cli.options import guarded
from papertrader.shared.log.bus import BusError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (BusError("no broker is there"), "papertrader: no broker is there"),
        (nats.errors.TimeoutError(), "papertrader: no answer came in time (nats: timeout)"),
        (TimeoutError(), "papertrader: no answer came in time (timeout)"),
    ],
)
def test_what_can_go_wrong_is_one_line_and_exit_code_2(
    error: Exception, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def work() -> int:
        raise error

    with pytest.raises(typer.Exit) as end:
        guarded(work)
    assert end.value.exit_code == 2
    assert capfd.readouterr().err.startswith(said)


def test_a_fault_of_the_program_is_not_hidden() -> None:
    def work() -> int:
        raise AssertionError("a fault")

    with pytest.raises(AssertionError, match="a fault"):
        guarded(work)
