"""A demo on this machine: a local AWS, the stack, an input, a run, its result. It removes everything
again."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from rich.text import Text

from fanfold.account.connection import account_of
from fanfold.account.deployment import deploy_locally
from fanfold.checkout import BUILDS
from fanfold.cli.in_background import in_background
from fanfold.cli.live import shown
from fanfold.cli.output import Output
from fanfold.cli.progress import Stages
from fanfold.cli.watch import finish, upload_shown
from fanfold.demo.folder import run_folder
from fanfold.demo.sample import Generate, Sample
from fanfold.errors import CorpusError, WrongCounts
from fanfold.job_code import is_own, load
from fanfold.jobs import client_job
from fanfold.local_aws.server import local_aws
from fanfold.runs.inputs import request_for
from fanfold.runs.run import Ended, start
from fanfold.runs.source import Local, local
from lambda_src.wire.requests import ParseFileRequest, new_run_id


def demo(
    stages: Stages,
    job: str,
    *,
    file: Local | None,
    options: dict[str, Any] | None,
    output: Output | None,
    block_bytes: int | None,
    concurrency: int | None,
    corpus_bytes: int,
    seed: int,
) -> None:
    """Start a local AWS, deploy into it, upload ``file`` or generated input, run, show, stop."""
    generate = client_job(job).sample
    if not file and not generate:
        raise CorpusError(
            f"There is no generated input for the job {job}: name a file or a folder (`make run`: FILE=path)."
        )
    run_id = new_run_id()
    with run_folder(BUILDS / "runs", run_id) as folder:
        sample = None
        with ExitStack() as stack:
            generated = None
            if generate and not file:
                generated = stack.enter_context(
                    in_background(lambda check: _generate(generate, folder, corpus_bytes, seed, check))
                )
            with stages.stage("start", "Starting a local AWS"):
                running = stack.enter_context(local_aws(folder))
            with stages.stage("deploy", "Deploying the stack into it"):
                deployment = deploy_locally(running, folder, added=[job] if is_own(job) else ())
            if generated:
                with stages.stage("generate", "Waiting for the generated input"):
                    sample = generated.result()
            aws = account_of(running.environment)
            source = local(sample.path) if sample else file
            assert source, "it is given or generated"
            there = upload_shown(stages, aws, deployment.source_bucket, source)
            request = request_for(
                there,
                ParseFileRequest(
                    job=job,
                    run_id=run_id,
                    options=options,
                    block_bytes=block_bytes,
                    max_concurrency=concurrency or 2 * (os.cpu_count() or 1),
                ),
            )
            with shown(stages.console, load(job).unit) as show:
                run = start(aws, deployment, request)
                ended = run.follow(show)
        finish(run, ended, stages, output, kept=False)
        if sample:
            _compare(ended, sample, stages)


def _generate(
    generate: Generate, folder: Path, corpus_bytes: int, seed: int, check: Callable[[], None]
) -> Sample:
    try:
        return generate(folder, corpus_bytes, seed, lambda _: check())
    except OSError as error:
        raise CorpusError(f"The input could not be written to {folder}: {error.strerror}.") from error


def _compare(ended: Ended, sample: Sample, stages: Stages) -> None:
    """Compare the result with what the generator wrote. Raises WrongCounts."""
    if wrong := sample.wrong(ended.summary):
        raise WrongCounts(
            f"The result differs from what the generator wrote, in {', '.join(wrong)}: please report this "
            "bug, with the JSON."
        )
    stages.results.print(Text.assemble(("Exact:", "green"), f" {sample.what} equals the generator's own."))
