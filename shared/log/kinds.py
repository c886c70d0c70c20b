"""Every kind of message on the log, one row each; subjects, permissions, decoders and the order of folding follow."""

from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from papertrader.shared import messages as m
from papertrader.shared.messages.accounts import Terms
from papertrader.shared.messages.actions import SignedAction

Kind: TypeAlias = str

MARKET_TOKEN: Final = "md"
PARAMETERS_TOKEN: Final = "params"


class Row(NamedTuple):
    """A kind of message, the struct (or union of structs) that it is, and the users of the bus who may say it.

    Its subject begins with `token`, and ends with the kind unless that is the token.
    """

    kind: Kind
    struct: Any
    writers: tuple[str, ...]
    token: str

    @property
    def structs(self) -> tuple[type[m.Message], ...]:
        """The structs that a message of this kind may be."""
        return getattr(self.struct, "__args__", (self.struct,))

    @property
    def pattern(self) -> str:
        """The subjects of this kind in all markets, or where only feeds write, of all such kinds."""
        return f"{self.token}.*.*.*.{self.kind}" if self.token == PARAMETERS_TOKEN else f"{self.token}.>"


def _market(kind: Kind, struct: type[m.Message]) -> Row:
    return Row(kind, struct, ("feed",), MARKET_TOKEN)


def _said(kind: Kind, struct: Any, *writers: str, token: str = "") -> Row:
    return Row(kind, struct, writers, token or kind)


TERMS: Final = "terms"
"""The kind that says which accounts there are: every fold hears it."""

ROWS: Final = (
    _said(TERMS, Terms, "operator", "gateway"),
    _said("control", m.Control, "operator", "monitor"),
    _said("calibration", m.Calibration, "calibration", token=PARAMETERS_TOKEN),
    _said("estimate", m.Estimate, "estimator", token=PARAMETERS_TOKEN),
    _said("account", m.Account, "fill-sim"),
    _said("acks", m.Ack, "fill-sim"),
    _said("fills", m.Fill, "fill-sim"),
    _said("markouts", m.Markout, "outcome-tracker"),
    _said("orders", m.Command, "quoter", "trader", "gateway"),
    _said("actions", SignedAction, "gateway"),
    _said("checks", m.Checklist, "monitor"),
    _market("instrument", m.Instrument),
    _market("book", m.Book),
    _market("depth", m.Depth),
    _market("bbo", m.Bbo),
    _market("trades", m.Trades),
    _market("ctx", m.Context),
    _market("gap", m.Gap),
    _market("round", m.RoundEnd),
)
"""In the order in which a round's messages are folded; market data, which comes last, in that of the log."""

KINDS: Final[dict[Kind, Row]] = {row.kind: row for row in ROWS}
MARKET_DATA: Final[dict[Kind, type[m.Message]]] = {row.kind: row.struct for row in ROWS if row.token == MARKET_TOKEN}
ACCOUNT_KINDS: Final[dict[Kind, Any]] = {row.kind: row.struct for row in ROWS if row.token != MARKET_TOKEN}
KIND_OF: Final[dict[type[m.Message], Kind]] = {struct: row.kind for row in ROWS for struct in row.structs}
WITH_FEATURES: Final = ("fills", "markouts")
FEATURES_OF_0_1_0: Final = 7
TOKENS: Final = tuple(dict.fromkeys(row.token for row in ROWS))
ORDER: Final[dict[Kind, int]] = {row.kind: place for place, row in enumerate(ROWS)}

_decoders: Final[dict[Kind, "msgspec.json.Decoder[m.Message]"]] = {
    row.kind: msgspec.json.Decoder(row.struct) for row in ROWS
}


def decode(kind: Kind, payload: bytes) -> m.Message:
    """The message of a kind, also in the form of an older version; raises ValueError for a payload that is none."""
    try:
        return _decoders[kind].decode(payload)
    except msgspec.ValidationError:
        if kind not in WITH_FEATURES:
            raise
        return _decoders[kind].decode(_with_features_of_now(payload))
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None


def _with_features_of_now(payload: bytes) -> bytes:
    """A message of 0.1.0 without its features: they were others then, and nobody can tell those of today from them."""
    fields = msgspec.json.decode(payload)
    known = fields.get("features") if isinstance(fields, dict) else None
    if isinstance(known, list) and len(known) == FEATURES_OF_0_1_0:
        fields["features"] = [0.0] * m.FEATURES
    return msgspec.json.encode(fields)
