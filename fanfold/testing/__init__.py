"""For the tests of jobs: ``check_job(load_job("my_job.py"), {"name": b"..."})``. It needs Hypothesis, which
the extra ``testing`` brings; commands do not."""

from fanfold.testing.laws import LawBroken, Objects, check_job, run_job
from fanfold.testing.own_job import load_job

__all__ = ["LawBroken", "Objects", "check_job", "load_job", "run_job"]
