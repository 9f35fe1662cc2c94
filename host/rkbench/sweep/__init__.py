"""`bench sweep`: from one ONNX to the variant to ship, under requirements.

`plan` and `verdict` are pure: what is worth building, and who won. `run` drives: plan, build, measure, judge.
What was converted lies in the cache of conversions, what was measured in the store; nothing else is kept.
"""
