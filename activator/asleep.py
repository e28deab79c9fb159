"""What is answered at once while a revision has no pod, instead of waiting for one (docs/front-door.md). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from swell.api.front_door import FrontDoorRules


class Asleep:
    """The rules of one revision, as requests are held against them."""

    __slots__ = ("_exact", "_prefixes", "has_page")

    def __init__(self, rules: FrontDoorRules) -> None:
        paths = [path.encode() for path in rules.no_wake_paths]
        self.has_page = rules.cold_start_page
        self._exact = frozenset(path for path in paths if not path.endswith(b"*"))
        self._prefixes = tuple(path[:-1] for path in paths if path.endswith(b"*"))

    def lets_sleep(self, target: bytes) -> bool:
        """Whether this request is not to wake the revision: its path, as it came, is listed."""
        path = target.partition(b"?")[0]
        return path in self._exact or path.startswith(self._prefixes)

    def shows_page(self, method: bytes, named: Mapping[bytes, bytes]) -> bool:
        """Whether this caller is a browser that shows what it gets, and may be shown a page meanwhile."""
        return self.has_page and method == b"GET" and b"text/html" in named.get(b"accept", b"")
