"""Builds the docs site: the pages of this folder, README, changelog and notebooks, in the order of `NAVIGATION`.

`python -m docs.site [FOLDER]` writes it to `build/site`. Links to sources become names, for the site holds no sources.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
DOCS: Final = ROOT / "docs"
BUILD: Final = ROOT / "build" / "site"
AT_THE_TOP: Final = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
"""Pages of the repository's root, and what they are called on the site."""
REST: Final = "*"
NAVIGATION: Final[dict[str, str | tuple[str, ...]]] = {
    "Home": "index.md",
    "Start": ("start.md", "how-to/live.md", "how-to/strategy.md", "how-to/client.md", "how-to/bots.md"),
    "Read what it shows": ("page.md", "how-to/believe.md", "concepts.md", "what-paper-cannot-tell.md"),
    "Results": ("how-to/results.md", "notebooks/*", "how-to/notices.md"),
    "How to": ("how-to/running.md", "how-to/months.md", "how-to/accounts.md", "how-to/twin.md", "how-to/*"),
    "Reference": ("reference/*", "benchmarks.md"),
    "Inside": ("architecture.md", "contributing.md", "changelog.md", "*"),
    "Decisions": ("decisions/*",),
    "Runbooks": ("runbooks/*",),
}
"""Sections with their pages; `*` stands for what no other entry names."""
LINK: Final = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)]*)?\)")
FENCE: Final = re.compile(r"(```.*?```)", re.DOTALL)


def pages() -> dict[str, Path]:
    """Every page of the site by its name there."""
    found = {name: ROOT / source for source, name in AT_THE_TOP.items()}
    found |= {str(path.relative_to(DOCS)): path for path in sorted(DOCS.rglob("*.md"))}
    notebooks = {path: path.relative_to(DOCS).with_suffix(".md") for path in sorted(DOCS.rglob("*.ipynb"))}
    return found | {str(name): path for path, name in notebooks.items()}


def navigation(names: list[str]) -> list[dict[str, Any]]:
    """The site's navigation: every page once."""
    asked = [entries if isinstance(entries, tuple) else (entries,) for entries in NAVIGATION.values()]
    left = [name for name in names if name not in {entry for entries in asked for entry in entries}]
    sections: list[dict[str, Any]] = []
    for title, entries in zip(NAVIGATION, asked, strict=True):
        chosen = [name for entry in entries for name in _named(entry, left)]
        left = [name for name in left if name not in chosen]
        sections.append({title: chosen[0] if isinstance(NAVIGATION[title], str) else chosen})
    return sections


def _named(entry: str, left: list[str]) -> list[str]:
    if not entry.endswith(REST):
        return [entry]
    return [name for name in left if Path(name).parent == Path(entry).parent]


def on_the_site(text: str, source: Path) -> str:
    """A page's text with the links that the site can follow; what leads to sources becomes a name."""
    places = {path.resolve(): name for name, path in pages().items()}
    here = places[source.resolve()]

    def link(found: re.Match[str]) -> str:
        image, label, target, anchor = found.groups()
        if "://" in target or image:
            path = os.path.relpath(DOCS / Path(here).parent / target.removeprefix("docs/"), DOCS / Path(here).parent)
            return found[0] if "://" in target else f"![{label}]({path})"
        place = places.get((source.parent / target).resolve())
        if place is not None:
            return f"[{label}]({os.path.relpath(place, Path(here).parent)}{anchor or ''})"
        file = (source.parent / target).resolve()
        if file.is_relative_to(DOCS) and file.suffix == ".json":
            return found[0]
        return label if "`" in label or file.is_dir() else f"`{label}`"

    parts = FENCE.split(text)
    return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in parts)


def notebook(path: Path) -> str:
    """A notebook as Markdown: text, code and what the code printed last; pictures within."""
    return "\n\n".join(part for cell in json.loads(path.read_text())["cells"] for part in _cell(cell)) + "\n"


def _cell(cell: dict[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    yield f"```python\n{source}\n```" if cell["cell_type"] == "code" else source
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        if "image/png" in data:
            yield f"![](data:image/png;base64,{''.join(data['image/png']).strip()})"
        elif text := "".join(output.get("text", data.get("text/plain", ""))):
            yield f"```text\n{text.rstrip()}\n```"


def write(folder: Path) -> None:
    """Write the sources of the site and its settings into a folder."""
    shutil.rmtree(folder, ignore_errors=True)
    found = pages()
    for name, path in found.items():
        text = notebook(path) if path.suffix == ".ipynb" else on_the_site(path.read_text(), path)
        place = folder / "docs" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for path in (*DOCS.glob("**/*.png"), *DOCS.glob("reference/*.json")):
        place = folder / "docs" / path.relative_to(DOCS)
        place.parent.mkdir(exist_ok=True)
        shutil.copy(path, place)
    (folder / "zensical.toml").write_text(SETTINGS.format(navigation=_toml(navigation(list(found)))))


def _toml(sections: list[dict[str, Any]]) -> str:
    items = (f"{json.dumps(title)} = {json.dumps(names)}" for item in sections for title, names in item.items())
    return "[" + ", ".join(f"{{ {item} }}" for item in items) + "]"


SETTINGS: Final = """
[project]
site_name = "papertrader"
site_description = "A paper trader for market makers"
docs_dir = "docs"
site_dir = "site"
nav = {navigation}

[project.theme]
font = false
features = ["navigation.indexes", "navigation.sections", "navigation.top", "content.code.copy", "search.highlight"]

[[project.theme.palette]]
media = "(prefers-color-scheme: light)"
scheme = "default"
toggle.icon = "lucide/sun"
toggle.name = "dark"

[[project.theme.palette]]
media = "(prefers-color-scheme: dark)"
scheme = "slate"
toggle.icon = "lucide/moon"
toggle.name = "light"
"""


def main(folder: Path = BUILD) -> int:
    """Write the sources and build them strictly: a link that leads nowhere is an error."""
    write(folder)
    command = [Path(sys.executable).with_name("zensical"), "build", "--strict", "--clean", "--config-file"]
    return subprocess.run([*command, folder / "zensical.toml"], cwd=folder, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
