"""From an ONNX to .rknn files: recipes that say how, the converter's jobs, and what is kept of each.

A recipe is data (`recipes/`, one file each). Composed, they make a `Draft`; `variants.py` converts drafts,
and never the same one twice.
"""
