"""Fanfold's pipeline, in the order in which data moves. A job (``job``, ``jobs``) says what to compute.

1. ``handlers.parse_file`` pins the objects by their ETags (``aws.source``, ``aws.listing``), lays them end to
   end (``input.addresses``), has the job measure them, and cuts the whole into blocks (``input.blocks``).
2. It fans out (``fan_out.map_reduce``) over ``handlers.parse_block``, one invocation per block.
3. Each reads the records that its block owns (``input.objects``, ``input.ownership``, ``records``), unpacks
   them if needed (``input.formats``, ``input.compression``), has the job map them, and stores one blob with
   one line per shard (``run.map_block``, ``store.blobs``). It reports which units it owned, what it observed,
   and a digest of each line (``store.digests``).
4. ``parse_file`` checks that the blocks cover every unit once (``run.proof``), and writes the manifest.
5. ``handlers.get_all_occurrences`` fans out over ``handlers.get_occurrences``, one per shard
   (``run.reduce_shards``).
6. Each reads its line of every blob, checks its digest, and has the job reduce the lines
   (``run.reduce_shard``). Once all shards of a part are reduced, the job finishes it (``run.finish``), and
   the result is stored (``store.results``).
7. ``parse_file`` checks that no observation was lost; ``handlers.log_results`` logs the answer.

``run.orchestrator`` runs these stages (``run.parse_stage``, ``run.reduce_stage``, ``run.log_stage``).
``run.state`` is the run's state machine: it writes the record, holds the lease (``run.lease``) and adds up
the cost (``run.ledger``). ``run.ports`` names what a run needs from outside. ``wire`` holds the messages
between functions, and the record of a run.
"""
