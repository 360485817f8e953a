"""Fanfold's pipeline, in the order in which the data moves.

1. ``handlers.parse_file`` pins the object's ETag (``source``) and cuts its size into blocks (``blocks``).
2. It fans out (``map_reduce``) over ``handlers.parse_block``, one invocation a block.
3. Each reads the bytes its block owns (``blocks``, ``source``), counts their words (``words``) and
   stores one blob, a line a word length (``blob_store``); its answer says which bytes it owned.
4. ``parse_file`` checks that the owned spans chain from 0 to the object's size, and writes the manifest.
5. ``handlers.get_all_occurrences`` fans out over ``handlers.get_occurrences``, one a word length.
6. Each reads its line of every blob, sums (``top_words``) and stores the ten most frequent
   (``results_table``).
7. ``parse_file`` checks that no word got lost on the way, and ``handlers.log_results`` logs the answer.
"""
