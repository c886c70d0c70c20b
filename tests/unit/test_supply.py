"""What comes from outside: images by digest, the broker by what it was built from; every key in a volume of its own."""

import json
import re
from pathlib import Path

import pytest

from papertrader.shared.log.broker import executable
from papertrader.shared.service.permissions import USERS
from tests.conftest import ROOT
from tools import broker, images

DIGEST = "sha256:" + "a" * 64


def test_every_image_from_a_registry_is_found() -> None:
    found = {tag.partition(":")[0] for path in images.FILES for tag in images.references(path.read_text())}
    assert found == {"python", "nats", "prom/prometheus", "prom/alertmanager", "grafana/grafana"}


def test_pinned_file_has_the_digests_and_nothing_else_has_changed() -> None:
    for path in images.FILES:
        text = path.read_text()
        digests = dict.fromkeys(images.references(text), DIGEST)
        pinned = images.pinned(text, digests)
        assert images.references(pinned) == digests
        assert images.pinned(pinned, images.references(text)) == text
        assert pinned.replace(f"@{DIGEST}", "") == re.sub(r"@sha256:[0-9a-f]{64}", "", text)
    assert "FROM python:3.12-slim@" in pinned


def test_images_are_pinned_all_together_and_to_what_the_lock_says() -> None:
    """Where no registry answers nobody can know a digest: then none is invented, and the lock is empty."""
    assert not images.lock() or not images.complaints(), "run `make pin`"
    found = [digest for path in images.FILES for digest in images.references(path.read_text()).values()]
    assert all(found) if images.lock() else not any(found)


def test_tag_that_was_changed_is_not_pinned_to_the_old_image(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lock, compose = tmp_path / "lock", tmp_path / "compose.yml"
    lock.write_text(f"# said\nnats:2.15-alpine {DIGEST}\n")
    compose.write_text(f"    image: nats:2.16-alpine@{DIGEST}\n    image: papertrader:${{TAG}}\n")
    monkeypatch.setattr(images, "LOCK", lock)
    monkeypatch.setattr(images, "FILES", (compose,))
    assert images.complaints() == [f"nats:2.16-alpine has the digest {DIGEST}, the lock says nothing"]
    compose.write_text("    image: nats:2.15-alpine\n")
    assert images.complaints() == ["nats:2.15-alpine has no digest"]
    compose.write_text(f"    image: nats:2.15-alpine@{DIGEST}\n")
    assert not images.complaints()


def test_broker_is_the_one_that_was_looked_at() -> None:
    """`python -m tools.broker` shows what is there now; read it before it is recorded with `--write`."""
    recorded, now = json.loads(broker.RECORD.read_text()), broker.found()
    assert now["files"] == recorded["files"], "the lock has another wheel of the broker than the one that was looked at"
    assert {key: now[key] for key in ("version", "commit", "changed", "go", "flags", "modules", "says")} == {
        key: recorded[key] for key in ("version", "commit", "changed", "go", "flags", "modules", "says")
    }
    assert now["says"] == f"nats-server: {recorded['version']}"
    assert recorded["changed"] == "false"
    for platform, digest in now["sha256"].items():
        if platform in recorded["sha256"]:
            assert digest == recorded["sha256"][platform] == broker.recorded_by_installer()


def test_module_with_another_hash_than_upstream_has_is_named() -> None:
    modules = broker.built(Path(executable()).read_bytes())["modules"]
    name, digest = next(iter(modules.items()))
    assert not broker.differing_modules(modules, f"{name} {digest}\nother v1 h1:x=\n")
    assert broker.differing_modules(modules, f"{name} h1:forged=\n") == [name]


def test_every_key_lies_in_a_volume_that_only_its_user_sees() -> None:
    compose, image = (ROOT / "docker-compose.yml").read_text(), (ROOT / "Dockerfile").read_text()
    made = re.search(r"for user in ([a-z -]+);", image)
    assert made is not None
    assert set(made[1].split()) == {*USERS, "nats"}
    for user in USERS:
        assert f"source: key-{user}, target: /keys/{user}}}" in compose
        users = re.findall(rf"key-{user}:/run/nkey:ro", compose)
        assert len(users) == (0 if user == "trader" else 1)


def test_password_of_grafana_is_no_default() -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    assert "GF_SECURITY_ADMIN_PASSWORD__FILE: /run/grafana/password" in compose
    assert not re.search(r"GF_SECURITY_ADMIN_PASSWORD:", compose)
