"""One predicted latency as lines of text, for `bench predict` and `bench inspect --tasks`."""

from __future__ import annotations

from collections.abc import Iterator

from rkbench.language.said import NOTHING, Said, listed, literal, say
from rkbench.npu import LatencyPrediction, LayerLatency
from rkbench.units import MARK, UNKNOWN, format_bytes, format_hertz, format_ratio, format_seconds
from rkbench.views.columns import left, right
from rkbench.views.inspect.terminal import Style, heading, name_room, shorten, wrap

BOUNDS = {"macs": say("MACs"), "memory": say("memory"), "tables": say("tables"), "tasks": say("tasks")}


def latency_lines(latency: LatencyPrediction, width: int, layers: int | None, style: Style) -> Iterator[str]:
    """Yield the latency with its band and doubts, and a table of `layers` layers (None: all, 0: none)."""
    yield from wrapped(style.tell(latency_sentence(latency)), width, "  ")
    for line in latency_doubts(latency):
        yield from wrapped(style.tell(line), width, "  · ")
    if layers != 0:
        yield from ["", *_layers(latency, width, layers, style)]


def wrapped(text: str, width: int, first: str = "") -> list[str]:
    """Return the lines of a paragraph, the later ones indented as `first` is long."""
    return wrap(text, width, " " * len(first), first).splitlines()


def latency_sentence(latency: LatencyPrediction) -> Said:
    """Return the predicted latency, its band, and what bounds it."""
    band = NOTHING
    if latency.low_s is not None and latency.high_s is not None:
        band = say(
            " ({low} to {high})", low=format_seconds(latency.low_s), high=format_seconds(latency.high_s)
        )
    cores = say("one core") if latency.cores == 1 else say("{cores} cores", cores=latency.cores)
    return say(
        "{time}{band} predicted for rknn_run on {cores} of an {soc} at {clock}, bound by {bound}",
        time=f"{MARK} {format_seconds(latency.latency_s)}",
        band=band,
        cores=cores,
        soc=latency.soc,
        clock=format_hertz(latency.clock_hz),
        bound=BOUNDS[latency.bound],
    )


def latency_doubts(latency: LatencyPrediction) -> Iterator[Said]:
    """Yield of which shape it is, why it has no band, why it is provisional, and what is not in the sum."""
    if latency.shape:
        yield say("for {shape} (another: bench predict --graph N)", shape=latency.shape.words())
    if latency.source.startswith("calibrated"):
        yield say("{source}", source=latency.source)
    if latency.outside:
        yield say("no band: {reasons}", reasons=listed(latency.outside, "; "))
    if latency.wider:
        yield say("band wider above: {why}", why=latency.wider)
    if latency.provisional:
        yield say("provisional: {why}", why=literal(latency.provisional))
    if latency.not_counted:
        few, more = listed(latency.not_counted[:3]), len(latency.not_counted) - 3
        names = say("{items} and {more} more", items=few, more=more) if more > 0 else few
        yield say("not counted: {names}", names=names)


def _layers(latency: LatencyPrediction, width: int, most: int | None, style: Style) -> Iterator[str]:
    ranked = sorted(latency.layers, key=lambda layer: -layer.latency_s)
    shown = ranked if most is None else ranked[:most]
    title = say("Layers by predicted time")
    if len(shown) < len(ranked):
        title = say(
            "Layers by predicted time (first {shown} of {layers}; --layers all)",
            shown=len(shown),
            layers=len(ranked),
        )
    yield heading(f"  {style.tell(title)}", style)
    wide = width >= 100
    spare = width - 2 - 9 - 7 - 8 - (9 + 7 + 10 + 7 if wide else 0)
    room = name_room((layer.name for layer in shown), spare)
    titles = _TITLES if wide else _TITLES[:3]
    heads = "".join(right(style.tell(title), columns) for title, columns in titles)
    yield f"{style.dim}  {left(style.say('layer'), room)}{heads}{style.end}"
    for layer in shown:
        yield _layer(layer, latency.latency_s, room, wide, style)


_TITLES = (
    (say("time"), 9),
    (say("share"), 7),
    (say("bound"), 8),
    (say("MACs"), 9),
    (say("full"), 7),
    (say("DDR"), 10),
    (say("tasks"), 7),
)


def _layer(layer: LayerLatency, whole_s: float, room: int, wide: bool, style: Style) -> str:
    share = layer.latency_s / whole_s if whole_s else 0.0
    line = f"  {shorten(layer.name, room - 1):<{room}}{format_seconds(layer.latency_s):>9}"
    line += f"{format_ratio(share):>7}{right(style.tell(BOUNDS[layer.bound]), 8)}"
    if not wide:
        return line
    costs = layer.costs
    fill = format_ratio(costs.mac_fill_ratio)
    return line + _columns(format_macs(costs.macs), fill, format_bytes(costs.ddr_bytes), str(costs.tasks))


def _columns(macs: str, full: str, ddr: str, tasks: str) -> str:
    return f"{macs:>9}{full:>7}{ddr:>10}{tasks:>7}"


def format_macs(value: int) -> str:
    """Return a number of multiply-accumulates as `12.3 M`; a dash where there are none."""
    if not value:
        return UNKNOWN
    for limit, factor, unit in ((1e6, 1e3, "k"), (1e9, 1e6, "M"), (float("inf"), 1e9, "G")):
        if value < 0.9995 * limit:
            size = value / factor
            return f"{size:.{0 if size >= 99.95 else 1 if size >= 9.995 else 2}f} {unit}"
    raise AssertionError("unreachable")
