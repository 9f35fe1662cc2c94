"""The recipes, one file each; composed as they are typed: `fix,int8,toolkit=2.3.2`.

To add one: a module here with its `RECIPE`, and its place in `ALL`, which is the order of `bench convert
--list`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from rkbench.conversion.draft import Draft, Recipe
from rkbench.conversion.recipes import (
    compress,
    fix,
    fp16,
    gap_avgpool,
    gap_mean,
    gap_staged,
    hybrid,
    initializers_inputs,
    int8,
    int8_kl,
    int8_layer,
    int8_mmse,
    int16,
    outputs_split,
    relu_kept,
    single_core,
    target,
    toolkit_version,
)
from rkbench.errors import UsageError, choice_hint

ALL: tuple[Recipe, ...] = (
    fp16.RECIPE,
    int8.RECIPE,
    int8_mmse.RECIPE,
    int8_kl.RECIPE,
    int8_layer.RECIPE,
    int16.RECIPE,
    hybrid.RECIPE,
    fix.RECIPE,
    single_core.RECIPE,
    compress.RECIPE,
    outputs_split.RECIPE,
    toolkit_version.RECIPE,
    target.RECIPE,
    gap_mean.RECIPE,
    gap_avgpool.RECIPE,
    gap_staged.RECIPE,
    relu_kept.RECIPE,
    initializers_inputs.RECIPE,
)
BY_WORD = {recipe.word: recipe for recipe in ALL}
_DTYPES = frozenset(
    recipe.RECIPE.word for recipe in (fp16, int8, int8_mmse, int8_kl, int8_layer, int16, hybrid)
)
_IN_BRACKETS = re.compile(r"([\w-]+)\((.*)\)")
_WORDS = re.compile(r"(?:[^,(]|\([^)]*\))+")


def draft_of(typed: str, target: str, toolkit: str) -> Draft:
    """Return the draft of a recipe as it is typed; raises UsageError for words that are none, or clash."""
    words = tuple(word.strip() for word in _WORDS.findall(typed) if word.strip())
    if not words:
        raise UsageError("an empty recipe", hint="bench convert --list shows them")
    found = [_found(word) for word in words]
    dtypes = [recipe.word for recipe, _ in found if recipe.word in _DTYPES]
    repeated = sorted({recipe.word for recipe, _ in found if sum(recipe is each for each, _ in found) > 1})
    if len(dtypes) > 1 or repeated:
        clash = " and ".join(dtypes if len(dtypes) > 1 else repeated * 2)
        raise UsageError(f"recipe {typed}: {clash} cannot be had together", hint="make them two recipes")
    draft = Draft(target, toolkit, words=words)
    for recipe, value in found:
        draft = recipe.apply(draft, value)
    return draft


def objections(draft: Draft) -> tuple[str, ...]:
    """Return why a draft cannot be converted, as far as is known before anything runs."""
    said = (_found(word)[0].objection(draft) for word in draft.words)
    return tuple(text for text in said if text)


def _found(word: str) -> tuple[Recipe, str]:
    """Return the recipe that a word names, and the value that came with it."""
    if word in BY_WORD and not BY_WORD[word].takes_value:
        return BY_WORD[word], ""
    name, _, value = word.partition("=")
    if bracketed := _IN_BRACKETS.fullmatch(word):
        name, value = bracketed.groups()
    recipe = BY_WORD.get(name)
    if recipe is not None and recipe.takes_value and value:
        return recipe, value
    if recipe is not None and recipe.takes_value:
        raise UsageError(f"recipe {word!r} lacks its value", hint=recipe.form)
    raise UsageError(f"no recipe is called {word!r}", hint=choice_hint(word, _shown()))


def _shown() -> Sequence[str]:
    return [recipe.form or recipe.word for recipe in ALL]
