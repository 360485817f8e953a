"""Fanfold's pipeline, in the order in which the data moves. A job (``job``, ``jobs``) says what is computed.

1. ``handlers.parse_file`` pins the objects by their ETags (``source``, ``listing``), lays them end to end
   (``addresses``), has the job measure them, and cuts that into blocks (``blocks``).
2. It fans out (``map_reduce``) over ``handlers.parse_block``, one invocation per block.
3. Each reads the records that its block owns (``inputs``, ``ownership``, ``records``), unpacked if need be
   (``formats``, ``compressed``), has the job map them, and stores one blob, one line per part (``map_block``,
   ``blob_store``); its answer says which units it owned, what it observed, and a digest of each line
   (``digests``).
4. ``parse_file`` checks that what the blocks owned chains from 0 to the last unit (``conservation``), and
   writes the manifest.
5. ``handlers.get_all_occurrences`` fans out over ``handlers.get_occurrences``, one per part (``parts``).
6. Each reads its line of every blob, checks its digest, has the job reduce them, and stores the result
   (``reduce_part``, ``results_table``).
7. ``parse_file`` checks that no observation got lost on the way; ``handlers.log_results`` logs the answer.

``run`` has these stages in order, ``lease`` sees that a run has one owner.
"""
