"""One graph of a model, laid out and decoded once, whatever is asked of its tasks afterwards."""

from __future__ import annotations

from functools import cached_property

from rkbench.npu.costs import TaskCosts, task_costs
from rkbench.npu.layout import Layout, lay_out
from rkbench.npu.tasks import TaskList, decode_tasks
from rkbench.rknn.contents import Graph
from rkbench.rknn.model import RknnModel


class DecodedGraph:
    """A graph's layout, and its lists of tasks with their costs, each made when it is first asked for.

    Raises ModelError where the file holds no commands that we read, and where a list is not there.
    """

    def __init__(self, model: RknnModel, graph_index: int = 0) -> None:
        self.model = model
        self._graph_index = graph_index
        self._lists: dict[int, tuple[TaskList, TaskCosts]] = {}

    @cached_property
    def layout(self) -> Layout:
        """Where each tensor lies, and the command words."""
        return lay_out(self.model, self._graph_index)

    @property
    def graph(self) -> Graph:
        """The graph."""
        return self.layout.graph

    def tasks(self, core_list: int = 0) -> tuple[TaskList, TaskCosts]:
        """Return a list of tasks, as `decode_tasks` numbers them, and what each costs."""
        if core_list not in self._lists:
            tasks = decode_tasks(self.layout, core_list)
            self._lists[core_list] = tasks, task_costs(tasks)
        return self._lists[core_list]
