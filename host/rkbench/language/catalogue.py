"""A compiled catalogue that also tells what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from gettext import GNUTranslations


class Catalogue(GNUTranslations):
    """The translations of one language."""

    _catalog: dict[str, str]

    def templates(self) -> Iterator[str]:
        """Yield every English template that has a translation."""
        return (template for template in self._catalog if template)
