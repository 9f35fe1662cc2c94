"""The nightly: a suite of models, boards, plans and gates, run through campaigns and judged."""
