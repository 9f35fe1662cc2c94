"""A plan carried out: a supervisor that conducts, and a worker process for each variant."""
