"""What `import rkbench` offers: a push, stored runs and inspections as Python objects (docs/python.md).

The names stand in `rkbench.__all__`, which imports the module of one when it is asked for.
"""
