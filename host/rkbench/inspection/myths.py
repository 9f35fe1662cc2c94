"""The popular suspects, and what each one owns in this file. Every verdict was measured on conversions."""

from __future__ import annotations

from dataclasses import dataclass

from rkbench.inspection.answers import FourAnswers
from rkbench.inspection.causes.cause import Attribution
from rkbench.inspection.causes.model_facts import ModelFacts
from rkbench.inspection.causes.padding import padding
from rkbench.inspection.formatting import count, percent
from rkbench.language.said import Said, say
from rkbench.units import format_bytes


@dataclass(frozen=True)
class Myth:
    """One suspect: what people say, what it owns here, and what was measured."""

    suspect: Said
    bytes: int
    """Bytes of this file that it owns."""
    verdict: Said


def judge_myths(facts: ModelFacts, attribution: Attribution, answers: FourAnswers) -> tuple[Myth, ...]:
    """Return one line for each popular suspect, with the bytes that it owns in this file."""
    pooling = answers.convolutions_from_pooling.convolutions
    pooled = sum(item.bytes for item in pooling)
    means = sum(item.bytes for item in pooling if "mean" in item.name.lower())
    owned = {cause.code: cause.bytes for cause in attribution.causes}
    extra = owned.get("float_layers", 0)
    padded = _padding_bytes(facts)
    return (
        Myth(
            say("GlobalAveragePool becomes a convolution"),
            pooled,
            say("true in form, harmless in size: {answer}", answer=answers.convolutions_from_pooling.answer),
        ),
        Myth(say("a lost ReLU makes layers float"), _without_relu(facts)[1], _relu(facts)),
        Myth(
            say("alignment padding"),
            padded,
            _padding(padded, facts.size_bytes),
        ),
        Myth(
            say("hybrid quantization shrinks the file"),
            extra,
            say(
                "false in direction: float layers add {extra} here; each makes the file larger",
                extra=format_bytes(extra),
            ),
        ),
        Myth(
            say("keep_initializers_as_inputs"),
            0,
            say("owns nothing: identical size with and without (measured)"),
        ),
        Myth(
            say("torch.mean instead of GlobalAveragePool"),
            means,
            say(
                "the same rewriting, within 1,216 B in 66 pairs: {means} is of means",
                means=format_bytes(means),
            ),
        ),
        Myth(
            say("AdaptiveAvgPool2d(1) instead of GlobalAveragePool"),
            0,
            say("owns nothing of its own: it exports as GlobalAveragePool or ReduceMean"),
        ),
    )


def _padding(padded: int, size: int) -> Said:
    return say(
        "{padded} of {size} ({padded_share}): more than double only on layers with 1 to 3 channels",
        padded=format_bytes(padded),
        size=format_bytes(size),
        padded_share=percent(padded / size),
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


def _relu(facts: ModelFacts) -> Said:
    number, _, floats = _without_relu(facts)
    if facts.dtype != "int8":
        return say(
            "not a question here, the model is float; {number} without ReLU",
            number=count(number, "convolution"),
        )
    if floats:
        return say(
            "{floats} of {number} convolutions without ReLU are float, see the float layers for why",
            floats=floats,
            number=number,
        )
    return say("false: {number} convolutions have no ReLU behind them, all of them are INT8", number=number)
