"""Empty modules in place of those that packages of networks import and no network here runs."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, ClassVar

STAND_INS = (
    *("mmcv.ops", "mmcv.ops.nms", "mmcv.ops.carafe", "mmcv.ops.modulated_deform_conv"),
    *("mmcv.ops.merge_cells", "mmcv.ops.roi_align", "mmcv.ops.deform_conv"),
    "mmcv.ops.multi_scale_deform_attn",
    *("pycocotools", "pycocotools.coco", "pycocotools.cocoeval", "pycocotools.mask"),
    *("xtcocotools", "xtcocotools.coco", "xtcocotools.cocoeval", "xtcocotools.mask"),
    *("mmaction.models.localizers.drn", "mmaction.models.localizers.drn.drn", "mmaction.models.multimodal"),
    "torchvision.transforms.functional_tensor",
)


def put_stand_ins() -> None:
    """Put empty modules in place of those that packages import and no network here runs.

    mmcv-lite has no compiled operators; basicsr's augmentation asks for a module that torchvision has
    renamed; effdet asks for a package of measures beside which mmpretrain would load its language models;
    mmpose asks for another that was built for an older numpy; mmaction2's wheel has lost a folder, and its
    language models ask for an older transformers.
    """
    import torch

    class StandIn(ModuleType):
        __path__: ClassVar[list[str]] = []

        def __getattr__(self, name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            return type(name, (torch.nn.Module,), {})

    for name in STAND_INS:
        if name not in sys.modules:
            sys.modules[name] = StandIn(name)
            sys.modules[name].__spec__ = ModuleSpec(name, None)
