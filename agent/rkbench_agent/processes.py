"""How this package is started once more, as a worker or a guard: from its zipapp, or from a folder."""

from __future__ import annotations

from pathlib import Path

#: Works alike for a zipapp and for a folder: the root is the only entry that is needed on the path.
START_CODE = (
    "import sys; sys.path[0] = sys.argv.pop(1); from rkbench_agent.__main__ import main; sys.exit(main())"
)


def package_root() -> str:
    """Return the zipapp or the folder that this package was imported from."""
    return str(Path(__file__).parent.parent)


def archive() -> Path:
    """Return the zipapp that this package was imported from, or that `<sha256>.<python>.zip` was made of."""
    root = Path(package_root())
    return root.with_name(root.name.split(".")[0] + ".pyz") if root.suffix == ".zip" else root
