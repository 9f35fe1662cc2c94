"""Metrics of a task, from the outputs that a board returns: true labels, boxes, masks, a user's own."""
