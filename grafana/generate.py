"""Write the dashboards as JSON: `python -m grafana.generate` (`make dashboards`)."""

from pathlib import Path
from typing import Final

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from grafana import checklist, fill_simulation, market, overview, services

BOARDS: Final = {
    "overview": overview.dashboard,
    "market": market.dashboard,
    "checklist": checklist.dashboard,
    "fill-simulation": fill_simulation.dashboard,
    "services": services.dashboard,
}
FOLDER: Final = Path(__file__).parent / "dashboards"


def dashboard_json(name: str) -> str:
    """The file of one dashboard."""
    built = BOARDS[name]().build()
    for number, panel in enumerate(built.panels or [], start=1):
        panel.id_val = number
    return JSONEncoder(sort_keys=True, indent=1, ensure_ascii=False).encode(built) + "\n"


def main() -> None:
    """Write all dashboards."""
    FOLDER.mkdir(exist_ok=True)
    for name in BOARDS:
        (FOLDER / f"{name}.json").write_text(dashboard_json(name))


if __name__ == "__main__":
    main()
