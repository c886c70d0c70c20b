"""The messages as JSON Schema, and every subject as an AsyncAPI 3 document: generated from the table of kinds."""

import inspect
import json
from typing import Any, Final

import msgspec

from papertrader import __version__
from papertrader.shared.log.health import Heartbeat, heartbeat_subject
from papertrader.shared.log.kinds import ROWS, Row
from papertrader.shared.log.refusals import Refusal, refusal_subject
from papertrader.shared.log.subjects import STREAM, Market, subject
from papertrader.shared.log.users import OUTSIDERS

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
PARAMETERS: Final = {
    "venue": "The venue of a market, e.g. hyperliquid; `.` in a name is written `_`.",
    "asset": "The asset, as the venue spells it, e.g. BTC.",
    "account": "The paper account, e.g. main.",
    "service": "A service, e.g. quoter.",
    "worker": "The process, as `<host>-<pid>`.",
}
BESIDE: Final[dict[str, tuple[str, type[msgspec.Struct], str]]] = {
    "refused": (refusal_subject(Market("{venue}", "{asset}"), "{account}"), Refusal, "Said by fill-sim."),
    "health": (heartbeat_subject("{service}", "{worker}"), Heartbeat, "Said by every service once a second."),
}
"""Subjects beside the log, which are heard while one listens and not kept: address, message, who says it."""


def schemas(template: str) -> dict[str, Any]:
    """The JSON Schema of every message and of what it is made of, by name; references as in `template`."""
    _, found = msgspec.json.schema_components(_structs(), ref_template=template)
    return found


def _structs() -> list[type[msgspec.Struct]]:
    said = (struct for row in ROWS for struct in row.structs)
    return list(dict.fromkeys((*said, *(struct for _, struct, _ in BESIDE.values()))))


def json_schema() -> str:
    """One JSON Schema document: `$defs` has every message, and `subjects` says which one a subject carries."""
    document = {
        "$schema": DIALECT,
        "title": "Messages of papertrader",
        "description": "Times are ns UTC; null stands for an unknown number. New fields may come in minor versions.",
        "subjects": {address: [struct.__name__ for struct in structs] for address, structs in _addresses().values()},
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
        "channels": {name: _channel(address, structs) for name, (address, structs) in _addresses().items()},
        "operations": {
            **{row.kind: _operation(row) for row in ROWS},
            **{name: _said(name, "send", summary) for name, (_, _, summary) in BESIDE.items()},
        },
        "components": {
            "messages": {
                struct.__name__: {
                    "name": struct.__name__,
                    "payload": {"$ref": f"#/components/schemas/{struct.__name__}"},
                }
                for struct in _structs()
            },
            "schemas": schemas("#/components/schemas/{name}"),
        },
    }
    return _text(document)


def _addresses() -> dict[str, tuple[str, tuple[type[msgspec.Struct], ...]]]:
    """Every subject and what it carries, by name: the kinds of the log, and what is beside it."""
    market = Market("{venue}", "{asset}")
    said = {row.kind: (subject(row.kind, market, "{account}"), row.structs) for row in ROWS}
    return {**said, **{name: (address, (struct,)) for name, (address, struct, _) in BESIDE.items()}}


def _channel(address: str, structs: tuple[type[msgspec.Struct], ...]) -> dict[str, Any]:
    return {
        "address": address,
        "description": " ".join((inspect.getdoc(structs[0]) or "").split("\n\n")[0].split()),
        "parameters": {name: {"description": said} for name, said in PARAMETERS.items() if f"{{{name}}}" in address},
        "messages": {struct.__name__: {"$ref": f"#/components/messages/{struct.__name__}"} for struct in structs},
    }


def _operation(row: Row) -> dict[str, Any]:
    heard = any(writer in OUTSIDERS for writer in row.writers)
    said = f"{'Said' if heard else 'Said only'} by {', '.join(row.writers)}."
    return _said(row.kind, "receive" if heard else "send", said)


def _said(name: str, action: str, summary: str) -> dict[str, Any]:
    return {"action": action, "channel": {"$ref": f"#/channels/{name}"}, "summary": summary}


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
