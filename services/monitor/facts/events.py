"""What happened in an account, for its operator: a bounded list in which repetitions are counted, not repeated."""

from typing import Final, Literal, TypeAlias

import msgspec

EVENTS_KEPT: Final = 100
TEXT_LIMIT: Final = 240
Level: TypeAlias = Literal["info", "warning", "error"]


class Event(msgspec.Struct):
    """Something that happened `count` times, at last at `ts`; `number` grows with every event and repetition."""

    number: int
    ts: int
    level: Level
    kind: str
    text: str
    count: int = 1


class Events(msgspec.Struct):
    """The last `EVENTS_KEPT` events, oldest first, and how many there have been with all repetitions."""

    said: int = 0
    kept: list[Event] = []

    def note(self, ts: int, level: Level, kind: str, text: str) -> None:
        """Add an event. One that is like a kept one of the same kind counts that up and makes it the newest."""
        self.said += 1
        text = text[:TEXT_LIMIT]
        for index in range(len(self.kept) - 1, -1, -1):
            event = self.kept[index]
            if event.kind == kind and event.text == text:
                event.number, event.ts, event.count = self.said, ts, event.count + 1
                self.kept.append(self.kept.pop(index))
                return
        self.kept.append(Event(self.said, ts, level, kind, text))
        del self.kept[:-EVENTS_KEPT]

    def since(self, number: int) -> list[Event]:
        """The events that are newer than a number, oldest first."""
        return [event for event in self.kept if event.number > number]
