"""Which recipes are worth trying where nobody names any."""

from __future__ import annotations

FLOATS = ("fp16", "fix,fp16", "single-core,fp16", "fix,single-core,fp16")
INTEGERS = (
    "int8",
    "fix,int8",
    "fix,int8-mmse",
    "fix,int8-kl",
    "fix,int8-layer",
    "fix,hybrid(auto)",
    "fix,single-core,int8-mmse",
)
#: Smaller there, and nothing on the others (measured).
ONLY_FOR = {"rk3568": ("fix,compress,int8", "fix,compress,int8-mmse")}
NO_CALIBRATION = (
    "floats alone are tried: integers need --calibration DIR or FILE.npz, or --random-calibration"
)


def worth_trying(target: str, *, calibrated: bool) -> tuple[str, ...]:
    """Return the recipes of a sweep, floats first; those alone where there is no calibration."""
    return (*FLOATS, *INTEGERS, *ONLY_FOR.get(target, ())) if calibrated else FLOATS
