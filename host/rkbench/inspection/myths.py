"""The popular suspects, and what each one owns in this file. Every verdict was measured on conversions."""

from __future__ import annotations

from dataclasses import dataclass

from rkbench.inspection.answers import FourAnswers
from rkbench.inspection.causes.cause import Attribution
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.causes.weights import padding
from rkbench.inspection.formatting import count, percent
from rkbench.units import format_bytes


@dataclass(frozen=True)
class Myth:
    """One suspect: what people say, what it owns here, and what was measured."""

    suspect: str
    bytes: int
    """Bytes of this file that it owns."""
    verdict: str


def judge_myths(facts: ModelFacts, attribution: Attribution, answers: FourAnswers) -> tuple[Myth, ...]:
    """Return one line for each popular suspect, with the bytes that it owns in this file."""
    size = facts.size_bytes
    pooling = answers.convolutions_from_pooling.convolutions
    pooled = sum(item.bytes for item in pooling)
    means = sum(item.bytes for item in pooling if "mean" in item.name.lower())
    owned = {cause.code: cause.bytes for cause in attribution.causes}
    extra = owned.get("float_layers", 0)
    padded = _padding_bytes(facts)
    return (
        Myth(
            "GlobalAveragePool becomes a convolution",
            pooled,
            f"true in form, harmless in size: {answers.convolutions_from_pooling.answer}",
        ),
        Myth("a lost ReLU makes layers float", _without_relu(facts)[1], _relu(facts)),
        Myth(
            "alignment padding",
            padded,
            f"{format_bytes(padded)} of {format_bytes(size)} ({percent(padded / size)}): more than "
            f"double only on "
            "layers with 1 to 3 channels",
        ),
        Myth(
            "hybrid quantization shrinks the file",
            extra,
            f"false in direction: float layers add {format_bytes(extra)} here; each makes the file larger",
        ),
        Myth("keep_initializers_as_inputs", 0, "owns nothing: identical size with and without (measured)"),
        Myth(
            "torch.mean instead of GlobalAveragePool",
            means,
            f"the same rewriting, within 1,216 B in 66 pairs: {format_bytes(means)} is of means",
        ),
        Myth(
            "AdaptiveAvgPool2d(1) instead of GlobalAveragePool",
            0,
            "owns nothing of its own: it exports as GlobalAveragePool or ReduceMean",
        ),
    )


def _padding_bytes(facts: ModelFacts) -> int:
    finding = padding(facts, facts.ledger())
    return sum(claim.size_bytes for claim in finding.claims) if finding else 0


def _without_relu(facts: ModelFacts) -> tuple[int, int, int]:
    """Return of the convolutions without ReLU: their number, bytes of float ones, number of float ones."""
    plain = [
        site for site in facts.sites if site.is_convolution and site.kernel and "Relu" not in site.node.type
    ]
    floats = [site for site in plain if facts.dtype == "int8" and site.layer.dtype == "FLOAT16"]
    return len(plain), sum(site.layer.weight_bytes for site in floats), len(floats)


def _relu(facts: ModelFacts) -> str:
    number, _, floats = _without_relu(facts)
    if facts.dtype != "int8":
        return f"not a question here, the model is float; {count(number, 'convolution')} without ReLU"
    if floats:
        return f"{floats} of {number} convolutions without ReLU are float, see the float layers for why"
    return f"false: {number} convolutions have no ReLU behind them, all of them are INT8"
