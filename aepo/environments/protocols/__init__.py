"""Chat protocols: how a policy calls tools, hears their results and answers."""
