"""Files of YAML that people write: read with a bound, no key taken twice, complaints with their line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rkbench.decoding.toml import LIMIT_BYTES
from rkbench.errors import BenchError, UsageError
from rkbench.files import read_small


def read_yaml(path: Path, error: type[BenchError], *, extra: str) -> Any:
    """Return what a file of YAML holds; raises `error`, and UsageError where PyYAML, of the extra, lacks."""
    try:
        import yaml
    except ImportError as missing:
        raise UsageError(f"{path} is YAML, which needs the extra `{extra}`",
                         hint=f"pip install 'rkbench[{extra}]'") from missing  # fmt: skip

    class OnceLoader(yaml.SafeLoader):  # type: ignore[misc,unused-ignore]  # PyYAML has no types
        """Takes no key twice: PyYAML would take the last without a word."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            found = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = [key for key in found if found.count(key) > 1]
            if twice:
                raise yaml.MarkedYAMLError(problem=f"{twice[0]!r} stands twice", problem_mark=node.start_mark)
            return super().construct_mapping(node, deep)

    try:
        text = read_small(path, LIMIT_BYTES).decode("utf-8")
        return yaml.load(text, Loader=OnceLoader)
    except yaml.MarkedYAMLError as wrong:
        line = wrong.problem_mark.line + 1 if wrong.problem_mark else "?"
        raise error(f"{path}: line {line}: {wrong.problem}") from wrong
    except RecursionError as wrong:
        raise error(f"{path} is nested too deep") from wrong
    except (OSError, ValueError, TypeError, yaml.YAMLError) as wrong:
        told = getattr(wrong, "strerror", None) or wrong
        raise error(f"{path} cannot be read: {told}") from wrong
