"""The host's side of Prometheus: the latest results as metrics, and the boards as scrape targets."""
