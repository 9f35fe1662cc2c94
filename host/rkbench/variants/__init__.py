"""Variants: the deployable files that are compared, their pre-flight and their goldens."""
