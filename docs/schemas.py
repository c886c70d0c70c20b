"""The messages as JSON Schema, and every subject as an AsyncAPI 3 document: generated from the table of kinds."""

import inspect
import json
from typing import Any, Final

import msgspec

from papertrader import __version__
from papertrader.shared.log.kinds import MARKET_TOKEN, ROWS, Row
from papertrader.shared.log.subjects import STREAM, Market, subject

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PARAMETERS: Final = {
    "venue": "The venue of a market, e.g. hyperliquid; `.` in a name is written `_`.",
    "asset": "The asset, as the venue spells it, e.g. BTC.",
    "account": "The paper account, e.g. main.",
}
OUTSIDE: Final = ("operator", "trader")
"""Users of the bus who are no part of the paper trader: it receives what they may say."""


def schemas(template: str) -> dict[str, Any]:
    """The JSON Schema of every message and of what it is made of, by name; references as in `template`."""
    structs = list(dict.fromkeys(struct for row in ROWS for struct in row.structs))
    _, found = msgspec.json.schema_components(structs, ref_template=template)
    return found


def json_schema() -> str:
    """One JSON Schema document: `$defs` has every message, and `subjects` says which one a subject carries."""
    document = {
        "$schema": DIALECT,
        "title": "Messages of papertrader",
        "description": "Times are ns UTC; null stands for an unknown number. New fields may come in minor versions.",
        "subjects": {_address(row): [struct.__name__ for struct in row.structs] for row in ROWS},
        "$defs": schemas("#/$defs/{name}"),
    }
    return _text(document)


def asyncapi() -> str:
    """The AsyncAPI document: a channel for every kind of message, and who says what on it."""
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "papertrader",
            "version": __version__,
            "description": "Messages of the log, a NATS JetStream stream. What is sent is what the paper trader says; "
            "what it receives is what a program outside may say.",
            "license": {"name": "MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {
            "broker": {
                "host": "127.0.0.1:4222",
                "protocol": "nats",
                "description": f"The broker of a run; the stream is {STREAM}.",
            }
        },
        "channels": {row.kind: _channel(row) for row in ROWS},
        "operations": {row.kind: _operation(row) for row in ROWS},
        "components": {
            "messages": {
                struct.__name__: {
                    "name": struct.__name__,
                    "payload": {"$ref": f"#/components/schemas/{struct.__name__}"},
                }
                for row in ROWS
                for struct in row.structs
            },
            "schemas": schemas("#/components/schemas/{name}"),
        },
    }
    return _text(document)


def _address(row: Row) -> str:
    return subject(row.kind, Market("{venue}", "{asset}"), "{account}")


def _channel(row: Row) -> dict[str, Any]:
    names = [name for name in PARAMETERS if name != "account" or row.token != MARKET_TOKEN]
    return {
        "address": _address(row),
        "description": " ".join((inspect.getdoc(row.structs[0]) or "").split("\n\n")[0].split()),
        "parameters": {name: {"description": PARAMETERS[name]} for name in names},
        "messages": {struct.__name__: {"$ref": f"#/components/messages/{struct.__name__}"} for struct in row.structs},
    }


def _operation(row: Row) -> dict[str, Any]:
    heard = any(writer in OUTSIDE for writer in row.writers)
    return {
        "action": "receive" if heard else "send",
        "channel": {"$ref": f"#/channels/{row.kind}"},
        "summary": f"{'Said' if heard else 'Said only'} by {', '.join(row.writers)}.",
    }


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
