"""Mutants that no test can notice, and why: what `tools.mutation` does not run."""

from typing import Final, NamedTuple


class Equivalent(NamedTuple):
    """A change of one place of a line: `was` becomes `becomes`."""

    was: str
    becomes: str
    why: str

    def is_(self, code: str, changed: str) -> bool:
        """Whether a changed source has this change and no other."""
        pairs = zip(code.splitlines(), changed.splitlines(), strict=True)
        lines = [(old, new) for old, new in pairs if old != new]
        return all(new in self.made_of(old) for old, new in lines)

    def made_of(self, line: str) -> list[str]:
        """What the change makes of a line, at every place where it applies."""
        places = [place for place in range(len(line)) if line.startswith(self.was, place)]
        return [line[:place] + self.becomes + line[place + len(self.was) :] for place in places]


EVERYWHERE: Final = (
    Equivalent("side > 0", "side >= 0", "a side is +1 or -1"),
    Equivalent("side > 0", "side > -1", "a side is +1 or -1"),
    Equivalent("side < 0", "side <= 0", "a side is +1 or -1"),
    Equivalent("side < 0", "side < 1", "a side is +1 or -1"),
)

NO_CREDIT = "nothing was taken off ahead yet, so nothing is given back, whatever the credit"

EQUIVALENTS: Final[dict[str, tuple[Equivalent, ...]]] = {
    "services/fill_sim/account.py": (
        Equivalent("held * side", "held / side", "a side is +1 or -1"),
        Equivalent("size > abs(held)", "size >= abs(held)", "a position that is closed has no average price"),
    ),
    "services/fill_sim/queue.py": (
        Equivalent("joining = 0", "joining = -1", "only 1 is asked for"),
        Equivalent("joining = 0.0, 0", "joining = 0.0, -1", "only 1 is asked for"),
        Equivalent("= 0.0, 0.0, 0.0", "= 0.0, 1.0, 0.0", NO_CREDIT),
        Equivalent("= 0.0, 0.0, 0.0", "= 0.0, -1.0, 0.0", NO_CREDIT),
        Equivalent("= 0.0, 0.0, 0.0", "= 0.0, 0.0, 1.0", NO_CREDIT),
        Equivalent("= 0.0, 0.0, 0.0", "= 0.0, 0.0, -1.0", NO_CREDIT),
    ),
}
"""By module, beside those of every module."""
