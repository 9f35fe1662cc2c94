"""What a run yielded: the result and its parts, how it is collected, judged, compared, stored."""
