"""Who owns which byte: claims are paid from what is left, so the sum is the file's size by construction."""

from __future__ import annotations

from collections.abc import Iterable

from rkbench.inspection.causes.cause import Claim

Key = tuple[str, "int | None"]


class Ledger:
    """Bytes by section and layer. Rules read what is `left`; only the attribution pays."""

    def __init__(self, bytes_by_key: dict[Key, int]) -> None:
        self._left = dict(bytes_by_key)

    def left(self, section: str, layer: int | None) -> int:
        """Return the unclaimed bytes of a section that belong to a layer (None: to no layer)."""
        return self._left.get((section, layer), 0)

    def everything(self, layers: Iterable[int | None], sections: Iterable[str]) -> tuple[Claim, ...]:
        """Return the claims to all that is left of `sections` in `layers`."""
        wanted = tuple(sections)
        return tuple(
            Claim(section, layer, self.left(section, layer))
            for layer in layers
            for section in wanted
            if self.left(section, layer)
        )

    def pay(self, claims: Iterable[Claim]) -> tuple[Claim, ...]:
        """Take the claims from what is left; return what was really there to take."""
        paid = []
        for claim in claims:
            key = (claim.section, claim.layer)
            amount = min(claim.size_bytes, self._left.get(key, 0))
            if amount > 0:
                self._left[key] -= amount
                paid.append(Claim(claim.section, claim.layer, amount))
        return tuple(paid)

    def rest(self) -> dict[str, int]:
        """Return what nobody claimed, by section."""
        totals: dict[str, int] = {}
        for (section, _), amount in self._left.items():
            if amount:
                totals[section] = totals.get(section, 0) + amount
        return totals
