"""Six methods for the gradient of a solve, and the proof of one of them.

Read base, discrete, appendix_b, backsolve; then checkpointed (with mesh), interpolating, forward, reversible.
drift says when a state rebuilt backwards is off; event_time differentiates the time of an event.
"""
