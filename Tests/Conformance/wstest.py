"""Starts Autobahn's `wstest` under CPython 2.7 from the folder in which its packages were installed."""

import os
import site
import sys

packages = os.environ["AUTOBAHN_PACKAGES"]
# As a site's folder, so that its .pth files count: two of the packages share the name `zope`.
site.addsitedir(packages)
sys.path.insert(0, packages)

from autobahntestsuite.wstest import run  # noqa: E402

run()
