"""Draws the picture and the list of rooms of docs/architecture.md from the imports: `python -m docs.picture`."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import grimp

ROOT: Final = Path(__file__).resolve().parents[1]
PAGE: Final = ROOT / "docs" / "architecture.md"
BEGIN: Final = "<!-- Drawn from the imports by `make docs`. -->\n"
END: Final = "<!-- Drawn until here. -->\n"
FLOORS: Final = ("shared", "services")
"""Folders whose rooms are drawn one by one; any other is one room."""
ROOMS_WITHIN: Final = ("services/feed", "services/monitor")
"""Services that are big enough to have rooms of their own, which the list names."""


def rooms(graph: grimp.ImportGraph) -> dict[str, list[str]]:
    """The rooms by the path under which they stand, each with its modules."""
    found: dict[str, list[str]] = {}
    for module in sorted(graph.modules):
        parts = module.split(".")[1:]
        if len(parts) >= (2 if parts and parts[0] in FLOORS else 1):
            inside = parts[0] in FLOORS or (ROOT / parts[0]).is_dir()
            room = "/".join(parts[:2] if parts[0] in FLOORS else parts[:1]) if inside else "papertrader"
            found.setdefault(room, []).append(module)
    return found


def arrows(graph: grimp.ImportGraph) -> set[tuple[str, str]]:
    """Who imports whom, room by room."""
    room_of = {module: room for room, modules in rooms(graph).items() for module in modules}
    pairs = {
        (room, room_of[imported])
        for module, room in room_of.items()
        for imported in graph.find_modules_directly_imported_by(module)
        if imported in room_of
    }
    return {(room, other) for room, other in pairs if room != other}


def without_detours(pairs: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The arrows from which all others follow: a → c goes if there is a → b → … → c."""
    after: dict[str, set[str]] = {}
    for room, other in pairs:
        after.setdefault(room, set()).add(other)

    def reached(room: str) -> set[str]:
        return {place for other in after.get(room, ()) for place in (other, *reached(other))}

    return {(room, other) for room, other in pairs if not any(other in reached(via) for via in after[room])}


def picture(graph: grimp.ImportGraph) -> str:
    """The rooms and the arrows between them, in mermaid."""
    lines = ["```mermaid", "flowchart TD"]
    names = rooms(graph)
    for floor in FLOORS[::-1]:
        lines.append(f"  subgraph {floor}")
        lines += [f"    {_key(room)}[{room.split('/')[1]}]" for room in names if room.startswith(f"{floor}/")]
        lines.append("  end")
    lines += [f"  {_key(room)}[{room}]" for room in names if "/" not in room]
    lines += [f"  {_key(room)} --> {_key(other)}" for room, other in sorted(without_detours(arrows(graph)))]
    return "\n".join([*lines, "```"])


def _key(room: str) -> str:
    return room.replace("/", "_")


def listed(graph: grimp.ImportGraph) -> Iterator[str]:
    """Every room with what its docstring says of it."""
    yield "| room | what it is |\n|---|---|"
    for room in rooms(graph):
        yield f"| `{room}` | {_said(room)} |"
        inner = sorted(path.parent for path in (ROOT / room).glob("*/__init__.py")) if room in ROOMS_WITHIN else ()
        for folder in inner:
            yield f"| `{folder.relative_to(ROOT)}` | {_said(str(folder.relative_to(ROOT)))} |"


def _said(room: str) -> str:
    """The first line of a room's docstring; raises ValueError if it has none."""
    for path in (ROOT / room / "__init__.py", ROOT / f"{room}.py"):
        if path.exists() and (said := ast.get_docstring(ast.parse(path.read_text()))):
            return said.splitlines()[0].rstrip(".")
    raise ValueError(f"{room} does not say what it is: give its __init__.py a docstring")


def drawn(page: str) -> str:
    """The page with what is drawn today."""
    graph = grimp.build_graph("papertrader", cache_dir=None, exclude_type_checking_imports=True)
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n" + picture(graph) + "\n\n" + "\n".join(listed(graph)) + "\n\n" + END + after


def main() -> None:
    """Draw anew."""
    PAGE.write_text(drawn(PAGE.read_text()))


if __name__ == "__main__":
    main()
