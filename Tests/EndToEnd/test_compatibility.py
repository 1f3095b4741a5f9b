"""The compatibility page names tests that exist."""

import re

from hub_process import REPOSITORY


def test_every_named_test_exists():
    page = (REPOSITORY / "Protocol/COMPATIBILITY.md").read_text()
    named = set(re.findall(r"`(test_\w+\.py)::(test_\w+)`", page))
    assert len(named) > 30
    folder = REPOSITORY / "Tests/EndToEnd"
    missing = [
        f"{file}::{name}" for file, name in sorted(named)
        if not re.search(rf"^def {name}\(", (folder / file).read_text(), re.MULTILINE)]
    assert not missing


def test_every_link_has_its_heading():
    page = (REPOSITORY / "Protocol/COMPATIBILITY.md").read_text()
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([\w-]+)\)", page)) <= headings
