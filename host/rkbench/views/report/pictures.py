"""Drawings as SVG, PNG and PDF, by vl-convert (extra `report`), which needs neither browser nor network."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import ModuleType

from rkbench.errors import UsageError
from rkbench.views.report.charts.spec import LIGHT, VEGA_LITE, Chart, Spec, coloured, together

HINT = "pip install 'rkbench[report]'; the page, the Markdown and the trace need it not"
_PIXELS = 2


def has_pictures() -> bool:
    """Return whether drawings can be made here; a vl-convert that is broken makes none either."""
    try:
        _converter()
    except UsageError:
        return False
    return True


def inline_svg(spec: Spec, key: str, label: str) -> str:
    """Return a drawing as an element of a page, which its style sheet colours and sizes.

    `key` keeps its ids apart from those of other drawings; `label` is what is read aloud.
    """
    svg: str = _converter().vegalite_to_svg(spec, vl_version=VEGA_LITE)
    safe = re.sub(r"[^a-zA-Z0-9]", "-", key)
    svg = svg.replace('id="', f'id="{safe}-').replace("url(#", f"url(#{safe}-")
    sized = re.match(r'<svg [^>]*?width="([\d.]+)"[^>]*viewBox="([^"]+)"[^>]*>', svg)
    if sized is None:
        raise ValueError("vl-convert returned a drawing without a size")
    width, box = sized.groups()
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="{box}" style="max-width:{width}px"'
        f' role="img" aria-label="{label}">'
    )
    return opening + _ELEMENT.sub(lambda found: _SPOKEN.sub("", found[0]), svg[sized.end() :])


#: A drawing is read aloud as a whole: parts with a role and no words would each be announced as nothing.
_SPOKEN = re.compile(r' (?:role|aria-[a-z]+)="[^"]*"')
_ELEMENT = re.compile(r"<[a-z][^<>]*>")


def render_picture(charts: Sequence[Chart], kind: str, palette: Mapping[str, str] = LIGHT) -> bytes:
    """Return all drawings, one below the other, as a picture of a kind: svg, png or pdf.

    Raises UsageError where vl-convert is missing.
    """
    spec = coloured(together(charts), palette)
    spec["config"]["background"] = palette["ground"]
    convert = _converter()
    if kind == "png":
        return bytes(convert.vegalite_to_png(spec, vl_version=VEGA_LITE, scale=_PIXELS))
    if kind == "pdf":
        return bytes(convert.vegalite_to_pdf(spec, vl_version=VEGA_LITE))
    svg: str = convert.vegalite_to_svg(spec, vl_version=VEGA_LITE)
    return svg.encode()


def _converter() -> ModuleType:
    try:
        import vl_convert
    except ModuleNotFoundError as error:
        raise UsageError("pictures need vl-convert, which is not installed", hint=HINT) from error
    except ImportError as error:  # a library that it needs, or a build for another computer
        raise UsageError(f"pictures need vl-convert, which cannot be loaded: {error}", hint=HINT) from error
    return vl_convert
