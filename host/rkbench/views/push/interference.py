"""Two models beside each other: what each of them loses, by placement. Pure text."""

from __future__ import annotations

from rkbench.results.interference import Interference, InterferencePlacement, OutputsBeside, Shared
from rkbench.results.model import RunResult
from rkbench.units import UNKNOWN, format_rate, format_seconds
from rkbench.views.push.offline import TableLine, fitted_lines, where
from rkbench.views.push.paragraphs import mark_of

#: Columns are left out from the first of these on where the terminal is too narrow for all.
_LEAST_WANTED = ("p50 alone", "p99 alone", "p50 beside", "outputs", "p99 beside", "together", "alone")


def interference_lines(run: RunResult, width: int) -> list[TableLine]:
    """Return a line for each model in each placement, heads first, in `width` columns if that is possible."""
    found = run.interference
    if found is None:
        return []
    both = [(item, name, shared) for item in found.placements for name, shared in _models(run, item)]
    columns = _columns(found, both, mark_of(run))
    lines = fitted_lines(columns, width, _LEAST_WANTED, left=("cores", "model", "outputs"))
    chosen = [False, *(item.placement == found.best for item, _, _ in both)]
    return [TableLine(text, flag) for text, flag in zip(lines, chosen, strict=True)]


def interference_text(run: RunResult) -> str:
    """Return in words where the models are best off together, and what they lose there."""
    found = run.interference
    if found is None:
        return ""
    item, mark = found.chosen, mark_of(run)
    effect = run.plan.effect_percent / 100
    lost = ", ".join(f"{name} {_lost(shared, mark, effect)}" for name, shared in _models(run, item))
    best = (
        f", where the two get most done ({mark}{item.together:.2f} of 2)" if len(found.placements) > 1 else ""
    )
    return f"Together {where(item.placement)}{best}: {lost}. {_outputs_text(run, found)}"


def _models(run: RunResult, item: InterferencePlacement) -> list[tuple[str, Shared]]:
    return [(run.variant.name, item.own), (run.interference.other if run.interference else "", item.other)]


def _columns(
    found: Interference, both: list[tuple[InterferencePlacement, str, Shared]], mark: str
) -> dict[str, list[str]]:
    columns = {
        "cores": [_cores(found, item) if shared is item.own else "" for item, _, shared in both],
        "model": [name for _, name, _ in both],
        "alone": [mark + format_rate(shared.alone_per_s) for _, _, shared in both],
        "beside": [mark + format_rate(shared.beside_per_s) for _, _, shared in both],
        "loss (95 %)": [_loss(shared, mark) for _, _, shared in both],
        "p50 alone": [_time(shared.alone_p50_s, mark) for _, _, shared in both],
        "p50 beside": [_time(shared.beside_p50_s, mark) for _, _, shared in both],
        "p99 alone": [_time(shared.alone_p99_s, mark) for _, _, shared in both],
        "p99 beside": [_time(shared.beside_p99_s, mark) for _, _, shared in both],
        "together": [f"{mark}{item.together:.2f}" if shared is item.own else "" for item, _, shared in both],
        "outputs": [_outputs(shared.outputs) for _, _, shared in both],
    }
    return {head: cells for head, cells in columns.items() if set(cells) != {UNKNOWN}}


def _cores(found: Interference, item: InterferencePlacement) -> str:
    return f"{'▸ ' if item.placement == found.best else '  '}{item.placement}"


def _time(duration_s: float | None, mark: str) -> str:
    return UNKNOWN if duration_s is None else mark + format_seconds(duration_s)


def _loss(shared: Shared, mark: str) -> str:
    digits = 1 if shared.loss_low is None or shared.loss_high is None else _digits(shared)
    return f"{mark}{_percent(shared.loss_ratio, digits)} % {_bounds(shared)}".rstrip()


def _bounds(shared: Shared) -> str:
    if shared.loss_low is None or shared.loss_high is None:
        return ""
    low, high = (_percent(bound, _digits(shared)) for bound in (shared.loss_low, shared.loss_high))
    return f"({low} to {high})"


def _digits(shared: Shared) -> int:
    """Return how many decimals tell a loss and its bounds apart, where they are not the same."""
    told = {shared.loss_ratio, shared.loss_low or 0.0, shared.loss_high or 0.0}
    return next((digits for digits in range(1, 4) if len({_percent(one, digits) for one in told}) > 1), 1)


def _percent(ratio: float, digits: int = 1) -> str:
    return f"{round(ratio * 100, digits) + 0.0:.{digits}f}"  # + 0.0: there is no -0.0


def _lost(shared: Shared, mark: str, effect: float) -> str:
    """Return what a model loses: nothing within +-`effect`; where the interval holds 0, it only may."""
    rates = f"{mark}{format_rate(shared.alone_per_s)} alone, {mark}{format_rate(shared.beside_per_s)} beside"
    if shared.loss_low is None or shared.loss_high is None:
        return f"makes {rates} (too few rounds for an interval)"
    if -effect <= shared.loss_low and shared.loss_high <= effect:
        return f"keeps its rate ({rates})"
    if shared.loss_high < 0:
        return f"is {mark}{_percent(-shared.loss_ratio)} % faster ({rates})"
    may = "may lose" if shared.loss_ratio >= 0 else "may lose or gain: a loss of"
    return f"{'loses' if shared.loss_low > 0 else may} {_loss(shared, mark)}, {rates}"


def _outputs(outputs: OutputsBeside | None) -> str:
    if outputs is None or (outputs.repeats and not outputs.compared):
        return UNKNOWN
    if not outputs.repeats:
        return "do not repeat"
    if outputs.changed:
        return "; ".join(f"{item.name}: {item.count} differ" for item in outputs.changed)
    return f"{outputs.compared} the same"


def _outputs_text(run: RunResult, found: Interference) -> str:
    """Return what the outputs of both models were under load, all placements together."""
    told = []
    for index, name in enumerate((run.variant.name, found.other)):
        each = [(item.own, item.other)[index].outputs for item in found.placements]
        told.append(f"{name} {_compared([outputs for outputs in each if outputs is not None])}")
    return f"Outputs beside the other: {'; '.join(told)}."


def _compared(each: list[OutputsBeside]) -> str:
    compared = sum(outputs.compared for outputs in each)
    names = dict.fromkeys(item.name for outputs in each for item in outputs.changed)
    if names:
        return f"differs from calls alone in {', '.join(names)}"
    if any(not outputs.repeats for outputs in each):
        return "does not repeat even alone, so nothing follows"
    return f"the same in all of {compared} calls" if compared else "unknown"
