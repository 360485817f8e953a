"""Fan out and fold: ``map_reduce`` decides what is called, retried and copied; ``drivers`` makes the calls.

``pace`` tells a straggler from a large task, ``outcomes`` names how a call ended, and ``waits`` ends a
thread's wait for a socket. None of them knows AWS or a job.
"""
