"""Brings the files of a push to the board."""

from __future__ import annotations

from collections.abc import Sequence

from rkbench.campaign.interfaces import Conversation
from rkbench.files import LocalFile
from rkbench.results.events import Listener, Sending, Step
from rkbench.results.records import TransferRecord
from rkbench.variants.variant import PreparedVariant


def upload(
    session: Conversation, variants: Sequence[PreparedVariant], listener: Listener
) -> list[TransferRecord]:
    """Bring all files to the board; returns the transfers of the models, in order.

    A file that several variants share was sent for the first of them.
    """
    files = {file.sha256: file for variant in variants for file in variant.files}
    count = f"{len(files)} file{'s' * (len(files) != 1)}"
    listener(Step(f"bringing what it lacks of {count} to the board"))

    def tell(file: LocalFile, sent_bytes: int) -> None:
        listener(Sending(file.label, sent_bytes, file.size_bytes))

    transfers = dict(zip(files, session.upload(list(files.values()), tell), strict=True))
    models, seen = [], set()
    for file in (variant.model for variant in variants):
        again = TransferRecord(file.size_bytes, 0, True, 0.0)
        models.append(again if file.sha256 in seen else transfers[file.sha256])
        seen.add(file.sha256)
    return models
