"""Maps one block and stores the result as one blob."""

import os
from collections.abc import Mapping
from typing import Any

from lambda_src import job
from lambda_src.aws.s3 import open_bucket
from lambda_src.aws.source import input_of
from lambda_src.input.addresses import addresses_of
from lambda_src.run.answer import answer
from lambda_src.run.map_block import map_block
from lambda_src.run.reuse import addresses_of_group, as_of_group, in_run
from lambda_src.settings import ParseBlockSettings, from_environment
from lambda_src.store.blobs import BlobStore
from lambda_src.telemetry.meter import metered
from lambda_src.wire.codec import decode_request
from lambda_src.wire.reports import BlockReport
from lambda_src.wire.requests import ParseBlockRequest


@metered
def handler(event: object, context: Any) -> Mapping[str, Any]:
    """Returns a BlockReport, or a Failure, as a plain dict."""

    def work() -> BlockReport:
        settings = from_environment(ParseBlockSettings, os.environ)
        request = decode_request(event, ParseBlockRequest)
        deployed = job.load_deployed(request.context.job, settings.jobs).with_options(request.context.options)
        deployed.check_rules(request.rules)
        blobs = BlobStore(open_bucket(settings.bucket, settings.url_suffix), settings.bucket, request.run_id)
        own = as_of_group(request)
        source = input_of(
            open_bucket(
                own.source.bucket, settings.url_suffix, requester_pays=settings.requester_pays == "on"
            ),
            own.source,
            addresses_of_group(request, addresses_of(request.portion, blobs.get_listing)),
            lambda: context.get_remaining_time_in_millis() / 1000,
            left_out={one.start for one in own.left_out},
            skip_bad=own.skip_bad_objects,
        )
        return in_run(map_block(deployed, own, source, blobs), request)

    return answer(work)
