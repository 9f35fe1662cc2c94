"""The board's exporter, which Prometheus scrapes: a zipapp of its own, with prometheus-client."""
