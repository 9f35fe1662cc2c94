"""The runtimes that execute a model, behind one Protocol."""
