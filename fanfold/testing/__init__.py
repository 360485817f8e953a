"""For the tests of jobs: ``from fanfold.testing import check_job``. It needs Hypothesis; commands do not."""

from fanfold.testing.laws import LawBroken, Objects, check_job, run_job

__all__ = ["LawBroken", "Objects", "check_job", "run_job"]
