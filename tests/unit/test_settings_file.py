"""The settings file that `papertrader init` writes: complete, and the defaults, switched off or on."""

import re
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from papertrader.cli.main import app
from papertrader.replay.settings import check_all, sections
from papertrader.replay.settings_file import settings_file
from papertrader.shared.service.config import SettingsError, load
from tests.conftest import ROOT

SWITCHED_OFF = re.compile(r"^#(\w+ = )", re.MULTILINE)


@pytest.mark.parametrize("text", [settings_file(), SWITCHED_OFF.sub(r"\1", settings_file())])
def test_file_is_the_defaults(tmp_path: Path, text: str) -> None:
    path = tmp_path / "papertrader.toml"
    path.write_text(text)
    settings = load(path, {})
    check_all(settings)
    for name, struct in sections().items():
        assert settings.section(name, struct) == struct()


OFFERED = re.findall(r"^#(PAPER_\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("name", "value"), OFFERED)
def test_what_the_example_of_the_environment_offers_is_taken(name: str, value: str) -> None:
    check_all(load(None, {name: value}))


def test_file_has_every_setting_with_its_meaning() -> None:
    lines = settings_file().splitlines()
    for struct in sections().values():
        for field in msgspec.structs.fields(struct):
            if isinstance(field.default, msgspec.Struct):
                continue
            place = next(index for index, line in enumerate(lines) if re.match(rf"#{field.name} =", line))
            assert re.match(r"# \S", lines[place - 1])
    assert all(len(line) <= 120 for line in lines if line.startswith("# "))


def test_init_writes_it_and_does_not_write_over_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    assert CliRunner().invoke(app, ["init", str(path)]).exit_code == 0
    assert path.read_text() == settings_file()
    again = CliRunner().invoke(app, ["init", str(path)])
    assert again.exit_code == 2
    assert "--force" in again.output
    assert CliRunner().invoke(app, ["init", str(path), "--force"]).exit_code == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('[fill_sim]\nfill_model = "drws"', "did you mean 'draws'?; known are .*through"),
        ('[feed]\nsource = "hyperlquid"', "did you mean 'hyperliquid'?; known are synthetic, tape"),
    ],
)
def test_wrong_word_is_answered_with_the_choices(tmp_path: Path, wrong: str, said: str) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(wrong)
    with pytest.raises(SettingsError, match=said.replace("?", r"\?")):
        check_all(load(path, {}))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_are_told_how_to_complete(shell: str) -> None:
    done = CliRunner().invoke(app, [], prog_name="papertrader", env={"_PAPERTRADER_COMPLETE": f"source_{shell}"})
    assert "papertrader" in done.output
