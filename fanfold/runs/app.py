"""An account with the jobs deployed in it: where runs are started and found."""

import os
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from fanfold.account.choice import Account
from fanfold.account.connection import Aws
from fanfold.errors import DeploymentError, OptionError, RunError
from fanfold.estimate.contents import local_workload, modelled, workload_of
from fanfold.estimate.workload import Workload
from fanfold.job_code import job_named, known_jobs, load
from fanfold.jobs import client_job
from fanfold.runs.complete import check_keep
from fanfold.runs.history import newest, past_runs
from fanfold.runs.inputs import check_reuse, checked, contents, request_for, with_key
from fanfold.runs.options import checked as checked_options
from fanfold.runs.run import Run, find_run
from fanfold.runs.source import Local, Object, Objects, Source, parse
from fanfold.runs.upload import Folder, Input, upload, upload_folder
from lambda_src.fields import DEFAULT_MAX_CONCURRENCY, Keep, OnBadObject
from lambda_src.run.prices import REFERENCE
from lambda_src.settings import ACCOUNT_QUOTA, DEFAULT_JOB
from lambda_src.wire.requests import ParseFileRequest, new_run_id

Upload = Callable[[Aws, str, Local], Input | Folder]
"""Stores a local source in a bucket."""


def upload_source(aws: Aws, bucket: str, source: Local) -> Input | Folder:
    """Upload a file or folder, unless the bucket has the same content. Raises UploadError."""
    if source.files:
        return upload_folder(aws, bucket, source)
    return upload(aws, bucket, source.path)


class App:
    """The jobs deployed in one account, or in the local AWS. ``fanfold.connect`` makes one.

    All its methods raise ExpectedErrors, each with one sentence for people: AccountError for credentials and
    permissions, DeploymentError for a job that is not deployed, RunError for runs, SourceError and
    UploadError for inputs, OptionError for a job's options, NotModelled for estimates.
    """

    def __init__(self, account: Account) -> None:
        self.account = account

    def __repr__(self) -> str:
        return f"<App on {self.account.aws.name()}>"

    def run(
        self,
        source: str | Path,
        job: str | Path = DEFAULT_JOB,
        *,
        block_bytes: int | None = None,
        concurrency: int | None = None,
        max_dollars: float | None = None,
        run_id: str | None = None,
        include_hidden: bool = False,
        on_bad_object: OnBadObject = "fail",
        keep: Keep | None = None,
        options: Mapping[str, Any] | None = None,
        reuse_days: int | None = None,
        **named: Any,
    ) -> Run:
        """Start a run of ``job``, a name or the path of its file, and return without waiting for it.

        ``source``: a file or folder, which is uploaded first; ``s3://bucket/key``; or all objects under
        ``s3://bucket/prefix/``. ``block_bytes``: size of a block, in the unit of the job. ``concurrency``:
        Lambdas at once, 1 to 950. ``max_dollars``: the run is cancelled once it has cost more, in US dollars.
        ``run_id``: a name for it, or that of a run to resume. ``include_hidden``: also read files whose names
        begin with a dot or an underscore. ``on_bad_object``: ``"skip"`` leaves out unreadable objects.
        ``reuse_days``: map only objects under a prefix that no run of the last 1 to 400 days has mapped.
        ``keep``: ``"all"`` also stores everything that the run counts: see ``Run.all_rows``. All other
        arguments are options of the job, which `fanfold jobs NAME` lists; ``options`` takes them as a
        mapping, for names that are arguments here.

        Raises OptionError, SourceError for an input that cannot be read, JobNotUsable, DeploymentError,
        UploadError, and RunError if the run does not begin.
        """
        run, request = self.prepare(
            parse(os.fspath(source), include_hidden=include_hidden),
            job_named(job),
            ParseFileRequest(
                run_id=run_id,
                block_bytes=block_bytes,
                max_concurrency=concurrency or self.default_concurrency,
                max_dollars=max_dollars,
                include_hidden=include_hidden or None,
                on_bad_object="skip" if on_bad_object == "skip" else None,
                options=_together(options, named),
                reuse_days=reuse_days,
                keep=keep,
            ),
        )
        run.begin(request)
        return run

    def prepare(
        self, source: Source, job: str, request: ParseFileRequest, upload: Upload = upload_source
    ) -> tuple[Run, ParseFileRequest]:
        """A run of ``job`` that is ready to begin, and its request: ``request`` for ``source``, which is
        uploaded if it is local."""
        deployment = self.account.current(job)
        if request.keep:  # else the code of the job is not needed
            check_keep(job, load(job), request.keep, request.options)
        run = Run(self.account.aws, deployment, request.run_id or new_run_id(), job)
        check_reuse(job, source, request.reuse_days)
        request = msgspec.structs.replace(request, run_id=run.run_id, job=job, options=_options(run, request))
        stored: Input | Folder | Object | Objects
        if isinstance(source, Local):
            client_job(job).check(source, request.options)
            stored = upload(self.account.aws, deployment.source_bucket, source)
        else:
            stored = checked(self.account.aws, deployment, source)
        return run, request_for(stored, request)

    @property
    def default_concurrency(self) -> int:
        """The default number of Lambdas at once: on the local AWS, two for each processor."""
        return 2 * (os.cpu_count() or 1) if self.account.aws.is_local else DEFAULT_MAX_CONCURRENCY

    def get(self, run_id: str, job: str | Path | None = None) -> Run:
        """The run of that id. ``job`` is needed only if runs in several stacks have it. Raises RunError if
        there is none."""
        name = self._name(job)
        return find_run(self.account.aws, self.account.deployments(name), run_id, name)

    def runs(self, job: str | Path | None = None, *, status: str | None = None, limit: int = 50) -> list[Run]:
        """The newest runs, newest first: of ``job`` or of all jobs, with ``status`` or with any: RUNNING,
        SUCCEEDED, FAILED, CANCELLED or DIED. A run whose record is unreadable is left out, with a warning."""
        aws = self.account.aws
        name = self._name(job)
        found = past_runs(aws, self.account.deployments(name), limit, status, name)
        for unreadable in found.unreadable:
            warnings.warn(unreadable.text, stacklevel=2)
        return [Run(aws, past.deployment, past.record.run_id, past.record.job) for past in found.runs]

    def newest(self, job: str | Path | None = None) -> Run:
        """The newest run, of ``job`` or of all jobs. Raises RunError if there is none."""
        name = self._name(job)
        past = newest(self.account.aws, self.account.deployments(name), name)
        return Run(self.account.aws, past.deployment, past.record.run_id, past.record.job)

    def estimate(
        self,
        source: str | Path | int,
        job: str | Path = DEFAULT_JOB,
        *,
        quota: int = ACCOUNT_QUOTA,
        keep: Keep | None = None,
        options: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> dict[str, Any]:
        """The estimate that ``fanfold estimate --json`` prints. ``["default"]["seconds"]`` and
        ``["default"]["dollars"]`` (US dollars) are for a run without other settings, with cold functions;
        ``["suggested"]`` says how it would divide its work. ``source``: as for ``run``, or a number of bytes.
        ``quota``: how many Lambdas the account may run at once. ``keep`` and options are as for ``run``.
        Raises NotModelled if the job has no figures, OptionError, SourceError, RunError."""
        from fanfold.estimate.table import as_json, estimate  # noqa: PLC0415 - slow to import

        job = job_named(job)
        given = _together(options, named)
        checked_given = None if given is None else checked_options(load(job), given)
        if isinstance(source, int):
            size, workload = source, modelled(job)(source, checked_given)
        else:
            size, workload = self.workload(parse(os.fspath(source)), job, checked_given)
        check_keep(job, load(job), keep, checked_given)
        workload = workload._replace(keeps=keep is not None)
        return as_json(job, estimate(workload, size, quota, self.region), checked_given)

    def workload(
        self,
        source: Source,
        job: str,
        options: Mapping[str, Any] | None = None,
        warn: Callable[[str], None] = warnings.warn,
    ) -> tuple[int, Workload]:
        """The size of ``source`` in bytes, and the work that it is for ``job`` with these options. ``warn``
        gets a sentence if requests to KMS are left out."""
        if isinstance(source, Local):
            return source.bytes, local_workload(job, source, options)
        try:
            deployment = self.account.deployment(job)
        except DeploymentError:  # an estimate needs no deployment
            deployment = None
        found = contents(self.account.aws, source, deployment)
        workload = workload_of(job, found, options)
        if deployment:
            try:
                workload = with_key(self.account.aws, deployment, workload)
            except RunError as error:
                warn(
                    f"Requests to KMS for intermediates, if there are any, are not in this estimate. {error}"
                )
        return found.bytes, workload

    def _name(self, job: str | Path | None) -> str | None:
        return None if job is None else job_named(job)

    @property
    def region(self) -> str:
        """The region that prices are taken from."""
        return self.account.aws.session.region_name or REFERENCE


def _together(options: Mapping[str, Any] | None, named: Mapping[str, Any]) -> dict[str, Any] | None:
    """The options that are given in either way. Raises OptionError for one that is given in both."""
    if twice := (options or {}).keys() & named:
        raise OptionError(f"options: {min(twice)} is given twice: give it once.")
    return None if options is None and not named else {**(options or {}), **named}


def _options(run: Run, request: ParseFileRequest) -> dict[str, Any] | None:
    """All options of a request that gives some. Raises OptionError, also if the job needs some and none are
    given, unless ``run`` exists and so has its own. Without the job's code, ``parse_file`` does that."""
    if request.options is None and run.job not in known_jobs():
        return None
    try:
        options = checked_options(load(run.job), request.options or {})
    except OptionError:
        if request.options is None and request.run_id and run.exists():
            return None
        raise
    return options if request.options is not None else None
