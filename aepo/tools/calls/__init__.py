"""What stands around every tool, so that a call is answered once, in time, or fails in one known way."""
