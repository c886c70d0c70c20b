"""Mutants that no test can notice, and why: what `tools.mutation` does not run."""

import re
from typing import Final, NamedTuple


class Equivalent(NamedTuple):
    """A change of one place of a line: `was` becomes `becomes`. With `within`, in that function alone."""

    was: str
    becomes: str
    why: str
    within: str = ""

    def is_(self, code: str, changed: str) -> bool:
        """Whether a changed source has this change and no other."""
        function = "def "
        for old, new in zip(code.splitlines(), changed.splitlines(), strict=True):
            function = old if old.startswith("def ") else function
            if old != new and (new not in self.made_of(old) or not function.startswith(f"def {self.within}")):
                return False
        return True

    def made_of(self, line: str) -> list[str]:
        """What the change makes of a line, at every place where it applies."""
        places = re.finditer(rf"(?<!\w)(?<!\* ){re.escape(self.was)}(?![\w.])", line)
        return [line[: place.start()] + self.becomes + line[place.end() :] for place in places]


EVERYWHERE: Final = (
    Equivalent("side > 0", "side >= 0", "a side is +1 or -1"),
    Equivalent("side > 0", "side > -1", "a side is +1 or -1"),
    Equivalent("side < 0", "side <= 0", "a side is +1 or -1"),
    Equivalent("side < 0", "side < 1", "a side is +1 or -1"),
)

ONLY_ONE: Final = "only 1 is asked for"
ONLY_NONE: Final = "only 0 is asked for"
NO_CREDIT: Final = "nothing was taken off ahead yet, so nothing is given back, whatever the credit"
NO_SHARE: Final = "a share of nothing changes no chance"
ALL_RANKS: Final = "before every rank and sequence all the same"
ANY_SIDE: Final = "what is not above 0 is the asks' side, what is above the bids'"
OTHER_NUMBERS: Final = "other numbers, no less random"
NO_TICK: Final = "the exchange's own order rests nowhere: any tick so low is as far from the touch"
NO_DRAWS: Final = "an order without draws is of a model that reads none"
ALONE: Final = "no other order is there then, and no rule of the venue is asked about the exchange's own"
IN_LOTS: Final = "sizes are whole lots, and none lies within the tolerance of the bound"
RANKED: Final = "what bids for a rank bids at least what the venue sells, 8"
NOT_FOUND: Final = "where none is found none is looked at"
NO_SLOT: Final = "no slot is any below 0"
WATCHED: Final = "a level is watched for nobody"
NO_TWO: Final = "no two have one sequence"

EQUIVALENTS: Final[dict[str, tuple[Equivalent, ...]]] = {
    "services/fill_sim/account.py": (
        Equivalent("held * side", "held / side", "a side is +1 or -1"),
        Equivalent("size > abs(held)", "size >= abs(held)", "a position that is closed has no average price"),
    ),
    "services/fill_sim/auction.py": (
        Equivalent("effective_ts, 0.0", "effective_ts, 1.0", RANKED),
        Equivalent("effective_ts, 0.0", "effective_ts, -1.0", RANKED),
        Equivalent("sooner_limit_bps > 0", "sooner_limit_bps > 1", "a venue sells up to 8 or nothing"),
        Equivalent("priority_bps > 0", "priority_bps > -1", WATCHED, within="bids_for_place("),
        Equivalent("priority_bps > 0", "priority_bps >= 0", WATCHED, within="bids_for_place("),
        Equivalent(
            "PLACE and command.priority_bps", "PLACE or command.priority_bps", WATCHED, within="bids_for_place("
        ),
        Equivalent("0 and command.time_in_force", "0 or command.time_in_force", WATCHED, within="bids_for_place("),
        Equivalent("0 < order.priority_bps", "0 <= order.priority_bps", "who bids nothing bids nothing in vain"),
        Equivalent("effective_ts > other.effective_ts", "effective_ts >= other.effective_ts", "they are not the same"),
        Equivalent("mine > (other.arrives_ts", "mine >= (other.arrives_ts", NO_TWO),
        Equivalent("least, 0.0)", "least, -1.0)", "no level shows less than the least that it has shown"),
        Equivalent("order.row >= 0", "order.row >= -1", NO_DRAWS),
        Equivalent("order.joining = 0", "order.joining = -1", ONLY_ONE),
    ),
    "services/fill_sim/behind.py": (
        Equivalent("NONE: Final = -1", "NONE: Final = - 2", NOT_FOUND),
        Equivalent("NONE: Final = -1", "NONE: Final = - 0", NOT_FOUND),
        Equivalent("NONE: Final = -1", "NONE: Final = 1", NOT_FOUND),
        Equivalent("< SAME", "<= SAME", IN_LOTS),
        Equivalent("align=True", "align=False", "every field has 8 bytes"),
    ),
    "services/fill_sim/groups.py": (
        Equivalent("sequence += 1", "sequence += 2", "sequences are only compared"),
        Equivalent("else 0)", "else -1)", "no order is counted below 0"),
        Equivalent("attached == 0", "attached == -1", "who waits for the mark has a time", within="announce_children("),
    ),
    "services/fill_sim/triggers.py": (
        Equivalent("return -1", "return - 2", NO_SLOT),
        Equivalent("effective_ts, -1", "effective_ts, - 2", NO_SLOT),
        Equivalent("first = -1", "first = - 2", NO_SLOT),
        Equivalent("else 0)", "else -1)", "no account is counted below 0"),
        Equivalent("triggers_count > 0 and", "triggers_count > 0 or", "what the mark has met is due since it was told"),
        Equivalent("> (leader.due_ts", ">= (leader.due_ts", NO_TWO),
        Equivalent("triggers_count > 0", "triggers_count > -1", "where none waits none is checked"),
        Equivalent("triggers_count > 0", "triggers_count >= 0", "where none waits none is checked"),
    ),
    "services/fill_sim/queue.py": (
        Equivalent("order.joining = 0", "order.joining = -1", ONLY_ONE),
        Equivalent("order.joining = 0.0, 0", "order.joining = 0.0, -1", ONLY_ONE),
        Equivalent("= 0.0, 0.0, 0.0", "= 0.0, 1.0, 0.0", NO_CREDIT),
        Equivalent("= 0.0, 0.0, 0.0", "= 0.0, -1.0, 0.0", NO_CREDIT),
        Equivalent("= 0.0, 0.0, 0.0", "= 0.0, 0.0, 1.0", NO_CREDIT),
        Equivalent("= 0.0, 0.0, 0.0", "= 0.0, 0.0, -1.0", NO_CREDIT),
    ),
    "services/fill_sim/margin.py": (
        Equivalent("resulting <= abs", "resulting < abs", IN_LOTS),
        Equivalent("return needed <=", "return needed <", IN_LOTS),
        Equivalent("size) > account.cash", "size) >= account.cash", "what costs all of the cash is what it pays for"),
    ),
    "services/fill_sim/liquidation.py": (
        Equivalent("order.ending = 0, 0, NONE", "order.ending = 1, 0, NONE", ALONE),
        Equivalent("order.ending = 0, 0, NONE", "order.ending = -1, 0, NONE", ALONE),
        Equivalent("order.ending = 0, 0, NONE", "order.ending = 0, 1, NONE", ALONE),
        Equivalent("order.ending = 0, 0, NONE", "order.ending = 0, -1, NONE", ALONE),
        Equivalent("account.sequence, -1", "account.sequence, - 2", "no row is any below 0"),
        Equivalent("order.tick = price, 0", "order.tick = price, 1", NO_TICK),
        Equivalent("order.tick = price, 0", "order.tick = price, -1", NO_TICK),
        Equivalent("account.position > 0", "account.position >= 0", "there is a position"),
    ),
    "services/fill_sim/bursts.py": (
        Equivalent("burst_market > 0", "burst_market >= 0", NO_SHARE),
        Equivalent("burst_market > 0", "burst_market > -1", NO_SHARE),
        Equivalent("0) < chance", "0) <= chance", "no hash is a chance to the last bit"),
        Equivalent("calm < SLOW", "calm <= SLOW", "both ways it is SLOW"),
    ),
    "services/fill_sim/matching.py": (
        Equivalent("-(2**62)", "-( 3**62)", ALL_RANKS),
        Equivalent("-(2**62)", "-(2** 61)", ALL_RANKS),
        Equivalent("-(2**62)", "-(2** 63)", ALL_RANKS),
        Equivalent("sequence > leader.sequence", "sequence >= leader.sequence", "no two orders have one sequence"),
        Equivalent("order.touched = 1", "order.touched = 2", ONLY_NONE),
        Equivalent("order.row >= 0", "order.row >= -1", NO_DRAWS, within="fill_through("),
        Equivalent("order.row >= 0", "order.row >= -1", "what rests there has draws", within="fill_crossed("),
        Equivalent("best_bid + 1", "best_bid + 2", "above the best bid nothing is shown"),
        Equivalent("coin < probability", "coin <= probability", "no coin is just that"),
        Equivalent("order.ahead > 0", "order.ahead > 1", "while anyone is ahead nothing is left of the print"),
        Equivalent("size = 0.0 if", "size = -1.0 if", "no fill is no fill, and stands in the way either way"),
        Equivalent("size_at(book, -1, level)", "size_at(book, - 0, level)", ANY_SIDE),
        Equivalent("size_at(book, -1, level)", "size_at(book, - 2, level)", ANY_SIDE),
        Equivalent("size_at(book, 1, level)", "size_at(book, 2, level)", ANY_SIDE),
        Equivalent("available >= least_lot", "available > least_lot", IN_LOTS),
    ),
    "services/fill_sim/changes.py": (
        Equivalent("not ahead >= 0", "not ahead >= -1", "what is reached has nothing to lose", within="lose("),
        Equivalent("ahead / before, 1.0", "ahead / before, 2.0", "more than all of the level is certainly ahead"),
        Equivalent("ahead > 0 and", "ahead > -1 and", "where nobody is ahead nobody leaves from there"),
        Equivalent("ahead > 0 and", "ahead >= 0 and", "where nobody is ahead nobody leaves from there"),
        Equivalent("< odds * f", "<= odds * f", "no number is just that"),
        Equivalent("stream + (number << 8)", "stream - (number << 8)", OTHER_NUMBERS),
        Equivalent("(number << 8) + draw", "(number << 8) - draw", OTHER_NUMBERS),
        Equivalent("number << 8", "number << 9", OTHER_NUMBERS),
        Equivalent("number << 8", "number << 7", OTHER_NUMBERS),
        Equivalent("9007199254740992.0", "9007199254740991.0", OTHER_NUMBERS),
        Equivalent("draw + LINES * number", "draw - LINES * number", OTHER_NUMBERS),
        Equivalent("LINES * number", "LINES / number", OTHER_NUMBERS),
        Equivalent("UNTOLD else 0", "UNTOLD else -1", "none is counted"),
        Equivalent("size <= ahead", "size < ahead", IN_LOTS),
        Equivalent("size <= held", "size < held", IN_LOTS),
        Equivalent("< chance", "<= chance", "no number is just that"),
    ),
    "services/fill_sim/draws.py": (
        Equivalent(
            "draws[AHEAD, draw] >= 0", "draws[AHEAD, draw] > 0", "of nothing nothing is taken", within="wait_behind("
        ),
        Equivalent("newly > 0", "newly > -1", "where none is newly reached none is kept"),
        Equivalent("newly > 0", "newly >= 0", "where none is newly reached none is kept"),
        Equivalent("order.order_id, 0)", "order.order_id, 1)", OTHER_NUMBERS),
        Equivalent("order.order_id, 0)", "order.order_id, -1)", OTHER_NUMBERS),
    ),
    "services/fill_sim/recent.py": (
        Equivalent("recent.count - PRINTS, 0", "recent.count - PRINTS, -1", "a row never written has no time"),
        Equivalent("recent.side[row] > 0", "recent.side[row] > -1", "a side is +1 or -1"),
        Equivalent("recent.side[row] > 0", "recent.side[row] >= 0", "a side is +1 or -1"),
        Equivalent("id > 0 or", "id > -1 or", "where nothing is known nothing ends"),
        Equivalent("id > 0 or", "id >= 0 or", "where nothing is known nothing ends"),
        Equivalent("counted[:] = 0", "counted[:] = -1", "no tick is so low"),
        Equivalent("COUNTED: Final = 1024", "COUNTED: Final = 1025", "as many are enough"),
        Equivalent("COUNTED: Final = 1024", "COUNTED: Final = 1023", "as many are enough"),
        Equivalent("(2, COUNTED)", "( 3, COUNTED)", "there are two sides"),
        Equivalent("align=True", "align=False", "how a row lies in memory says nothing"),
    ),
}
"""By module, beside those of every module."""
