"""What the file itself says against pushing it, found before anything is sent.

`open_variant` names what is no usable model; `check_soc` names a model of another NPU generation. Both
read headers only, through the reader of `rkbench.rknn`: a file of noise costs no memory.
"""

from __future__ import annotations

import stat
from pathlib import Path

from rkbench.errors import UnfitModelError, UsageError
from rkbench.rknn import RknnModel, open_model
from rkbench.rknn.contents import FileInfo
from rkbench.rknn.targets import npu_generation


def open_variant(path: Path) -> RknnModel:
    """Return the opened model at `path`; the caller closes it.

    Raises UsageError for a missing file or a folder, ModelError for what is no model that an
    RK3568/RK3588 can run, with what it is instead.
    """
    try:
        kind = path.stat().st_mode
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint="name an .rknn file") from error
    if not stat.S_ISREG(kind):
        what = "a folder" if stat.S_ISDIR(kind) else "no regular file"
        raise UsageError(f"{path}: {what}", hint="name an .rknn file")
    return open_model(path)


def check_soc(file: FileInfo, soc: str | None, *, force: bool = False) -> str | None:
    """Raise UnfitModelError where a model was compiled for another NPU generation than that of `soc`.

    With `force` return that as a note instead; None where nothing speaks against it. The SoC that a
    file names can lie, so what counts is the generation.
    """
    wanted = npu_generation(soc)
    if not file.npu_generation or wanted is None or file.npu_generation == wanted:
        return None
    text = (
        f"{file.path.name} is compiled for {file.target or 'another SoC'} "
        f"({file.npu_generation}), the board is an {soc} ({wanted})"
    )
    if force:
        return f"{text}; sent all the same (--force)"
    hint = f"convert it with target_platform='{soc}', or overrule the header: --force"
    raise UnfitModelError(text, hint=hint)
