"""What is in the product, as a CycloneDX bill of materials, and which of it is known to be vulnerable.

`python -m tools.audit PIP_AUDIT` writes `build/sbom.cdx.json` and asks the services that know of vulnerabilities. Exit
code 1 if any is known. What could not be asked is said loudly: it is neither a success nor the fault of this commit.
"""

import json
import subprocess
import sys
from typing import Any, Final

from tools.locks import ROOT, UV

SERVICES: Final = ("pypi", "osv")
"""Asked in this order until one answers for every package."""
BILL: Final = ROOT / "build" / "sbom.cdx.json"


def say(text: str) -> None:
    """A line for whoever reads the output of CI."""
    print(f"audit: {text}", flush=True)  # noqa: T201


def write_bill() -> int:
    """Write the bill of materials; how many components it has."""
    command = [UV, "export", "--quiet", "--frozen", "--format", "cyclonedx1.5", "--preview-features", "sbom-export"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    BILL.parent.mkdir(exist_ok=True)
    BILL.write_text(done.stdout)
    return len(json.loads(done.stdout)["components"])


def asked(pip_audit: str, service: str) -> list[dict[str, Any]]:
    """What a service says of each package: `vulns`, or `skip_reason` where it does not know it; empty if it is mute."""
    command = [pip_audit, "--vulnerability-service", service, "--requirement", "requirements.lock", "--require-hashes"]
    command += ["--disable-pip", "--progress-spinner", "off", "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        say(f"{service} did not answer: {done.stderr.strip().splitlines()[-1][:200] if done.stderr else 'no output'}")
        return []
    return found


def judged(answers: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """The vulnerabilities that are known, and the packages that could not be audited."""
    known = [
        f"{item['name']} {item['version']}: {vuln['id']}, mended in {', '.join(vuln['fix_versions']) or 'no version'}"
        for item in answers
        for vuln in item.get("vulns", ())
    ]
    return known, [item["name"] for item in answers if "skip_reason" in item]


def main() -> None:
    """Write the bill, ask, and say what came of it."""
    say(f"{BILL.relative_to(ROOT)} lists {write_bill()} components")
    for service in SERVICES:
        answers = asked(sys.argv[1], service)
        known, skipped = judged(answers)
        if known:
            sys.exit("audit: known vulnerabilities:\n" + "\n".join(known))
        if answers and not skipped:
            say(f"{service} knows no vulnerability of {len(answers)} locked packages")
            return
        if answers:
            say(f"{service} could not audit {len(skipped)} of {len(answers)} packages")
    say("!!! NOT AUDITED: no service that knows of vulnerabilities could be asked about every package from here !!!")


if __name__ == "__main__":
    main()
