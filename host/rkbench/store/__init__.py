"""Where runs, nights and baselines are kept."""
