"""An inspection as one self-contained page: no network, no library; every name in it is escaped.

The answer, the causes and the four questions are in the markup, so they are there without scripts too; the
icicle and the layer table are drawn from the JSON that the page carries.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rkbench.inspection.causes import Cause
from rkbench.inspection.document import FileInspection, InspectedMemory, Inspection
from rkbench.inspection.formatting import percent
from rkbench.inspection.shown import ShownCauses, answers_of, shown_causes
from rkbench.language.documents import translated
from rkbench.language.language import ENGLISH, Language
from rkbench.language.said import say
from rkbench.units import UNKNOWN, format_bytes
from rkbench.views.inspect.html_diff import diff_section
from rkbench.views.inspect.html_npu import npu_section
from rkbench.views.inspect.html_onnx import onnx_section
from rkbench.views.inspect.html_parts import fix_lines, listed, scrolled, text
from rkbench.views.inspect.json import to_json
from rkbench.views.inspect.labels import (
    SECTION_TITLES,
    answered_questions,
    board_fit,
    suspected,
    tensor_title,
)
from rkbench.views.page import embedded, style_of

if TYPE_CHECKING:  # what an ONNX is told in needs the extra `onnx`
    pass

PARTS = Path(__file__).parent / "page"
VERDICTS = {"healthy": say("healthy"), "bloated": say("bloated"), "predicted": say("predicted")}
COLOURS = {
    "weights": "--weights",
    "compiler_constants": "--constants",
    "cpu_constants": "--constants",
    "lookup_tables": "--constants",
    "register_commands": "--commands",
    "tasks": "--commands",
    "kind7": "--commands",
    "structure": "--structure",
}


def render_html(original: Inspection, language: Language = ENGLISH) -> str:
    """Return the page; of an ONNX alone it holds the prediction's table instead of layers.

    The JSON in it stays English; what scripts draw of that they say by the templates that the page has, told.
    """
    inspection = translated(original, language)
    if isinstance(inspection, FileInspection):
        body, drawing = _converted(inspection, language), _read("page.js")
    else:
        body, drawing = _predicted(inspection, language), ""
    script = _read("words.js") + drawing + _read("copy.js")
    style = style_of(PARTS / "page.css")
    told = _told(script, original, language)
    return (
        f'<!doctype html>\n<html lang="{language.tag}">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>{text(_name(inspection))} · bench inspect</title>\n<style>\n{style}</style>\n"
        f"</head>\n<body>\n<main>\n{body}\n</main>\n"
        f'<script type="application/json" id="data">{_embedded(original)}</script>\n'
        f'<script type="application/json" id="told">{embedded(told)}</script>\n'
        f"<script>\n{script}</script>\n</body>\n</html>\n"
    )


#: What a script says: a literal, found as `tools/messages.py` finds it.
SAID_BY_SCRIPTS = re.compile(r"\bsay\(\s*\"([^\"]+)\"")


def _told(script: str, inspection: Inspection, language: Language) -> dict[str, str]:
    """Return what the scripts say, by its English; nothing of English itself."""
    titles = [cause.title for cause in inspection.causes] if isinstance(inspection, FileInspection) else []
    named = {str(title): language.tell(title) for title in titles}
    return {} if language is ENGLISH else {**language.templates(SAID_BY_SCRIPTS.findall(script)), **named}


def _read(name: str) -> str:
    return (PARTS / name).read_text(encoding="utf-8")


def _embedded(inspection: Inspection) -> str:
    """Return the JSON so that nothing in it can end the script element or start a comment."""
    document = to_json(inspection)
    if inspection.file:
        document["file"]["name"] = _name(inspection)
    return embedded(document)


def _name(inspection: Inspection) -> str:
    shown = inspection.file or inspection.onnx
    return Path(shown.path).name if shown else ""


def _converted(inspection: FileInspection, language: Language) -> str:
    return "\n".join(
        part
        for part in (
            _header(inspection, language),
            diff_section(inspection.diff, language),
            _sections(inspection, language),
            (
                f'<h2>{text(language.say("Where the bytes are"))}</h2>\n<div id="icicle" '
                f'role="group" aria-label="{text(language.say("bytes by section and layer"))}"></div>\n'
                '<div id="hint" aria-live="polite"></div>'
            ),
            _causes(inspection, language),
            npu_section(inspection.npu, language) if inspection.npu else "",
            _questions(inspection, language),
            _memory(inspection.memory, language),
            _outputs(inspection, language),
            _table(language),
            onnx_section(inspection.onnx, language),
            _myths(inspection, language),
            (
                f"<footer>bench inspect · schema {text(inspection.schema)} · sha256 "
                f"<code>{text(inspection.file.sha256)}</code></footer>"
            ),
        )
        if part
    )


def _header(inspection: FileInspection, language: Language) -> str:
    verdict = language.tell(VERDICTS[inspection.verdict])
    file = inspection.file
    facts = [
        f"{file.target or language.say('no target')} {file.dtype}",
        f"rknn-toolkit2 {file.toolkit_version or UNKNOWN}",
        language.say(
            "container {version}", version=f"{file.container_version}{' (mini)' if file.mini else ''}"
        ),
        language.say("{layers:,} layers", layers=len(inspection.layers)),
        language.say("{tasks:,} NPU tasks", tasks=file.task_count),
        *(language.say("input {tensor}", tensor=tensor_title(tensor)) for tensor in inspection.inputs),
        *(language.say("output {tensor}", tensor=tensor_title(tensor)) for tensor in inspection.outputs),
    ]
    return (
        f'<span class="verdict {text(inspection.verdict)}">{text(verdict)}</span>\n'
        f'<h1 id="sentence">{text(inspection.sentence)}</h1>\n'
        f'<div class="facts">{"".join(f"<span>{text(fact)}</span>" for fact in facts)}</div>'
    )


def _sections(inspection: FileInspection, language: Language) -> str:
    size = inspection.file.size_bytes
    stack, legend = [], []
    for name, said in SECTION_TITLES.items():
        title = language.tell(said)
        value = getattr(inspection.sections, name)
        if not value:
            continue
        colour = COLOURS.get(name, "--other")
        stack.append(
            f'<i style="width:{value / size * 100:.4f}%;background:var({colour})" title="{text(title)}"></i>'
        )
        legend.append(
            f'<span data-section="{name}" data-bytes="{value}"><i class="dot" '
            f'style="background:var({colour})"></i>'
            f"{text(title)} <b>{format_bytes(value)}</b> {percent(value / size)}</span>"
        )
    return (
        f'<h2>{text(language.say("Sections"))} <span class="soft">{format_bytes(size)}</span></h2>\n<div '
        f'class="stack">{"".join(stack)}</div>\n'
        f'<div class="legend" data-total="{size}">{"".join(legend)}</div>'
    )


def _causes(inspection: FileInspection, language: Language) -> str:
    size, ordinary = inspection.file.size_bytes, inspection.ordinary.bytes
    rest = language.say(
        "Ordinary: {size} ({share}), what the network needs in this format.",
        size=format_bytes(ordinary),
        share=percent(ordinary / size),
    )
    causes = shown_causes(inspection)
    cards = [_cause(cause, number == 0, language) for number, cause in enumerate(causes.told)]
    return (
        f"<h2>{text(language.say('Causes'))}</h2>\n"
        + "\n".join([*cards, *_smaller(causes, language)])
        + f'\n<p class="soft" data-ordinary="{ordinary}">{text(rest)}</p>'
    )


def _smaller(causes: ShownCauses, language: Language) -> Iterator[str]:
    """Yield the causes that matter little, folded into one line."""
    if causes.smaller:
        line = text(language.tell(causes.rest))
        cards = "\n".join(_cause(cause, False, language) for cause in causes.smaller)
        yield f'<details class="smaller"><summary>{line}</summary>\n{cards}</details>'


def _cause(cause: Cause, is_open: bool, language: Language) -> str:
    names = "".join(f"<span>{text(name)}</span>" for name in cause.layers)
    evidence = [*cause.evidence, *(language.say("around it: {line}", line=line) for line in cause.neighbours)]
    useless = [language.say("Does not help: {line}", line=line) for line in cause.not_helping]
    return (
        f'<details class="card cause" data-code="{text(cause.code)}" data-bytes="{cause.bytes}"'
        f"{' open' if is_open else ''}>\n<summary><h3>{text(cause.title)}</h3>"
        f'<span class="amount">{format_bytes(cause.bytes)} '
        f"<small>{percent(cause.share)}</small></span></summary>\n"
        f'<div class="meter"><i style="width:{min(cause.share, 1) * 100:.3f}%"></i></div>\n'
        f"<p>{text(cause.explanation)}</p>\n"
        + (f'<div class="names">{names}</div>\n' if names else "")
        + listed(evidence)
        + "".join(fix_lines(fix, language) for fix in cause.fix)
        + "".join(f'<p class="soft">{text(line)}</p>' for line in useless)
        + "</details>"
    )


def _questions(inspection: FileInspection, language: Language) -> str:
    cards = [
        f'<div class="card" data-answer="{item.key}"><h3>{text(language.tell(item.question))}</h3>'
        f"<p>{text(language.tell(item.answer))}</p>"
        f"{listed([language.tell(line) for line in item.details])}</div>"
        for item in answered_questions(answers_of(inspection, shown_causes(inspection).told))
    ]
    return f'<h2>{text(language.say("Four questions"))}</h2>\n<div class="questions">{"".join(cards)}</div>'


def _memory(memory: InspectedMemory, language: Language) -> str:
    share = memory.share_of_2_gb_board
    if share is None:
        return ""
    taken = language.say(
        "on the NPU for every loaded copy: weights {weights}, activations {internal}. {share} of a 2 GB "
        "board: {fit}.",
        weights=format_bytes(memory.weight_bytes),
        internal=format_bytes(memory.internal_bytes),
        share=percent(share),
        fit=board_fit(share),
    )
    return (
        f"<h2>{text(language.say('Memory when loaded'))}</h2>\n<p "
        f'data-memory="{memory.total_bytes}"><b>{format_bytes(memory.total_bytes)}</b> {text(taken)} '
        f'<span class="soft">{text(language.say("(from the file, not measured)"))}</span></p>'
    )


def _table(language: Language) -> str:
    return (
        f'<h2>{text(language.say("Layers"))}</h2>\n<div class="tools">'
        f'<input id="words" type="search" placeholder="{text(language.say("name, type, dtype, CPU …"))}" '
        f'aria-label="{text(language.say("search layers"))}"><select id="pick" '
        f'aria-label="{text(language.say("cause"))}">'
        f'<option value="">{text(language.say("every cause"))}</option></select>'
        f'<span id="found" class="soft"></span></div>\n<div {scrolled(language.say("Layers"))}><table><thead>'
        "<tr "
        'id="head"></tr></thead>'
        '<tbody id="rows"></tbody></table></div>'
    )


def _predicted(inspection: Inspection, language: Language) -> str:
    return (
        f'<span class="verdict">{text(language.tell(VERDICTS["predicted"]))}</span>\n'
        f'<h1 id="sentence">{text(inspection.sentence)}</h1>\n'
        f"{onnx_section(inspection.onnx, language)}\n"
        f"<footer>bench inspect · schema {text(inspection.schema)} · "
        f"{text(language.say('predicted, nothing was converted'))}</footer>"
    )


def _outputs(inspection: Inspection, language: Language) -> str:
    lines = [f"{output.message} → {output.cure}" for output in inspection.coarse_outputs]
    return f"<h2>{text(language.say('Outputs'))}</h2>\n{listed(lines)}" if lines else ""


def _myths(inspection: Inspection, language: Language) -> str:
    lines = [language.tell(suspected(myth)) for myth in inspection.myths]
    return f"<h2>{text(language.say('Popular suspects, in this file'))}</h2>\n{listed(lines)}"
