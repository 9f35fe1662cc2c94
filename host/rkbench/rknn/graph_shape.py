"""Which of a model's graphs is spoken of: files with dynamic inputs hold one for each shape."""

from __future__ import annotations

from dataclasses import dataclass

from rkbench.language.said import Said, say
from rkbench.rknn.model import RknnModel


@dataclass(frozen=True)
class GraphShape:
    """One of several graphs, and what it is fed."""

    graph: int
    """In `RknnModel.graphs`, from 0."""
    graphs: int
    """How many the file holds, for as many shapes."""
    inputs: tuple[tuple[int, ...], ...]
    """The shapes of its inputs, as in the source model."""

    def __str__(self) -> str:
        return str(self.words())

    def words(self) -> Said:
        """Return the shape and the number of its graph."""
        shapes = " and ".join("x".join(map(str, shape)) for shape in self.inputs)
        return say(
            "input {shapes}, graph {graph} of 0 to {last} in the file",
            shapes=shapes,
            graph=self.graph,
            last=self.graphs - 1,
        )


def graph_shape(model: RknnModel, graph_index: int = 0) -> GraphShape | None:
    """Return the shape that a graph is for; None where there is but one graph, or none of that number."""
    if len(model.graphs) < 2 or graph_index >= len(model.graphs):
        return None
    graph = model.graphs[graph_index]
    return GraphShape(graph_index, len(model.graphs), tuple(tensor.shape for tensor in graph.inputs))
